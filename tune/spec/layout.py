"""The keys of a search space, with the rule of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goemo.configuration import METRICS, MIXED_PRECISION, POOLING, TRAINABLE
from goemo.configuration.thresholds import DEFAULT_METHOD
from tune.spec.enqueued import enqueue
from tune.spec.rules import (
    Rule,
    folder_name,
    gpus,
    names,
    number,
    one_of,
    share,
    text,
    thresholds,
    timeout,
    trials,
    whole,
)
from tune.spec.sections import ALGORITHMS, SCHEDULERS, SECTIONS, TAXONOMIES, TEST_POLICIES

# Section to key to rule; the empty section is the top level.
RULES: dict[str, dict[str, Rule]] = {
    "": {
        "name": folder_name,
        "seed": whole(0),
        "keep_models": whole(0),
        "checkpoint_every_s": number(above=0),
        "trial_timeout_s": timeout,
    },
    "model": {
        "checkpoint": text,
        "trainable": one_of(*TRAINABLE),
        "pooling": one_of(*POOLING),
        "mixed_precision": one_of(*MIXED_PRECISION),
    },
    "data": {"source": text, "taxonomy": one_of(*TAXONOMIES)},
    "search": {
        "algorithm": one_of(*ALGORITHMS),
        "trials": trials,
        "enqueue": enqueue,
        "warm_start": names,
        "startup_trials": trials,
    },
    "scheduler": {
        "algorithm": one_of(*SCHEDULERS),
        "grace": whole(1, 100),
        "reduction_factor": number(above=1),
        "brackets": whole(1),
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
    "confirm": {"top": whole(0), "seeds": whole(2)},
}

TOP_LEVEL = ("name", "model", "data", "space", *list(SECTIONS)[2:], *list(RULES[""])[1:])

REQUIRED = {
    ("model", "checkpoint"): "required: a hub id, a folder, package:NAME or scratch:albert-tiny",
}

# What a bare word means, where one stands for a mapping.
_BARE = {"search": "algorithm", "scheduler": "algorithm", "thresholds": "method"}
_ABSENT = {"thresholds": DEFAULT_METHOD}

# What a section means that is not there, where that is not all of its defaults.
ABSENT_SECTIONS: dict[str, Any] = {"confirm": {"top": 0}}


def section_values(values: Mapping[str, Any], section: str) -> Any:
    """Return what stands for a section, which may be a bare algorithm, or a bare method of thresholds."""
    given = values.get(section, _ABSENT.get(section, {}))
    return {_BARE[section]: given} if section in _BARE and isinstance(given, str) else given
