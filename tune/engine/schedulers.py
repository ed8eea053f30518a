"""Schedulers: ASHA, Hyperband and the median rule, all on progress, or none.

Trials are compared at the same per cent of their own training, because epochs may be a searched value.
"""

from __future__ import annotations

import math
import statistics
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune.records import TrialRecord
from tune.space import number_of
from tune.spec import TIES_FROM, SearchSpec, bar, rungs
from tune.spec.advice import FEWEST_FOR_A_MEDIAN

PROGRESS = "progress"
OBJECTIVE = "objective"

_BRACKETS = 1  # tells the draw of a bracket from those of hyperparameters, with the same seed and number


# Called with the ids of a trial and of the best at a rung, and the rung.
IsTied = Callable[[str, str, float], bool]


def _none_is_tied(trial_id: str, best_id: str, rung: float) -> bool:
    """Know of no predictions: a simulated trial has none."""
    del trial_id, best_id, rung
    return False


def build_scheduler(
    spec: SearchSpec, records: Iterable[TrialRecord] = (), is_tied: IsTied = _none_is_tied
) -> TrialScheduler:
    """Return the scheduler that the search asks for, knowing what the trials have reported.

    It is filled again from the records, so that a resumed search stops whom an undisturbed one would have
    stopped: with all reports of trials that have ended, however, in the order of their times; and with those
    of a trial that goes on from a checkpoint as soon as it reports again.

    Args:
        spec: The search.
        records: What an earlier run of it left.
        is_tied: Says whether a trial is statistically tied with another one at a rung.
    """
    scheduler = spec.scheduler
    if scheduler.algorithm == "none":
        return InOrder()
    records = list(records)
    unfinished = [record for record in records if record.outcome is None]
    built: StopRule
    if scheduler.algorithm == "median":
        built = Median(unfinished, grace=scheduler.grace)
    else:
        built = Asha(unfinished, spec, is_tied)
    told = sorted(
        (row["time"], record.trial_id, result)
        for record in records
        if record.outcome is not None
        for row, result in zip(record.history, _results(record), strict=True)
    )
    known: set[str] = set()
    for _, trial_id, (progress, objective) in told:
        trial = SimpleNamespace(trial_id=trial_id)
        if trial_id not in known:
            built.on_trial_add(None, trial)
            known.add(trial_id)
        built.on_trial_result(None, trial, {PROGRESS: progress, OBJECTIVE: objective})
    return built


def _results(record: TrialRecord) -> list[tuple[float, float]]:
    """Return the reports of a trial as (progress, objective)."""
    return [(row["progress"], row[record.objective_name]) for row in record.history]


def _id_of(trial: Any) -> str:
    """Return the id of a trial in the search: one that Ray runs has a random one of Ray's."""
    config = getattr(trial, "config", None)
    return Path(config["folder"]).name if config else str(trial.trial_id)


class InOrder(FIFOScheduler):  # type: ignore[misc]  # Ray ships no types
    """Stops no trial, and does not choose which trial runs next: Ray then starts them in order.

    A scheduler of Ray that chooses names the first trial that waits, also where a worker is being started for
    it: that worker is given up for the one of the trial that has just ended.
    """

    def choose_trial_to_run(self, controller: Any) -> None:
        """Choose none."""


class StopRule(InOrder, ABC):
    """Stops a trial by what it has reported, in an earlier process too.

    With a trial's next report it hears of those that the trial made before and will not make again.

    Args:
        unfinished: Trials that an earlier process has left, and that go on.
    """

    def __init__(self, unfinished: Sequence[TrialRecord]) -> None:
        super().__init__()
        self._missed = {record.trial_id: _results(record) for record in unfinished}

    def on_trial_result(self, controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Decide whether a trial goes on; one that an earlier report should have ended does not."""
        del controller
        reached = result.get(PROGRESS, 0)  # nothing, where a trial is interrupted before its first report
        missed = self._missed.pop(_id_of(trial), [])
        reports = [(progress, objective) for progress, objective in missed if progress < reached]
        if OBJECTIVE in result:  # one that failed has none
            reports.append((reached, result[OBJECTIVE]))
        is_over = [self.is_over(trial, progress, objective) for progress, objective in reports]
        return str(TrialScheduler.STOP if any(is_over) else TrialScheduler.CONTINUE)

    def on_trial_complete(self, controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """Take in a trial's last report; of one that failed there is none."""
        self.on_trial_result(controller, trial, result)

    @abstractmethod
    def is_over(self, trial: Any, progress: float, objective: float) -> bool:
        """Take in a report, and return whether the trial is to stop."""


Recorded = Mapping[float, Mapping[str, float]]  # rung -> trial -> objective


def judged_at(recorded: Recorded, trial_id: str, progress: float) -> float | None:
    """Return the rung that a report is judged at: the highest it has come to that does not know its trial.

    Args:
        recorded: What the trials of a bracket had at its rungs.
        trial_id: The trial.
        progress: Of the report.
    """
    reached = [rung for rung, known in recorded.items() if rung <= progress and trial_id not in known]
    return max(reached, default=None)


def goes_on(objective: float, others: Mapping[str, float], reduction_factor: float) -> bool:
    """Return whether a trial goes on from a rung.

    Args:
        objective: What it has there.
        others: What the other trials had that have come to the rung.
        reduction_factor: See `tune.spec.bar`.
    """
    needed = bar(others.values(), reduction_factor)
    return needed is None or objective >= needed


class Asha(StopRule):
    """Asynchronous successive halving (Li et al. 2020, algorithm 2), with one bracket or several.

    At a rung a trial goes on if it is among the best ``1 / reduction_factor`` of those that have come so
    far; the first always goes on. What a trial of bracket ``s`` is compared with begins at rung ``s``, and
    the last bracket stops nobody.

    From the middle of its training on, a trial goes on too that is statistically tied with the best of its
    rung: with few trials at a rung the share alone stops what nobody can tell from the best
    (docs/decisions/010). What it has there counts for those that come later as any other's.

    Hyperband is the same with all brackets, in the shares that Hyperband gives them, which is asynchronous
    Hyperband (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", section 3). Ray's own
    `HyperBandScheduler` is the synchronous one: it pauses the trials of a bracket until the slowest of them
    has come to the rung, and holds that state in memory, where a crash would lose it.

    Which bracket a trial belongs to is drawn by its number, so that a resumed search draws the same.

    Args:
        unfinished: See `StopRule`.
        spec: The search.
        is_tied: See `build_scheduler`.

    Attributes:
        brackets: What trials had at the rungs of each bracket, below 100.
        bracket_of: Each trial's, by Ray's id.
    """

    def __init__(self, unfinished: Sequence[TrialRecord], spec: SearchSpec, is_tied: IsTied) -> None:
        super().__init__(unfinished)
        self._ties = is_tied if spec.scheduler.spares_ties else _none_is_tied
        self._factor, self._seed = spec.scheduler.reduction_factor, spec.seed
        self._shares = bracket_shares(spec)
        below = rungs(spec.scheduler.grace, self._factor)
        self.brackets: list[dict[float, dict[str, float]]] = [
            {rung: {} for rung in below[number:]} for number in range(len(self._shares))
        ]
        self.bracket_of: dict[str, int] = {}
        self._record_of: dict[str, str] = {}  # Ray's id of a trial to the search's own

    def on_trial_add(self, controller: Any, trial: Any) -> None:
        """Choose the bracket of a trial."""
        del controller
        bracket = 0
        if len(self._shares) > 1:
            rng = np.random.default_rng((self._seed, number_of(_id_of(trial)), _BRACKETS))
            bracket = int(rng.choice(len(self._shares), p=self._shares))
        self.bracket_of[trial.trial_id] = bracket

    def is_over(self, trial: Any, progress: float, objective: float) -> bool:
        """Return whether a trial is to stop; at 100 there is nothing to go on to."""
        recorded = self.brackets[self.bracket_of[trial.trial_id]]
        rung = judged_at(recorded, trial.trial_id, progress)
        is_over = progress >= 100
        if rung is not None:
            known = recorded[rung]
            is_over |= not (goes_on(objective, known, self._factor) or self._is_tied(trial, known, rung))
            known[trial.trial_id] = objective
            self._record_of[trial.trial_id] = _id_of(trial)
        return is_over

    def _is_tied(self, trial: Any, known: Mapping[str, float], rung: float) -> bool:
        if rung < TIES_FROM or not known:
            return False
        best = max(known, key=lambda trial_id: known[trial_id])
        return self._ties(_id_of(trial), self._record_of[best], rung)


def bracket_shares(spec: SearchSpec) -> list[float]:
    """Return the share of the trials that each bracket gets, the one with all rungs first.

    Of ASHA's brackets, one with a rung less gets a share smaller by a factor of e, as in Ray. Of Hyperband's,
    a bracket with m of M rungs gets ``(M + 1) / (m + 1) * reduction_factor ** m`` (Li et al. 2018,
    "Hyperband", algorithm 1), so that each costs about as much as any other.
    """
    factor = spec.scheduler.reduction_factor
    most = len(rungs(spec.scheduler.grace, factor))
    if spec.scheduler.algorithm == "hyperband":
        weights = [(most + 1) / (left + 1) * factor**left for left in range(most, -1, -1)]
    else:
        weights = [math.exp(-bracket) for bracket in range(spec.scheduler.brackets)]
    return [weight / sum(weights) for weight in weights]


class Median(StopRule):
    """The median stopping rule (Golovin et al. 2017, "Google Vizier", section 3.2.2).

    A trial is stopped if its best objective so far is below the median of the running means, up to the same
    progress and from ``grace`` on, of the other trials that have come as far. The paper takes completed
    trials alone; with those that still run, the first trials are judged too.

    Decides as Ray's `MedianStoppingRule` does on undisturbed trials. That one also pauses trials while there
    is little to compare with, and counts reports twice that are made again after a worker was lost.

    Args:
        unfinished: See `StopRule`.
        grace: Per cent of its training that every trial gets.
    """

    def __init__(self, unfinished: Sequence[TrialRecord], *, grace: float) -> None:
        super().__init__(unfinished)
        self._grace = grace
        self._reports: dict[str, dict[float, float]] = defaultdict(dict)  # trial -> progress -> objective

    def is_over(self, trial: Any, progress: float, objective: float) -> bool:
        """Return whether a trial is to stop."""
        own = self._reports[trial.trial_id]
        own[progress] = objective
        if progress < self._grace:
            return False
        others = (
            [value for at, value in reports.items() if self._grace <= at <= progress]
            for trial_id, reports in self._reports.items()
            if trial_id != trial.trial_id and max(reports) >= progress
        )
        means = [statistics.fmean(values) for values in others if values]
        best = max(value for at, value in own.items() if at <= progress)
        return len(means) >= FEWEST_FOR_A_MEDIAN and best < statistics.median(means)
