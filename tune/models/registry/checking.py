"""Checks that a bundle works before it goes to a store: loads, scores and compares it with its record."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from goemo import bundle
from goemo.errors import InputError
from tune.models.registry.record import Record

EXAMPLE = "thank you so much!"
SHARES = ("accuracy", "precision", "recall", "f1")  # of every average, in [0, 1]


def check_bundle(folder: Path, record: Record) -> None:
    """Load the model of a bundle, score an example, and hold everything against the record of its retrain.

    Raises:
        InputError: A link leads out of the folder, the model cannot be loaded, its scores are none, its
            labels are not those of its record, or a figure is beyond its range; all of it is named.
    """
    if leaving := list(_leaving(folder)):
        raise InputError(str(folder), [f"{path}: leads out of the folder" for path in leaving])
    loaded = bundle.load(folder)
    problems = [*_of_scores(loaded), *_of_record(loaded, record), *_of_figures(record.results)]
    if problems:
        raise InputError(str(folder), problems)


def _leaving(folder: Path) -> Iterator[Path]:
    """Yield the links that lead out of a folder: what they lead to would be uploaded."""
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            yield path.relative_to(folder)


def _of_scores(loaded: bundle.Bundle) -> Iterator[str]:
    scores = loaded.scores([EXAMPLE])
    if scores.shape != (1, len(loaded.labels)):
        yield f"the model gives {scores.shape[1]} scores, labels.json has {len(loaded.labels)} labels"
    elif not np.isfinite(scores).all():
        yield f"the model gives scores that are not finite for {EXAMPLE!r}"


def _of_record(loaded: bundle.Bundle, record: Record) -> Iterator[str]:
    count, where = len(loaded.labels), "record/validation_scores.npz"
    if len(loaded.thresholds.values) != count:
        yield f"thresholds.json has {len(loaded.thresholds.values)} thresholds, labels.json {count} labels"
    if record.scores.shape != record.targets.shape or record.scores.ndim != 2:
        yield f"{where}: scores {record.scores.shape} and targets {record.targets.shape} must have one shape"
    elif record.scores.shape[1] != count:
        yield f"{where}: has {record.scores.shape[1]} labels, labels.json has {count}"
    if record.targets.dtype != np.bool_:
        yield f"{where}: targets must be booleans, got {record.targets.dtype}"
    if not ((record.scores >= 0) & (record.scores <= 1)).all():
        yield f"{where}: scores must lie in [0, 1]"


def _of_figures(results: Mapping[str, Any]) -> Iterator[str]:
    """Name the averages that are no shares: they would stand in the store as if they had been measured."""
    for origin, found in results["results"].items():
        for average in ("macro", "weighted", "micro"):
            for name in SHARES:
                value = found[average].get(name, 0.0)
                if not (isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1):
                    place = f"test_results.json: results.{origin}.{average}.{name}"
                    yield f"{place} must lie in [0, 1], got {value!r}"
