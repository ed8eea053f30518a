"""What is faster is compared with the plain model before it trains, and steps aside where it differs."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from goemo.configuration import Configuration
from goemo.errors import InputError
from goemo.fast import SHORTCUTS, fast_twin, faster_on_cpu, one_dnn, training_view
from goemo.fast.shortcuts import Shortcut
from goemo.training import TrainingRun, inputs
from goemo.training.optimization import AdamW
from goemo.training.prepared import prepare


@pytest.fixture
def broken(monkeypatch):
    """Return a function that makes one shortcut compute something else, as a changed block would."""
    monkeypatch.setattr(inputs, "_verdicts", {})

    def make(name, change):
        changed = {**SHORTCUTS, name: Shortcut(change)}
        for module in ("shortcuts", "twin"):
            monkeypatch.setattr(f"goemo.fast.{module}.SHORTCUTS", changed)

    return make


def _shift(view):
    def shifted(_, __, output):
        output.logits = output.logits + 0.01
        return output

    view.register_forward_hook(shifted)


def _fail(view):
    view.register_forward_pre_hook(lambda *_: torch.zeros(1).view(2))


@pytest.fixture(scope="module")
def prepared(small_splits, tiny_bert, cache):
    return prepare(small_splits, tiny_bert, trainable="all", max_lengths=[24], cache=cache)


def _configuration(prepared, **changes):
    values = {"max_length": 24, "epochs": 1, "reports": 2, "learning_rate": 1e-3, "dropout": 0.0} | changes
    return Configuration(checkpoint=prepared.checkpoint.name, **values)


@pytest.mark.parametrize("change", [_shift, _fail])
@pytest.mark.parametrize("name", ["first token", "fused GELU"])
def test_a_shortcut_that_differs_steps_aside_and_is_named(name, change, broken, prepared, caplog):
    """In the log and in the notes; the others stay, and the training is that of the plain model."""
    plain = TrainingRun(_configuration(prepared), prepared)
    inputs._verdicts.clear()
    broken(name, change)
    with caplog.at_level(logging.WARNING, logger="goemo.training"):
        run = TrainingRun(_configuration(prepared), prepared)
    assert [record.message for record in caplog.records] == [f"{prepared.checkpoint.name}: {run.notes[0]}"]
    assert run.notes[0].startswith(f"a shortcut steps aside: {name}: ")
    assert len(run.notes) == 1
    assert run.advance().metrics["val/loss"] == pytest.approx(plain.advance().metrics["val/loss"], abs=1e-5)


def test_shortcuts_that_differ_only_together_all_step_aside(prepared):
    """What agrees alone and not together is not trusted at all."""
    model, seen = TrainingRun(_configuration(prepared), prepared)._model, []

    def difference(view):
        seen.append(view)
        return "together" if len(seen) == 1 or len(seen) == len(SHORTCUTS) + 2 else ""

    assert fast_twin(model, difference).without == tuple(SHORTCUTS)


def _draw(view):
    view.register_forward_hook(lambda *_: torch.rand(3))


def test_the_comparison_leaves_the_random_state_and_the_model_alone(prepared, broken):
    """A training with dropout is the same whether its kind was compared in this process or before.

    Also of an architecture that draws numbers without dropout.
    """
    broken("fused GELU", _draw)
    configuration = _configuration(prepared, dropout=0.2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = TrainingRun(configuration, prepared)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in first._trained.values())
    second = TrainingRun(configuration, prepared)
    TrainingRun(_configuration(prepared, dropout=0.3, batch_size=8, learning_rate=1e-4), prepared)
    assert len(inputs._verdicts) == 1
    assert first.advance().metrics["val/loss"] == second.advance().metrics["val/loss"]


def _out_of_memory_above(most):
    def limited(module, _, values):
        if len(values["input_ids"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB.")

    return lambda view: view.register_forward_pre_hook(limited, with_kwargs=True)


@pytest.mark.parametrize("most", [1, 2, 7])
def test_memory_that_does_not_suffice_for_the_first_batch_is_no_difference(most, broken, prepared):
    """Fewer texts are compared, and nothing steps aside: the training may take pieces as small."""
    broken("fused GELU", _out_of_memory_above(most))
    run = TrainingRun(_configuration(prepared), prepared)
    assert not run.notes
    assert [verdict.without for verdict in inputs._verdicts.values()] == [()]


def test_a_first_batch_of_one_text_that_does_not_fit_is_out_of_memory(broken, prepared):
    """It is neither refused nor remembered: the next training may have more room."""
    broken("fused GELU", _out_of_memory_above(0))
    with pytest.raises(torch.OutOfMemoryError):
        TrainingRun(_configuration(prepared), prepared)
    assert not inputs._verdicts


def _fail_in_bfloat16(view):
    def refuse(*_):
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError("no kernel for BFloat16\nand more")

    view.register_forward_pre_hook(refuse)


def test_bfloat16_that_fails_is_left_to_float32_or_refused(broken, prepared, monkeypatch):
    """By itself, with a note; asked for, with the way out."""
    broken("fused GELU", _fail_in_bfloat16)
    monkeypatch.setattr(inputs, "uses_bfloat16", lambda *_: True)
    run = TrainingRun(_configuration(prepared), prepared)
    assert run.notes == ("computed in float32, because bfloat16 fails: no kernel for BFloat16",)
    assert run.mixed_precision == "none"
    run.advance()
    with pytest.raises(InputError, match=r"no kernel for BFloat16.*set model.mixed_precision: none"):
        TrainingRun(_configuration(prepared, mixed_precision="bfloat16"), prepared)


def test_a_cached_output_that_differs_steps_aside(small_splits, tiny_bert, tmp_path, monkeypatch, caplog):
    """Of other weights, say: trials read tokens, and the log says so."""
    monkeypatch.setattr(inputs, "_verdicts", {})
    data = prepare(small_splits, tiny_bert, trainable="head", max_lengths=[24], cache=tmp_path)
    configuration = _configuration(data, trainable="head")
    assert not TrainingRun(configuration, data).notes
    file = next(data.texts_folder.glob("prefix/*/*/features.npy"))
    bytes_ = bytearray(file.read_bytes())
    bytes_[128:] = bytes(len(bytes_) - 128)
    file.chmod(0o644)
    file.write_bytes(bytes_)
    inputs._verdicts.clear()
    with caplog.at_level(logging.WARNING, logger="goemo.training"):
        run = TrainingRun(configuration, data)
    assert "the cached output of the frozen encoder steps aside" in caplog.text
    assert type(run._inputs).__name__ == "TokenInputs"


# --- private names of torch ---


@pytest.fixture
def no_private_names(monkeypatch):
    """Take oneDNN's private names away, as another version of torch may."""
    one_dnn.one_dnn_map.cache_clear()
    one_dnn._reorder.cache_clear()
    monkeypatch.setattr(one_dnn, "torch", _WithoutOneDnn())
    yield
    one_dnn.one_dnn_map.cache_clear()
    one_dnn._reorder.cache_clear()


class _WithoutOneDnn:
    """torch, of which ``ops.mkldnn`` has nothing."""

    class ops:  # noqa: N801 - its name
        class mkldnn:  # noqa: N801
            pass

    def __getattr__(self, name):
        return getattr(torch, name)


def test_without_the_private_names_linear_maps_stay_as_they_are(no_private_names, prepared):
    """Both where a model trains and where it only looks."""
    assert one_dnn.one_dnn_map() is None
    run = TrainingRun(_configuration(prepared), prepared)
    for view in (training_view(run._model), faster_on_cpu(run._model)):
        assert any(type(module) is nn.Linear for module in view.modules())
        assert not any(isinstance(m, one_dnn.OneDnnLinear | one_dnn.PackedLinear) for m in view.modules())


# --- parameters that have no gradient in some steps ---


def test_a_layer_that_is_skipped_is_left_alone_in_that_step():
    """Weights as of torch.optim.AdamW, over steps in which either of two layers has no gradient."""
    torch.manual_seed(0)
    layers = {name: nn.Linear(3, 3) for name in ("a", "b")}
    theirs = {name: nn.Linear(3, 3) for name in layers}
    for name, layer in theirs.items():
        layer.load_state_dict(layers[name].state_dict())
    mine = AdamW(
        {f"{n}.{k}": p for n, m in layers.items() for k, p in m.named_parameters()}, weight_decay=0.1
    )
    groups = [
        {"params": [m.weight for m in theirs.values()], "weight_decay": 0.1},
        {"params": [m.bias for m in theirs.values()], "weight_decay": 0.0},
    ]
    oracle = torch.optim.AdamW(groups, lr=0.05)
    for step in ("ab", "a", "b", "ab", "b"):
        features = torch.randn(4, 3)
        for modules in (layers, theirs):
            sum(modules[name](features).square().mean() for name in step).backward()
        torch.nn.utils.clip_grad_norm_([p for m in theirs.values() for p in m.parameters()], 1.0)
        oracle.step()
        oracle.zero_grad()
        mine.step(0.05)
    for name, layer in theirs.items():
        torch.testing.assert_close(layers[name].state_dict(), layer.state_dict(), atol=1e-5, rtol=1e-4)
