"""What of a layer's output is a grid of cells, and how it is brought to N x C x H x W and back.

Networks lay their cells out in three ways: channels first (N x C x H x W), channels last
(N x H x W x C, Swin), and as tokens (N x tokens x C, vision transformers), before which a few may
stand that belong to no cell, such as a class token. Some return more than that, in a tuple.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..records import LayerInfo

_MOST_PREFIX = 5  # tokens before the patches: a class token, a distilled one, four registers
Grid = tuple[int, int, int]  # channels, height, width


def tensor_of(output: Any, size: tuple[int, int]) -> tuple[Tensor, Grid] | None:
    """The one grid in what a layer returned for one photo, and its size; None for none or several.

    Args:
        size: height and width of the network's input, whose shape a grid has.
    """
    parts = output if isinstance(output, tuple | list) else (output,)
    found = [(part, grid) for part in parts if (grid := _grid_of(part, size))]
    return found[0] if len(found) == 1 else None


def _grid_of(output: object, size: tuple[int, int]) -> Grid | None:
    """Channels, height and width of an output that is a grid of more than one cell."""
    is_one = isinstance(output, Tensor) and output.shape[:1] == (1,)
    if not (is_one and isinstance(output, Tensor) and output.is_floating_point()):
        return None
    if output.dim() == 4:
        _, first, second, third = output.shape
        if _fits(second, third, size):
            return first, second, third
        return (third, first, second) if _fits(first, second, size) else None
    if output.dim() != 3:
        return None
    counts = range(output.shape[1], output.shape[1] - _MOST_PREFIX - 1, -1)
    sides = filter(None, (_sides(cells, size) for cells in counts))
    return next(((output.shape[2], *side) for side in sides), None)


def _fits(height: int, width: int, size: tuple[int, int]) -> bool:
    """Whether a grid has the shape of the input, as near as whole cells can, and several cells."""
    if height * width < 2 or height > size[0] or width > size[1]:
        return False
    if size[0] == size[1]:
        return height == width
    return abs(height * size[1] - width * size[0]) < max(size)


def _sides(cells: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Height and width of so many cells in the shape of the input; None where they have none."""
    if cells < 2:
        return None
    guess = round((cells * size[0] / size[1]) ** 0.5)
    for height in sorted(range(max(guess - 2, 1), guess + 3), key=lambda each: abs(each - guess)):
        if cells % height == 0 and _fits(height, cells // height, size):
            return height, cells // height
    return None


def read(output: Any, layer: LayerInfo) -> Tensor:
    """The one tensor of an output that has the layer's grid."""
    if isinstance(output, Tensor):
        return output
    return next(part for part in output if isinstance(part, Tensor) and _has(part, layer))


def replaced(output: Any, layer: LayerInfo, value: Tensor) -> Any:
    """The same output with another tensor in that one's place."""
    if isinstance(output, Tensor):
        return value
    old = read(output, layer)
    parts = [value if part is old else part for part in output]
    if hasattr(output, "_fields"):  # a named tuple
        return type(output)(*parts)
    return type(output)(parts)


def _has(part: Tensor, layer: LayerInfo) -> bool:
    cells = layer.height, layer.width
    if part.dim() == 4:
        return part.shape[1:] in ((layer.channels, *cells), (*cells, layer.channels))
    before = part.shape[1] - cells[0] * cells[1] if part.dim() == 3 else -1
    return 0 <= before <= _MOST_PREFIX and part.shape[2] == layer.channels


def to_grid(output: Tensor, layer: LayerInfo) -> tuple[Tensor, Tensor | None]:
    """A tensor as N x C x H x W, and the tokens that belong to no cell."""
    if output.dim() == 4:
        is_grid = output.shape[1:] == (layer.channels, layer.height, layer.width)
        return (output if is_grid else output.permute(0, 3, 1, 2)), None
    cells = layer.height * layer.width
    prefix = output[:, : output.shape[1] - cells]
    patches = output[:, output.shape[1] - cells :].transpose(1, 2)
    return patches.reshape(-1, layer.channels, layer.height, layer.width), prefix


def from_grid(grid: Tensor, prefix: Tensor | None, output: Tensor) -> Tensor:
    """The inverse of `to_grid`."""
    if prefix is not None:
        return torch.cat([prefix, grid.flatten(2).transpose(1, 2)], dim=1)
    return grid if grid.shape == output.shape else grid.permute(0, 2, 3, 1)
