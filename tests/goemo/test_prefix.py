"""Output of a frozen encoder: computed once for each distinct sequence, equal to that computed anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from goemo.frozen import FrozenFeatures, FrozenStates, features, number_sequences
from goemo.models import (
    build_model,
    head_features,
    load_tokenizer,
    prefix_states,
    resolve_checkpoint,
    split_model,
)
from goemo.tokens import TokenStore

LENGTHS = (8, 16, 24)


@pytest.fixture(scope="module")
def checkpoint(tiny_bert, cache):
    return resolve_checkpoint(tiny_bert, texts=None, cache=cache)


@pytest.fixture(scope="module")
def tokens(checkpoint, small_splits):
    tokenizer = load_tokenizer(checkpoint)
    return {split.name: TokenStore.build(split.texts, tokenizer) for split in small_splits.splits()}


def _model(checkpoint, pooling="first", trainable="head"):
    return build_model(checkpoint, labels=("a", "b"), trainable=trainable, seed=0, pooling=pooling)


@pytest.fixture(scope="module")
def sequences(tokens):
    return number_sequences(tokens, LENGTHS)


@pytest.fixture(scope="module")
def built(checkpoint, tokens, sequences, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix") / "p"
    return FrozenFeatures.build(folder, _model(checkpoint), tokens, sequences)


@pytest.fixture(scope="module")
def prefix(checkpoint):
    return split_model(_model(checkpoint, trainable="last_layer")).prefix


@pytest.fixture(scope="module")
def states(prefix, tokens, sequences, tmp_path_factory):
    return FrozenStates.build(tmp_path_factory.mktemp("states") / "p", prefix, tokens, sequences)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_cached_features_equal_those_computed_anew(checkpoint, tokens, sequences, tmp_path, pooling):
    """For every split, text and maximum length, to 1e-5, whatever batch a text was computed in."""
    model = _model(checkpoint, pooling)
    built = FrozenFeatures.build(tmp_path / "p", model, tokens, sequences)
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


def test_cached_states_equal_those_computed_anew(prefix, states, tokens):
    """For every split, text and maximum length: the states of its tokens in order, and their types."""
    for split, store in tokens.items():
        for max_length in LENGTHS:
            batch = store.batch(np.arange(len(store)), max_length)
            tensors = [torch.from_numpy(x) for x in (batch.input_ids, batch.attention_mask)]
            fresh = prefix_states(prefix, *tensors).numpy()
            for text, number in enumerate(states.rows_for(split, max_length)):
                is_token = batch.attention_mask[text].astype(bool)
                at = slice(states.offsets[number], states.offsets[number + 1])
                assert np.allclose(states.states[at], fresh[text, is_token], atol=1e-5)
                assert np.array_equal(states.types[at], batch.token_type_ids[text, is_token])


def test_a_sequence_has_one_number_wherever_it_occurs(tokens):
    """Two texts have the same number, at whatever lengths and in whatever splits, if their tokens agree."""
    tokens = tokens | {"copies": tokens["train"]}
    sequences = number_sequences(tokens, [5, 6, 8])
    meaning = {}
    for split, store in tokens.items():
        for i, max_length in enumerate(sequences.max_lengths):
            batch = store.batch(np.arange(len(store)), max_length)
            for number, ids, mask in zip(
                sequences.rows[split][i], batch.input_ids, batch.attention_mask, strict=True
            ):
                found = meaning.setdefault(int(number), tuple(ids[mask == 1]))
                assert found == tuple(ids[mask == 1])
                assert sequences.lengths[number] == len(found)
    assert len(set(meaning.values())) == len(meaning) == len(sequences)
    assert sorted(meaning) == list(range(len(meaning)))
    assert np.array_equal(sequences.rows["copies"], sequences.rows["train"])


@pytest.mark.parametrize("side", ["left", "right"])
def test_truncation_on_either_side_tells_sequences_apart(tokens, side):
    """Texts that share what is left of them share a number, and no others."""
    template = replace(tokens["train"].template, truncation_side=side)
    texts = [[7, 8, 9, 10], [7, 8, 9, 11], [6, 8, 9, 10], [6, 8, 9, 10]]
    store = TokenStore(np.array(texts, dtype=np.int32).ravel(), np.arange(0, 17, 4), template)
    rows = number_sequences({"train": store}, [3 + template.special_tokens]).rows["train"][0]
    kept = [tuple(text[1:] if side == "left" else text[:3]) for text in texts]
    assert [rows[i] == rows[j] for i in range(4) for j in range(4)] == [a == b for a in kept for b in kept]


def test_each_distinct_sequence_is_computed_once(checkpoint, tokens, sequences, *, tmp_path, monkeypatch):
    """The encoder sees as many texts as there are distinct sequences, and tells how far it is."""
    seen = []

    def counting(model, input_ids, *rest):
        seen.append(len(input_ids))
        return head_features(model, input_ids, *rest)

    monkeypatch.setattr(features, "head_features", counting)
    progress = []
    built = FrozenFeatures.build(
        tmp_path / "p", _model(checkpoint), tokens, sequences, on_progress=lambda *p: progress.append(p)
    )
    assert sum(seen) == len(built.features) == len(sequences)
    assert progress[-1] == (len(sequences), len(sequences))
    assert sorted(np.diff([0, *(done for done, _ in progress)])) == sorted(seen)


def test_the_size_is_known_before(built, states, sequences):
    """The estimate is the size of the array, to the byte."""
    assert FrozenFeatures.bytes_needed(sequences, hidden_size=32) == built.features.nbytes
    assert FrozenStates.bytes_needed(sequences, hidden_size=32) == states.states.nbytes


def test_features_written_to_stay_as_they_are_on_disk(checkpoint, tokens, sequences, tmp_path):
    """What a process writes to its copy, no other process sees."""
    first = FrozenFeatures.build(tmp_path / "p", _model(checkpoint), tokens, sequences)
    before = first.features[0].copy()
    torch.from_numpy(first.features)[0] = 7
    assert np.array_equal(FrozenFeatures.open(tmp_path / "p").features[0], before)


@pytest.mark.parametrize("kind", [FrozenFeatures, FrozenStates])
def test_an_interrupted_build_leaves_nothing(checkpoint, prefix, tokens, sequences, *, tmp_path, kind):
    """An error half-way leaves neither a folder that looks whole nor its remains."""

    def stop(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    model = _model(checkpoint) if kind is FrozenFeatures else prefix
    with pytest.raises(KeyboardInterrupt):
        kind.build(tmp_path / "p", model, tokens, sequences, on_progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_length_that_is_not_covered_is_refused(built):
    """Asking for another maximum length raises instead of giving features of some other cut."""
    with pytest.raises(ValueError, match="12"):
        built.rows_for("train", 12)
