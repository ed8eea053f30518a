"""Early stops: where each stopped trial was, what was saved, and whether the best may be among them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from goemo.report.savings import seconds_saved
from tune.ranking.leaderboard import Leaderboard
from tune.ranking.rows import Row
from tune.records import TrialRecord
from tune.spec import bar, rungs

FEWEST_TRIALS = 4  # completed ones: a line through fewer says next to nothing of how far others lie from it


@dataclass(frozen=True)
class EarlyStop:
    """One trial that the scheduler stopped early.

    Attributes:
        trial_id: The trial.
        varied: The hyperparameters that the space varies.
        progress: Per cent of its training at which it was stopped.
        objective: Of the report there.
        bar: What it would have taken to go on; None where the scheduler has no bar that all trials share.
        place: From 1: its place among the trials that had reported there by then, itself included.
        of: How many those were.
        low: Lower end of the 95 % interval of its best report.
        high: Upper end.
        best_there: What the best trial had reached at the same progress; None where it did not report there,
            and of the best trial itself.
        overlaps: Whether its interval reaches up to what the best trial had there.
        expected: What it would have ended with, by a line through the completed trials from what they had at
            the same progress to what they ended with; None of fewer than `FEWEST_TRIALS`.
        expected_low: Lower end of the 95 % prediction interval of that.
        expected_high: Upper end.
        steps_saved: Optimizer steps that it did not train; None where the size of the data is not known.
        seconds_saved: Likewise in seconds, at its own pace.
    """

    trial_id: str
    varied: dict[str, Any]
    progress: int
    objective: float
    bar: float | None
    place: int
    of: int
    low: float
    high: float
    best_there: float | None
    overlaps: bool | None
    expected: float | None
    expected_low: float | None
    expected_high: float | None
    steps_saved: int | None
    seconds_saved: float | None


@dataclass(frozen=True)
class EarlyStops:
    """All trials that the scheduler stopped early, and what may have been lost with them.

    Attributes:
        stops: The highest objective at the stop first.
        best: The trial that they are held against.
        best_objective: Its objective.
    """

    stops: tuple[EarlyStop, ...]
    best: str
    best_objective: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"risk": self.risk(), "stops": [asdict(stop) for stop in self.stops]}

    def risk(self) -> str:
        """Return how sure one can be that the best is not among them, in sentences; empty where none was."""
        if all(stop.trial_id == self.best for stop in self.stops):
            return ""
        return " ".join([*self._nearest(), *self._what_if()])

    def _nearest(self) -> Iterator[str]:
        known = [(stop, stop.best_there) for stop in self.stops if stop.best_there is not None]
        near = [(stop, there) for stop, there in known if stop.overlaps]
        by = f"from {self.best} by the interval at its stop"
        if known and not near:
            which = f"all of the {len(known)} trials" if len(known) > 1 else "the one trial"
            yield f"{which.capitalize()} stopped early could be told apart {by}."
        if near:
            stop, there = max(near, key=lambda one: one[0].objective - one[1])
            which = f"{len(near)} of the {len(known)} trials" if len(known) > 1 else "The one trial"
            yield (
                f"{which} stopped early could not be told apart {by}; the nearest, {stop.trial_id}, had "
                f"{stop.objective:.4f} at {stop.progress} %, where {self.best} had {there:.4f}."
            )

    def _what_if(self) -> Iterator[str]:
        rivals = [stop for stop in self.stops if stop.trial_id != self.best]
        known = [(stop.expected, stop.expected_high, stop) for stop in rivals]
        sure = [(mid, high, stop) for mid, high, stop in known if mid is not None and high is not None]
        if not sure:
            yield f"What they would have reached is unknown: fewer than {FEWEST_TRIALS} trials completed."
            return
        furthest, _, first = max(sure, key=lambda one: one[0])
        ahead = [stop.trial_id for mid, _, stop in sure if mid > self.best_objective]
        possible = [stop.trial_id for _, high, stop in sure if high > self.best_objective]
        yield (
            f"By a line through the completed trials, {_some(ahead)} would have ended above {self.best}, "
            f"which has {self.best_objective:.4f}; the furthest, {first.trial_id}, at about {furthest:.4f}. "
            f"With 95 % certainty, that can be ruled out for {_all_but(len(sure), possible)}."
        )


def _some(names: Sequence[str]) -> str:
    """Return trials in a sentence: none, one, or how many and which."""
    if not names:
        return "none of them"
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{'one' if len(names) == 1 else len(names)} of them ({shown})"


def _all_but(count: int, others: Sequence[str]) -> str:
    """Return for how many of them something holds that does not hold for the others."""
    if not others:
        return "all of them"
    return f"{count - len(others)} of the {count}" if len(others) < count else "none of them"


def early_stops(
    board: Leaderboard, records: Sequence[TrialRecord], scheduler: Mapping[str, Any]
) -> EarlyStops:
    """Return the trials that the scheduler stopped early.

    Trials that a budget stopped are left out: no rival has stopped them.

    Args:
        board: The leaderboard, with at least one trial.
        records: The trials of the search.
        scheduler: The section of the search space, as plain values.
    """
    known = {record.trial_id: record for record in records}
    field = _Field(
        records=records,
        best=known[board.best.trial_id],
        completed=[known[row.trial_id] for row in board.rows if row.stop_reason == "completed"],
        scheduler=scheduler,
    )
    found = [
        _cut(row, known[row.trial_id], field)
        for row in board.rows
        if row.stop_reason == "stopped_early" and not row.message
    ]
    found.sort(key=lambda stop: (-stop.objective, stop.trial_id))
    return EarlyStops(tuple(found), board.best.trial_id, board.best.objective)


@dataclass(frozen=True)
class _Field:
    """Whom a trial that was stopped is held against.

    Attributes:
        records: All trials of the search.
        best: The trial to take.
        completed: Those that were trained to their end.
        scheduler: The section of the search space.
    """

    records: Sequence[TrialRecord]
    best: TrialRecord
    completed: Sequence[TrialRecord]
    scheduler: Mapping[str, Any]

    def others(self, record: TrialRecord, progress: float) -> list[dict[str, float]]:
        """Return the first report at this progress or later of each other trial that has one."""
        reports = [
            next((row for row in other.history if row["progress"] >= progress), None)
            for other in self.records
            if other.trial_id != record.trial_id
        ]
        return [report for report in reports if report is not None]


def _cut(row: Row, record: TrialRecord, field: _Field) -> EarlyStop:
    last, name = record.history[-1], record.objective_name
    before = [
        report[name]
        for report in field.others(record, record.progress)
        if report["progress"] == last["progress"] and report["time"] <= last["time"]
    ]
    is_best = record.trial_id == field.best.trial_id
    best_there = None if is_best else _best_up_to(field.best, record.progress)
    course = [
        (there, other.objective or 0.0)
        for other in field.completed
        if (there := _best_up_to(other, record.progress)) is not None
    ]
    expected = _expected(course, row.objective)
    return EarlyStop(
        trial_id=record.trial_id,
        varied=record.varied,
        progress=record.progress,
        objective=last[name],
        bar=_bar(record, field),
        place=1 + sum(value > last[name] for value in before),
        of=1 + len(before),
        low=row.low,
        high=row.high,
        best_there=best_there,
        overlaps=None if best_there is None else row.high >= best_there,
        expected=expected and expected[0],
        expected_low=expected and expected[1],
        expected_high=expected and expected[2],
        steps_saved=None if row.steps is None or row.total_steps is None else row.total_steps - row.steps,
        seconds_saved=seconds_saved(asdict(row)),
    )


def _expected(course: Sequence[tuple[float, float]], at: float) -> tuple[float, float, float] | None:
    """Return what a trial would have ended with, and both ends of the 95 % prediction interval.

    A line by least squares through the completed trials, with its prediction interval (Draper & Smith 1998,
    "Applied Regression Analysis", section 1.4). That the scheduler has let them go on for what they had there
    does not bend the line, for it is what the line starts from.

    Args:
        course: What each completed trial had at the same progress, and what it ended with.
        at: What the trial had.

    Returns:
        None of fewer than `FEWEST_TRIALS`.
    """
    from scipy.special import stdtrit  # here, as most leaderboards do without it

    if len(course) < FEWEST_TRIALS:
        return None
    x, y = np.array(course).T
    gaps = x - x.mean()
    spread = float(gaps @ gaps)
    slope = float(gaps @ y) / spread if spread else 0.0
    expected = float(y.mean()) + slope * (at - float(x.mean()))
    left_over = y - y.mean() - slope * gaps
    freedom = len(course) - (2 if spread else 1)
    variance = float(left_over @ left_over) / freedom
    distance = (at - float(x.mean())) ** 2 / spread if spread else 0.0
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(variance * (1 + 1 / len(course) + distance))
    return expected, expected - half, expected + half


def _bar(record: TrialRecord, field: _Field) -> float | None:
    """Return the objective that ASHA wanted to see of a trial at the rung where it stopped.

    With several brackets, the records do not tell which one a trial was in, and reports of several machines
    may have come in another order than their clocks say: what did not stand above the trial was not its bar,
    and is not shown.
    """
    scheduler = field.scheduler
    if scheduler.get("algorithm") != "asha" or scheduler.get("brackets", 1) != 1:
        return None
    factor = float(scheduler["reduction_factor"])
    passed = [rung for rung in rungs(float(scheduler["grace"]), factor) if rung <= record.progress]
    if not passed:
        return None
    last, name = record.history[-1], record.objective_name
    others = field.others(record, passed[-1])
    wanted = bar((report[name] for report in others if report["time"] < last["time"]), factor)
    return wanted if wanted is not None and wanted > last[name] else None


def _best_up_to(record: TrialRecord, progress: int) -> float | None:
    """Return the best objective up to this progress; None of a trial that has not got there."""
    if record.progress < progress:
        return None
    values = [row[record.objective_name] for row in record.history if row["progress"] <= progress]
    return max(values, default=None)
