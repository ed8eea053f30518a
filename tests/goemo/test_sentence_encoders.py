"""A folder of sentence-transformers brings its pooling; what departs from how it was made is said."""

from __future__ import annotations

import json

import pytest
import torch
from architecture_matrix import LABELS, SPLITS
from tiny_encoders import write_folder

from goemo.errors import InputError
from goemo.models import build_model, resolve_checkpoint
from goemo.models.sentence_encoders import sentence_notes, settled_pooling
from goemo.training.prepared import prepare

MEAN = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}
CLS = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
BOTH = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}


def sentence_encoder(folder, kind="bert", pooling=MEAN, most=32):
    """Write a small encoder as sentence-transformers saves it."""
    write_folder(folder, kind, LABELS)
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    modules = [{"path": path, "type": f"sentence_transformers.models.{name}"} for path, name in kinds]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": most}), encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    return folder


def logits(folder, pooling):
    checkpoint = resolve_checkpoint(str(folder), texts=None, cache=folder)
    model = build_model(checkpoint, labels=LABELS, trainable="head", seed=0, pooling=pooling)
    ids = torch.tensor([[2, 7, 9, 11, 3]])
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [(MEAN, "mean"), ({"pooling_mode": "mean"}, "mean"), (CLS, "first"), ({"pooling_mode": "cls"}, "first")],
)
def test_auto_pools_as_the_folder_says(tmp_path, pooling, expected):
    """In the layout of today and in that before, and never by another token's features."""
    folder = sentence_encoder(tmp_path / "model", pooling=pooling)
    other = {"mean": "first", "first": "mean"}[expected]
    assert torch.equal(logits(folder, "auto"), logits(folder, expected))
    assert not torch.allclose(logits(folder, "auto"), logits(folder, other))


@pytest.mark.parametrize(("kind", "pooling"), [("mpnet", MEAN), ("bert", BOTH)])
def test_what_cannot_be_pooled_so_reads_the_first_token_and_is_told(tmp_path, kind, pooling):
    """A family without a mean block, and two poolings one after the other."""
    folder = sentence_encoder(tmp_path / "model", kind, pooling)
    assert settled_pooling("auto", "it", folder) == "first"
    notes = []
    prepare(SPLITS, str(folder), trainable="head", max_lengths=[12], cache=tmp_path, on_note=notes.append)
    assert any("it was made to pool by" in note and "pooling is first here" in note for note in notes)


def test_a_plain_encoder_reads_what_its_architecture_reads(tmp_path):
    """Without the files of sentence-transformers, auto is first, and there is nothing to say."""
    folder = write_folder(tmp_path / "model", "bert", LABELS)
    assert settled_pooling("auto", "it", folder) == "first"
    assert settled_pooling("mean", "it", folder) == "mean"
    assert sentence_notes("it", folder, "first", 100_000) == []


def test_texts_longer_than_it_was_made_for_are_told_of(tmp_path):
    """With both lengths; up to its own there is nothing to say."""
    folder = sentence_encoder(tmp_path / "model", most=32)
    assert sentence_notes("it", folder, "mean", 32) == []
    (note,) = sentence_notes("it", folder, "mean", 33)
    assert note == "it was made for texts of at most 32 tokens, and max_length is 33 here"


def test_auto_shares_the_frozen_output_of_the_pooling_that_it_is(tmp_path):
    """Nothing is computed twice."""
    folder = sentence_encoder(tmp_path / "model")
    prepared = prepare(
        SPLITS, str(folder), trainable="head", pooling="auto", max_lengths=[12], cache=tmp_path / "cache"
    )
    features = prepared.frozen_features("auto", 12)
    assert features.features.filename == prepared.frozen_features("mean", 12).features.filename
    assert prepared.frozen_features("first", 12) is None


def test_another_pooling_is_another_checkpoint(tmp_path):
    """What was prepared for the one is not taken for the other."""
    mean, cls = (sentence_encoder(tmp_path / name, pooling=p) for name, p in (("mean", MEAN), ("cls", CLS)))
    digests = {resolve_checkpoint(str(one), texts=None, cache=tmp_path).digest for one in (mean, cls)}
    assert len(digests) == 2


def test_a_damaged_file_is_one_line(tmp_path):
    """It names the checkpoint and the file."""
    folder = sentence_encoder(tmp_path / "model")
    (folder / "1_Pooling" / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"1_Pooling/config\.json") as caught:
        logits(folder, "auto")
    assert len(caught.value.problems) == 1


def test_minilm_pools_the_mean_by_itself(minilm, tmp_path):
    """As its folder says, for texts of up to 256 tokens."""
    folder = resolve_checkpoint(minilm, texts=None, cache=tmp_path).folder
    assert settled_pooling("auto", minilm, folder) == "mean"
    assert sentence_notes(minilm, folder, "mean", 256) == []
    assert "at most 256 tokens" in sentence_notes(minilm, folder, "mean", 257)[0]
