"""Learning rates that differ by depth: lower for lower blocks, another for the head."""

from __future__ import annotations

from typing import Any

from goemo.errors import InputError
from goemo.models.architectures import architecture, blocks_path, encoder_blocks
from goemo.models.building import head_modules
from goemo.models.pooling import has_mean_block


def learning_rate_scales(model: Any, *, layer_decay: float, head_multiplier: float) -> dict[str, float]:
    """Return what the learning rate of each parameter is multiplied by.

    The head has ``head_multiplier``; the last encoder block and a norm behind it 1, the block below
    ``layer_decay``, and so on down to the embeddings, which lie below the first block (layer-wise
    learning-rate decay; Clark et al. 2020, ELECTRA, appendix A). Blocks that ALBERT shares are one block.

    Args:
        model: The classifier.
        layer_decay: In (0, 1]; 1 for none.
        head_multiplier: Above 0.

    Raises:
        InputError: There is a decay, and the blocks of this architecture are not known.
    """
    head = tuple(f"{name}." for name, _ in head_modules(model))
    scales = {name: head_multiplier if name.startswith(head) else 1.0 for name, _ in model.named_parameters()}
    if layer_decay == 1:
        return scales
    path, blocks = blocks_path(model), encoder_blocks(model)
    if path is None or blocks is None:
        problem = f"layer_decay: the blocks of {model.config.model_type} are not known; leave it at 1"
        raise InputError(model.config.model_type, [problem])
    last = len(blocks) - 1 - int(has_mean_block(model))  # of those that learn
    for name, depth in _depths(model, path).items():
        if not name.startswith(head):
            scales[name] = layer_decay ** max(0, last - depth)
    return scales


def _depths(model: Any, path: str) -> dict[str, int]:
    """Return the block that each parameter belongs to, from 0: that of a norm behind the blocks is the last.

    What lies below the first has -1. Models name their parts in the order of the data, but for the relative
    positions of DeBERTa and MPNet, which all blocks read.
    """
    known = architecture(model)
    has_norm_behind = known is None or known.has_norm_behind
    beside = path.rpartition(".")[0]
    depths: dict[str, int] = {}
    last = -1
    for name, parameter in model.named_parameters():
        if name.startswith(f"{path}."):
            last = depths[name] = int(name.removeprefix(f"{path}.").split(".", 1)[0])
        else:
            is_norm = has_norm_behind and parameter.ndim == 1 and name.startswith(beside)
            depths[name] = last if is_norm else -1
    return depths
