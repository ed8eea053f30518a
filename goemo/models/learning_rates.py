"""Learning rates that differ by depth: lower for lower blocks, another for the head."""

from __future__ import annotations

from typing import Any

from goemo.errors import InputError
from goemo.models.architectures import blocks_path, encoder_blocks
from goemo.models.building import head_modules
from goemo.models.pooling import has_mean_block


def learning_rate_scales(model: Any, *, layer_decay: float, head_multiplier: float) -> dict[str, float]:
    """Return what the learning rate of each parameter is multiplied by.

    The head has ``head_multiplier``; the last encoder block 1, the one below ``layer_decay``, and so on down
    to the embeddings, which lie below the first block (layer-wise learning-rate decay; Clark et al. 2020,
    ELECTRA, appendix A). Blocks that ALBERT shares are one block.

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
    for name in scales:
        if not name.startswith(head):
            scales[name] = layer_decay ** max(0, last - _depth(name, f"{path}."))
    return scales


def _depth(name: str, blocks: str) -> int:
    """Return the number of the block that a parameter belongs to, -1 for what lies below the first."""
    return int(name.removeprefix(blocks).split(".", 1)[0]) if name.startswith(blocks) else -1
