"""Thresholds of resamples: the exact ones, however they are computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goemo.significance.threshold_stability import RankedLabel, threshold_band, threshold_draws
from goemo.thresholds import fit_thresholds

ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 3)), min_size=1, max_size=25)


@given(ROWS)
@settings(max_examples=300, deadline=None)
def test_a_weight_is_a_number_of_copies(rows):
    """Fitting with weights equals the exact fit on rows that are repeated so often, ties included."""
    steps, positive, weight = (np.array(column) for column in zip(*rows, strict=True))
    scores = (steps / 8).astype(np.float32)
    found = RankedLabel.of(scores, positive).best_thresholds(weight[None])
    copies = np.repeat(np.arange(len(rows)), weight)
    expected = np.inf
    if positive[copies].any():
        expected = fit_thresholds(scores[copies, None], positive[copies, None]).values[0]
    assert found[0] == expected


def test_draws_are_fits_of_resamples():
    """Each draw is the exact fit on the rows that the seed draws; all labels see the same rows."""
    generator = np.random.default_rng(0)
    scores = generator.random((60, 3)).astype(np.float32)
    targets = generator.random((60, 3)) < scores
    drawn = threshold_draws(scores, targets, draws=20, seed=5)
    resamples = np.random.default_rng(5)
    for row in drawn:
        rows = resamples.integers(60, size=60)
        np.testing.assert_array_equal(row, fit_thresholds(scores[rows], targets[rows]).values)


def test_chunks_change_nothing(monkeypatch):
    """Draws made a few at a time are those made at once."""
    generator = np.random.default_rng(0)
    scores, targets = generator.random((40, 2)), generator.random((40, 2)) < 0.3
    whole = threshold_draws(scores, targets, draws=10)
    monkeypatch.setattr("goemo.significance.resamples._CHUNK_WEIGHTS", 3 * 40)
    np.testing.assert_array_equal(threshold_draws(scores, targets, draws=10), whole)


def test_a_band_has_drawn_ends_and_keeps_infinity():
    """The ends are draws; where most draws never predict the label, so does the upper end."""
    drawn = np.column_stack([np.arange(100) / 100, np.where(np.arange(100) < 90, 0.5, np.inf)])
    low, high = threshold_band(drawn, level=0.9)
    np.testing.assert_array_equal(low, [0.04, 0.5])
    np.testing.assert_array_equal(high, [0.94, np.inf])


def test_a_label_without_positives_is_never_predicted():
    """No draw has a threshold, and the band is infinite at both ends."""
    drawn = threshold_draws(np.full((5, 1), 0.5), np.zeros((5, 1), dtype=bool), draws=7)
    assert np.isinf(drawn).all()
    assert np.isinf(threshold_band(drawn)).all()


def test_misuse_is_refused():
    """No examples, no draws, or a level that is no share are errors with the value."""
    with pytest.raises(ValueError, match="at least one example"):
        threshold_draws(np.empty((0, 1)), np.empty((0, 1), dtype=bool))
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        threshold_draws(np.zeros((1, 1)), np.zeros((1, 1), dtype=bool), draws=0)
    with pytest.raises(ValueError, match=r"level must lie in \(0, 1\), got 95"):
        threshold_band(np.zeros((3, 1)), level=95)
