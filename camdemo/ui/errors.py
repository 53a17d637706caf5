"""Our errors as Gradio's: with their text, which is meant to be read, and no traceback."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import gradio as gr

from ..errors import CamdemoError


def errors_for_page(before: str = "") -> AbstractContextManager[None]:
    """For handlers of the page, which shows an error's text, after these words, as HTML."""
    return _as_gradio_error(lambda text: html.escape(before + text))


def errors_for_client() -> AbstractContextManager[None]:
    """For endpoints of the API, whose clients get the text as it is."""
    return _as_gradio_error(str)


@contextmanager
def _as_gradio_error(write: Callable[[str], str]) -> Iterator[None]:
    try:
        yield
    except CamdemoError as error:
        raise gr.Error(write(str(error)), print_exception=False) from error
