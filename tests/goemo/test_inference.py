"""Passes that only look: how many texts go together."""

from __future__ import annotations

from threading import get_ident
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from goemo.inference import predict_logits
from goemo.tokens import Template, TokenStore

TEMPLATE = Template((), (), (), (), 0, 0, 0, "right", "right", returns_types=False)


class Counting:
    """A model that notes the shapes it is given, and says how long each text is."""

    config = SimpleNamespace(num_labels=1)
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, input_ids, attention_mask):
        self.shapes.append(tuple(input_ids.shape))
        return SimpleNamespace(logits=attention_mask.sum(1, keepdim=True))

    def forward(self, input_ids, attention_mask): ...


@pytest.mark.parametrize("max_length", [16, 64, 512])
def test_a_pass_on_the_cpu_stays_in_the_cache(max_length):
    """No pass holds more than 1,024 padded tokens, nor one text less than fits, unless it is asked to."""
    lengths = np.random.default_rng(0).integers(1, 600, 700)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    store = TokenStore(np.zeros(offsets[-1], dtype=np.int32), offsets, TEMPLATE)
    model = Counting()
    logits = predict_logits(model, store, max_length)
    assert logits[:, 0].tolist() == np.minimum(lengths, max_length).tolist()
    assert max(rows * width for rows, width in model.shapes) <= 1024
    by_width = sorted(model.shapes, key=lambda shape: shape[::-1])
    assert all((rows + 1) * width > 1024 for rows, width in by_width[1:])  # the shortest texts are the rest
    model.shapes.clear()
    predict_logits(model, store, max_length, batch_size=300)
    assert sorted(shape[0] for shape in model.shapes) == [100, 300, 300]


@pytest.mark.parametrize("lengths", [[0], [0, 0, 0], [5, 0, 2]])
def test_a_text_without_a_token_is_one_of_padding(lengths):
    """Where the tokenizer puts nothing around a text, an empty one is read as padding."""
    store = TokenStore(
        np.zeros(sum(lengths), dtype=np.int32), np.concatenate([[0], np.cumsum(lengths)]), TEMPLATE
    )
    model = Counting()
    assert predict_logits(model, store, 16)[:, 0].tolist() == lengths
    assert {width for _, width in model.shapes} == {max(1, *lengths)}


def test_progress_is_told_here_and_a_failure_comes_out():
    """Callbacks run in the calling thread and end at the total; an error in a pass ends all."""
    store = TokenStore(np.zeros(9000, dtype=np.int32), np.arange(0, 9001, 30), TEMPLATE)
    told = []
    predict_logits(Counting(), store, 64, on_progress=lambda *p: told.append((get_ident(), *p)))
    assert {thread for thread, *_ in told} == {get_ident()}
    assert told[-1][1:] == (300, 300)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)

    class Failing(Counting):
        def __call__(self, input_ids, attention_mask):
            raise RuntimeError("no memory")

    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="no memory"):
        predict_logits(Failing(), store, 64)
    assert torch.get_num_threads() == before
