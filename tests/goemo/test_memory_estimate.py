"""The estimate of a training's memory against what autograd really keeps."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from goemo.configuration import Configuration
from goemo.training.memory_estimate import PROCESS_BYTES, estimate_memory

_SIZES = {
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "vocab_size": 500,
}
_DISENTANGLED = {"relative_attention": True, "position_buckets": 64, "pos_att_type": ["p2c", "c2p"]}
KINDS = {
    "albert": _SIZES,
    "bert": _SIZES,
    "deberta-v2": {**_SIZES, **_DISENTANGLED},
    "distilbert": {"vocab_size": 500, "dim": 128, "n_layers": 3, "n_heads": 4, "hidden_dim": 512},
    "electra": _SIZES,
    "mpnet": _SIZES,
    "roberta": _SIZES,
    "xlnet": {"vocab_size": 500, "d_model": 128, "n_layer": 3, "n_head": 4, "d_inner": 512},
}


def _kept_bytes(model, batch: int, width: int) -> int:
    """Return the bytes of distinct storages that the backward pass keeps, the weights left out."""
    kept: dict[int, int] = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.randint(5, 400, (batch, width))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    assert logits.requires_grad
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    return sum(size for where, size in kept.items() if where not in weights)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "width"), [(8, 64), (32, 32)])
def test_activations_are_what_autograd_keeps(kind, batch, width):
    """Within a third of it, for every family, small batches of long texts and large ones of short texts."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **KINDS[kind], num_labels=28)
    model = AutoModelForSequenceClassification.from_config(config).train()
    configuration = Configuration(checkpoint="any", batch_size=batch, max_length=width)
    estimate = estimate_memory(model, configuration, in_bfloat16=False)
    assert 0.75 < estimate.activations / _kept_bytes(model, batch, width) < 1.34


def test_weights_and_moments_are_counted():
    """Four bytes a weight; twelve more of what trains, for its gradient and two moments; and a process."""
    with torch.device("meta"):
        config = AutoConfig.for_model("bert", **_SIZES, num_labels=28)
        model = AutoModelForSequenceClassification.from_config(config)
    model.requires_grad_(False).classifier.requires_grad_(True)
    configuration = Configuration(checkpoint="any", trainable="head")
    estimate = estimate_memory(model, configuration, in_bfloat16=False)
    count = sum(p.numel() for p in model.parameters())
    assert estimate.weights == 4 * count
    assert estimate.training == 12 * (128 * 28 + 28)
    assert estimate.total == estimate.weights + estimate.training + estimate.activations + PROCESS_BYTES
