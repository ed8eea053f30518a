"""What the pictures of a search need to know of its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goemo.configuration import HYPERPARAMETER_DEFAULTS
from goemo.configuration.outcomes import RANKED


@dataclass(frozen=True)
class Trial:
    """What the pictures of a search need to know of one trial.

    Attributes:
        trial_id: Its name.
        varied: The hyperparameters that the space varies, with this trial's values.
        history: One mapping per report: ``progress`` (per cent) and metrics (``val/macro_f1``).
        stop_reason: How it ended, as in MLflow's tag ``goemo.stop_reason``; None while it runs.
    """

    trial_id: str
    varied: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    stop_reason: str | None = "completed"

    def best(self, objective: str) -> float | None:
        """Return the best report's objective; None before the first report."""
        return max((row[objective] for row in self.history), default=None)

    @property
    def is_ranked(self) -> bool:
        """Whether it can be the best: it reported, and has not failed."""
        return bool(self.history) and (self.stop_reason is None or self.stop_reason in RANKED)


def best_trial(trials: Sequence[Trial], objective: str, best: str | None) -> Trial | None:
    """Return the trial named ``best``, or the ranked one with the highest objective, the earlier of ties."""
    if best is not None:
        return next((trial for trial in trials if trial.trial_id == best and trial.history), None)
    candidates = sorted((t for t in trials if t.is_ranked), key=lambda trial: trial.trial_id)
    return max(candidates, key=lambda trial: trial.best(objective) or 0.0, default=None)


def varied_names(trials: Sequence[Trial]) -> list[str]:
    """Return the hyperparameters with more than one value, in the project's usual order."""
    names = dict.fromkeys(name for trial in trials for name in trial.varied)
    usual = [name for name in HYPERPARAMETER_DEFAULTS if name in names]
    rest = [name for name in names if name not in HYPERPARAMETER_DEFAULTS]
    return [name for name in usual + rest if len({str(trial.varied.get(name)) for trial in trials}) > 1]
