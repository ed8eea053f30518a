"""One configuration trained with several seeds: the mean, its interval, and which of two is better.

Two things move such a mean, and the interval knows both:

- *Other examples*: the bootstrap, as everywhere here. All seeds see the same resamples, for what makes an
  example hard is hard for all of them.
- *Other seeds*: Student's interval of a mean ("The probable error of a mean", 1908); of a difference, that of
  Welch (1947), which lets one configuration be less steady than the other. Drawing the seeds with replacement
  would not do: of five, such draws spread by a tenth too little, and their percentiles are those of a large
  sample.

Both half-widths are added in squares, as those of independent errors. Seeds differ for two reasons: one may
be better than another on all examples, and each is lucky with some. The second is what the bootstrap knows of
already, so that its share, as the resamples show it, is taken off the variance between seeds first (as of a
component of variance: Searle, Casella & McCulloch 1992, "Variance Components", chapter 3).

`benchmarks/seed_intervals.py` draws such trainings with a known truth; see docs/decisions/009.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from goemo.significance.bootstrap import Bootstrap, Draws
from goemo.significance.intervals import Interval, check_level, interval


@dataclass(frozen=True)
class SeedMean:
    """The mean of a metric over seeds.

    Attributes:
        mean: Of the seeds.
        low: Lower end of its interval over seeds and examples; None of one seed, which shows no spread.
        high: Upper end.
        deviation: Standard deviation of the values, of a sample; None of one seed.
    """

    mean: float
    low: float | None
    high: float | None
    deviation: float | None


def seed_mean(trained: Sequence[Bootstrap], metric: str = "macro_f1", *, level: float = 0.95) -> SeedMean:
    """Return the mean over seeds of one configuration, with its interval.

    Args:
        trained: One for each seed, all on the same examples and resamples.
        metric: One of :data:`goemo.metrics.AVERAGES`.
        level: How often such an interval shall hold what other seeds on other examples would give, in (0, 1).

    Raises:
        ValueError: There is no seed, the average is unknown, or the level is not in (0, 1).
    """
    if not trained:
        raise ValueError("a mean over seeds needs at least one seed")
    check_level(level)
    values = _values(trained, metric)
    mean = float(values.mean())
    if len(values) == 1:
        return SeedMean(mean, None, None, None)
    held = interval(_draws(trained, metric), level=level, estimate=mean)
    # The label that one seed finds nothing of is mostly the same for another: their errors go together.
    unseen_below, unseen_above = np.mean([one.unseen(metric, level=level) for one in trained], axis=0)
    of_seeds = _quantile(level, len(values) - 1) * math.sqrt(_between(trained, metric) / len(values))
    below = math.hypot(max(mean - held.low, 0.0), unseen_below, of_seeds)
    above = math.hypot(max(held.high - mean, 0.0), unseen_above, of_seeds)
    return SeedMean(mean, max(mean - below, 0.0), min(mean + above, 1.0), float(values.std(ddof=1)))


def seed_difference(
    a: Sequence[Bootstrap], b: Sequence[Bootstrap], metric: str = "macro_f1", *, level: float = 0.95
) -> Interval:
    """Return the interval of how much higher the mean of a is than that of b.

    The examples are paired, as in :func:`goemo.significance.compare`. Seeds are not, because the same number
    gives two configurations little in common, and one may have lost some: where they do have something in
    common, the interval is too wide rather than too narrow.

    Args:
        a: One for each seed of one configuration.
        b: Likewise of the other, on the same examples and resamples.
        metric: One of :data:`goemo.metrics.AVERAGES`.
        level: How often such an interval shall hold the true difference, in (0, 1).

    Returns:
        Both ends; infinite where either has one seed alone.

    Raises:
        ValueError: One has no seed, the average is unknown, or the level is not in (0, 1).
    """
    if not a or not b:
        raise ValueError(f"a mean over seeds needs at least one seed, got {len(a)} and {len(b)}")
    check_level(level)
    values_a, values_b = _values(a, metric), _values(b, metric)
    difference = float(values_a.mean() - values_b.mean())
    if min(len(a), len(b)) == 1:
        return Interval(-math.inf, math.inf)
    held = interval(_draws(a, metric) - _draws(b, metric), level=level)
    of_seeds = _welch(_between(a, metric), len(a), _between(b, metric), len(b), level)
    below = math.hypot(max(difference - held.low, 0.0), of_seeds)
    above = math.hypot(max(held.high - difference, 0.0), of_seeds)
    return Interval(difference - below, difference + above)


def _values(trained: Sequence[Bootstrap], metric: str) -> Draws:
    return np.array([one.estimate(metric) for one in trained])


def _draws(trained: Sequence[Bootstrap], metric: str) -> Draws:
    """Return the mean over seeds in each resample, shape (draws,)."""
    mean: Draws = np.mean([one.draws(metric) for one in trained], axis=0)
    return mean


def _between(trained: Sequence[Bootstrap], metric: str) -> float:
    """Return the variance between seeds on all examples there might be, without luck with single ones."""
    seeds = len(trained)
    draws = np.stack([one.draws(metric) for one in trained])  # (s, draws)
    own = draws - draws.mean(axis=0)  # what each seed gains or loses with the examples of a resample
    luck = float(own.var(axis=1).mean()) * seeds / (seeds - 1)
    return max(float(_values(trained, metric).var(ddof=1)) - luck, 0.0)


def _welch(variance_a: float, seeds_a: int, variance_b: float, seeds_b: int, level: float) -> float:
    """Return the half-width of Welch's interval, with the degrees of freedom of Satterthwaite (1946)."""
    share_a, share_b = variance_a / seeds_a, variance_b / seeds_b
    if share_a + share_b == 0:
        return 0.0
    freedom = (share_a + share_b) ** 2 / (share_a**2 / (seeds_a - 1) + share_b**2 / (seeds_b - 1))
    return _quantile(level, freedom) * math.sqrt(share_a + share_b)


def _quantile(level: float, freedom: float) -> float:
    """Return how many standard errors either end of an interval of Student's is away from its middle."""
    from scipy.special import stdtrit  # here, as only what has seeds waits for it

    return float(stdtrit(freedom, (1 + level) / 2))
