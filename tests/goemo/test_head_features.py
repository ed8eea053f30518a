"""Heads of families without an entry: which token they read is found from the structure, and checked."""

from __future__ import annotations

import pytest
import torch
from architecture_matrix import LABELS
from tiny_encoders import PAD, write_folder
from torch import nn
from transformers import CONFIG_MAPPING

from goemo.models import (
    build_model,
    head_features,
    head_logits,
    reads_one_vector,
    resolve_checkpoint,
    train_mode,
)
from goemo.models.features import is_head_right

# 5 rows, padded on the right; the last one ends in a token that has the id of padding.
IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 1, 1], [2, 9, 3, 1, 1], [2, 3, 1, 1, 1], [2, 7, 9, 3, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]])


def built(tmp_path, kind, trainable="head", **changes):
    folder = write_folder(tmp_path / kind, kind, LABELS, **changes)
    checkpoint = resolve_checkpoint(str(folder), texts=None, cache=folder)
    return build_model(checkpoint, labels=LABELS, trainable=trainable, seed=0)


@pytest.mark.parametrize("kind", ["gemma3_text", "gpt2", "llama", "qwen3"])
def test_a_decoders_head_reads_the_last_token_that_is_no_padding(tmp_path, kind):
    """Padded on either side, and by the id of a token rather than by the mask, as transformers has it."""
    model = built(tmp_path, kind)
    assert PAD == 1
    left = [IDS.flip(1), MASK.flip(1)]
    for ids, mask in ((IDS, MASK), left):
        with torch.no_grad():
            expected = model(input_ids=ids, attention_mask=mask).logits
        found = head_logits(model, head_features(model, ids, mask))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        assert is_head_right(model, {"input_ids": ids, "attention_mask": mask})


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_modernberts_head_reads_what_its_configuration_says(tmp_path, pooling):
    """The first token or, as in the published checkpoints, the mean over those that are no padding."""
    model = built(tmp_path, "modernbert", classifier_pooling=pooling)
    with torch.no_grad():
        expected = model(input_ids=IDS, attention_mask=MASK).logits
    found = head_logits(model, head_features(model, IDS, MASK))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["convbert", "gte", "megatron-bert", "nomic_bert", "roc_bert"])
def test_dropout_in_a_found_head_is_the_models_own(tmp_path, kind):
    """With the same random numbers, the head on its features equals the model."""
    if kind not in CONFIG_MAPPING:
        pytest.skip(f"this version of transformers has no {kind}")
    names = ("classifier_dropout", "hidden_dropout_prob")
    model = built(tmp_path, kind, **dict.fromkeys(names, 0.4))
    row = {"input_ids": IDS[:1], "attention_mask": MASK[:1]}
    assert is_head_right(model, row)
    features = head_features(model, *row.values())
    still = head_logits(model, features)
    train_mode(model, "head")
    torch.manual_seed(5)
    whole = model(**row).logits
    torch.manual_seed(5)
    split = head_logits(model, features)
    torch.testing.assert_close(split, whole, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(split, still, atol=1e-4), "no dropout acted"


@pytest.mark.parametrize("kind", ["longformer", "t5"])
def test_a_head_that_is_not_what_it_looks_like_is_not_trusted(tmp_path, kind):
    """Longformer's first token sees all others only in its own classifier; T5's head reads its decoder."""
    model = built(tmp_path, kind)
    assert not is_head_right(model, {"input_ids": IDS[:2], "attention_mask": MASK[:2]})


def test_two_maps_beside_the_encoder_are_no_known_head(tmp_path):
    """Nobody knows what stands between them."""
    model = built(tmp_path, "qwen3")
    model.second = nn.Linear(32, 32)
    assert not reads_one_vector(model)
    with pytest.raises(ValueError, match="does not read one known vector"):
        head_features(model, IDS, MASK)
    with pytest.raises(ValueError, match="the head of qwen3 is not known"):
        head_logits(model, torch.zeros(1, 32))
