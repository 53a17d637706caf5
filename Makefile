# make run          start the page
# make test         run all tests
# make lint         check style and types
# make format       mend the style
# make bench        measure against the notebook's way, two libraries, and a GPU where there is one
# make bench-timm   whether timm's families can be explained, each by one member
# make bench-ui     measure the page in Chromium
# make bench-faith  which map to trust: PHOTOS=folder N=100 METHODS=gradcam,hirescam KEEP=file
# make load         a crowd on the page, and on a plain one; where the server's time goes
# make sizing       what a visit costs, and a simulated hall beside a crowd that was there
# make soak         thousands of explanations in one process, and every model in turn
# make attack       what strangers can do to the page: minutes, on this machine alone
# make screenshots  take README.md's pictures from the real page
# make notebook     run notebooks/hornbill.ipynb anew
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check
.PHONY: help run test lint format bench bench-timm bench-ui bench-faith load sizing soak attack screenshots notebook

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(VENV)/run.done
	@echo "Starting the page: its address follows in some seconds."
	@$(BIN)/python app.py

test: $(VENV)/dev.done
	@$(BIN)/python tests/browser/chromium.py
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/dev.done
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/dev.done
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/dev.done
	@$(BIN)/python -m benchmarks

bench-timm: $(VENV)/dev.done
	@$(BIN)/python -m benchmarks.families

bench-ui: $(VENV)/dev.done
	@$(BIN)/python tests/browser/chromium.py
	@$(BIN)/python -m benchmarks.ui
	@$(BIN)/python -m benchmarks.live

bench-faith: $(VENV)/dev.done
	@$(BIN)/python -m benchmarks.faith $(PHOTOS) $(if $(N),--count $(N)) $(if $(METHODS),--methods $(METHODS)) \
		$(if $(KEEP),--keep $(KEEP)) $(FLAGS)

load: $(VENV)/dev.done
	@$(BIN)/python -m benchmarks.load
	@$(BIN)/python -m benchmarks.giants
	@$(BIN)/python -m benchmarks.stages

sizing: $(VENV)/dev.done
	@$(BIN)/python -m benchmarks.sizing

soak: $(VENV)/dev.done
	@$(BIN)/python -m benchmarks.soak

attack: $(VENV)/dev.done
	@$(BIN)/python -m benchmarks.attack

screenshots: $(VENV)/dev.done
	@$(BIN)/python assets/make_screenshots.py

notebook: $(VENV)/dev.done
	@PATH="$(BIN):$$PATH" $(BIN)/python -m notebooks

# One file a list of requirements says that it is installed; a changed list installs again.
$(VENV)/run.done: requirements.txt | $(BIN)/python
	@echo "Installing what the page needs into $(VENV), PyTorch and Gradio: minutes, the first time."
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/dev.done: requirements.txt requirements-dev.txt | $(BIN)/python
	@echo "Installing what the page and its tests need into $(VENV): minutes, the first time."
	@$(INSTALL) -r requirements.txt -r requirements-dev.txt
	@touch $@ $(VENV)/run.done

$(BIN)/python:
	@echo "Making a Python environment in $(VENV)."
	@$(PYTHON) -m venv $(VENV)
