"""Pixel methods that read a vision transformer's attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import multi_head_attention_forward, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from .asked import Asked


class Attention(TorchFunctionMode):
    """Within it, `weights` gets what each layer attends to: (n, tokens, tokens), mean of the heads.

    Each row, of the token that looks, adds up to 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is multi_head_attention_forward:
            asked = kwargs | {"need_weights": True, "average_attn_weights": True}
            output, weights = function(*args, **asked)
            assert weights is not None
            self.weights.append(weights)
            return output, None
        if function is scaled_dot_product_attention and len(args) == 3:
            query, key = args[:2]
            logits = query @ key.mT * (kwargs.get("scale") or query.shape[-1] ** -0.5)
            self.weights.append(logits.softmax(dim=-1).mean(dim=1))
        return function(*args, **kwargs)


def attention_rollout(asked: Asked) -> tuple[np.ndarray, None]:
    """From which patches the class token's last state comes, by attention alone.

    Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3: each layer is
    half its attention, averaged over the heads, and half the connection that goes around it; the
    layers are multiplied. Shares of all tokens add up to 1; there are no negative ones.
    """
    asked.step(1)
    with torch.inference_mode(), Attention() as read:
        asked.plain(asked.inputs)
    shares = rollout([one[0] for one in read.weights])
    side = int((len(shares) - 1) ** 0.5)
    grid = shares[len(shares) - side * side :].reshape(1, 1, side, side)
    size = asked.inputs.shape[-2:]
    large = functional.interpolate(grid, size, mode="bilinear", align_corners=False)
    return large[0, 0].cpu().numpy().astype(np.float32), None


def rollout(weights: list[Tensor]) -> Tensor:
    """What the first token is made of, (tokens,), from each layer's attention (tokens, tokens)."""
    shares = torch.zeros(len(weights[0]), device=weights[0].device)
    shares[0] = 1
    for attention in reversed(weights):
        shares = (shares @ attention + shares) / 2
    return shares
