"""Linear maps and their gradients in oneDNN, where that is faster than ``torch``'s own on a CPU.

``torch`` calls MKL, which takes no AVX-512 on processors that are not Intel's: on an AMD EPYC of the fifth
generation oneDNN trains MiniLM with a fifth more samples a second. Without AVX-512 the two are alike, and
trainings stay with ``torch``.

``torch`` has no public name for oneDNN's linear map in float32. Its private one is asked for here and nowhere
else, and where it is gone or does not work, ``torch.nn.functional.linear`` does the work.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

# Below so many, the calls cost more than oneDNN gains on the products.
_FEW_PRODUCTS = 2**21

# ``x W^T + b`` for features (n, inputs), weights (outputs, inputs) and a bias or None.
_Map = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@cache
def _has_avx512() -> bool:
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


@cache
def one_dnn_map() -> _Map | None:
    """Return oneDNN's linear map, or None where this ``torch`` or this processor has none that works."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    try:
        linear = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 - no public name

        def mapped(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            result: Tensor = linear(features, weight, bias, "none", [], "")
            return result

        with torch.inference_mode():
            ones = torch.ones(2, 3)
            works = torch.equal(mapped(ones, ones, torch.ones(2)), torch.full((2, 2), 4.0))
    except (AttributeError, RuntimeError, TypeError):
        return None
    return mapped if works else None


@cache
def _reorder() -> Callable[[Tensor], Tensor] | None:
    """Return what lays weights out as oneDNN likes them, or None where there is no such thing."""
    linear = one_dnn_map()
    if linear is None:
        return None
    try:
        reorder: Callable[[Tensor], Tensor] = torch.ops.mkldnn._reorder_linear_weight  # noqa: SLF001 - likewise
        with torch.inference_mode():
            ones = torch.ones(2, 3)
            works = torch.equal(linear(ones, reorder(ones), None), torch.full((2, 2), 3.0))
    except (AttributeError, RuntimeError, TypeError):
        return None
    return reorder if works else None


class OneDnnLinear(nn.Module):
    """A linear map that trains in oneDNN, where it is large enough to be worth the call."""

    def __init__(self, linear: nn.Linear, mapped: _Map) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self._mapped = mapped

    def forward(self, features: Tensor) -> Tensor:
        """Return the features mapped; any number of dimensions."""
        rows = features.numel() // features.shape[-1]
        is_small = not _has_avx512() or rows * self.weight.numel() < _FEW_PRODUCTS
        # What torch calls may round by where in memory the weights lie, which no score may depend on.
        if torch.is_grad_enabled() and (is_small or torch.is_autocast_enabled("cpu")):
            return F.linear(features, self.weight, self.bias)
        # Flat: what comes out of an autograd function must be no view, for some models write into it.
        flat: Tensor = _Linear.apply(  # type: ignore[no-untyped-call]
            features.flatten(0, -2), self.weight, self.bias, self._mapped
        )
        return flat.view(*features.shape[:-1], -1)


class _Linear(torch.autograd.Function):
    """``x W^T + b`` for x of shape (n, inputs), and its gradients."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, mapped: _Map) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.mapped = mapped
        return mapped(features, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, weight = ctx.saved_tensors
        of_features, of_weight, of_bias, _ = ctx.needs_input_grad
        return (
            ctx.mapped(gradient, weight.t(), None) if of_features else None,
            # oneDNN takes the features as its weights. Where these do not lie row by row, it falls back to
            # loops that take 50 times as long.
            ctx.mapped(gradient.t().contiguous(), features.contiguous().t(), None) if of_weight else None,
            gradient.sum(0) if of_bias else None,
            None,
        )


class PackedLinear(nn.Module):
    """A linear map that only looks, with its weights once more in oneDNN's layout."""

    def __init__(self, linear: nn.Linear, mapped: _Map, packed: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self._mapped, self._packed = mapped, packed

    def forward(self, features: Tensor) -> Tensor:
        """Return the features mapped; any number of dimensions."""
        return self._mapped(features, self._packed, self.bias)


def trained_linear(linear: nn.Linear) -> nn.Module | None:
    """Return what stands for a linear map that trains on a CPU; None where it stays."""
    mapped = one_dnn_map()
    return None if mapped is None else OneDnnLinear(linear, mapped)


def packed_linear(linear: nn.Linear) -> nn.Module | None:
    """Return what stands for a linear map that only looks on a CPU; None where it stays."""
    mapped, reorder = one_dnn_map(), _reorder()
    if mapped is None or reorder is None or linear.weight.dtype != torch.float32:
        return None
    return PackedLinear(linear, mapped, reorder(linear.weight.detach()))
