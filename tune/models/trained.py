"""What an export has become before it is saved, whatever kind of model it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from goemo.data import Splits
from goemo.thresholds import FittedThresholds, threshold_options

TrainedOn = Literal["train", "train+validation"]
Save = Callable[[Path, Mapping[str, Any], "Mapping[str, Any] | None"], None]  # folder, provenance, results


@dataclass(frozen=True, eq=False)
class Trained:
    """A model, trained and measured.

    Attributes:
        validation: Scores of validation as kept, of the training on train, shape (n_examples, n_labels).
        test: Scores of the test split of the model itself, likewise.
        thresholds: From which score each label is predicted.
        data: The data, for the provenance.
        facts: What was trained on what, and how it was chosen, for the provenance.
        reports: Every report on validation, of every seed.
        save: Writes the bundle.
    """

    validation: NDArray[np.floating[Any]] = field(repr=False)
    test: NDArray[np.floating[Any]] = field(repr=False)
    thresholds: FittedThresholds
    data: Mapping[str, Any]
    facts: Mapping[str, Any]
    reports: Sequence[Mapping[str, Any]]
    save: Save


def carried_options(choice: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return how thresholds are fitted that go over to another training: the same way, averaged over folds.

    Thresholds that were fitted to all scores of one model fit that model's scores most closely; the average
    over folds leans less on single rows.

    Args:
        choice: ``thresholds`` of a configuration.

    Returns:
        Keywords of `goemo.thresholds.fit_thresholds`.
    """
    options = threshold_options(choice)
    if options["method"] == "cross_fit":
        return options
    return {**options, "of": options["method"], "method": "cross_fit"}


def data_facts(splits: Splits, data: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return what a bundle records of its data: how it was read, and the digest of each split."""
    digests = {part.name: {"examples": len(part), "digest": part.digest} for part in splits.splits()}
    return {**data, "seed": seed, "splits": digests}


def read_facts(splits: Splits) -> dict[str, Any]:
    """Return how data was read, as `goemo.training.prepared.Prepared.data` does where a model needs none."""
    return {
        "source": splits.source,
        "taxonomy": splits.taxonomy,
        "splitting": splits.splitting,
        **({"options": splits.options} if splits.options else {}),
        "notes": list(splits.notes),
        "digest": splits.digest,
        "examples": {part.name: len(part) for part in splits.splits()},
    }
