"""Passes that only look: how many texts go together."""

from __future__ import annotations

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


@pytest.mark.parametrize(("max_length", "texts"), [(16, 256), (64, 256), (512, 32)])
def test_long_texts_go_in_small_batches(max_length, texts):
    """No pass holds more than 16,384 padded tokens or 256 texts, unless it is asked to."""
    lengths = np.random.default_rng(0).integers(1, 600, 700)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    store = TokenStore(np.zeros(offsets[-1], dtype=np.int32), offsets, TEMPLATE)
    model = Counting()
    logits = predict_logits(model, store, max_length)
    assert logits[:, 0].tolist() == np.minimum(lengths, max_length).tolist()
    assert max(shape[0] for shape in model.shapes) == texts
    assert max(rows * width for rows, width in model.shapes) <= 16384
    model.shapes.clear()
    predict_logits(model, store, max_length, batch_size=300)
    assert model.shapes[0][0] == 300
