"""What a configuration is called in a few words: in tables, in the terminal and in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHORT_NAMES = {
    "batch_size": "bs",
    "learning_rate": "lr",
    "max_length": "len",
    "epochs": "ep",
    "weight_decay": "wd",
    "warmup_fraction": "wu",
    "label_smoothing": "ls",
    "schedule": "sched",
    "dropout": "drop",
    "layer_decay": "ld",
    "head_lr_multiplier": "head",
    "max_grad_norm": "clip",
    "accumulation_steps": "acc",
    "beta1": "b1",
    "beta2": "b2",
}


def short_value(value: Any) -> str:
    """Return a value in at most four digits: ``2e-05``, ``0.0003``, ``16``."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def short_name(varied: Mapping[str, Any]) -> str:
    """Return what varies, a short word each: ``bs16 lr2e-05 sched=cosine``; empty where nothing does."""
    return " ".join(
        f"{SHORT_NAMES.get(key, key)}{'=' if isinstance(value, str) else ''}{short_value(value)}"
        for key, value in varied.items()
    )
