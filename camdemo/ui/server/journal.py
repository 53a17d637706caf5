"""One line of JSON a request: what was asked, how long it took and how it ended.

Never a photo's content or name, and nothing that a client wrote: only what the server found.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any

from ...errors import CamdemoError, WeightsError
from ..errors import told
from .lines import where

if TYPE_CHECKING:
    from ...explanation import Explanation

log = logging.getLogger("camdemo")
SORRY = "Something went wrong on the server. Please try again."
_facts: ContextVar[dict[str, Any] | None] = ContextVar("facts", default=None)


@contextmanager
def request(kind: str) -> Iterator[None]:
    """Log a request when it ends, with what was noted meanwhile."""
    facts: dict[str, Any] = {"request": kind}
    token = _facts.set(facts)
    outcome, started = "failed", time.perf_counter()
    try:
        yield
        outcome = "done"
    except CamdemoError as error:
        outcome = type(error).__name__
        if isinstance(error, WeightsError):
            note(reason=str(error.__cause__ or error))  # of which the visitor is told less
        raise
    except Exception as error:
        note(**where(error))
        raise
    finally:
        _facts.reset(token)
        facts |= {"outcome": outcome, "ms": round(1000 * (time.perf_counter() - started), 1)}
        _write(facts)


def failed(kind: str, error: Exception) -> None:
    """Log a request that failed before or after it was answered by us."""
    _write({"request": kind} | where(error) | {"outcome": "failed"})


def unknown(kind: str) -> None:
    """Log a request for what there is not: a client's mistake, and none of ours."""
    _write({"request": kind, "outcome": "unknown"})


def refused(kind: str, error: CamdemoError) -> None:
    """Log a request for which there was no place, or nobody waits any more."""
    _write({"request": kind, "outcome": type(error).__name__})


def _write(facts: dict[str, Any]) -> None:
    log.info(json.dumps(facts), extra={"is_line": True})


def note(**facts: Any) -> None:
    """Add facts to the line of the request that is being answered, if there is one."""
    line = _facts.get()
    if line is not None:
        line |= facts


def facts_of(explanation: Explanation) -> dict[str, Any]:
    """What the log tells of an explanation: model, size of the photo, milliseconds by stage.

    And what ran the network, where there is an accelerator.
    """
    width, height = explanation.image.size
    timings = explanation.timings
    stages = {f"{name}_ms": round(getattr(timings, name), 1) for name in timings.__slots__}
    device = {"device": explanation.device} if explanation.device else {}
    return {"model": explanation.model.name, "width": width, "height": height} | stages | device


def answers(kind: str) -> Callable[[Callable[..., dict]], Callable[..., dict]]:
    """A viewer's question: logged, and what goes wrong is answered by {"error": a sentence}."""

    def decorate(answer: Callable[..., dict]) -> Callable[..., dict]:
        @wraps(answer)
        def answer_or_error(*arguments: Any) -> dict:
            try:
                with request(kind):
                    return answer(*arguments)
            except CamdemoError as error:
                return {"error": told(error)}
            except Exception:  # the line in the log has the place
                return {"error": SORRY}

        return answer_or_error

    return decorate
