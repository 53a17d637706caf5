"""From what a network returns to logits, (n, labels): the answers of other people's networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..errors import CamdemoError
from ..records import Activation

_NAMES = ("logits", "output", "out", "pred", "predictions", "scores")  # in a dict, the first there
_WRAP = (
    "Wrap it: class Wrapped(torch.nn.Module), whose forward(x) calls your model and returns the "
    "logits, float (n, labels)."
)
# What reads an output without another value: autograd's names.
_MOVES = (
    *("View", "UnsafeView", "Squeeze", "Unsqueeze", "Alias", "ReshapeAlias", "Select", "Slice"),
    *("Permute", "Transpose", "T", "Clone", "ToCopy", "Split", "Unbind"),
)
_ENDS = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}


def logits_of(output: Any, count: int) -> Tensor:
    """The logits in what a network returned for `count` inputs: (count, labels).

    A tensor, an object with `.logits` (Hugging Face's), a dict with them, or a tuple whose first
    they are. One number an input is one label's logit.

    Raises:
        CamdemoError: none of these; the text has what came, and how to wrap the model.
    """
    found = output
    for _ in range(3):  # of a tuple in a dict, too
        if isinstance(getattr(found, "logits", None), Tensor):
            found = found.logits
        elif isinstance(found, Mapping):
            named = [found[name] for name in _NAMES if name in found]
            found = (named or [None])[0] if named or len(found) != 1 else next(iter(found.values()))
        elif isinstance(found, Sequence) and not isinstance(found, str) and len(found):
            found = found[0]
    if isinstance(found, Tensor) and found.is_floating_point() and found.numel():
        if found.numel() == count:
            return found.reshape(count, 1)
        if found.dim() >= 2 and len(found) == count and found[0].numel() == found.shape[1]:
            return found.flatten(1)  # of (n, labels, 1, 1), too
    raise CamdemoError(
        f"The model returns {describe(output)} for {count} photo{'s' * (count > 1)}, and no logits "
        f"of labels can be told from that. {_WRAP}"
    )


def describe(output: Any, depth: int = 2) -> str:
    """What a network returned, in words: "a tuple of a tensor 1 x 3 x 8 x 8 and a dict"."""
    if isinstance(output, Tensor):
        return f"a tensor {' x '.join(map(str, output.shape)) or 'without dimensions'}"
    kind = type(output).__name__
    if isinstance(output, Mapping):
        inner = [f"{key!r}: {describe(value, depth - 1)}" for key, value in output.items()]
    elif isinstance(output, Sequence) and not isinstance(output, str):
        inner = [describe(value, depth - 1) for value in output]
    else:
        return f"an object {kind}"
    if not depth or not inner:
        return f"a {kind}"
    more = ", ..." if len(inner) > 3 else ""
    return f"a {kind} of {len(inner)} ({', '.join(inner[:3])}{more})"


def end_of(logits: Tensor) -> tuple[str, Activation] | None:
    """Whether a network's last step already made probabilities: "Softmax" and the like.

    Args:
        logits: as the network returned them, with what autograd recorded.
    """
    node = logits.grad_fn
    while node is not None:
        kind = node.name().removesuffix("0").partition("Backward")[0]
        if kind in _ENDS:
            return kind, cast(Activation, _ENDS[kind])
        if kind not in _MOVES or not node.next_functions or node.next_functions[0][0] is None:
            break
        node = node.next_functions[0][0]
    return None


class Answer:
    """A hook on a network as a whole, after which it returns logits and nothing else.

    Attributes:
        end: what its last step made of them, which is undone here; empty where nothing is to be.
        both: whether its one logit stands for the second of two labels; the first then gets the
            negative one, so that sigmoids of the two add up to 1.
    """

    def __init__(self, end: str = "", both: bool = False) -> None:
        self.end, self.both = end, both

    def __call__(self, _module: nn.Module, inputs: tuple, output: Any) -> Tensor:
        logits = logits_of(output, len(inputs[0]))
        if self.end == "Softmax":
            logits = logits.clamp_min(torch.finfo(logits.dtype).tiny).log()
        elif self.end == "Sigmoid":
            logits = torch.logit(logits, 1e-6)
        return torch.cat([-logits, logits], 1) if self.both else logits


def skip(_module: nn.Module, inputs: tuple, _output: Any) -> Tensor:
    """A hook on a last step, such as a softmax: hand on what it was given."""
    return inputs[0]
