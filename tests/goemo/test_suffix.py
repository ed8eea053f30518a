"""Training behind a frozen encoder on what it gave once is training through it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from goemo.configuration import Configuration
from goemo.frozen import FrozenStates, number_sequences
from goemo.models import build_model, split_model, train_mode
from goemo.training import TrainingRun
from goemo.training import inputs as choosing
from goemo.training.inputs import suffix
from goemo.training.inputs.suffix import SuffixInputs
from goemo.training.inputs.tokens import TokenInputs
from goemo.training.prepared import prepare

LENGTHS = (9, 16)
CPU = torch.device("cpu")


@pytest.fixture(
    scope="module",
    params=["bert", "bert-mean", "scratch:albert-tiny", "scratch:xlnet-tiny"],
)
def case(request, small_splits, tiny_bert, cache, tmp_path_factory):
    """A model whose head and last block train, its data, and the states in front; XLNet pads on the left."""
    name = tiny_bert if request.param.startswith("bert") else request.param
    pooling = "mean" if request.param.endswith("mean") else "first"
    prepared = prepare(small_splits, name, trainable="all", max_lengths=LENGTHS, cache=cache)
    model = build_model(
        prepared.checkpoint, labels=prepared.labels, trainable="last_layer", seed=1, pooling=pooling
    )
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    parts = split_model(model)
    frozen = FrozenStates.build(
        tmp_path_factory.mktemp("states") / "p",
        parts.prefix,
        prepared.tokens,
        number_sequences(prepared.tokens, LENGTHS),
    )
    return model, prepared, parts.suffix, frozen


@pytest.fixture(params=LENGTHS)
def both(request, case):
    """Logits of the suffix and of the whole model, for one maximum length."""
    model, prepared, suffix, frozen = case
    template = prepared.tokens["train"].template
    return (
        model,
        SuffixInputs(suffix, frozen, template, request.param),
        TokenInputs(model, prepared.tokens, request.param),
    )


def test_a_split_scores_as_through_the_encoder(both):
    """Every text of every split, in order, to 1e-5, also after the weights have changed."""
    model, cached, uncached = both
    for _ in range(2):
        for split in ("train", "validation", "test"):
            np.testing.assert_allclose(cached.logits(split), uncached.logits(split), atol=1e-5)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.01 * torch.randn(parameter.shape))


def test_a_step_is_that_of_the_whole_model(both):
    """Width, logits in train mode and gradients agree to 1e-5, also where a batch is wider than its texts."""
    model, cached, uncached = both
    rows = np.array([3, 77, 12, 12, 200])
    at = torch.from_numpy(rows)
    width = cached.width(rows)
    assert width == uncached.width(rows)
    found = []
    for inputs, columns in ((cached, width), (uncached, width), (cached, width + 3)):
        model.zero_grad()
        train_mode(inputs.view, "last_layer")
        logits = inputs.train_logits(at, columns)
        logits.square().sum().backward()
        gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        found.append((logits.detach(), gradients))
    (logits, gradients), *others = found
    assert logits.dtype == torch.float32
    for other_logits, other_gradients in others:
        torch.testing.assert_close(logits, other_logits, atol=1e-5, rtol=1e-5)
        assert gradients.keys() == other_gradients.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, other_gradients[name], atol=1e-5, rtol=1e-4, msg=name)


def test_the_states_are_mapped_and_not_copied(case):
    """On the CPU the tensor is the file, which nobody can write to, and no warning says so."""
    _, prepared, suffix, frozen = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inputs = SuffixInputs(suffix, frozen, prepared.tokens["train"].template, LENGTHS[0])
    assert isinstance(frozen.states, np.memmap)
    assert not frozen.states.flags.writeable
    assert inputs._states.data_ptr() == frozen.states.ctypes.data


def test_the_inputs_of_joined_data_are_those_of_both_splits(small_splits, tiny_bert, cache):
    """Rows of train, then rows of validation, from the states of the splits apart."""
    prepared = prepare(small_splits, tiny_bert, trainable="last_layer", max_lengths=LENGTHS, cache=cache)
    model = build_model(prepared.checkpoint, labels=prepared.labels, trainable="last_layer", seed=1)
    template, parts = prepared.tokens["train"].template, split_model(model)
    apart, joined = (
        SuffixInputs(parts.suffix, data.frozen_states(16), template, 16)
        for data in (prepared, prepared.joined())
    )
    both = np.concatenate([apart.logits("train"), apart.logits("validation")])
    np.testing.assert_allclose(joined.logits("train"), both, atol=1e-6)
    np.testing.assert_allclose(joined.logits("test"), apart.logits("test"), atol=1e-6)


def test_tokens_are_read_without_states_or_room(small_splits, tiny_bert, cache, monkeypatch):
    """Another maximum length, a model that cannot be split, a GPU that is nearly full."""
    prepared = prepare(small_splits, tiny_bert, trainable="last_layer", max_lengths=LENGTHS, cache=cache)

    def chosen(max_length):
        monkeypatch.setattr(choosing, "_verdicts", {})
        options = {"trainable": "last_layer", "max_length": max_length, "seed": 1}
        return TrainingRun(Configuration(checkpoint=tiny_bert, **options), prepared, device=CPU)._inputs

    assert isinstance(chosen(16), SuffixInputs)
    assert isinstance(chosen(12), TokenInputs)
    with monkeypatch.context() as patch:
        patch.setattr(choosing, "split_model", lambda _: None)
        assert isinstance(chosen(16), TokenInputs)
    with monkeypatch.context() as patch:
        patch.setattr(choosing, "fits", lambda *_: False)
        assert isinstance(chosen(16), TokenInputs)
    frozen = prepared.frozen_states(16)
    size = frozen.states.nbytes
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: size)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 0)
    for free, has_room in ((0, False), (size - 1, False), (size, True)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 10 * size))
        assert suffix.fits(frozen, gpu) == has_room
    assert suffix.fits(frozen, CPU)
