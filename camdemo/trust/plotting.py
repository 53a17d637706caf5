"""Where plots are drawn: by matplotlib, which the page does without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CamdemoError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_of(given: Axes | None) -> Axes:
    """The axes that were given, or those of a new figure.

    Raises:
        CamdemoError: matplotlib is not installed.
    """
    if given is not None:
        return given
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise CamdemoError(
            "Plots are drawn by matplotlib, which is not installed. Run 'pip install matplotlib', "
            "or install camdemo with its extra 'plots'. The numbers are in the record without it."
        ) from error
    return pyplot.subplots(layout="constrained")[1]
