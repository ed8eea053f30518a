"""An untrained model for one training, built as cheaply as possible."""

from __future__ import annotations

import copy
from typing import Any

import torch

from goemo.configuration import Configuration
from goemo.models import build_model
from goemo.training.prepared import Prepared

# The model as it is before training, of the configuration that this process trained last. A worker that
# trains one configuration of a search after the other reads the checkpoint once.
_pristine: dict[tuple[Any, ...], Any] = {}


def fresh_model(configuration: Configuration, prepared: Prepared, device: torch.device) -> Any:
    """Return a model on the device whose trainable weights nobody else has."""
    c = configuration
    options = {"trainable": c.trainable, "seed": c.seed, "pooling": c.pooling, "dropout": c.dropout}
    key = (prepared.checkpoint.digest, prepared.labels, *options.values())
    if key not in _pristine:
        _pristine.clear()
        _pristine[key] = build_model(prepared.checkpoint, labels=prepared.labels, **options)  # type: ignore[arg-type]
    model = _pristine[key]
    # What is frozen never changes, so on the CPU all models share it; a copy to a GPU is a copy.
    shared = [p for p in model.parameters() if not p.requires_grad] if device.type == "cpu" else []
    return copy.deepcopy(model, {id(p): p for p in shared}).to(device)
