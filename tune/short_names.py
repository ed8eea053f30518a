"""Short names of configurations: in tables, in the terminal and in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goemo.configuration import HYPERPARAMETERS
from goemo.escaping import without_folders

SHORT_NAMES = {name: key.short for name, key in HYPERPARAMETERS.items() if key.short}

_OF_THE_MODEL = ("checkpoint", "trainable")


def short_value(value: Any) -> str:
    """Return a value in at most four digits: ``2e-05``, ``0.0003``, ``16``."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def short_name(varied: Mapping[str, Any]) -> str:
    """Return what varies, a short word each: ``bs16 lr2e-05 sched=cosine``; empty where nothing does.

    Which encoder, and what of it, stand by themselves: ``xlnet-base-cased head lr0.001``.
    """
    return " ".join(
        without_folders(value)
        if key in _OF_THE_MODEL
        else f"{SHORT_NAMES.get(key, key)}{'=' if isinstance(value, str) else ''}{short_value(value)}"
        for key, value in varied.items()
    )
