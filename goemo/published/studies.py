"""Published studies: figures as printed, their sources, and how their thresholds were found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import pandas as pd

EXAMPLES = 5427  # of the test split of GoEmotions, which all studies are measured on


@dataclass(frozen=True, eq=False)
class Study:
    """One published result.

    Attributes:
        name: Model and thresholds in a few words.
        model: Checkpoint that was fine-tuned.
        citation: Where the figures were published.
        split: What they were measured on.
        thresholds: Where the thresholds come from: ``fixed_0.5``, ``validation`` or ``test_tuned``, as in
            :func:`goemo.evaluation.results`, or ``one``, another one threshold for all labels.
        protocol: How it was measured, in words.
        notes: What a reader has to know before comparing.
        averages: ``macro`` and ``weighted`` (where published), each metric to value, as printed.
        table: The published per-label table (columns as in :func:`goemo.metrics.per_label_table`), or None.
    """

    name: str
    model: str
    citation: str
    split: str
    thresholds: str
    protocol: str
    notes: tuple[str, ...]
    averages: Mapping[str, Mapping[str, float]]
    table: pd.DataFrame | None


def studies() -> tuple[Study, ...]:
    """Return all published results that come with this package; those with a per-label table come first."""
    folder = resources.files("goemo.published") / "data"
    known = json.loads((folder / "studies.json").read_text(encoding="utf-8"))
    found = []
    for study in known["studies"]:
        table = None
        if study["table"]:
            with (folder / study["table"]).open(encoding="utf-8") as lines:
                table = pd.read_csv(lines)
        found.append(
            Study(
                name=study["name"],
                model=study["model"],
                citation=known["sources"][study["source"]],
                split=known["split"],
                thresholds=study["thresholds"],
                protocol=study["protocol"],
                notes=tuple(study["notes"]),
                averages=study["averages"],
                table=table,
            )
        )
    return tuple(found)
