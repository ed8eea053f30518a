"""Batches hold every example once an epoch, are of similar length, and follow from seed and epoch alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goemo.tokens.batches import (
    epoch_batches,
    length_order_batches,
    padded_width,
    steps_per_epoch,
    texts_per_pass,
)


@given(
    n=st.integers(1, 300), batch_size=st.integers(1, 40), window=st.integers(1, 60), epoch=st.integers(0, 3)
)
def test_every_example_comes_exactly_once_an_epoch(n, batch_size, window, epoch):
    """For any sizes, an epoch is a permutation cut into full batches and at most one smaller."""
    lengths = np.random.default_rng(n).integers(3, 64, n)
    batches = epoch_batches(lengths, batch_size, seed=1, epoch=epoch, window_batches=window)
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(n))
    assert len(batches) == steps_per_epoch(n, batch_size)
    sizes = sorted(len(b) for b in batches)
    assert all(size == batch_size for size in sizes[1:])
    assert sizes[0] == (n % batch_size or batch_size)


def test_batches_follow_from_seed_and_epoch_alone():
    """Asked again, in any order, an epoch is the same; another epoch or seed is another order."""
    lengths = np.random.default_rng(0).integers(3, 64, 500)

    def rows(seed: int, epoch: int) -> list[int]:
        return np.concatenate(epoch_batches(lengths, 16, seed=seed, epoch=epoch)).tolist()

    first = rows(7, 3)
    rows(7, 4)
    np.random.default_rng(7).random(9)
    assert rows(7, 3) == first
    assert rows(7, 4) != first
    assert rows(8, 3) != first
    assert rows(0, 1) != rows(1, 0)


def test_texts_of_a_batch_have_similar_lengths():
    """Padding is a small part of the tokens, where a plain shuffle pads more than half as much again."""
    lengths = np.minimum(np.random.default_rng(0).geometric(1 / 16, 5000) + 2, 64)

    def padding(window: int) -> float:
        batches = epoch_batches(lengths, 16, seed=0, epoch=0, window_batches=window)
        return sum(lengths[b].max() * len(b) for b in batches) / lengths.sum() - 1

    assert padding(50) < 0.06
    assert padding(1) > 0.5


def test_batches_come_in_random_order_of_length():
    """Neither short nor long batches come first: position in the epoch and length do not correlate."""
    lengths = np.random.default_rng(0).integers(3, 64, 20_000)
    means = [lengths[b].mean() for b in epoch_batches(lengths, 16, seed=0, epoch=0)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.1


def test_the_smaller_batch_holds_no_special_lengths():
    """Over many epochs the smaller batch has the mean length of all texts."""
    lengths = np.random.default_rng(0).integers(3, 64, 111)
    last = [min(epoch_batches(lengths, 16, seed=0, epoch=e), key=len) for e in range(200)]
    assert np.concatenate([lengths[rows] for rows in last]).mean() == pytest.approx(lengths.mean(), abs=1)


def test_looking_goes_from_long_to_short():
    """Every row once, lengths never rise, equal lengths in the order of the rows."""
    lengths = np.array([3, 9, 5, 9, 4])
    batches = list(length_order_batches(lengths, 2))
    assert [b.tolist() for b in batches] == [[1, 3], [2, 4], [0]]
    assert list(length_order_batches(np.empty(0, dtype=np.int64), 2)) == []


def test_widths_are_multiples_of_eight_up_to_the_maximum():
    """A width holds the longest text, and the maximum length caps the rounding."""
    assert [padded_width(n, 30) for n in (3, 8, 9, 24, 25, 30)] == [8, 8, 16, 24, 30, 30]


@pytest.mark.parametrize(
    ("max_length", "texts"), [(4, 256), (64, 256), (65, 252), (512, 32), (16384, 1), (100_000, 1)]
)
def test_a_pass_holds_so_many_tokens(max_length, texts):
    """Longer texts come in smaller batches, so that memory stays the same; one at least."""
    assert texts_per_pass(16384, max_length) == texts
