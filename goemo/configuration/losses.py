"""Names of losses and their options, each with its default and range.

This file knows nothing of tensors, so that a search space is checked before anything heavy is imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from goemo.configuration.plugins import LOSS, plugins

# By loss, its options with their defaults; the formulas are in `goemo.training.losses`.
LOSSES: dict[str, dict[str, float]] = {
    "bce": {},
    "positive_weighted": {"power": 1.0},
    "class_balanced": {"beta": 0.999},
    "focal": {"gamma": 2.0, "alpha": 0.25},
    "asymmetric": {"negative_gamma": 4.0, "positive_gamma": 1.0, "margin": 0.05},
    "distribution_balanced": {
        "map_alpha": 0.1,
        "map_beta": 10.0,
        "map_gamma": 0.9,
        "negative_scale": 2.0,
        "bias_scale": 0.05,
        "gamma": 2.0,
    },
}

# Beyond these no paper goes, and most beyond them do not train.
_RANGES = {
    "power": (0.0, 1.0),
    "beta": (0.0, 1 - 1e-9),
    "gamma": (0.0, 10.0),
    "alpha": (0.0, 1.0),
    "negative_gamma": (0.0, 10.0),
    "positive_gamma": (0.0, 10.0),
    "margin": (0.0, 0.5),
    "map_alpha": (0.0, 10.0),
    "map_beta": (0.0, 100.0),
    "map_gamma": (0.0, 10.0),
    "negative_scale": (1.0, 100.0),
    "bias_scale": (0.0, 10.0),
}

_MOST = 1e9  # of options that another package declares, whose ranges only its function knows

_CHOICE = re.compile(r"\s*([\w.-]+)\s*(?:\(\s*(.*?)\s*\))?\s*")


def loss_options(choice: str) -> tuple[str, dict[str, float]]:
    """Return the name and all options of a loss, defaults included: of ``bce``, or ``focal(gamma=1)``.

    Raises:
        ValueError: The name or an option is unknown, or an option is no number or out of its range.
    """
    found = _CHOICE.fullmatch(choice)
    if found is None or found[1] not in (*LOSSES, *plugins(LOSS)):
        raise ValueError(f"must be one of {', '.join((*LOSSES, *plugins(LOSS)))}, got {choice!r}")
    name = found[1]
    defaults = LOSSES[name] if name in LOSSES else plugins(LOSS)[name].options
    options = {**defaults, **_numbers(name, found[2] or "", defaults)}
    for option, value in options.items():
        low, high = _RANGES[option] if name in LOSSES else (-_MOST, _MOST)
        if not low <= value <= high:
            raise ValueError(f"{option} of {name} must lie in [{low:g}, {high:g}], got {value:g}")
    return name, options


def _numbers(name: str, text: str, defaults: Mapping[str, float]) -> dict[str, float]:
    """Read ``gamma=1, alpha=0.5``."""
    options = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in defaults:
            known = f"takes {', '.join(defaults)}" if defaults else "takes none"
            raise ValueError(f"{key!r} is not an option of the loss {name}, which {known}")
        try:
            options[key] = float(value)
        except ValueError:
            raise ValueError(f"{key} of {name} must be a number, got {value!r}") from None
    return options
