"""Our errors as Gradio's: with their text, which is meant to be read, and no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from ..errors import CamdemoError


@contextmanager
def errors_for_client() -> Iterator[None]:
    """For endpoints of the API, whose clients get the text of an error as it is."""
    try:
        yield
    except CamdemoError as error:
        raise gr.Error(str(error), print_exception=False) from error
