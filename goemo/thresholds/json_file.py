"""The thresholds of a model as a file, ``thresholds.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from goemo.thresholds import FittedThresholds


def thresholds_to_json(thresholds: FittedThresholds, labels: Sequence[str]) -> dict[str, Any]:
    """Return what ``thresholds.json`` holds: a cut by label, None where the label is never predicted.

    ``borrowed`` names the labels without a positive among the rows that fitted.
    """
    plain = thresholds.to_dict()
    return {
        "method": plain["method"],
        "options": plain["options"],
        "thresholds": dict(zip(labels, plain["values"], strict=True)),
        "f1_where_fitted": dict(zip(labels, plain["f1"], strict=True)),
        "borrowed": [labels[place] for place in thresholds.borrowed],
    }


def thresholds_from_json(values: Mapping[str, Any], labels: Sequence[str]) -> FittedThresholds:
    """Return the thresholds that ``thresholds.json`` holds, in the order of the labels.

    Raises:
        ValueError: They are not those of these labels, or no scores.
        KeyError: Something is missing.
    """
    cuts = values["thresholds"]
    if set(cuts) != set(labels):
        raise ValueError("thresholds.json must have one threshold for each of labels.json")
    for label, cut in cuts.items():
        if cut is not None and not 0 <= cut <= 1:  # false for NaN too
            raise ValueError(f"the threshold of {label} in thresholds.json must lie in [0, 1], got {cut}")
    f1 = values.get("f1_where_fitted", {})
    borrowed = set(values.get("borrowed", ()))
    if not borrowed <= set(labels):
        raise ValueError("borrowed in thresholds.json must name labels of labels.json")
    return FittedThresholds.from_dict(
        {
            "values": [cuts[label] for label in labels],
            "method": values["method"],
            "options": values.get("options", {}),
            "f1": [f1.get(label, math.nan) for label in labels],
            "borrowed": [place for place, label in enumerate(labels) if label in borrowed],
        }
    )
