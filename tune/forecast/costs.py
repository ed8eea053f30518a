"""Costs on this machine: seconds for an amount of computation, fitted to timings, and those of the driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from goemo.configuration import Configuration
from tune.forecast.work import Work

# What is fitted first where there are fewer measurements than costs.
_ORDER = ("tokens", "passes", "pairs", "examples")


@dataclass(frozen=True)
class CostModel:
    """Seconds for a unit of each kind of work."""

    passes: float = 0.0
    examples: float = 0.0
    tokens: float = 0.0
    pairs: float = 0.0

    def seconds(self, work: Work) -> float:
        """Return how long this work takes."""
        return (
            self.passes * work.passes
            + self.examples * work.examples
            + self.tokens * work.tokens
            + self.pairs * work.pairs
        )


@dataclass(frozen=True)
class Timing:
    """One configuration as it was trained, by the probe or in an earlier search.

    Attributes:
        configuration: What was trained.
        steps: The work of some of its steps.
        steps_s: Seconds that these took.
        look: The work of scoring some texts.
        look_s: Seconds of a report on these texts: scoring, thresholds and metrics.
        setup_s: Seconds of the trial beside its steps and reports.
        peak_bytes: Memory of the process, or of the GPU, at its peak.
    """

    configuration: Configuration
    steps: Work
    steps_s: float
    look: Work
    look_s: float
    setup_s: float
    peak_bytes: float


@dataclass(frozen=True)
class TrialCosts:
    """What the trials of one model cost.

    Attributes:
        train: Of training.
        look: Of a report.
        setup_s: Seconds of a trial beside its steps and reports.
        encoder_s: Seconds of the frozen encoder, before the first trial.
        memory_bytes: Of the largest trial at its peak.
    """

    train: CostModel
    look: CostModel
    setup_s: float
    encoder_s: float
    memory_bytes: float


@dataclass(frozen=True)
class DriverCosts:
    """What a search costs beside its trials.

    Attributes:
        start_s: Seconds from the end of the preparation to the start of the first trial.
        files_s: Seconds of the driver for the files of a trial, which it makes while others run.
        baseline_s: Core seconds of the bag of words, beside the trials; 0 where it is in the cache.
        closing_s: Seconds from the end of the last trial to the end of the command.
    """

    start_s: float
    files_s: float
    baseline_s: float
    closing_s: float


def fit_costs(measured: Sequence[tuple[Work, float]]) -> CostModel:
    """Fit costs, none below 0, so that the relative errors have the least squares.

    With fewer measurements than costs, tokens come first, then passes, then pairs, and the rest costs
    nothing: one measurement gives seconds a token.

    Args:
        measured: Work and the seconds that it took, at least one, each above 0.

    Raises:
        ValueError: There is none, or one of 0 seconds or less.
    """
    if not measured or any(seconds <= 0 for _, seconds in measured):
        raise ValueError(f"measurements must be one or more, each above 0 seconds, got {measured}")
    names = _ORDER[: len(measured)]
    amounts = np.array([[getattr(work, name) for name in names] for work, _ in measured])
    relative = amounts / np.array([[seconds] for _, seconds in measured])
    # Tokens run into the millions where passes are a few: in units of their own size, all weigh alike.
    sizes = relative.max(axis=0)
    sizes[sizes == 0] = 1.0
    costs, _ = nnls(relative / sizes, np.ones(len(measured)))
    return CostModel(**dict(zip(names, (costs / sizes).tolist(), strict=True)))
