"""Significance: against a naive bootstrap, and against what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn import metrics as sklearn_metrics
from sklearn.metrics import f1_score

from goemo.configuration import METRICS
from goemo.metrics import AVERAGES
from goemo.significance import (
    Interval,
    PairedDifference,
    bootstrap,
    bootstrap_interval,
    compare,
    compare_draws,
    interval,
    paired_difference,
)


def approximately(held, tolerance=1e-9):
    return Interval(pytest.approx(held.low, abs=tolerance), pytest.approx(held.high, abs=tolerance))


def proportion_interval(hits, trials):
    """Return Wilson's interval as SciPy has it."""
    held = binomtest(hits, trials).proportion_ci(method="wilson")
    return held.low, held.high


def imbalanced(n=200, labels=5, noise=0.1, seed=0):
    targets = np.random.default_rng(0).random((n, labels)) < np.linspace(0.02, 0.5, labels)
    return targets, targets ^ (np.random.default_rng(seed).random((n, labels)) < noise)


@pytest.mark.parametrize("metric", AVERAGES)
def test_draws_are_those_of_resampling_by_hand(metric):
    """Each draw equals scikit-learn's figure of the rows that the seeded generator picks."""
    targets, predictions = imbalanced(n=60)
    (drawn,) = bootstrap(targets, predictions, draws=20, seed=7)
    generator = np.random.default_rng(7)
    of, _, name = metric.partition("_")
    score = getattr(sklearn_metrics, f"{name}_score")
    for value, rows in zip(drawn.draws(metric), generator.integers(60, size=(20, 60)), strict=True):
        expected = score(targets[rows], predictions[rows], average=of, zero_division=0)
        assert value == pytest.approx(expected, abs=1e-12)


def test_the_draws_of_each_label_come_from_the_same_pass():
    """Without a label that never moves, macro-F1's interval and each label's are made of one set of draws."""
    targets, predictions = imbalanced(n=400, seed=1)
    (drawn,) = bootstrap(targets, predictions, draws=60, seed=3)
    generator = np.random.default_rng(3)
    by_hand = np.array(
        [
            f1_score(targets[rows], predictions[rows], average=None, zero_division=0)
            for rows in generator.integers(400, size=(60, 400))
        ]
    )
    estimates = f1_score(targets, predictions, average=None, zero_division=0)
    assert drawn.interval("macro_f1") == approximately(
        interval(by_hand.mean(axis=1), estimate=estimates.mean())
    )
    for label, held in enumerate(drawn.label_f1_intervals()):
        assert held == approximately(interval(by_hand[:, label], estimate=estimates[label]))


@pytest.mark.parametrize("metric", METRICS)
def test_interval_agrees_with_a_naive_bootstrap(metric):
    """Without correction, the interval lies where an independent bootstrap with a loop puts it."""
    targets, predictions = imbalanced()
    held = interval(bootstrap(targets, predictions, draws=2000)[0].draws(metric))
    generator = np.random.default_rng(123)
    of = metric.partition("_")[0]
    naive = []
    for _ in range(2000):
        rows = generator.choice(len(targets), len(targets))
        naive.append(f1_score(targets[rows], predictions[rows], average=of, zero_division=0))
    low, high = np.quantile(naive, [0.025, 0.975])
    width = high - low
    assert held.low == pytest.approx(low, abs=width / 10)
    assert held.high == pytest.approx(high, abs=width / 10)


@pytest.mark.parametrize("metric", AVERAGES)
def test_the_interval_of_an_average_holds_it(metric):
    """Each average of all examples lies between the ends of its interval, however few they are."""
    for n in (5, 20, 200):
        for seed in range(5):
            targets, predictions = imbalanced(n=n, seed=seed)
            (drawn,) = bootstrap(targets, predictions, draws=100)
            held = drawn.interval(metric)
            assert 0 <= held.low <= drawn.estimate(metric) <= held.high <= 1


def test_chunks_do_not_change_the_draws(monkeypatch):
    """Resampling in chunks, the last one smaller, gives the same draws as all at once."""
    arrays = imbalanced()
    whole = bootstrap(*arrays, draws=50)[0].draws("macro_f1")
    monkeypatch.setattr("goemo.significance.resamples._CHUNK_WEIGHTS", 7 * len(arrays[0]))
    assert bootstrap(*arrays, draws=50)[0].draws("macro_f1").tolist() == whole.tolist()


def test_double_precision_counts_are_the_same(monkeypatch):
    """The path for more examples than single precision can count gives the same draws."""
    arrays = imbalanced()
    single = bootstrap(*arrays, draws=50)[0].draws("macro_f1")
    monkeypatch.setattr("goemo.significance.resamples._SINGLE_PRECISION_COUNTS", 0)
    assert bootstrap(*arrays, draws=50)[0].draws("macro_f1").tolist() == single.tolist()


def test_the_seed_decides():
    """The same seed gives the same interval, another seed another one, and a wider level a wider one."""
    arrays = imbalanced()
    first = bootstrap_interval(*arrays, seed=1)
    assert bootstrap_interval(*arrays, seed=1) == first
    assert bootstrap_interval(*arrays, seed=2) != first
    wider = bootstrap_interval(*arrays, seed=1, level=0.99)
    assert wider.low < first.low < first.high < wider.high


def test_bias_is_corrected_as_efron_does():
    """The ends are the percentiles Phi(2 z0 -+ z); where half of the draws lie below, the plain ones."""
    draws = np.random.default_rng(0).normal(size=4001)
    assert interval(draws, estimate=float(np.median(draws))) == approximately(interval(draws), 1e-6)
    estimate = float(np.quantile(draws, 0.7))
    bias = norm.ppf(np.mean(draws < estimate) + 0.5 / len(draws))
    low, high = np.quantile(draws, norm.cdf(2 * bias + norm.ppf([0.05, 0.95])))
    assert interval(draws, level=0.9, estimate=estimate) == approximately(Interval(low, high))


def test_draws_that_equal_the_estimate_count_half():
    """A metric with few values is not taken for biased because many draws equal it, rounded or not."""
    draws = np.repeat([0.0, 0.5, 1.0], [100, 800, 100])
    assert interval(draws, level=0.8, estimate=0.5) == interval(draws, level=0.8)
    assert interval(draws + 1e-15, level=0.8, estimate=0.5) == interval(draws + 1e-15, level=0.8)


def test_draws_all_on_one_side_give_no_nan():
    """Where the estimate is above or below all draws, the ends are draws."""
    for estimate in (-1.0, 2.0):
        held = interval(np.linspace(0, 1, 50), estimate=estimate)
        assert 0 <= held.low <= held.high <= 1


@pytest.mark.parametrize("hits", [0, 8])
def test_a_label_without_spread_has_the_interval_of_a_proportion(hits):
    """With no hit or no miss, every draw is alike; the F1's interval is then Wilson's of hits among the rest.

    Of 8 examples that have the label or its prediction, all or none have both: F1 = 2 J / (1 + J).
    """
    targets = np.zeros((100, 1), dtype=np.bool_)
    targets[: max(hits, 4)] = True
    predictions = np.zeros_like(targets)
    predictions[slice(0, 8) if hits else slice(4, 8)] = True
    (held,) = bootstrap(targets, predictions)[0].label_f1_intervals()
    low, high = proportion_interval(hits, 8)
    assert (held.low, held.high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


@pytest.mark.parametrize("metric", ["f1", "precision", "recall"])
def test_macro_averages_carry_what_no_draw_shows(metric):
    """A label without a hit widens the macro average upwards, by its own uncertainty in squares."""
    targets, predictions = imbalanced(n=400, labels=4, seed=1)
    targets[:10, 3] = False
    predictions[:, 3] = np.arange(400) < 10  # ten false alarms
    (drawn,) = bootstrap(targets, predictions)
    plain = interval(drawn.draws(f"macro_{metric}"), estimate=drawn.estimate(f"macro_{metric}"))
    held = drawn.interval(f"macro_{metric}")
    support = int(targets[:, 3].sum())
    _, high = proportion_interval(0, {"precision": 10, "recall": support, "f1": 10 + support}[metric])
    unseen = (2 * high / (1 + high) if metric == "f1" else high) / 4
    estimate = drawn.estimate(f"macro_{metric}")
    assert held.low == pytest.approx(plain.low)
    assert held.high - estimate == pytest.approx(np.hypot(plain.high - estimate, unseen))
    assert drawn.interval(f"weighted_{metric}").high == pytest.approx(
        interval(drawn.draws(f"weighted_{metric}"), estimate=drawn.estimate(f"weighted_{metric}")).high
    )


def test_a_label_that_is_neither_there_nor_predicted_may_be_anything():
    """Without positives and predictions, nothing is known of a label's F1."""
    nothing = np.zeros((20, 1), dtype=np.bool_)
    (drawn,) = bootstrap(nothing, nothing)
    assert drawn.label_f1_intervals() == [Interval(0.0, 1.0)]
    assert drawn.interval("macro_f1") == Interval(0.0, 1.0)


@pytest.mark.slow
def test_intervals_hold_the_truth():
    """With rare labels, the interval holds the true macro-F1 in 95 % of data sets; percentiles do not."""
    generator = np.random.default_rng(0)
    share = np.array([0.003, 0.004, 0.01, 0.05, 0.2])
    recall, false = 0.4, 0.5 * share
    truth = np.mean(2 * recall * share / (recall * share + false * (1 - share) + share))
    held = {"corrected": 0, "percentile": 0}
    for _ in range(200):
        targets = generator.random((1000, 5)) < share
        predictions = generator.random(targets.shape) < np.where(targets, recall, false)
        (drawn,) = bootstrap(targets, predictions, draws=300)
        for name, ends in (
            ("corrected", drawn.interval("macro_f1")),
            ("percentile", interval(drawn.draws("macro_f1"))),
        ):
            held[name] += ends.low <= truth <= ends.high
    assert held["corrected"] >= 180
    assert held["percentile"] < held["corrected"]


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_to_find_is_zero(metric):
    """Without positives and predictions, every draw is 0, and nothing warns."""
    nothing = np.zeros((20, 2), dtype=np.bool_)
    assert bootstrap(nothing, nothing, draws=5)[0].draws(metric).tolist() == [0.0] * 5


def test_sets_of_predictions_share_their_resamples():
    """Draws of several sets in one call equal those of each set in a call of its own."""
    targets, a = imbalanced(seed=1)
    _, b = imbalanced(seed=2)
    for together, predictions in zip(bootstrap(targets, a, b, draws=30), (a, b), strict=True):
        (alone,) = bootstrap(targets, predictions, draws=30)
        assert together.draws("macro_f1").tolist() == alone.draws("macro_f1").tolist()


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
    of = metric.partition("_")[0]
    expected = f1_score(targets, good, average=of) - f1_score(targets, bad, average=of)
    assert forth.difference == pytest.approx(expected)
    assert (back.difference, back.low) == pytest.approx((-forth.difference, -forth.high))


def test_equally_good_trials_are_not_told_apart():
    """Two trials with the same rate of errors in other places overlap."""
    targets, a = imbalanced(seed=1)
    _, b = imbalanced(seed=2)
    difference = paired_difference(targets, a, b)
    assert difference.low < 0 < difference.high
    assert not difference.can_tell_apart


def test_the_interval_of_a_difference_is_that_of_its_draws():
    """The ends are percentiles of the differences, and the probability the share of them above 0."""
    targets, a = imbalanced(seed=1)
    _, b = imbalanced(seed=2)
    gains = np.subtract(*(drawn.draws("weighted_f1") for drawn in bootstrap(targets, a, b)))
    paired = paired_difference(targets, a, b, metric="weighted_f1")
    assert (paired.low, paired.high) == pytest.approx(tuple(np.quantile(gains, [0.025, 0.975])))
    assert paired.probability_a_beats_b == np.mean(gains > 0)
    assert paired == compare(*bootstrap(targets, a, b), "weighted_f1")


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
        ({"metric": "accuracy"}, r"metric must be one of macro_f1, weighted_f1, .*, got 'accuracy'"),
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
    with pytest.raises(ValueError, match="draws must be of the same resamples"):
        compare(*bootstrap(targets, predictions, draws=3), *bootstrap(targets, predictions, draws=4))


def test_errors_name_the_label():
    """A value that is neither true nor false is reported with the name of its label."""
    targets, predictions = imbalanced(n=3, labels=2)
    wrong = np.where([[0, 0], [0, 1], [0, 0]], 0.5, predictions)
    with pytest.raises(
        ValueError, match=r"predictions must be true or false: label joy has 0.5 in example 1"
    ):
        bootstrap(targets, wrong, labels=["anger", "joy"])


def test_many_examples_are_resampled_in_groups_that_spread_as_they_do():
    """The draws have the mean and the deviation of a binomial count, whether examples or groups are drawn.

    Rows are sorted, so that neighbours are alike: groups of neighbours would spread far more.
    """
    n = 120_000
    targets = np.sort(np.random.default_rng(3).random((n, 3)) < [0.5, 0.1, 0.01], axis=0)
    rates = targets.mean(axis=0)
    (drawn,) = bootstrap(targets, targets)
    counts = drawn.resampled[2]
    assert drawn.counts[2] == pytest.approx(targets.sum(axis=0))
    expected = np.sqrt(n * rates * (1 - rates))
    assert np.abs(counts.mean(axis=0) - n * rates) == pytest.approx(0, abs=5 * expected.max() / np.sqrt(1000))
    assert counts.std(axis=0) == pytest.approx(expected, rel=0.1)  # 1,000 draws tell it to 2 per cent


def test_groups_of_two_calls_are_paired():
    """Predictions that are the same in both calls have the same draws, whatever stands beside them."""
    random = np.random.default_rng(4)
    targets, one, other = (random.random((100_001, 2)) < 0.3 for _ in range(3))
    alone = bootstrap(targets, one)[0]
    beside = bootstrap(targets, other, one)[1]
    assert np.array_equal(alone.draws("macro_f1"), beside.draws("macro_f1"))
    assert not np.array_equal(alone.draws("macro_f1"), bootstrap(targets, other)[0].draws("macro_f1"))
