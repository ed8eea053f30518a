"""What a configuration is called in a few words, in tables, in the terminal and in MLflow."""

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
}
