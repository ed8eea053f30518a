"""The thresholds of a model as a file, ``thresholds.json``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from goemo.configuration.rules import Number, Text
from goemo.thresholds import FittedThresholds

Share = Annotated[float, Number(low=0, high=1)]


class ThresholdsFile(BaseModel):
    """``thresholds.json``: how thresholds were fitted, and for each label its threshold; null is never."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    method: Annotated[str, Text(longest=200)]
    options: dict[str, bool | int | float | str | None] = {}
    thresholds: dict[str, Share | None]
    f1_where_fitted: dict[str, Share | None] = {}
    borrowed: tuple[str, ...] = ()


def thresholds_to_json(thresholds: FittedThresholds, labels: Sequence[str]) -> dict[str, Any]:
    """Return what ``thresholds.json`` holds: a threshold by label, None where the label is never predicted.

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


def thresholds_from_json(file: ThresholdsFile, labels: Sequence[str]) -> FittedThresholds:
    """Return the thresholds that ``thresholds.json`` holds, in the order of the labels.

    Raises:
        ValueError: They are not those of these labels.
    """
    by_label = file.thresholds
    if set(by_label) != set(labels):
        raise ValueError("thresholds.json must have one threshold for each of labels.json")
    borrowed = set(file.borrowed)
    if not borrowed <= set(labels):
        raise ValueError("borrowed in thresholds.json must name labels of labels.json")
    f1 = [file.f1_where_fitted.get(label) for label in labels]
    return FittedThresholds.from_dict(
        {
            "values": [by_label[label] for label in labels],
            "method": file.method,
            "options": file.options,
            "f1": [math.nan if value is None else value for value in f1],
            "borrowed": [place for place, label in enumerate(labels) if label in borrowed],
        }
    )
