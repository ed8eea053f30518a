"""The mean over seeds: what its interval is made of, and when two configurations can be told apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from goemo.significance import bootstrap, compare, interval, seed_difference, seed_mean
from goemo.significance.seeds import _welch

METRIC = "macro_f1"


def trained(wrong, *, seeds=5, seed=0, rows=400):
    """Return the resampled predictions of one configuration that is wrong on this share of the rows."""
    targets = np.random.default_rng(0).random((rows, 3)) < 0.3
    rng = np.random.default_rng(seed)
    sets = [targets ^ (rng.random(targets.shape) < wrong + 0.02 * i) for i in range(seeds)]
    return bootstrap(targets, *sets, draws=300)


def test_the_interval_adds_seeds_and_examples_in_squares():
    """Each half-width is made of that of the bootstrap of the mean and of that of Student's interval.

    Student's has the variance of the values less what the resamples show to be luck with examples.
    """
    five = trained(0.1)
    values = np.array([one.estimate(METRIC) for one in five])
    draws = np.array([one.draws(METRIC) for one in five])
    found, held = seed_mean(five, METRIC), interval(draws.mean(axis=0), estimate=values.mean())
    luck = np.mean([(seed - draws.mean(axis=0)).var() for seed in draws]) * 5 / 4
    assert 0 < luck < values.var(ddof=1)
    half = stats.t.ppf(0.975, df=4) * math.sqrt((values.var(ddof=1) - luck) / 5)
    assert found.mean == pytest.approx(values.mean())
    assert found.deviation == pytest.approx(values.std(ddof=1))
    assert found.mean - found.low == pytest.approx(math.hypot(values.mean() - held.low, half))
    assert found.high - found.mean == pytest.approx(math.hypot(held.high - values.mean(), half))


def test_seeds_that_differ_in_luck_alone_have_the_interval_of_the_examples():
    """Seeds that are wrong as often as each other, on other rows, differ as the resamples show."""
    targets = np.random.default_rng(0).random((400, 3)) < 0.3
    rng = np.random.default_rng(1)
    trials = [
        bootstrap(targets, *(targets ^ (rng.random(targets.shape) < 0.1) for _ in range(5)), draws=300)
        for _ in range(20)
    ]
    widths = [(seed_mean(of, METRIC).high - seed_mean(of, METRIC).low) for of in trials]
    held = [interval(np.mean([one.draws(METRIC) for one in of], axis=0)) for of in trials]
    assert np.median(widths) < 1.3 * np.median([one.high - one.low for one in held])


def test_seeds_that_all_give_the_same_say_nothing_beyond_one():
    """Without a spread between seeds, the interval is that of the examples, as one training has it."""
    (one,) = trained(0.1, seeds=1)
    found, alone = seed_mean([one, one, one], METRIC), one.interval(METRIC)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))
    assert found.deviation == 0


def test_one_seed_has_a_mean_and_no_interval():
    """One number shows no spread, whether it is described or compared."""
    (one,) = trained(0.1, seeds=1)
    found = seed_mean([one], METRIC)
    assert found.mean == pytest.approx(one.estimate(METRIC))
    assert (found.low, found.high, found.deviation) == (None, None, None)
    behind = seed_difference(trained(0.0), [one], METRIC)
    assert (behind.low, behind.high) == (-math.inf, math.inf)


def test_the_spread_of_a_difference_is_that_of_welch():
    """Two sets of seeds of different size and spread: the interval of scipy's Welch test."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 5), rng.normal(0, 3, 4)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    half = _welch(a.var(ddof=1), len(a), b.var(ddof=1), len(b), 0.95)
    assert half == pytest.approx((expected.high - expected.low) / 2)
    assert _welch(0.0, 5, 0.0, 5, 0.95) == 0


def test_a_difference_is_told_where_it_exceeds_seeds_and_examples():
    """Far apart is told; a configuration and itself are not; swapping the two mirrors the interval."""
    good, bad = trained(0.05), trained(0.4, seed=1)
    ahead, behind = seed_difference(good, bad, METRIC), seed_difference(bad, good, METRIC)
    assert ahead.low > 0
    assert (behind.low, behind.high) == pytest.approx((-ahead.high, -ahead.low))
    same = seed_difference(good, good, METRIC)
    assert same.low < 0 < same.high


def test_without_a_spread_between_seeds_a_difference_is_the_paired_one():
    """Two trainings, each repeated to the last digit: what `compare` says of them."""
    (a,), (b,) = trained(0.05, seeds=1), trained(0.1, seeds=1, seed=2)
    found, paired = seed_difference([a, a], [b, b], METRIC), compare(a, b, METRIC)
    assert (found.low, found.high) == pytest.approx((paired.low, paired.high))


@pytest.mark.parametrize("call", [lambda: seed_mean([]), lambda: seed_difference([], trained(0.1))])
def test_no_seed_at_all_is_refused(call):
    """There is no mean of nothing."""
    with pytest.raises(ValueError, match="at least one seed"):
        call()
