"""A checkpoint against the task: heads, padding tokens, embeddings, dropouts, before anything trains."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from architecture_matrix import LABELS, SPLITS
from tiny_encoders import tiny_config, write_folder
from transformers import AutoModelForSequenceClassification

from goemo.errors import InputError
from goemo.models import build_model, resolve_checkpoint
from goemo.models.configs import set_dropout
from goemo.models.heads import head_note
from goemo.training.memory_estimate import estimate_memory
from goemo.training.prepared import prepare


def _checkpoint(folder):
    return resolve_checkpoint(str(folder), texts=None, cache=folder)


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlnet", "gpt2"])
def test_a_head_for_the_same_labels_is_kept_in_the_order_of_the_data(kind, tmp_path):
    """Each label has the logit that it had."""
    folder = write_folder(tmp_path / kind, kind, LABELS)
    plain = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    turned = (LABELS[2], LABELS[0], LABELS[1])
    model = build_model(_checkpoint(folder), labels=turned, trainable="all", seed=0)
    ids = torch.tensor([[2, 7, 9, 3]])
    expected = plain(input_ids=ids).logits[:, [2, 0, 1]]
    torch.testing.assert_close(model(input_ids=ids).logits, expected)
    assert "is kept" in head_note(_checkpoint(folder), turned)
    assert "the order of the data" in head_note(_checkpoint(folder), turned)


def test_a_head_for_as_many_other_labels_is_made_fresh(tmp_path):
    """By the seed, with the encoder as it was; one line says so."""
    folder = write_folder(tmp_path / "bert", "bert", LABELS)
    checkpoint = _checkpoint(folder)
    trained = build_model(checkpoint, labels=LABELS, trainable="all", seed=0)
    others = ("spam", "ham", "eggs")
    fresh, again, other = (
        build_model(checkpoint, labels=others, trainable="all", seed=seed) for seed in (1, 1, 2)
    )
    assert not torch.allclose(fresh.classifier.weight, trained.classifier.weight)
    assert torch.equal(fresh.classifier.weight, again.classifier.weight)
    assert not torch.equal(fresh.classifier.weight, other.classifier.weight)
    assert torch.equal(fresh.bert.pooler.dense.weight, trained.bert.pooler.dense.weight)
    assert head_note(checkpoint, others).endswith("other labels (joy, anger, fear)")


def test_a_decoder_without_a_padding_token_gets_that_of_its_tokenizer(tmp_path):
    """Its head looks for the last token that is none."""
    folder = write_folder(tmp_path / "gpt2", "gpt2", LABELS, pad_token_id=None)
    assert json.loads((folder / "config.json").read_text())["pad_token_id"] is None
    assert build_model(_checkpoint(folder), labels=LABELS, trainable="all", seed=0).config.pad_token_id == 1


def test_an_encoder_without_a_head_of_its_own_trains_whole_or_not(tmp_path):
    """Perceiver decodes inside its encoder: with head, nothing would train."""
    checkpoint = _checkpoint(write_folder(tmp_path / "perceiver", "perceiver", LABELS))
    with pytest.raises(InputError, match="perceiver has no head beside its encoder; take all"):
        build_model(checkpoint, labels=LABELS, trainable="head", seed=0)


def test_a_tokenizer_longer_than_the_embedding_is_refused_with_the_way_out(tmp_path):
    """Where a text has a token without a row."""
    folder = write_folder(tmp_path / "bert", "bert", LABELS, vocab_size=40)
    with pytest.raises(InputError, match=r"ids up to 6\d, but its embedding has 40 rows.*resize_token_embed"):
        prepare(SPLITS, str(folder), trainable="all", max_lengths=[12], cache=tmp_path / "cache")


def test_an_adapters_folder_is_refused_whether_or_not_it_has_a_configuration(tmp_path):
    """Merge it first."""
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="merge the adapter into its model first"):
        _checkpoint(tmp_path)


def test_an_encoder_that_scores_at_random_is_refused_before_anything_trains(tmp_path):
    """Reformer hashes tokens at random."""
    folder = write_folder(tmp_path / "reformer", "reformer", LABELS)
    with pytest.raises(InputError, match="transformers"):
        prepare(SPLITS, str(folder), trainable="all", max_lengths=[12], cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("gpt2", ["resid_pdrop", "embd_pdrop", "attn_pdrop"]),
        ("bert", ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"]),
        ("esm", ["hidden_dropout_prob"]),
        ("bart", ["dropout", "attention_dropout", "activation_dropout", "classifier_dropout"]),
    ],
)
def test_dropout_sets_every_dropout_whatever_its_name(kind, names):
    """And no flag and no skipping of layers."""
    config = tiny_config(kind)
    before = {name: getattr(config, name, None) for name in ("token_dropout", "encoder_layerdrop")}
    set_dropout(config, 0.37)
    assert {getattr(config, name) for name in names} == {0.37}
    assert {name: getattr(config, name, None) for name in before} == before


def test_dropout_reaches_configurations_within_a_configuration():
    """Of an encoder beside a decoder, of the text beside pictures."""
    config = tiny_config("t5gemma")
    set_dropout(config, 0.37)
    assert config.encoder.dropout_rate == config.decoder.attention_dropout == 0.37


@pytest.mark.parametrize("kind", ["gemma3", "t5gemma", "fnet", "gpt2", "bart", "flaubert"])
def test_memory_is_estimated_whatever_the_sizes_are_called(kind):
    """More texts take more."""
    model = AutoModelForSequenceClassification.from_config(tiny_config(kind))
    small, large = (
        estimate_memory(model, SimpleNamespace(batch_size=size, max_length=32, trainable="all")).activations
        for size in (8, 16)
    )
    assert 0 < small < large
