"""Trials in the form that the charts of a search need, and the look of each kind of trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goemo.configuration import HYPERPARAMETER_DEFAULTS
from goemo.configuration.outcomes import RANKED
from goemo.report.charts.drawing import BLUE, GREEN, SOFT, VERMILION
from goemo.report.rendering import short

COMPLETED, STOPPED, FAILED, RUNNING = "completed", "stopped early", "failed or diverged", "running"
Look = tuple[str, list[int], str]
# Colour, dash and shape say the same thing three times, for greyscale prints and the colour-blind.
LOOKS: dict[str, Look] = {
    COMPLETED: (SOFT, [1, 0], "circle"),
    STOPPED: ("#a3a8b0", [4, 2], "cross"),
    FAILED: (VERMILION, [1, 2], "triangle-down"),
    RUNNING: (GREEN, [1, 0], "triangle-right"),
}
BEST_LOOK: Look = (BLUE, [1, 0], "diamond")


@dataclass(frozen=True)
class Trial:
    """What the charts of a search need to know of one trial.

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

    @property
    def kind(self) -> str:
        """How it ended, in the words of the legends."""
        kinds = {"completed": COMPLETED, "stopped_early": STOPPED, None: RUNNING, "running": RUNNING}
        return kinds.get(self.stop_reason, FAILED)


def varied_names(trials: Sequence[Trial]) -> list[str]:
    """Return the hyperparameters with more than one value, in the project's usual order."""
    names = dict.fromkeys(name for trial in trials for name in trial.varied)
    usual = [name for name in HYPERPARAMETER_DEFAULTS if name in names]
    rest = [name for name in names if name not in HYPERPARAMETER_DEFAULTS]
    return [name for name in usual + rest if len({str(trial.varied.get(name)) for trial in trials}) > 1]


def legend(trials: Sequence[Trial], best: str) -> tuple[dict[str, Look], dict[str, str]]:
    """Return the entries of the legend that occur, the best trial first, and the entry of each trial."""
    counts = {kind: sum(t.kind == kind and t.trial_id != best for t in trials) for kind in LOOKS}
    entries = {t.trial_id: f"{t.kind} ({counts[t.kind]})" for t in trials}
    looks = {f"{kind} ({counts[kind]})": look for kind, look in LOOKS.items() if counts[kind]}
    if best in entries:
        entries[best] = f"best: {best}"
        looks = {entries[best]: BEST_LOOK, **looks}
    return looks, entries


def settings(varied: Mapping[str, Any]) -> str:
    """Return the hyperparameters that vary, in a line."""
    return ", ".join(f"{name} {short(value)}" for name, value in varied.items()) or "the one configuration"
