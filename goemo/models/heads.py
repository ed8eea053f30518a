"""The head of a fine-tuned checkpoint: kept for labels of the same names, else made fresh."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from goemo.models.checkpoints import Checkpoint


def trained_labels(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the names of the outputs that a checkpoint's head was trained for; none where it has no head."""
    if not checkpoint.has_weights:
        return ()
    config = json.loads((checkpoint.folder / "config.json").read_text(encoding="utf-8"))
    heads = config.get("architectures") or ()
    if not any(str(name).endswith("ForSequenceClassification") for name in heads):
        return ()
    names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}  # those that the library leaves out
    return tuple(str(names[key]) for key in sorted(names, key=int))


def head_note(checkpoint: Checkpoint, labels: Sequence[str]) -> str:
    """Say what becomes of the head that a checkpoint brings; empty where it brings none."""
    trained = trained_labels(checkpoint)
    if not trained:
        return ""
    if sorted(trained) == sorted(labels):
        order = "" if trained == tuple(labels) else ", put into the order of the data"
        return f"the head of {checkpoint.name} is kept: it was trained for these labels{order}"
    shown = ", ".join(trained[:3]) + (", ..." if len(trained) > 3 else "")
    return f"the head of {checkpoint.name} is made fresh: it was trained for other labels ({shown})"


@torch.no_grad()
def settle_head(model: Any, trained: Sequence[str], labels: Sequence[str]) -> None:
    """Put a trained head's outputs into the order of the labels, or give them fresh weights.

    Args:
        model: As it was loaded; a head of another size has fresh outputs already.
        trained: Names of the outputs of the head in the file; none where it has none.
        labels: Names in the order wanted.
    """
    if not trained or len(trained) != len(labels) or tuple(trained) == tuple(labels):
        return
    outputs = _outputs(model)
    if sorted(trained) == sorted(labels):
        order = torch.tensor([list(trained).index(label) for label in labels])
        for tensor in (outputs.weight, outputs.bias):
            if tensor is not None:
                tensor.copy_(tensor[order])
        return
    deviation = getattr(model.config, "initializer_range", None) or 0.02
    outputs.weight.normal_(std=deviation)
    if outputs.bias is not None:
        outputs.bias.zero_()


def _outputs(model: Any) -> nn.Linear:
    """Return the map that gives the logits: the last one beside the encoder with an output a label."""
    encoder = (
        {id(module) for module in model.base_model.modules()} if model.base_model is not model else set()
    )
    maps = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear)
        and id(module) not in encoder
        and module.out_features == model.config.num_labels
    ]
    return maps[-1]
