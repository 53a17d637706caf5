"""The page in a browser, ours and the plain one: `python -m benchmarks.ui`. About four minutes.

Times are taken inside the page, from the press to the painted frame (ui_probe.js). The two pages
take turns, so that a machine that is busy for a while slows both.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Browser, sync_playwright

from camdemo.models import catalogue
from tests.browser import chromium, steps
from tests.browser.conftest import OPTIONS

from . import stage
from .timing import table
from .ui_pages import EXAMPLE, HIDE, Control, Side, glances, open_pages, upload

ROUNDS = 20
WARM_UP = 2  # rounds before: the first event of a page takes Gradio half a second
SIZES = ((500, 333), (4000, 3000))
MODELS = ("efficientnet_lite0", "mobilenet_v2")

# The aims, in milliseconds where nothing else is said.
CONTROL = 33
EXAMPLE_HEAT, EXAMPLE_ALL = 250, 600
UPLOAD_HEAT = 900
OF_PLAIN = 0.5
ANSWER = 120  # from the end of the drag to the bars without that region
GLANCES = 8  # a second, while the frame is dragged
KILOBYTES = 300  # beside the photo


def main() -> None:
    """Print the tables."""
    started = time.monotonic()
    before = os.getloadavg()[0]
    with (
        stage.weights_at_hand(list(MODELS)) as random,
        tempfile.TemporaryDirectory(prefix="camdemo-ui-") as folder,
        sync_playwright() as playwright,
    ):
        path = chromium.find(playwright)
        if path is None:
            raise SystemExit("no Chromium: run `python tests/browser/chromium.py`")
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        print(
            f"Chromium {browser.version}, {os.cpu_count()} processor cores. Medians of {ROUNDS} "
            "rounds in which the two pages take turns, in milliseconds from the press to the "
            "painted frame."
        )
        photos = [_photo(Path(folder), *size) for size in SIZES]
        _measure(browser, photos, random)
        browser.close()
    after = os.getloadavg()[0]
    seconds = time.monotonic() - started
    print(f"\nLoad of the machine {before:.1f} before, {after:.1f} after {seconds:.0f} seconds.")


def _photo(folder: Path, width: int, height: int) -> Path:
    path = folder / f"{width}x{height}.jpg"
    path.write_bytes(stage.photo_bytes(width, height))
    return path


def _measure(browser: Browser, photos: list[Path], random: list[str]) -> None:
    with open_pages(browser) as (ours, plain):
        rows = _example(ours, plain)
        presses: list[list[str]] = []
        for number, (photo, size) in enumerate(zip(photos, SIZES, strict=True)):
            title = f"{size[0]} x {size[1]}"
            rows += _upload(ours, plain, photo, title, UPLOAD_HEAT if number else None)
            presses += _controls(ours, plain, title, number * (ROUNDS + WARM_UP))
        header = ["", "ours", "nine of ten within", "plain page", "ratio"]
        _print("To the heat map", table(header, rows))
        print("\nOurs remembers an example from its first click on; every upload is new to both.")
        _print("Exploring it", table(header, presses))
        print(f"\nRequests of ours to the server during {len(presses) * ROUNDS} presses: 0.")
        _print("Asking back", _asking(ours, photos[0], random))
        _print("Bytes to the browser for one explanation", _bytes(ours, photos, random))


def _print(title: str, text: str) -> None:
    print(f"\n## {title}\n\n{text}", flush=True)


# ---- times ----


def _example(ours: Side, plain: Side) -> list[list[str]]:
    """From the click on an example to the first map, and to all of them."""
    (first, complete), (other,) = _take_turns(
        (ours, EXAMPLE, ("heat map", "all maps")), (plain, EXAMPLE, ("heat map",))
    )
    return [
        _row("click on an example, heat map", first, other, EXAMPLE_HEAT, OF_PLAIN),
        _row("click on an example, every layer and label", complete, None, EXAMPLE_ALL),
    ]


def _upload(ours: Side, plain: Side, photo: Path, title: str, aim: int | None) -> list[list[str]]:
    """From the choice of a file to the first map. Leaves the photo on both pages."""
    control = upload(photo)
    (first,), (other,) = _take_turns(
        (ours, control, ("heat map",)), (plain, control, ("heat map",))
    )
    return [_row(f"upload of {title}, heat map", first, other, aim, OF_PLAIN if aim else None)]


def _controls(ours: Side, plain: Side, title: str, start: int) -> list[list[str]]:
    """From the press on each control to the picture that shows it.

    Raises:
        RuntimeError: our page asked its server for something.
    """
    rows = []
    for name, control in ours.controls.items():
        asked = len(ours.asked)
        (here,), (there,) = _take_turns(
            (ours, control, ("frame",)), (plain, plain.controls[name], ("frame",)), start
        )
        if ours.asked[asked:]:
            raise RuntimeError(f"{name}: our page asked for {ours.asked[asked:]}")
        rows.append(_row(f"{title}, {name}", here, there, CONTROL))
    return rows


# A page, what is pressed on it, and the marks to which time is taken.
Task = tuple[Side, Control, tuple[str, ...]]


def _take_turns(first: Task, second: Task, start: int = 0) -> list[list[list[float]]]:
    """The times of each task: for each of its marks those of all rounds.

    `start` is the number of the first press, so that each press chooses something new.
    """
    found: list[list[list[float]]] = [[], []]
    for count in range(start, start + WARM_UP + ROUNDS):
        for times, (side, control, marks) in zip(found, (first, second), strict=True):
            times.append(side.times(control, count, *marks))
    return [[list(mark) for mark in zip(*times[WARM_UP:], strict=True)] for times in found]


def _row(
    title: str,
    ours: list[float],
    plain: list[float] | None,
    aim: int | None,
    of_plain: float | None = None,
) -> list[str]:
    here = median(ours)
    within = f"{quantiles(ours, n=10)[-1]:.0f}"
    if plain is None:
        return [title, _against(here, aim, ".0f"), within, "", ""]
    there = median(plain)
    ratio = _against(here / there, of_plain, ".2f")
    return [title, _against(here, aim, ".0f"), within, f"{there:.0f}", ratio]


def _against(value: float, aim: float | None, digits: str) -> str:
    """A value beside what it should be at most: "18 (aim 33: met)"."""
    if aim is None:
        return f"{value:{digits}}"
    return f"{value:{digits}} (aim {aim:{digits}}: {'met' if value <= aim else 'missed'})"


def _asking(ours: Side, photo: Path, random: list[str]) -> str:
    """What hiding a region and moving the frame take, on a photo of 500 x 333."""
    rows = []
    for name in MODELS:
        spec = catalogue.find(name)
        _choose_model(ours, spec.title)
        shown = upload(photo)
        shown.ready(ours.page, -10)
        shown.press(ours.page, -10)
        ours.settle()
        times = [ours.times(HIDE, n, "answer", "yardstick") for n in range(WARM_UP + ROUNDS)]
        answer, yardstick = ([each[i] for each in times[WARM_UP:]] for i in (0, 1))
        numbers = " (random weights)" if name in random else ""
        rate = glances(ours, 4.0)
        rows.append(
            [
                f"{spec.title}{numbers}",
                _against(median(answer), ANSWER, ".0f"),
                f"{quantiles(answer, n=10)[-1]:.0f}",
                f"{median(yardstick):.0f}",
                f"{rate:.0f} (aim {GLANCES}: {'met' if rate >= GLANCES else 'missed'})",
            ]
        )
    header = [
        "",
        "region hidden, bars",
        "nine of ten within",
        "yardstick of 16 places",
        "answers a second while the frame moves",
    ]
    return table(header, rows)


# ---- bytes ----


def _bytes(ours: Side, photos: list[Path], random: list[str]) -> str:
    """What comes to the browser from the choice of a file until all maps are there."""
    rows = []
    for name in MODELS:
        spec = catalogue.find(name)
        _choose_model(ours, spec.title)
        numbers = " (random weights)" if name in random else ""
        for photo, size in zip(photos, SIZES, strict=True):
            shown, beside = _moved(ours, upload(photo), len(rows))
            rows.append(
                [
                    f"{spec.title}{numbers}, {size[0]} x {size[1]}",
                    f"{shown / 1000:.0f} kB",
                    _against(beside / 1000, KILOBYTES, ".0f").replace(" (", " kB ("),
                ]
            )
    return table(["", "photo", "beside it: maps, labels and the rest"], rows)


def _choose_model(side: Side, title: str) -> None:
    if steps.field(side.page, "Model").input_value() != title:
        steps.choose_model(side.page, title)
        side.settle()


def _moved(side: Side, control: Control, count: int) -> tuple[int, int]:
    """Bytes of the photo, and all others, until the page has gone quiet again."""
    control.ready(side.page, -1 - count)  # no count that an earlier upload had
    side.settle()
    session = side.page.context.new_cdp_session(side.page)
    addresses: dict[str, str] = {}
    packed: set[str] = set()  # requests whose answer is compressed
    received: dict[str, int] = {}

    def begin(event: dict) -> None:
        addresses[event["requestId"]] = event["request"]["url"]

    def answer(event: dict) -> None:
        if "content-encoding" in {name.lower() for name in event["response"]["headers"]}:
            packed.add(event["requestId"])

    def data(event: dict) -> None:
        number = event["requestId"]
        # What is not compressed is counted as it is: of an answer that comes bit by bit
        # Chromium doesn't tell how much of it came over the wire.
        size = event["encodedDataLength" if number in packed else "dataLength"]
        received[number] = received.get(number, 0) + size

    session.on("Network.requestWillBeSent", begin)
    session.on("Network.responseReceived", answer)
    session.on("Network.dataReceived", data)
    session.send("Network.enable")
    before = side.page.evaluate("probe.photoInside()")
    control.press(side.page, -1 - count)
    side.page.locator("#viewer[data-example='']").wait_for(state="attached")
    side.page.wait_for_timeout(200)  # the other maps are asked for after the next frame
    side.settle()
    session.detach()

    photo = side.page.evaluate("probe.photoInside()") - before
    total = 0
    for number, size in received.items():
        address = addresses.get(number, "")  # without one it was asked for before
        total += size if address.startswith("http") else 0
    return photo, total - photo


if __name__ == "__main__":
    main()
