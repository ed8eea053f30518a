"""A search in simulated time: so many trials at once, each stopped where the scheduler stops it."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
