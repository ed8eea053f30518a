"""Every architecture that transformers classifies texts with: trained right, or refused with the reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from architecture_matrix import WAYS, cell
from tiny_encoders import EVERY_KIND

from goemo.fast import one_dnn

_TABLE = Path(__file__).parents[2] / "docs" / "encoders.md"

# One of each way to be special; the slow half has all of them.
_QUICK = ("albert", "bert", "deberta", "esm", "fnet", "gpt2", "modernbert", "nystromformer", "t5", "xlnet")


@pytest.fixture(autouse=True)
def in_one_dnn(monkeypatch):
    """Let linear maps of any size run in oneDNN, on any processor."""
    monkeypatch.setattr(one_dnn, "_FEW_PRODUCTS", 0)
    monkeypatch.setattr(one_dnn, "_has_avx512", lambda: True)


@pytest.mark.parametrize("kind", _QUICK)
def test_it_scores_as_plain_transformers_one_text_at_a_time(kind, tmp_path):
    """All weights in float32: scores after a training, and the gradients of a first batch."""
    assert cell(tmp_path, kind).word == _documented(kind, "all")


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
def test_a_decoder_padded_on_the_left_scores_as_plain_transformers(kind, tmp_path):
    """Its padding sees nothing, and absolute positions count from the edge; with dropout too."""
    for dropout in (0.0, 0.1):
        assert cell(tmp_path, kind, side="left", dropout=dropout).word != "refused"


def test_what_depends_on_padding_only_once_it_is_trained_is_not_padded(tmp_path):
    """HunYuan scales queries and keys after their rotation: by ones at first, which hides the position."""
    assert cell(tmp_path, "hunyuan_v1_dense", side="left").word == "same, one length"
    assert cell(tmp_path, "hunyuan_v1_dense", side="right").word == "same"


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_the_table_of_architectures_is_current(kind, tmp_path):
    """Each architecture in each way: the word in docs/encoders.md, and never a wrong score."""
    for way, options in WAYS.items():
        assert cell(tmp_path, kind, **options).word == _documented(kind, way), way


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_all_weights_train_in_every_arithmetic_and_padding(kind, tmp_path):
    """Right and left padding, bfloat16, with and without dropout: never a wrong score."""
    if _documented(kind, "all") == "refused":
        pytest.skip("refused")
    for side in ("right", "left"):
        for dropout in (0.0, 0.1):
            cell(tmp_path, kind, side=side, dropout=dropout)
    if kind != "mobilebert":  # without norms and with random weights, one text in eight saturates its pooler
        cell(tmp_path, kind, mixed_precision="bfloat16")


def _documented(kind: str, way: str) -> str:
    row = re.search(rf"^\| {re.escape(kind)} \|(.*)\|$", _TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row, f"{kind} is not in {_TABLE.name}; write the table anew: python tests/goemo/encoders_table.py"
    words = [word.strip() for word in row[1].split("|")]
    return words[list(WAYS).index(way)]
