"""The keys of a search space, with the rule of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from goemo.configuration import METRICS, POOLING, TRAINABLE
from goemo.schedules import SCHEDULES
from goemo.threshold_options import DEFAULT_METHOD
from tune.spec.rules import (
    Rule,
    folder_name,
    gpus,
    loss,
    number,
    one_of,
    share,
    text,
    thresholds,
    trials,
    whole,
)
from tune.spec.sections import ALGORITHMS, SCHEDULERS, SECTIONS, TAXONOMIES, TEST_POLICIES


@dataclass(frozen=True)
class Hyperparameter:
    """What a space may vary: the type of its values and the rule for each."""

    type: type[int | float | str]
    rule: Rule


HYPERPARAMETERS: dict[str, Hyperparameter] = {
    "batch_size": Hyperparameter(int, whole(1)),
    "learning_rate": Hyperparameter(float, number(above=0)),
    "epochs": Hyperparameter(int, whole(1)),
    "max_length": Hyperparameter(int, whole(4)),
    "weight_decay": Hyperparameter(float, number(low=0)),
    "warmup_fraction": Hyperparameter(float, number(low=0, high=1)),
    "schedule": Hyperparameter(str, one_of(*SCHEDULES)),
    "loss": Hyperparameter(str, loss),
    "label_smoothing": Hyperparameter(float, number(low=0, high=0.99)),
    "dropout": Hyperparameter(float, number(low=0, high=0.99)),
    "layer_decay": Hyperparameter(float, number(low=0.01, high=1)),
    "head_lr_multiplier": Hyperparameter(float, number(above=0)),
    "max_grad_norm": Hyperparameter(float, number(low=0)),
    "accumulation_steps": Hyperparameter(int, whole(1)),
    "beta1": Hyperparameter(float, number(low=0, high=0.9999)),
    "beta2": Hyperparameter(float, number(low=0, high=0.999999)),
}

# Section to key to rule; the empty section is the top level.
RULES: dict[str, dict[str, Rule]] = {
    "": {
        "name": folder_name,
        "seed": whole(0),
        "keep_models": whole(0),
        "checkpoint_every_s": number(above=0),
    },
    "model": {"checkpoint": text, "trainable": one_of(*TRAINABLE), "pooling": one_of(*POOLING)},
    "data": {"source": text, "taxonomy": one_of(*TAXONOMIES)},
    "search": {"algorithm": one_of(*ALGORITHMS), "trials": trials},
    "scheduler": {
        "algorithm": one_of(*SCHEDULERS),
        "grace": whole(1, 100),
        "reduction_factor": number(above=1),
    },
    "objective": {
        "metric": one_of(*METRICS),
        "thresholds": thresholds,
        "reports": whole(1, 100),
        "test": one_of(*TEST_POLICIES),
    },
    "resources": {
        "cpus_per_trial": share(above=0),
        "gpus_per_trial": gpus,
        "prefix_limit_gb": number(low=0),
    },
}

TOP_LEVEL = ("name", "model", "data", "space", *list(SECTIONS)[2:], *list(RULES[""])[1:])

REQUIRED = {
    ("model", "checkpoint"): "required: a hub id, a folder, package:NAME or scratch:albert-tiny",
}

# What a bare word means, where one stands for a mapping.
_BARE = {"search": "algorithm", "scheduler": "algorithm", "thresholds": "method"}
_ABSENT = {"thresholds": DEFAULT_METHOD}


def section_values(values: Mapping[str, Any], section: str) -> Any:
    """Return what stands for a section, which may be a bare algorithm, or a bare method of thresholds."""
    given = values.get(section, _ABSENT.get(section, {}))
    return {_BARE[section]: given} if section in _BARE and isinstance(given, str) else given
