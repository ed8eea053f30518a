"""A trained model of any kind, before it is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from goemo.data import Splits
from goemo.thresholds import FittedThresholds, Targets, fit_thresholds, threshold_options
from goemo.words import WordsConfiguration
from tune.models.exported import BlendConfiguration

TrainedOn = Literal["train", "train+validation"]


class Save(Protocol):
    """Writes a bundle, as those of `goemo.bundle` do."""

    def __call__(
        self, folder: Path, /, *, provenance: Mapping[str, Any], results: Mapping[str, Any] | None
    ) -> None:
        """Write it into a new folder."""


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
        forget: Called when the bundle is where it belongs: removes what a repeated command would go on from.
    """

    validation: NDArray[np.floating[Any]] = field(repr=False)
    test: NDArray[np.floating[Any]] = field(repr=False)
    thresholds: FittedThresholds
    data: Mapping[str, Any]
    facts: Mapping[str, Any]
    reports: Sequence[Mapping[str, Any]]
    save: Save
    forget: Callable[[], None] = lambda: None


def fitted_thresholds(
    scores: NDArray[np.floating[Any]], targets: Targets, choice: str | Mapping[str, Any], *, on: TrainedOn
) -> FittedThresholds:
    """Fit a model's thresholds on validation as configured, or so that they can be carried over.

    ``scores`` and ``targets``, shape (n_examples, n_labels), are those of a training on train; the thresholds
    go over to the saved model where that is trained on more.
    """
    options = threshold_options(choice) if on == "train" else carried_options(choice)
    return fit_thresholds(scores, targets, **options)


def carried_options(choice: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return how thresholds are fitted that go over to another training: the same way, averaged over folds.

    Thresholds that were fitted to all scores of one model fit that model's scores most closely; the average
    over folds leans less on single rows. Returned are keywords of `goemo.thresholds.fit_thresholds`.
    """
    options = threshold_options(choice)
    if options["method"] == "cross_fit":
        return options
    return {**options, "of": options["method"], "method": "cross_fit"}


def data_facts(splits: Splits, data: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return what a bundle records of its data: how it was read, and the digest of each split."""
    digests = {part.name: {"examples": len(part), "digest": part.digest} for part in splits.splits()}
    return {**data, "seed": seed, "splits": digests}


def fitted_once(
    configuration: WordsConfiguration | BlendConfiguration,
    metrics: Mapping[str, float],
    *,
    on: TrainedOn,
    words: str,
) -> dict[str, Any]:
    """Return the facts and reports of a model that has one solution and so one report, for `Trained`.

    ``metrics`` are those on validation, by their names in MLflow; ``words`` say what was trained on what.
    """
    seed = configuration.seed
    report = {"progress": 100, "step": 0, "metrics": metrics}
    chosen = {"seed": seed, "value": metrics[f"val/{configuration.metric}"], "progress": 100}
    return {
        "facts": {
            "configuration": configuration.to_dict(),
            "metric": configuration.metric,
            "report": report,
            "trained_on": on,
            "training": words,
            "selection": {"trained_on": "train", "seed": seed, "seeds": [chosen], "report": report},
        },
        "reports": [{"seed": seed, "progress": 100, "time": time.time(), **metrics}],
    }
