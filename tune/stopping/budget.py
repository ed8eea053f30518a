"""The budget of a search, and whether it is used up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from goemo.errors import InputError
from tune.durations import duration
from tune.records import TrialRecord


@dataclass(frozen=True)
class Budget:
    """The most that one command may spend on a search; None is without limit.

    Attributes:
        time_s: Seconds of this command, with all that is prepared before the first trial.
        gpu_hours: Hours of GPUs of the whole search, earlier commands included: a trial counts with the share
            of a GPU that it has, from its start to its end.
        trials: Trials that this command starts, or goes on with.

    Raises:
        InputError: One of them is not above 0.
    """

    time_s: float | None = None
    gpu_hours: float | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        """Check the limits."""
        options = {
            "--time-budget": self.time_s,
            "--gpu-hours": self.gpu_hours,
            "--trials": self.trials,
        }
        for option, limit in options.items():
            if limit is not None and not limit > 0:
                raise InputError(option, [f"must be above 0, got {limit:g}"])


def check_gpu_hours(limit: float | None, gpus_per_trial: float) -> None:
    """Refuse a limit that nothing would count against.

    Raises:
        InputError: GPU-hours are limited, and trials have no GPU.
    """
    if limit is not None and not gpus_per_trial:
        problem = "trials of this search run without a GPU; limit their time with --time-budget instead"
        raise InputError("--gpu-hours", [problem])


class BudgetUse:
    """Counts what a command spends while its trials run.

    Args:
        budget: The limits.
        started: When the command began, by the monotonic clock.
        gpus_per_trial: GPUs of a trial, or its share of one.
        records: What earlier commands have left.

    Raises:
        InputError: GPU-hours are limited, and trials have no GPU.
    """

    def __init__(
        self, budget: Budget, *, started: float, gpus_per_trial: float, records: Sequence[TrialRecord] = ()
    ) -> None:
        check_gpu_hours(budget.gpu_hours, gpus_per_trial)
        self._budget = budget
        self._started = started
        self._gpus_per_trial = gpus_per_trial
        self._gpu_seconds = sum(record.gpu_seconds for record in records)
        self._looked_at = time.monotonic()
        self._trials = 0

    @property
    def trials_left(self) -> int | None:
        """How many more trials may be started; None for as many as there are."""
        return None if self._budget.trials is None else self._budget.trials - self._trials

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self._budget != Budget()

    def begin_trial(self) -> None:
        """Count a trial that is started."""
        self._trials += 1

    def look(self, running: int) -> str | None:
        """Count on to now, and say which limit has been reached; None where none has.

        Args:
            running: How many trials have run since the last look.
        """
        now = time.monotonic()
        self._gpu_seconds += (now - self._looked_at) * running * self._gpus_per_trial
        self._looked_at = now
        budget = self._budget
        if budget.time_s is not None and now - self._started >= budget.time_s:
            return f"the time budget of {duration(budget.time_s)} is used up"
        if budget.gpu_hours is not None and self._gpu_seconds >= budget.gpu_hours * 3600:
            return f"the budget of {budget.gpu_hours:g} GPU-hours is used up"
        return None

    def words(self) -> str:
        """Return what is left of the budget, in a few words; empty where nothing is limited."""
        budget = self._budget
        parts = []
        if budget.time_s is not None:
            left = max(0.0, budget.time_s - (time.monotonic() - self._started))
            parts.append(f"{duration(left)} of {duration(budget.time_s)}")
        if budget.gpu_hours is not None:
            left = max(0.0, budget.gpu_hours - self._gpu_seconds / 3600)
            parts.append(f"{left:.2f} of {budget.gpu_hours:g} GPU-hours")
        if budget.trials is not None:
            parts.append(f"{budget.trials - self._trials} of {budget.trials} trials")
        return f"budget left: {', '.join(parts)}" if parts else ""
