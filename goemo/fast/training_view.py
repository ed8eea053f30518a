"""A model made to train faster: another frame around the same weights, which gives the same gradients.

The model that a bundle saves stays the plain one of ``transformers``. What trains is a view of it: a copy of
its modules that holds the very same parameters, so that gradients arrive at them, with parts replaced by ones
that compute the same for less.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

from goemo.fast.first_token import shorten_last_block
from goemo.fast.quick_attention import use_quick_attention
from goemo.fast.quick_dropout import QuickDropout
from goemo.fast.stand_ins import fuse_gelu, keep_relative_positions, replace_modules

# Of an embedding, from which filling them with zeros costs more than sorting those that a batch has.
_MANY_ROWS = 4096

# Below so many, the calls cost more than oneDNN gains on the products.
_FEW_PRODUCTS = 2**21


def training_view(model: Any) -> Any:
    """Return a view of a classifier whose forward and backward passes cost less.

    * The last block computes the first token alone, where that is all that the head reads.
    * The GELU with a tanh is one operation (``fuse_gelu``).
    * DeBERTa's distances of positions are worked out once (``keep_relative_positions``).
    * On a CPU, embeddings give sparse gradients: a batch touches a few hundred of their tens of thousands of
      rows, and zeroing the others in every step took a fifteenth of it.
    * On a CPU, dropout draws its numbers at a quarter of the cost (``QuickDropout``), and so does that of
      attention, in fewer operations (``quick_attention``).
    * On a CPU, linear maps and their gradients run in oneDNN: with the shapes of MiniLM twice as fast as what
      torch calls on one core of an AMD EPYC of the fifth generation.

    Args:
        model: Any classifier, on its device; it stays as it is.

    Returns:
        In the mode that the model is in. Without dropout, its logits and gradients equal the model's to
        rounding; with it, they are of the same distribution.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    view = copy.deepcopy(model, shared)
    shorten_last_block(view)
    fuse_gelu(view)
    keep_relative_positions(view)
    if model.device.type == "cpu":
        for module in view.modules():
            if isinstance(module, nn.Embedding) and module.num_embeddings >= _MANY_ROWS:
                module.sparse = True
        use_quick_attention(view)
        replace_modules(view, nn.Dropout, lambda dropout: QuickDropout(dropout.p))
        if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            replace_modules(view, nn.Linear, _OneDnnLinear)
    return view


class _OneDnnLinear(nn.Module):
    """A linear map that runs in oneDNN, where it is large enough to be worth the call."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, features: Tensor) -> Tensor:
        rows = features.numel() // features.shape[-1]
        is_small = rows * self.weight.numel() < _FEW_PRODUCTS
        # What torch calls may round by where in memory the weights lie, which no score may depend on.
        if torch.is_grad_enabled() and (is_small or torch.is_autocast_enabled("cpu")):
            return F.linear(features, self.weight, self.bias)
        mapped: Tensor = _Linear.apply(features, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return mapped


class _Linear(torch.autograd.Function):
    """``x W^T + b`` and its gradients."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(features, weight)
        return _one_dnn(features, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, weight = ctx.saved_tensors
        flat = gradient.flatten(0, -2)
        of_features, of_weight, of_bias = ctx.needs_input_grad
        return (
            _one_dnn(gradient, weight.t(), None) if of_features else None,
            _of_weight(flat, features.flatten(0, -2)) if of_weight else None,
            flat.sum(0) if of_bias else None,
        )


def _of_weight(gradient: Tensor, features: Tensor) -> Tensor:
    """Return ``gradient^T features``, for (n, outputs) and (n, inputs).

    oneDNN takes the features as its weights. Where these do not lie row by row, it falls back to loops that
    take 50 times as long.
    """
    return _one_dnn(gradient.t().contiguous(), features.contiguous().t(), None)


def _one_dnn(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    mapped: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - no public name
        features, weight, bias, "none", [], ""
    )
    return mapped
