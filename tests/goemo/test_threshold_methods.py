"""Every method of choosing thresholds: what they all promise, and each against its definition."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from scored import imbalanced
from sklearn.metrics import f1_score

from goemo.calibration import calibrate
from goemo.configuration.thresholds import METHODS
from goemo.thresholds import (
    FittedThresholds,
    apply_thresholds,
    cross_fitted_predictions,
    fit_thresholds,
    fold_of_rows,
)
from goemo.thresholds.between import between
from goemo.thresholds.methods.registry import FITS, REFUSING

# Of the methods that maximise something of each label alone.
PER_LABEL = ("exact", "grid", "smoothed", "fbr", "plug_in")


@st.composite
def cases(draw, most_rows=6, most_labels=3):
    """Scores and targets, small, with many ties, all-negative and all-positive labels, in both precisions."""
    shape = draw(st.tuples(st.integers(1, most_rows), st.integers(1, most_labels)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    tied = st.sampled_from([0.0, 0.05, 0.25, 0.5, 0.95, 1.0])
    free = st.floats(0, 1, width=16)
    scores = draw(hnp.arrays(dtype, shape, elements=draw(st.sampled_from([tied, free]))))
    return scores, draw(hnp.arrays(np.bool_, shape))


def cuts_of(scores):
    """All thresholds that make a difference, from never to always."""
    return [math.inf, *sorted({float(score) for score in scores}, reverse=True)]


def higher_cuts(scores, value):
    """Those of them that predict less than the value does."""
    predicted = sorted({float(score) for score in scores if score >= value})
    return [*predicted[1:], math.inf] if predicted else []


def f1_sizes(predictions, targets):
    """Twice the true positives, and what they are divided by."""
    return 2 * int(np.sum(predictions & targets)), int(np.sum(predictions)) + int(np.sum(targets))


def micro(scores, targets, values):
    twice, size = f1_sizes(scores >= np.asarray(values), targets)
    return Fraction(twice, size) if size else Fraction(0)


def example_mean(scores, targets, values):
    predictions = scores >= np.asarray(values)
    twice, size = 2 * (predictions & targets).sum(axis=1), predictions.sum(axis=1) + targets.sum(axis=1)
    return float((twice / np.maximum(size, 1)).mean())


def test_there_is_a_function_for_every_method():
    """The table of options and the table of functions name the same methods, in the same order."""
    assert [*FITS, "cross_fit"] == list(METHODS)


@pytest.mark.parametrize("method", METHODS)
class TestEveryMethod:
    def test_f1_is_that_of_the_predictions(self, method):
        """The F1 that comes with the thresholds is the F1 of applying them to the same rows."""
        scores, targets = imbalanced()
        for fallback in ("none", "top1"):
            fitted = fit_thresholds(scores, targets, method=method, fallback=fallback)
            predictions = apply_thresholds(scores, fitted)
            expected = f1_score(targets, predictions, average=None, zero_division=0)
            np.testing.assert_allclose(fitted.f1, expected, atol=1e-12)

    def test_exact_is_an_upper_bound(self, method):
        """No method has a better F1 on its own rows than exact, for any label."""
        scores, targets = imbalanced()
        upper = fit_thresholds(scores, targets, method="exact").f1
        assert (fit_thresholds(scores, targets, method=method).f1 <= upper).all()

    def test_row_order_does_not_change_the_thresholds(self, method):
        """Shuffling examples, ties included, leaves the thresholds alone; folds alone know the order."""
        if method == "cross_fit":
            pytest.skip("its folds depend on the order of the rows")
        scores, targets = imbalanced()
        scores = scores.round(2)
        order = np.random.default_rng(1).permutation(len(scores))
        before = fit_thresholds(scores, targets, method=method)
        after = fit_thresholds(scores[order], targets[order], method=method)
        np.testing.assert_allclose(before.values, after.values, rtol=1e-6)

    def test_label_order_permutes_the_thresholds(self, method):
        """Labels reordered give the same thresholds, reordered; but a local ascent may end elsewhere."""
        if method == "example_f1":
            pytest.skip("where its ascent ends may depend on the order of the labels")
        scores, targets = imbalanced()
        order = np.random.default_rng(1).permutation(scores.shape[1])
        before = fit_thresholds(scores, targets, method=method)
        after = fit_thresholds(scores[:, order], targets[:, order], method=method)
        assert before.values[order].tolist() == after.values.tolist()

    def test_precision_of_the_scores_does_not_matter(self, method):
        """Single precision scores, the same ones in double, and a strided view give the same thresholds."""
        scores, targets = imbalanced(dtype=np.float32)
        single = fit_thresholds(scores, targets, method=method)
        double = fit_thresholds(scores.astype(np.float64), targets, method=method)
        strided = fit_thresholds(np.repeat(scores, 2, axis=1)[:, ::2], targets, method=method)
        assert single.values.tolist() == double.values.tolist() == strided.values.tolist()

    def test_thresholds_lie_between_scores(self, method):
        """No threshold is a score, in any precision, ties or not: each lies between two neighbours."""
        for dtype, digits in itertools.product((np.float16, np.float32, np.float64), (2, 16)):
            scores, targets = imbalanced(dtype=dtype)
            scores = scores.astype(np.float64).round(digits).astype(dtype)
            targets[:, 0] = False
            values = fit_thresholds(scores, targets, method=method).values
            assert values.dtype == np.float64
            if method != "fixed":
                assert not np.isin(values, scores.astype(np.float64)).any()

    def test_inputs_are_left_alone(self, method):
        """Fitting and applying change neither scores nor targets."""
        scores, targets = imbalanced()
        before = scores.copy(), targets.copy()
        apply_thresholds(scores, fit_thresholds(scores, targets, method=method, fallback="top1"))
        assert (scores == before[0]).all()
        assert (targets == before[1]).all()

    def test_blocks_do_not_matter(self, method, monkeypatch):
        """Fitting labels in blocks, the last one smaller, gives what fitting them all at once gives."""
        scores, targets = imbalanced(labels=7)
        whole = fit_thresholds(scores, targets, method=method)
        monkeypatch.setattr("goemo.thresholds.candidates.BLOCK_SCORES", 3 * len(scores))
        blocks = fit_thresholds(scores, targets, method=method)
        assert blocks.values.tolist() == whole.values.tolist()

    def test_json_round_trip(self, method):
        """Thresholds survive JSON exactly, an infinite one as null, with their options and fallback."""
        scores, targets = imbalanced()
        targets[:, 0] = False
        fitted = fit_thresholds(scores, targets, method=method, fallback="top1")
        text = json.dumps(fitted.to_dict(), allow_nan=False)
        again = FittedThresholds.from_dict(json.loads(text))
        assert again.to_dict() == fitted.to_dict()
        assert again.values.tolist() == fitted.values.tolist()
        assert again.fallback == "top1"
        assert (apply_thresholds(scores, again) == apply_thresholds(scores, fitted)).all()
        # What a table of results does: the same method with the same options, on other rows.
        refitted = fit_thresholds(scores, targets, method=again.method, **again.options)
        assert refitted.to_dict() == fitted.to_dict()

    def test_cross_fitted_rows_are_cut_by_the_others(self, method):
        """Each fold's predictions are those of thresholds fitted without that fold."""
        scores, targets = imbalanced()
        predictions = cross_fitted_predictions(
            scores, targets, method=method, folds=4, seed=3, fallback="top1"
        )
        options = {"folds": 4, "seed": 3} if method == "cross_fit" else {}
        # The folds of `cross_fit` are its own: it is judged on the same ones as the other methods.
        fold_of = fold_of_rows(len(scores)) if options else fold_of_rows(len(scores), folds=4, seed=3)
        assert set(fold_of) == set(range(5 if options else 4))
        for fold in set(fold_of):
            held = fold_of == fold
            fitted = fit_thresholds(scores[~held], targets[~held], method=method, fallback="top1", **options)
            assert (predictions[held] == apply_thresholds(scores[held], fitted)).all()

    def test_top1_leaves_no_example_without_a_label(self, method):
        """The fallback gives bare examples the label of their highest score, and changes no other."""
        scores, targets = imbalanced()
        scores[:, 0] = 0.001  # never the highest
        plain = fit_thresholds(scores, targets, method=method)
        backed = fit_thresholds(scores, targets, method=method, fallback="top1")
        assert backed.values.tolist() == plain.values.tolist()
        before, after = apply_thresholds(scores, plain), apply_thresholds(scores, backed)
        bare = ~before.any(axis=1)
        assert (after[~bare] == before[~bare]).all()
        assert (after[bare].sum(axis=1) == 1).all()
        assert (after[bare].argmax(axis=1) == scores[bare].argmax(axis=1)).all()

    def test_degenerate_labels_have_their_documented_answers(self, method):
        """No positive, no negative, and equal scores, each beside an ordinary label."""
        scores, targets = imbalanced(labels=5)
        scores[:, 1] = scores[:, 1].clip(0.1, 0.9)  # apart from the grid's first cuts
        scores[:, 2], targets[:, 0], targets[:, 1] = 0.25, False, True
        values = fit_thresholds(scores, targets, method=method).values
        top = scores.max(axis=0)
        common = fit_thresholds(scores, targets, method="global").values[0]
        alone = between([top[0]], scores[:, :1])[0]
        own = {"global": common, "shrunk": common, "fixed": 0.5, "fbr": alone}
        if method in REFUSING:
            assert values[0] == math.inf
        elif method in own:
            assert values[0] == pytest.approx(own[method])
        else:
            assert alone <= values[0] < 1
        no_negative = {"global": common, "fixed": 0.5, "grid": np.nextafter(0.05, 1), "shrunk": values[1]}
        assert values[1] == pytest.approx(no_negative.get(method, scores[:, 1].min()), rel=1e-6)
        equal = {"global": common, "fixed": 0.5, "grid": np.nextafter(0.05, 1), "shrunk": values[2]}
        never = {"micro_f1", "micro_macro", "example_f1"}  # it may not pay among other labels
        if method not in never:
            assert values[2] == pytest.approx(equal.get(method, 0.25), rel=1e-6)
        else:
            assert values[2] in {0.25, math.inf}

    @pytest.mark.parametrize("score", [0.0, 0.3, 1.0])
    @pytest.mark.parametrize("is_positive", [False, True])
    def test_one_example_is_enough(self, method, score, is_positive):
        """One row, whatever its score and target, gives a threshold, and predicts it if it is positive."""
        fitted = fit_thresholds([[score]], [[is_positive]], method=method)
        assert not math.isnan(fitted.values[0])
        if is_positive and method not in {"fixed", "grid"}:
            assert apply_thresholds([[score]], fitted)[0, 0]


@pytest.mark.parametrize("method", [*PER_LABEL, "cross_fit"])
def test_labels_do_not_see_each_other(method):
    """A label's threshold is the same with and without the other labels."""
    scores, targets = imbalanced()
    together = fit_thresholds(scores, targets, method=method).values
    for label in range(scores.shape[1]):
        alone = fit_thresholds(scores[:, [label]], targets[:, [label]], method=method).values
        assert alone[0] == pytest.approx(together[label], rel=1e-6)


@pytest.mark.parametrize("method", ["exact", "grid", "global", "fixed", "fbr", "micro_f1", "example_f1"])
def test_doubled_rows_change_nothing(method):
    """Every row twice gives the same thresholds, where the number of rows is not evidence by itself."""
    scores, targets = imbalanced()
    once = fit_thresholds(scores, targets, method=method).values
    twice = fit_thresholds(np.repeat(scores, 2, axis=0), np.repeat(targets, 2, axis=0), method=method).values
    assert once.tolist() == twice.tolist()


@settings(max_examples=120, deadline=None)
@given(cases(most_rows=4))
def test_micro_f1_is_brute_force_over_all_combinations(case):
    """No combination of cuts has a better micro-F1, and no label could take a higher cut for the same."""
    scores, targets = case
    values = fit_thresholds(scores, targets, method="micro_f1").values
    found = micro(scores, targets, values)
    choices = [cuts_of(scores[:, label]) for label in range(scores.shape[1])]
    assert found == max(micro(scores, targets, chosen) for chosen in itertools.product(*choices))
    for label in range(scores.shape[1]):
        for cut in higher_cuts(scores[:, label], values[label]):
            higher = [*values[:label], cut, *values[label + 1 :]]
            assert micro(scores, targets, higher) < found


def test_micro_f1_beats_label_by_label():
    """On realistic scores, its micro-F1 is above that of exact thresholds and of one cut for all."""
    scores, targets = imbalanced()
    best = micro(scores, targets, fit_thresholds(scores, targets, method="micro_f1").values)
    for other in ("exact", "global", "micro_macro"):
        assert micro(scores, targets, fit_thresholds(scores, targets, method=other).values) < best


def check_example_f1(scores, targets):
    values = fit_thresholds(scores, targets, method="example_f1").values
    found = example_mean(scores, targets, values)
    start = fit_thresholds(scores, targets, method="micro_f1").values
    assert found >= example_mean(scores, targets, start) - 1e-9
    for label in range(scores.shape[1]):
        for cut in cuts_of(scores[:, label]):
            changed = [*values[:label], cut, *values[label + 1 :]]
            assert example_mean(scores, targets, changed) <= found + 1e-9


@settings(max_examples=120, deadline=None)
@given(cases(most_rows=5))
def test_example_f1_cannot_be_improved_by_one_label(case):
    """It is at least what micro-F1's thresholds reach, and no single cut raises it."""
    check_example_f1(*case)


@pytest.mark.parametrize("seed", range(3))
def test_example_f1_goes_on_until_nothing_helps(seed):
    """So it is with more labels, where the first round leaves something to the next ones."""
    check_example_f1(*imbalanced(150, labels=8, seed=seed))


def test_example_f1_is_what_scikit_learn_averages_over_samples():
    """By scikit-learn's measure, it beats the thresholds that maximise the other averages."""
    scores, targets = imbalanced()

    def of(method):
        predictions = apply_thresholds(scores, fit_thresholds(scores, targets, method=method))
        return f1_score(targets, predictions, average="samples", zero_division=0)

    best = of("example_f1")
    assert all(of(other) < best for other in ("micro_f1", "exact", "global", "micro_macro"))


def test_example_f1_ends_where_rounding_errors_add_up():
    """With so many examples that their sums differ by rounding alone, the ascent still comes to an end."""
    generator = np.random.default_rng(3)
    targets = generator.random((300_000, 3)) < 0.4
    scores = (targets * 0.2 + 0.3 + generator.normal(size=targets.shape) * 0.1).round(2).clip(0, 1)
    values = fit_thresholds(scores, targets, method="example_f1").values
    start = fit_thresholds(scores, targets, method="micro_f1").values
    assert example_mean(scores, targets, values) > example_mean(scores, targets, start)


def check_micro_macro(scores, targets):
    values = fit_thresholds(scores, targets, method="micro_macro").values
    hits = size = 0
    by_frequency = sorted(range(scores.shape[1]), key=lambda label: -int(targets[:, label].sum()))
    for place, label in enumerate(by_frequency, start=1):

        def joint(cut, label=label, place=place, hits=hits, size=size):
            twice, own = f1_sizes(scores[:, label] >= cut, targets[:, label])
            return (twice / own if own else 0) / place + ((hits + twice) / (size + own) if size + own else 0)

        best = max(joint(cut) for cut in cuts_of(scores[:, label]))
        assert joint(values[label]) == pytest.approx(best, abs=1e-12)
        assert all(joint(cut) < best for cut in higher_cuts(scores[:, label], values[label]))
        twice, own = f1_sizes(scores[:, label] >= values[label], targets[:, label])
        hits, size = hits + twice, size + own


@settings(max_examples=120, deadline=None)
@given(cases())
def test_micro_macro_is_the_greedy_loop(case):
    """From the most frequent label on, each takes the cut with the best F1 / labels so far + micro-F1."""
    check_micro_macro(*case)


def test_micro_macro_weighs_both_terms():
    """The same loop over many labels with poor scores, where the weight of the macro term counts."""
    generator = np.random.default_rng(0)
    scores = generator.random((80, 8))
    check_micro_macro(scores, scores + generator.normal(size=(80, 8)) > np.linspace(0.5, 2.5, 8))


@settings(max_examples=120, deadline=None)
@given(cases(most_rows=10, most_labels=2), st.sampled_from([(1, 1), (0, 5), (2, 0.5), (3, 4), (50, 1)]))
def test_smoothed_is_brute_force_over_all_cuts_and_none(case, constants):
    """The smoothed F1 is that of trying every score and nothing at all, of equal ones the higher."""
    scores, targets = case
    a, b = constants
    fitted = fit_thresholds(scores, targets, method="smoothed", a=a, b=b)
    for label in range(scores.shape[1]):

        def smoothed(cut, label=label):
            twice, size = f1_sizes(scores[:, label] >= cut, targets[:, label])
            return (twice + a) / (size + b)

        best = max(smoothed(cut) for cut in cuts_of(scores[:, label]))
        expected = max(cut for cut in cuts_of(scores[:, label]) if smoothed(cut) >= best - 1e-12)
        assert fitted.values[label] == between([expected], scores[:, [label]])


def test_smoothing_without_b_never_predicts_a_label_without_positives():
    """Where b is 0 and there is no positive, nothing predicted is 0 / 0; a prediction is no better for it."""
    scores, targets = imbalanced()
    targets[:, 2] = False
    values = fit_thresholds(scores, targets, method="smoothed", b=0).values
    assert values[2] == math.inf
    assert np.isfinite(values).any()


def test_smoothing_leaves_a_lonely_positive_alone():
    """One positive far down the ranking: F1 predicts all above it, the smoothed F1 nothing."""
    scores = np.linspace(0.9, 0.1, 50)[:, None]
    targets = (np.arange(50) == 30)[:, None]
    assert scores[31, 0] < fit_thresholds(scores, targets, method="exact").values[0] < scores[30, 0]
    assert fit_thresholds(scores, targets, method="smoothed").values[0] == math.inf


@pytest.mark.parametrize("target", [{}, {"target": "f_beta", "beta": 2}])
def test_fbr_gives_up_where_f_is_low(target):
    """Labels whose F stays below fbr get their highest score, the others their exact threshold."""
    scores, targets = imbalanced()
    exact = fit_thresholds(scores, targets, **target)
    reached = exact.f1
    if target:
        predictions = apply_thresholds(scores, exact)
        hits, predicted = (predictions & targets).sum(axis=0), predictions.sum(axis=0)
        reached = 5 * hits / (predicted + 4 * targets.sum(axis=0))
    between = float(np.sort(reached)[2:4].mean())
    fitted = fit_thresholds(scores, targets, method="fbr", fbr=between, **target)
    low = reached < between
    assert 0 < low.sum() < len(low)
    assert (apply_thresholds(scores, fitted) == (scores == scores.max(axis=0)))[:, low].all()
    assert fitted.values[~low].tolist() == exact.values[~low].tolist()
    edge = float(reached[2])  # an F of just fbr is not below it
    at_edge = fit_thresholds(scores, targets, method="fbr", fbr=edge, **target)
    assert at_edge.values[2] == exact.values[2] < scores[:, 2].max()
    none = fit_thresholds(scores, targets, method="fbr", fbr=0, **target)
    assert none.values.tolist() == exact.values.tolist()


def test_shrunk_thresholds_lie_between_the_own_and_the_global_one():
    """The logit is the mean of the two, the own one weighted by positives / (positives + strength)."""
    scores, targets = imbalanced()
    targets[:, 0] = False
    own = fit_thresholds(scores, targets).values
    common = fit_thresholds(scores, targets, method="global").values[0]
    fitted = fit_thresholds(scores, targets, method="shrunk", strength=30).values
    assert fitted[0] == pytest.approx(common)
    for label in range(1, scores.shape[1]):
        positives = int(targets[:, label].sum())
        weight = positives / (positives + 30)
        expected = weight * logit(own[label]) + (1 - weight) * logit(common)
        assert logit(fitted[label]) == pytest.approx(expected)


def test_the_ends_of_shrinking_are_exact_and_global():
    """Strength 0 is exact to the last bit, where there are positives; a huge one is the global cut."""
    scores, targets = imbalanced()
    none = fit_thresholds(scores, targets, method="shrunk", strength=0)
    assert none.values.tolist() == fit_thresholds(scores, targets).values.tolist()
    targets[:, 0] = False
    none = fit_thresholds(scores, targets, method="shrunk", strength=0)
    assert none.values[0] == fit_thresholds(scores, targets, method="global").values[0]
    all_of_it = fit_thresholds(scores, targets, method="shrunk", strength=1e12)
    common = fit_thresholds(scores, targets, method="global")
    np.testing.assert_allclose(all_of_it.values, common.values, rtol=1e-6)
    nothing = fit_thresholds(scores, np.zeros_like(targets), method="shrunk")
    exact = fit_thresholds(scores, np.zeros_like(targets))
    assert nothing.values.tolist() == exact.values.tolist()


@pytest.mark.parametrize("score", [0.0, 0.05, 1 / 3, 0.7, 1.0])
@pytest.mark.parametrize("method", ["shrunk", "cross_fit"])
def test_the_mean_of_equal_thresholds_is_that_threshold(method, score):
    """Averaging loses no bit where all agree: what was predicted for the very last bit still is."""
    scores, targets = np.full((12, 2), score), np.ones((12, 2), dtype=np.bool_)
    scores[:6] = np.nextafter(score, -1) if score else 0
    targets[:6] = score == 0
    fitted = fit_thresholds(scores, targets, method=method)
    assert fitted.values.tolist() == [score, score]


def test_certain_scores_can_be_averaged():
    """Scores of 0 and 1 have no finite logit, and still give thresholds in [0, 1]."""
    scores = np.array([[1.0, 0.0], [1.0, 0.2], [0.0, 0.0], [0.0, 1.0]])
    targets = np.array([[True, True], [True, False], [False, True], [False, False]])
    for method in ("shrunk", "cross_fit"):
        values = fit_thresholds(scores, targets, method=method).values
        assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("calibration", ["platt", "isotonic", "temperature"])
def test_plug_in_maximises_the_expected_f1(calibration):
    """The cut is the best of all by expected F1, and predicts what has at least half of it (t* = F* / 2)."""
    scores, targets = imbalanced(dtype=np.float64)
    scores = scores.round(2)
    fitted = fit_thresholds(scores, targets, method="plug_in", calibration=calibration)
    shares = calibrate(scores, targets, method=calibration).apply(scores)
    for label, cut in enumerate(fitted.values):
        column, share = scores[:, label], shares[:, label]

        def expected(c, column=column, share=share):
            return 2 * share[column >= c].sum() / ((column >= c).sum() + share.sum())

        best = max(map(expected, np.unique(column)))
        assert expected(cut) == pytest.approx(best)
        assert share[column >= cut].min() >= best / 2 - 1e-9
        assert share[column < cut].max() <= best / 2 + 1e-9


def test_plug_in_with_isotonic_curves_is_nearly_exact():
    """Isotonic shares add up to the positives at every step, so the best expected F1 is the best F1."""
    scores, targets = imbalanced()
    fitted = fit_thresholds(scores, targets, method="plug_in", calibration="isotonic")
    np.testing.assert_allclose(fitted.f1, fit_thresholds(scores, targets).f1, atol=1e-9)


@pytest.mark.parametrize("inner", [name for name in METHODS if name != "cross_fit"])
def test_cross_fit_averages_the_folds(inner):
    """The logit is the mean over folds of what the inner method fits without the fold, inf outvoted."""
    scores, targets = imbalanced()
    targets[:, 0] = False
    targets[:2, 0] = True
    fitted = fit_thresholds(scores, targets, method="cross_fit", of=inner, folds=3, seed=1)
    fold_of = fold_of_rows(len(scores), folds=3, seed=1)
    folds = np.stack(
        [
            fit_thresholds(scores[fold_of != fold], targets[fold_of != fold], method=inner).values
            for fold in range(3)
        ]
    )
    for label, value in enumerate(fitted.values):
        finite = [logit(cut) for cut in folds[:, label] if math.isfinite(cut)]
        if len(finite) * 2 <= 3:
            assert value == math.inf
        else:
            assert logit(value) == pytest.approx(np.mean(finite))


def test_cross_fit_outvotes_folds_that_never_predict():
    """A label that half of the fits or more would never predict is never predicted; unseen does not count."""
    scores, targets = np.linspace(0.9, 0.1, 40)[:, None], np.zeros((40, 1), dtype=np.bool_)
    fold_of = fold_of_rows(40, folds=2)
    top, *_, last = np.flatnonzero(fold_of == 0)

    def fit():
        return fit_thresholds(scores, targets, method="cross_fit", of="smoothed", folds=2).values[0]

    targets[top] = True  # one of the two fits sees it, and predicts it
    assert math.isfinite(fit())
    targets[top], targets[last] = False, True  # one sees it, and it does not pay
    assert fit() == math.inf
    targets[np.flatnonzero(fold_of == 1)[0]] = True  # the other one finds that it does
    assert fit() == math.inf


def test_cross_fit_hands_the_options_on():
    """The inner method gets its own options and the target."""
    scores, targets = imbalanced()
    options = {"target": "f_beta", "beta": 2, "strength": 1e12}
    fitted = fit_thresholds(scores, targets, method="cross_fit", of="shrunk", folds=2, **options)
    assert fitted.options == {"of": "shrunk", "folds": 2, "seed": 0, **options}
    assert np.ptp(fitted.values) == pytest.approx(0, abs=1e-6)  # all drawn to one cut
    assert fitted.values[0] < fit_thresholds(scores, targets, method="global").values[0]
