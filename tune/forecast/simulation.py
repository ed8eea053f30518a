"""A search in simulated time: so many trials at once, each stopped where the scheduler stops it."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tune.spec import SearchSpec

# Orders of the trials that are tried: enough for the tenth and the ninetieth of a hundred.
_ORDERS = 30

# Called with a trial's number and its progress in per cent; says whether the trial goes on.
GoesOn = Callable[[int, int], bool]


@dataclass(frozen=True)
class TrialTimeline:
    """One trial, if it runs to its end.

    Attributes:
        progress: Per cent of the training at each report, ascending, the last one 100.
        seconds: What it takes from the report before, or from the start, to each report.
        steps: Optimizer steps from the report before to each report.
    """

    progress: tuple[int, ...]
    seconds: tuple[float, ...]
    steps: tuple[int, ...]

    @property
    def total_s(self) -> float:
        """Seconds of the whole trial."""
        return sum(self.seconds)


@dataclass(frozen=True)
class Run:
    """A simulated search.

    Attributes:
        wall_s: From the start of the first trial to the end of the last.
        trial_s: Seconds of each trial.
        steps: Optimizer steps of all trials together.
    """

    wall_s: float
    trial_s: tuple[float, ...]
    steps: int


def simulate(timelines: Sequence[TrialTimeline], at_once: int, goes_on: GoesOn | None = None) -> Run:
    """Run trials in their order, each as soon as a place is free.

    Args:
        timelines: The trials.
        at_once: How many run at a time, at least 1.
        goes_on: Asked at every report but a trial's last, in the order of time; without it all go on.
    """
    waiting = deque(range(len(timelines)))
    spent = [0.0] * len(timelines)
    steps, now = 0, 0.0
    # When, of which trial and which report; equal times go by the order of the trials.
    reports: list[tuple[float, int, int]] = []

    def start_next() -> None:
        if waiting:
            trial = waiting.popleft()
            heapq.heappush(reports, (now + timelines[trial].seconds[0], trial, 0))

    for _ in range(at_once):
        start_next()
    while reports:
        now, trial, number = heapq.heappop(reports)
        timeline = timelines[trial]
        spent[trial] += timeline.seconds[number]
        steps += timeline.steps[number]
        is_last = number + 1 == len(timeline.progress)
        if is_last or not (goes_on is None or goes_on(trial, timeline.progress[number])):
            if is_last and goes_on is not None:
                goes_on(trial, 100)  # later trials are compared with those that ended
            start_next()
        else:
            heapq.heappush(reports, (now + timeline.seconds[number + 1], trial, number + 1))
    return Run(now, tuple(spent), steps)


def expected_runs(spec: SearchSpec, timelines: Mapping[str, TrialTimeline], at_once: int) -> list[Run]:
    """Return how the search may go, once for each of many orders of quality among its trials.

    The scheduler is the search's own, asked at the reports in the order of simulated time, so that what it
    lets through for want of earlier reports is counted. Which trial is better than which is drawn at random,
    and holds from the first report to the last; the objective stays what it is, which only the median rule
    takes notice of.

    Args:
        spec: The search.
        timelines: Of its trials by their ids, in the order in which they start.
        at_once: How many run at a time.

    Returns:
        One run where nobody is stopped early.
    """
    if spec.scheduler.algorithm == "none":
        return [simulate(list(timelines.values()), at_once)]
    return [_run(spec, timelines, at_once, np.random.default_rng((spec.seed, i))) for i in range(_ORDERS)]


def _run(
    spec: SearchSpec, timelines: Mapping[str, TrialTimeline], at_once: int, random: np.random.Generator
) -> Run:
    """Run the search with a quality drawn for each trial, which is its objective at every report."""
    from ray.tune.schedulers import TrialScheduler

    from tune.engine.schedulers import OBJECTIVE, PROGRESS, build_scheduler

    scheduler = build_scheduler(spec)
    trials = [SimpleNamespace(trial_id=trial_id) for trial_id in timelines]
    quality = random.random(len(trials)).tolist()
    added: set[int] = set()

    def goes_on(number: int, progress: int) -> bool:
        trial, result = trials[number], {PROGRESS: progress, OBJECTIVE: quality[number]}
        if number not in added:
            added.add(number)
            scheduler.on_trial_add(None, trial)
        if progress == 100:
            scheduler.on_trial_complete(None, trial, result)
            return False
        return bool(scheduler.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE)

    return simulate(list(timelines.values()), at_once, goes_on)
