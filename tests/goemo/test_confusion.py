"""Errors that fall together are counted as a loop over examples counts them."""

from __future__ import annotations

import numpy as np
import pytest

from goemo.report.confusion import confusions


def test_counts_equal_a_loop_over_examples():
    """For every pair: examples on which one is missed and the other wrongly predicted."""
    generator = np.random.default_rng(0)
    targets, predictions = generator.random((2, 300, 5)) < 0.3
    found = confusions(targets, predictions)
    together, alone, misses = np.zeros((5, 5), dtype=int), np.zeros(5, dtype=int), np.zeros(5, dtype=int)
    for true, predicted in zip(targets, predictions, strict=True):
        for i in np.flatnonzero(true & ~predicted):
            wrong = np.flatnonzero(predicted & ~true)
            together[i, wrong] += 1
            misses[i] += 1
            alone[i] += not len(wrong)
    np.testing.assert_array_equal(found.together, together)
    np.testing.assert_array_equal(found.alone, alone)
    np.testing.assert_array_equal(found.misses, misses)
    np.testing.assert_allclose(found.shares * misses[:, None], together)


def test_a_label_that_is_never_missed_has_no_share():
    """Nothing is divided by 0."""
    targets = np.eye(3, dtype=bool)
    assert not confusions(targets, targets).shares.any()
    assert confusions(targets, targets).strongest(5) == []


def test_the_strongest_pairs_come_first():
    """By share, then by examples, then by label; pairs on too few examples are left out."""
    rows = [((1, 0, 0), (0, 1, 0))] * 4 + [((1, 0, 0), (0, 0, 0))] * 4  # half of the misses of the first
    rows += [((0, 0, 1), (0, 1, 0))] * 2 + [((0, 1, 0), (1, 0, 0))]  # all misses of the others
    targets, predictions = (np.array(side, dtype=bool) for side in zip(*rows, strict=True))
    found = confusions(targets, predictions)
    assert found.strongest(9) == [(2, 1), (1, 0), (0, 1)]
    assert found.strongest(9, least=2) == [(2, 1), (0, 1)]
    assert found.strongest(1) == [(2, 1)]


def test_shapes_that_differ_are_refused():
    """The message has both shapes."""
    with pytest.raises(ValueError, match=r"predictions must have the shape \(2, 3\).*\(2, 2\)"):
        confusions(np.zeros((2, 3), dtype=bool), np.zeros((2, 2), dtype=bool))
