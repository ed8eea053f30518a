"""A training view of a model: faster modules around the same weights, with the same gradients.

The model that a bundle saves stays the plain one of ``transformers``. What trains is a view of it: a copy of
its modules that holds the very same parameters, so that gradients arrive at them, with parts replaced by ones
that compute the same for less.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from goemo.fast.first_token import shorten_last_block
from goemo.fast.one_dnn import trained_linear
from goemo.fast.stand_ins import fuse_gelu, replace_modules

# Of an embedding, from which filling them with zeros costs more than sorting those that a batch has.
_MANY_ROWS = 4096


def _sparse_embeddings(view: Any) -> None:
    for module in view.modules():
        if isinstance(module, nn.Embedding) and module.num_embeddings >= _MANY_ROWS:
            module.sparse = True


@dataclass(frozen=True)
class Shortcut:
    """One way to compute the same for less.

    Attributes:
        apply: Changes a view in place.
        is_for_cpu: It gains nothing on a GPU, and is left out there.
    """

    apply: Callable[[Any], None]
    is_for_cpu: bool = False


# By the name that the log gives them.
SHORTCUTS: Mapping[str, Shortcut] = {
    # The last block computes the first token alone, where that is all that the head reads.
    "first token": Shortcut(shorten_last_block),
    # The GELU with a tanh, ALBERT's, is one operation.
    "fused GELU": Shortcut(fuse_gelu),
    # A batch touches a few hundred of an embedding's tens of thousands of rows.
    "sparse embeddings": Shortcut(_sparse_embeddings, is_for_cpu=True),
    # Linear maps and their gradients run in oneDNN, on processors where that is faster.
    "oneDNN": Shortcut(lambda view: replace_modules(view, nn.Linear, trained_linear), is_for_cpu=True),
}


def training_view(model: Any, *, without: Collection[str] = ()) -> Any:
    """Return a view of a classifier whose forward and backward passes cost less.

    Args:
        model: Any classifier, on its device; it stays as it is.
        without: Names of ``SHORTCUTS`` that are left out.

    Returns:
        In the mode that the model is in. Without dropout, its logits and gradients equal the model's to
        rounding; with it, other numbers are drawn where the last block computes the first token alone.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    view = copy.deepcopy(model, shared)
    is_cpu = model.device.type == "cpu"
    for name, shortcut in SHORTCUTS.items():
        if name not in without and (is_cpu or not shortcut.is_for_cpu):
            shortcut.apply(view)
    return view
