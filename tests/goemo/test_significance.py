"""Significance: against a naive bootstrap, and against what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from goemo.configuration import METRICS
from goemo.metrics import average_f1
from goemo.significance import (
    PairedDifference,
    bootstrap_interval,
    compare_draws,
    interval,
    macro_f1_draws,
    metric_draws,
    paired_difference,
)


def imbalanced(n=200, labels=5, noise=0.1, seed=0):
    targets = np.random.default_rng(0).random((n, labels)) < np.linspace(0.02, 0.5, labels)
    return targets, targets ^ (np.random.default_rng(seed).random((n, labels)) < noise)


@pytest.mark.parametrize("metric", METRICS)
def test_draws_are_those_of_resampling_by_hand(metric):
    """Each draw equals scikit-learn's F1 of the rows that the seeded generator picks."""
    targets, predictions = imbalanced(n=60)
    draws = metric_draws(targets, predictions, metric=metric, draws=20, seed=7)[0]
    generator = np.random.default_rng(7)
    average = metric.removesuffix("_f1")
    for value, rows in zip(draws, generator.integers(60, size=(20, 60)), strict=True):
        expected = f1_score(targets[rows], predictions[rows], average=average, zero_division=0)
        assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_interval_agrees_with_a_naive_bootstrap(metric):
    """The interval lies where an independent bootstrap with a loop puts it."""
    targets, predictions = imbalanced()
    held = bootstrap_interval(targets, predictions, metric=metric, draws=2000)
    generator = np.random.default_rng(123)
    naive = []
    for _ in range(2000):
        rows = generator.choice(len(targets), len(targets))
        naive.append(average_f1(metric, targets[rows], predictions[rows]))
    low, high = np.quantile(naive, [0.025, 0.975])
    width = high - low
    assert held.low == pytest.approx(low, abs=width / 10)
    assert held.high == pytest.approx(high, abs=width / 10)
    assert held.low < average_f1(metric, targets, predictions) < held.high


def test_chunks_do_not_change_the_draws(monkeypatch):
    """Resampling in chunks, the last one smaller, gives the same draws as all at once."""
    arrays = imbalanced()
    whole = macro_f1_draws(*arrays, draws=50)
    monkeypatch.setattr("goemo.significance._CHUNK_WEIGHTS", 7 * len(arrays[0]))
    assert macro_f1_draws(*arrays, draws=50).tolist() == whole.tolist()


def test_double_precision_counts_are_the_same(monkeypatch):
    """The path for more examples than single precision can count gives the same draws."""
    arrays = imbalanced()
    single = macro_f1_draws(*arrays, draws=50)
    monkeypatch.setattr("goemo.significance._SINGLE_PRECISION_COUNTS", 0)
    assert macro_f1_draws(*arrays, draws=50).tolist() == single.tolist()


def test_the_seed_decides():
    """The same seed gives the same interval, another seed another one, and a wider level a wider one."""
    arrays = imbalanced()
    first = bootstrap_interval(*arrays, seed=1)
    assert bootstrap_interval(*arrays, seed=1) == first
    assert bootstrap_interval(*arrays, seed=2) != first
    wider = bootstrap_interval(*arrays, seed=1, level=0.99)
    assert wider.low < first.low < first.high < wider.high


def test_perfect_predictions_have_no_spread():
    """Where every resample has F1 1, so have both ends of the interval."""
    targets = np.ones((20, 2), dtype=np.bool_)
    held = bootstrap_interval(targets, targets)
    assert (held.low, held.high) == (1.0, 1.0)


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_to_find_is_zero(metric):
    """Without positives and predictions, every draw is 0, and nothing warns."""
    nothing = np.zeros((20, 2), dtype=np.bool_)
    assert metric_draws(nothing, nothing, metric=metric, draws=5).tolist() == [[0.0] * 5]


def test_sets_of_predictions_share_their_resamples():
    """Draws of several sets in one call equal those of each set in a call of its own."""
    targets, a = imbalanced(seed=1)
    _, b = imbalanced(seed=2)
    together = metric_draws(targets, a, b, draws=30)
    assert together.shape == (2, 30)
    assert together[0].tolist() == macro_f1_draws(targets, a, draws=30).tolist()
    assert together[1].tolist() == macro_f1_draws(targets, b, draws=30).tolist()


def test_a_trial_ties_with_itself():
    """Compared with itself, a trial differs by 0, beats itself half the time, and cannot be told apart."""
    targets, a = imbalanced()
    assert paired_difference(targets, a, a) == PairedDifference(0.0, 0.0, 0.0, 0.5)
    assert not paired_difference(targets, a, a).can_tell_apart


@pytest.mark.parametrize("metric", METRICS)
def test_a_clearly_better_trial_is_told_apart(metric):
    """Few errors against many: the interval excludes 0, whichever of the two comes first."""
    targets, good = imbalanced(noise=0.02, seed=1)
    _, bad = imbalanced(noise=0.3, seed=2)
    forth = paired_difference(targets, good, bad, metric=metric)
    back = paired_difference(targets, bad, good, metric=metric)
    assert forth.can_tell_apart
    assert back.can_tell_apart
    assert forth.low > 0 > back.high
    assert forth.probability_a_beats_b == 1.0
    assert back.probability_a_beats_b == 0.0
    expected = average_f1(metric, targets, good) - average_f1(metric, targets, bad)
    assert forth.difference == pytest.approx(expected)
    assert (back.difference, back.low) == pytest.approx((-forth.difference, -forth.high))


def test_equally_good_trials_are_not_told_apart():
    """Two trials with the same rate of errors in other places overlap."""
    targets, a = imbalanced(seed=1)
    _, b = imbalanced(seed=2)
    difference = paired_difference(targets, a, b)
    assert difference.low < 0 < difference.high
    assert not difference.can_tell_apart


def test_pairing_makes_the_difference_surer():
    """Two trials that share most errors have a narrower interval together than each has alone."""
    targets, a = imbalanced(n=400, noise=0.2)
    b = a.copy()
    b[:10] = targets[:10]
    paired = paired_difference(targets, b, a)
    alone = bootstrap_interval(targets, a)
    assert paired.high - paired.low < 0.75 * (alone.high - alone.low)


def test_the_order_of_examples_within_ties_of_targets_does_not_bias():
    """Intervals of shuffled examples agree: no example is favoured."""
    targets, predictions = imbalanced(n=500)
    order = np.random.default_rng(5).permutation(len(targets))
    held = bootstrap_interval(targets, predictions, draws=4000)
    moved = bootstrap_interval(targets[order], predictions[order], draws=4000)
    assert (moved.low, moved.high) == pytest.approx((held.low, held.high), abs=(held.high - held.low) / 10)


def test_half_of_the_level_lies_on_each_side():
    """The ends are percentiles of the draws."""
    held = interval(np.arange(101.0), level=0.9)
    assert (held.low, held.high) == pytest.approx((5.0, 95.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "accuracy"}, "metric must be one of macro_f1, weighted_f1, micro_f1, got 'accuracy'"),
        ({"draws": 0}, "draws must be at least 1, got 0"),
        ({"level": 1.0}, r"level must lie in \(0, 1\), got 1.0"),
    ],
)
def test_wrong_options_are_refused(options, message):
    """An argument out of its range is refused with rule and value."""
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(*imbalanced(), **options)


def test_wrong_arrays_are_refused():
    """No examples, another shape, and draws of other resamples are refused."""
    targets, predictions = imbalanced()
    with pytest.raises(ValueError, match="at least one example to resample"):
        bootstrap_interval(targets[:0], predictions[:0])
    with pytest.raises(ValueError, match="predictions must have the shape"):
        paired_difference(targets, predictions, predictions[:-1])
    with pytest.raises(ValueError, match="draws must be of the same resamples"):
        compare_draws(0.0, np.zeros(3), np.zeros(4))
