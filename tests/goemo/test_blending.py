"""A blend: what it scores, who is picked, and that it is offered only where it gains."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from goemo.blending import Candidate, blended_scores, find_blend, pick_members
from goemo.evaluation import as_kept
from goemo.metrics import macro_f1
from goemo.significance import paired_difference
from goemo.thresholds import cross_fitted_predictions

ROWS, LABELS = 1500, 4


@pytest.fixture(scope="module")
def made():
    """Targets of 4 labels, and a signal that no model has in full."""
    random = np.random.default_rng(0)
    targets = random.random((ROWS, LABELS)) < 0.25
    return random, targets


def model(targets, noise, seed):
    """Return kept scores that know the targets through noise of their own."""
    random = np.random.default_rng(seed)
    return as_kept(expit(2 * targets - 1.5 + noise * random.standard_normal(targets.shape)))


def test_the_scores_are_the_sigmoid_of_the_mean_of_logits():
    """Weighted in tenths; one member alone keeps its scores."""
    random = np.random.default_rng(1)
    a, b = (as_kept(random.uniform(0.01, 0.99, (50, 3))) for _ in range(2))
    expected = as_kept(expit(0.7 * logit(a.astype(np.float64)) + 0.3 * logit(b.astype(np.float64))))
    np.testing.assert_allclose(blended_scores([a, b], [7, 3]), expected, rtol=1e-3)
    np.testing.assert_array_equal(blended_scores([a], [10]), a)
    certain = blended_scores([np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]])], [5, 5])
    np.testing.assert_array_equal(certain, [[0.5, 1.0]])


@pytest.mark.parametrize("tenths", [[5, 4], [10, 0], [10]])
def test_weights_that_make_no_ten_are_refused(tenths):
    """With what was given."""
    with pytest.raises(ValueError, match="sum to 10"):
        blended_scores([np.zeros((2, 2)), np.zeros((2, 2))], tenths)


def test_models_that_err_apart_are_blended_and_the_gain_is_real(made):
    """Two models of independent noise: both are members, and the gain holds on new rows."""
    _, targets = made
    candidates = [Candidate("a", "x", model(targets, 1.2, 1)), Candidate("b", "y", model(targets, 1.2, 2))]
    blend = find_blend(candidates, targets, method="proportional")
    assert {member.name for member in blend.members} == {"a", "b"}
    assert sum(member.tenths for member in blend.members) == 10
    assert blend.is_offered
    again = np.random.default_rng(9).random((ROWS, LABELS)) < 0.25
    new = [model(again, 1.2, 3), model(again, 1.2, 4)]
    order = [["a", "b"].index(member.name) for member in blend.members]
    blended = blended_scores([new[i] for i in order], [member.tenths for member in blend.members])
    gain = paired_difference(
        again, cross_fitted_predictions(blended, again), cross_fitted_predictions(new[0], again)
    )
    assert gain.low > 0
    assert gain.difference == pytest.approx(blend.gain.difference, abs=0.04)


def test_the_figures_are_those_of_the_predictions(made):
    """The value is that of the judged predictions, inside its interval; the best single model is the best."""
    _, targets = made
    candidates = [Candidate("bad", "x", model(targets, 2.5, 1)), Candidate("good", "y", model(targets, 1, 2))]
    blend = find_blend(candidates, targets)
    assert blend.best_single == "good"
    assert blend.value == pytest.approx(macro_f1(targets, blend.predictions))
    assert blend.interval.low <= blend.value <= blend.interval.high
    single = macro_f1(targets, cross_fitted_predictions(candidates[1].scores, targets))
    assert blend.gain.difference == pytest.approx(blend.value - single)


def test_the_folds_of_a_method_are_its_own(made):
    """Blend and single model have thresholds of the method's folds, and are judged on the usual ones."""
    _, targets = made
    options = {"method": "cross_fit", "of": "exact", "folds": 3}
    blend = find_blend([Candidate("a", "x", model(targets, 1.2, 1))], targets, **options)
    expected = cross_fitted_predictions(model(targets, 1.2, 1), targets, **options)
    assert np.array_equal(blend.predictions, expected)
    assert blend.gain.difference == 0


def test_a_search_of_one_kind_has_no_blend(made):
    """Twenty trials of one encoder: the best stays alone, and nothing is offered."""
    _, targets = made
    candidates = [Candidate(f"t{i}", "minilm", model(targets, 1.2, i)) for i in range(20)]
    blend = find_blend(candidates, targets)
    assert len(blend.members) == 1
    assert not blend.is_offered


@pytest.mark.parametrize("seed", range(5))
def test_random_labels_offer_nothing(seed):
    """Three kinds that know nothing: whatever is picked, its gain does not exclude zero."""
    random = np.random.default_rng(seed)
    targets = random.random((800, LABELS)) < 0.2
    candidates = [
        Candidate(f"{kind}{i}", kind, as_kept(random.random(targets.shape)))
        for kind in ("words", "minilm", "albert")
        for i in range(3)
    ]
    assert not find_blend(candidates, targets, method="proportional").is_offered


def test_a_copy_of_the_best_adds_nothing(made):
    """A second model with the same scores, called another kind, is not taken in."""
    _, targets = made
    scores = model(targets, 1.0, 1)
    members = pick_members([Candidate("a", "x", scores), Candidate("b", "y", scores.copy())], targets)
    assert [(member.name, member.weight) for member in members] == [("a", 1.0)]


def test_at_most_three_kinds_join_and_the_best_of_each(made):
    """Of four good kinds three are taken, and of each kind the better model."""
    _, targets = made
    candidates = [Candidate(f"good{k}", str(k), model(targets, 1.5, k)) for k in range(4)]
    candidates += [Candidate(f"bad{k}", str(k), model(targets, 4.0, 10 + k)) for k in range(4)]
    members = pick_members(candidates, targets)
    assert len(members) == 3
    assert all(member.name.startswith("good") for member in members)


def test_no_row_is_judged_by_what_it_chose(made, monkeypatch):
    """For each fold, members and thresholds see the other rows alone."""
    from goemo.blending import judged

    _, targets = made
    seen = []
    pick = judged.pick_members

    def spy(candidates, rows, **options):
        seen.append(len(rows))
        assert all(len(one.scores) == len(rows) for one in candidates)
        return pick(candidates, rows, **options)

    monkeypatch.setattr(judged, "pick_members", spy)
    find_blend([Candidate("a", "x", model(targets, 1.2, 1))], targets)
    assert seen == [ROWS, *[ROWS * 4 // 5] * 5]


def test_nobody_to_blend_is_refused(made):
    """At least one candidate."""
    with pytest.raises(ValueError, match="at least one candidate"):
        find_blend([], made[1])
