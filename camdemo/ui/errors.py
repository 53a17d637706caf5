"""Our errors for strangers: in Gradio's kind, and without what is the server's own business."""

from __future__ import annotations

import errno
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from ..errors import CamdemoError, WeightsError
from ..records import ModelSpec


@contextmanager
def errors_for_client() -> Iterator[None]:
    """For endpoints of the API, whose clients get the text of an error as it is."""
    try:
        yield
    except CamdemoError as error:
        raise gr.Error(str(error), print_exception=False) from error


def told(error: CamdemoError) -> str:
    """What a visitor of the page is told of an error."""
    if isinstance(error, WeightsError) and error.spec is not None:
        return weights_told(error.spec, error.__cause__)
    return str(error)


def weights_told(spec: ModelSpec, cause: BaseException | None) -> str:
    """Why the weights can't be had, without an address, a path or the number of an error."""
    return (
        f"The weights of {spec.title} ({spec.megabytes:.0f} MB) can't be downloaded: "
        f"{_reason(cause)}. Try again later, or choose a model that is ready."
    )


def _reason(cause: BaseException | None) -> str:
    if isinstance(cause, TimeoutError):
        return "their host does not answer"
    if isinstance(cause, urllib.error.HTTPError):
        return "their host does not give them"
    if isinstance(cause, ValueError):
        return "what arrived is not the file that was published"
    if isinstance(cause, OSError):
        if cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return "the server's disk is full"
        stored = cause.filename is not None
        return "the server can't store them" if stored else "their host can't be reached"
    return "they are missing on the server" if cause is None else "their file is damaged"
