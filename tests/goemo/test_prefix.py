"""Features of a frozen encoder: computed once for each distinct sequence, equal to those computed anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from goemo import prefix
from goemo.models import build_model, head_features, load_tokenizer, resolve_checkpoint
from goemo.prefix import FrozenFeatures, feature_bytes
from goemo.tokens import TokenStore

LENGTHS = (8, 16, 24)


@pytest.fixture(scope="module")
def checkpoint(tiny_bert, cache):
    return resolve_checkpoint(tiny_bert, texts=None, cache=cache)


@pytest.fixture(scope="module")
def tokens(checkpoint, small_splits):
    tokenizer = load_tokenizer(checkpoint)
    return {split.name: TokenStore.build(split.texts, tokenizer) for split in small_splits.splits()}


def _model(checkpoint, pooling="first"):
    return build_model(checkpoint, labels=("a", "b"), trainable="head", seed=0, pooling=pooling)


@pytest.fixture(scope="module")
def built(checkpoint, tokens, tmp_path_factory):
    return FrozenFeatures.build(tmp_path_factory.mktemp("prefix") / "p", _model(checkpoint), tokens, LENGTHS)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_cached_features_equal_those_computed_anew(checkpoint, tokens, tmp_path, pooling):
    """For every split, text and maximum length, to 1e-5, whatever batch a text was computed in."""
    model = _model(checkpoint, pooling)
    built = FrozenFeatures.build(tmp_path / "p", model, tokens, LENGTHS)
    for split, store in tokens.items():
        for max_length in LENGTHS:
            batch = store.batch(np.arange(len(store)), max_length)
            with torch.inference_mode():
                fresh = head_features(
                    model, torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
                )
            cached = built.features[built.rows_for(split, max_length)]
            assert np.allclose(cached, fresh.numpy(), atol=1e-5)


def test_texts_that_fit_share_their_features_between_lengths(built, tokens):
    """Two maximum lengths have the same row where both hold the whole text, and only there."""
    for split, store in tokens.items():
        short, longer = (built.rows_for(split, m) for m in (16, 24))
        assert np.array_equal(short == longer, store.lengths(64) <= 16)


def test_each_distinct_sequence_is_computed_once(checkpoint, tokens, tmp_path, monkeypatch):
    """The encoder sees as many texts as there are distinct pairs of text and truncated length."""
    seen = []

    def counting(model, input_ids, *rest):
        seen.append(len(input_ids))
        return head_features(model, input_ids, *rest)

    monkeypatch.setattr(prefix, "head_features", counting)
    progress = []
    built = FrozenFeatures.build(
        tmp_path / "p", _model(checkpoint), tokens, LENGTHS, on_progress=lambda *p: progress.append(p)
    )
    pairs = {
        (split, i, int(cut))
        for split, store in tokens.items()
        for m in LENGTHS
        for i, cut in enumerate(store.lengths(m))
    }
    assert sum(seen) == len(built.features) == len(pairs)
    assert progress[-1] == (len(pairs), len(pairs))
    assert [done for done, _ in progress] == np.cumsum(seen).tolist()


def test_the_size_is_known_before(built, tokens):
    """The estimate is the size of the array, to the byte."""
    assert feature_bytes(tokens, LENGTHS, hidden_size=32) == built.features.nbytes


def test_features_written_to_stay_as_they_are_on_disk(built, tmp_path, checkpoint, tokens):
    """What a process writes to its copy, no other process sees."""
    first = FrozenFeatures.build(tmp_path / "p", _model(checkpoint), tokens, [8])
    before = first.features[0].copy()
    torch.from_numpy(first.features)[0] = 7
    assert np.array_equal(FrozenFeatures.open(tmp_path / "p").features[0], before)


def test_an_interrupted_build_leaves_nothing(checkpoint, tokens, tmp_path):
    """An error half-way leaves neither a folder that looks whole nor its remains."""

    def stop(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FrozenFeatures.build(tmp_path / "p", _model(checkpoint), tokens, LENGTHS, on_progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_length_that_is_not_covered_is_refused(built):
    """Asking for another maximum length raises instead of giving features of some other cut."""
    with pytest.raises(ValueError, match="12"):
        built.rows_for("train", 12)
