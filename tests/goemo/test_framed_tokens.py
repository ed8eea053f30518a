"""Batches gathered on the device against those of the store."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from goemo.tokens import Template, TokenStore
from goemo.tokens.framed import FramedTokens


def _store(lengths, side, cut_side, *, has_types=True) -> TokenStore:
    random = np.random.default_rng(0)
    template = Template((1,), (2, 3), (0,), (0, 2), 0, 9, 3, side, cut_side, returns_types=has_types)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return TokenStore(random.integers(10, 99, offsets[-1]).astype(np.int32), offsets, template)


@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=9),
    max_length=st.integers(4, 14),
    sides=st.tuples(st.sampled_from(["left", "right"]), st.sampled_from(["left", "right"])),
    extra=st.integers(0, 3),
    data=st.data(),
)
def test_a_gathered_batch_is_that_of_the_store(lengths, max_length, sides, extra, data):
    """Any rows, in any order, at any width, padded and cut on either side: the same three arrays."""
    store = _store(lengths, *sides)
    rows = np.array(
        data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=6)), dtype=np.int64
    )
    tokens = FramedTokens(store, max_length, torch.device("cpu"))
    assert np.array_equal(tokens.lengths, store.lengths(max_length))
    width = int(tokens.lengths[rows].max())
    gathered = tokens.batch(torch.from_numpy(rows), width + extra)
    expected = store.batch(rows, max_length, width=width + extra)
    for ours, theirs in zip(
        gathered, (expected.input_ids, expected.attention_mask, expected.token_type_ids), strict=True
    ):
        assert ours is not None
        assert ours.dtype == torch.int64
        assert np.array_equal(ours.numpy(), theirs)


@pytest.mark.parametrize("side", ["left", "right"])
def test_many_texts_are_framed_in_parts(monkeypatch, side):
    """The parts in which texts are framed do not show; without token types there are none."""
    monkeypatch.setattr("goemo.tokens.framed._ROWS_AT_ONCE", 3)
    store = _store([4, 0, 7, 2, 9, 1, 1], side, "right", has_types=False)
    rows = np.arange(7)
    ids, mask, types = FramedTokens(store, 10, torch.device("cpu")).batch(torch.from_numpy(rows), 10)
    expected = store.batch(rows, 10, width=10)
    assert np.array_equal(ids.numpy(), expected.input_ids)
    assert np.array_equal(mask.numpy(), expected.attention_mask)
    assert types is None
