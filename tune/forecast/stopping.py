"""Early stopping in simulated time: what it is expected to leave of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tune.forecast.simulation import Run, TrialTimeline, simulate
from tune.spec import SearchSpec

# Orders of the trials that are tried: enough for the tenth and the ninetieth of a hundred.
_ORDERS = 30


@dataclass(frozen=True)
class Span:
    """A figure that is not known exactly.

    Attributes:
        low: What nine in ten cases exceed.
        expected: The middle.
        high: What nine in ten cases stay below.
    """

    low: float
    expected: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Span:
        """Return the tenth, fiftieth and ninetieth of a hundred of some values."""
        low, expected, high = np.percentile(np.asarray(values, dtype=np.float64), [10, 50, 90])
        return cls(float(low), float(expected), float(high))

    def widened(self, error: float) -> Span:
        """Return the span with both ends moved out by a share of themselves."""
        return Span(self.low / (1 + error), self.expected, self.high * (1 + error))


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
