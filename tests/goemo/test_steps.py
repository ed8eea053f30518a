"""One step: however it is cut, padded or replayed, it is the same step."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version
from tiny_encoders import tiny_config
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig, AutoModelForSequenceClassification, masking_utils

from goemo.configuration import Configuration
from goemo.configuration.losses import LOSSES
from goemo.errors import GoemoError
from goemo.fast import training_view
from goemo.frozen import FrozenFeatures, FrozenStates, number_sequences
from goemo.models import build_model, learning_rate_scales, split_model
from goemo.models import pooling as pooling_module
from goemo.tokens import Template, TokenStore
from goemo.tokens.batches import epoch_batches
from goemo.training import TrainingRun, graphs, train
from goemo.training.graphs import GraphsNotReplayedWarning, ReplayedSteps
from goemo.training.inputs.features import FeatureInputs
from goemo.training.inputs.suffix import SuffixInputs
from goemo.training.inputs.tokens import TokenInputs
from goemo.training.losses import Loss
from goemo.training.optimization import AdamW
from goemo.training.prepared import Prepared, prepare
from goemo.training.randomness import set_random_state
from goemo.training.steps import Piece, PlainSteps

_SIZES = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
}
_DISENTANGLED = {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]}
KINDS = {
    "albert": {**_SIZES, "embedding_size": 16},
    "bert": _SIZES,
    "deberta-v2": {**_SIZES, **_DISENTANGLED},
    "distilbert": {
        "vocab_size": 90,
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 48,
        "max_position_embeddings": 40,
        "pad_token_id": 1,
    },
    "electra": {**_SIZES, "embedding_size": 16},
    "mpnet": _SIZES,
    "roberta": _SIZES,
    "xlnet": {"vocab_size": 90, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48, "pad_token_id": 1},
}


@pytest.fixture(scope="module")
def prepared(small_splits, tiny_bert, cache) -> Prepared:
    return prepare(small_splits, tiny_bert, trainable="all", max_lengths=[24], cache=cache)


def _configuration(prepared, **changes) -> Configuration:
    defaults = {"learning_rate": 3e-3, "epochs": 1, "max_length": 24, "batch_size": 16, "reports": 2}
    return Configuration(checkpoint=prepared.checkpoint.name, **defaults | {"dropout": 0.0} | changes)


def _weights(run) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in run._trained.items()}


def _finish(run) -> None:
    while not run.is_finished:
        run.advance()


def _assert_close(ours, theirs, atol=1e-5):
    for name, weight in theirs.items():
        assert torch.allclose(ours[name], weight, atol=atol), name


# --- padding ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_loses_the_same_in_a_bucket_as_padded_to_the_maximum(kind):
    """Every example's loss and the gradient of all, in fp32 to 1e-5, padded on the architecture's side."""
    random = np.random.default_rng(0)
    lengths = random.integers(0, 30, 24)
    side = "left" if kind == "xlnet" else "right"
    template = Template((2,), (3,), (0,), (0,), 0, 1, 0, side, "right")
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    store = TokenStore(random.integers(5, 90, offsets[-1]).astype(np.int32), offsets, template)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(
        AutoConfig.for_model(kind, **KINDS[kind], num_labels=3)
    ).eval()
    inputs = TokenInputs(model, {"train": store}, 26)
    inputs.view = training_view(model)
    targets = torch.from_numpy(random.random((24, 3)) < 0.4).float()

    def losses(batches, width=None):
        model.zero_grad()
        each = torch.empty(24)
        for rows in batches:
            logits = inputs.train_logits(torch.from_numpy(rows), width or inputs.width(rows))
            of_batch = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, targets[rows], reduction="none"
            ).mean(1)
            of_batch.sum().backward()
            each[rows] = of_batch.detach()
        return each, {n: p.grad.to_dense() for n, p in model.named_parameters() if p.grad is not None}

    bucketed = epoch_batches(store.lengths(26), 4, seed=1, epoch=0)
    assert len({inputs.width(rows) for rows in bucketed}) > 2
    each, gradients = losses(bucketed)
    padded, padded_gradients = losses([np.arange(24)], width=26)
    assert torch.allclose(each, padded, atol=1e-5)
    _assert_close(gradients, padded_gradients, atol=2e-5)


# --- pieces ---


@pytest.mark.parametrize("loss", ["bce", "distribution_balanced"])
def test_accumulated_batches_are_one_large_batch(prepared, loss):
    """Four batches of 4 make the steps of batches of 16, also the smaller last one: weights to 1e-5."""
    whole = train(_configuration(prepared, loss=loss), prepared)
    pieces = train(_configuration(prepared, loss=loss, batch_size=4, accumulation_steps=4), prepared)
    assert pieces.total_steps == whole.total_steps == 13
    _assert_close(_weights(pieces), _weights(whole))
    assert pieces.best.metrics["train/loss"] == pytest.approx(whole.best.metrics["train/loss"], abs=1e-5)


def _out_of_memory_above(run, most: int) -> list[int]:
    """Let a training run out of memory where more rows go through the model at once; return what it tried."""
    tried: list[int] = []
    ours = run._inputs.train_logits

    def limited(at, width):
        tried.append(len(at))
        if len(at) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB.")
        return ours(at, width)

    run._inputs.train_logits = limited
    return tried


def test_a_step_out_of_memory_is_taken_again_in_pieces(prepared, tmp_path):
    """Weights as of whole batches to 1e-5; pieces stay small, also in a resumed training."""
    configuration = _configuration(prepared)
    whole = train(configuration, prepared)
    run = TrainingRun(configuration, prepared)
    tried = _out_of_memory_above(run, 5)
    run.advance()
    run.save(tmp_path / "state")
    assert tried[:3] == [16, 8, 4]
    assert max(tried[3:]) == 4
    resumed = TrainingRun.restore(configuration, prepared, tmp_path / "state")
    again = _out_of_memory_above(resumed, 5)
    resumed.advance()
    assert max(again) == 4
    _assert_close(_weights(resumed), _weights(whole))


def test_pieces_after_the_memory_ran_out_draw_dropout_from_where_the_step_began(prepared):
    """A step that failed leaves no trace in the random state: the same as in pieces from the start."""
    failed = TrainingRun(_configuration(prepared, dropout=0.3, accumulation_steps=1), prepared)
    _out_of_memory_above(failed, 8)
    small = TrainingRun(_configuration(prepared, dropout=0.3, batch_size=8, accumulation_steps=2), prepared)
    failed.advance()
    small.advance()
    assert all(torch.equal(_weights(failed)[name], weight) for name, weight in _weights(small).items())


def test_a_single_text_that_does_not_fit_is_out_of_memory(prepared):
    """There is nothing left to cut: the error of the allocator goes on, of a GPU or of the machine."""
    run = TrainingRun(_configuration(prepared, batch_size=3), prepared)
    assert _out_of_memory_above(run, 0) == []
    with pytest.raises(torch.OutOfMemoryError):
        run.advance()
    assert all(p.grad is None for p in run._trained.values())


def test_another_error_is_not_taken_for_memory(prepared):
    """A RuntimeError of another kind ends the step at once."""
    run = TrainingRun(_configuration(prepared), prepared)
    calls = []

    def broken(at, width):
        calls.append(len(at))
        raise RuntimeError("shapes do not match")

    run._inputs.train_logits = broken
    with pytest.raises(RuntimeError, match="shapes"):
        run.advance()
    assert calls == [16]


# --- learning rates and the other hyperparameters ---


def test_layers_learn_at_rates_of_their_own(prepared):
    """With decay 0.5: head 3, last block 1, the one below 0.5, embeddings 0.25; without decay 1."""
    model = build_model(prepared.checkpoint, labels=prepared.labels, trainable="all", seed=0)
    scales = learning_rate_scales(model, layer_decay=0.5, head_multiplier=3)
    assert scales["classifier.weight"] == scales["bert.pooler.dense.bias"] == 3
    assert scales["bert.encoder.layer.1.output.dense.weight"] == 1
    assert scales["bert.encoder.layer.0.output.dense.weight"] == 0.5
    assert scales["bert.embeddings.word_embeddings.weight"] == 0.25
    flat = learning_rate_scales(model, layer_decay=1, head_multiplier=1)
    assert set(flat.values()) == {1.0}
    assert set(flat) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize(
    ("kind", "behind", "below"),
    [
        ("modernbert", "model.final_norm.weight", "model.embeddings.tok_embeddings.weight"),
        ("gpt2", "transformer.ln_f.bias", "transformer.wpe.weight"),
        ("mpnet", None, "mpnet.encoder.relative_attention_bias.weight"),
        ("deberta-v2", None, "deberta.encoder.rel_embeddings.weight"),
    ],
)
def test_a_norm_behind_the_blocks_learns_as_the_last_of_them(kind, behind, below):
    """Not as the embeddings do; relative positions, which every block reads, do."""
    changes = {"relative_attention": True} if kind == "deberta-v2" else {}
    model = AutoModelForSequenceClassification.from_config(tiny_config(kind, **changes))
    scales = learning_rate_scales(model, layer_decay=0.5, head_multiplier=3)
    assert behind is None or scales[behind] == 1
    assert scales[below] == 0.25


def test_blocks_below_a_mean_block_count_from_the_last_that_learns(prepared):
    """The mean block, which never learns, does not lower the rate of the others."""
    model = build_model(prepared.checkpoint, labels=prepared.labels, trainable="all", seed=0, pooling="mean")
    scales = learning_rate_scales(model, layer_decay=0.5, head_multiplier=1)
    assert scales["bert.encoder.layer.1.output.dense.weight"] == 1
    assert scales["bert.encoder.layer.0.output.dense.weight"] == 0.5


def test_a_training_equals_one_by_torch_with_the_same_hyperparameters(prepared):
    """Betas, clipping, decay, schedule, rates by layer: weights as of torch.optim.AdamW by hand, to 1e-5."""
    c = _configuration(
        prepared,
        beta1=0.8,
        beta2=0.95,
        max_grad_norm=0.05,
        weight_decay=0.2,
        layer_decay=0.6,
        head_lr_multiplier=4.0,
        schedule="cosine",
        reports=1,
    )
    run = train(c, prepared)
    oracle = TrainingRun(c, prepared)
    model = oracle._model.eval()  # dropout is 0
    scales = learning_rate_scales(model, layer_decay=0.6, head_multiplier=4.0)
    groups = [
        {"params": [p], "weight_decay": 0.2 if p.ndim > 1 else 0.0, "scale": scales[name]}
        for name, p in model.named_parameters()
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.8, 0.95), eps=1e-8)
    targets = torch.from_numpy(prepared.targets["train"].astype(np.float32))
    lengths = prepared.tokens["train"].lengths(24)
    for step, rows in enumerate(epoch_batches(lengths, 16, seed=c.seed, epoch=0)):
        batch = prepared.tokens["train"].batch(rows, 24)
        logits = model(
            input_ids=torch.from_numpy(batch.input_ids), attention_mask=torch.from_numpy(batch.attention_mask)
        ).logits
        torch.nn.functional.binary_cross_entropy_with_logits(logits, targets[rows]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        factor = min(1.0, step) * 0.5 * (1 + np.cos(np.pi * max(0, step - 1) / 12))
        for group in optimizer.param_groups:
            group["lr"] = c.learning_rate * factor * group["scale"]
        optimizer.step()
        optimizer.zero_grad()
    _assert_close(_weights(run), {n: p.detach() for n, p in model.named_parameters()})


@pytest.mark.parametrize("kind", ["bert", "distilbert", "deberta-v2", "xlnet"])
def test_dropout_is_set_everywhere(kind, tmp_path):
    """Every dropout of the built model has the probability; without one, those of the checkpoint."""
    AutoConfig.for_model(kind, **KINDS[kind]).save_pretrained(tmp_path)
    checkpoint = SimpleNamespace(name=kind, folder=tmp_path, has_weights=False, digest="")
    for dropout, expected in ((0.35, {0.35}), (None, {0.1})):
        model = build_model(checkpoint, labels=["a"], trainable="all", seed=0, dropout=dropout)
        found = {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)}
        assert expected <= found
        assert dropout is None or found == expected


def test_peak_memory_is_reported(prepared):
    """In gigabytes; of the process on a CPU, so at least what torch alone takes."""
    run = train(_configuration(prepared), prepared)
    assert 0.05 < run.best.metrics["train/peak_memory_gb"] < 100


# --- recordable ---

# Tensors without values: whoever asks for one fails, and a copy from the host is an operation on two devices.
NOWHERE = torch.device("meta")


class _Watch(TorchDispatchMode):
    """Notes what a recording does not allow: copies between host and device. A scalar is no copy."""

    def __init__(self):
        super().__init__()
        self.copies: list[str] = []

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        if operation.overloadpacket is torch.ops.aten._fused_adamw_:
            return None  # it knows no tensors without values
        result = operation(*arguments, **options or {})
        tensors = [t for t in tree_leaves((arguments, options, result)) if isinstance(t, torch.Tensor)]
        is_copy = operation.overloadpacket in {torch.ops.aten._to_copy, torch.ops.aten.copy_}
        if len({t.device for t in tensors}) > 1 and (is_copy or any(t.ndim for t in tensors if t.is_cpu)):
            self.copies.append(str(operation))
        return result


def _skip_where_positions_are_copied(kind) -> None:
    if kind in {"mpnet", "xlnet"} and Version(transformers.__version__) < Version("5.22"):
        pytest.skip(f"transformers makes the positions of {kind} on the host, and so it takes plain steps")


def _copies_of_a_step(inputs, model, loss, monkeypatch) -> list[str]:
    """Take a plain step, as a recording has one before it, and then one that is watched."""
    targets = torch.empty(24, 3, device=NOWHERE)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    steps = PlainSteps(inputs, loss, targets, AdamW(trained, weight_decay=0.01), piece=8)
    pieces = [Piece(torch.empty(8, dtype=torch.int64, device=NOWHERE), 16)]
    with monkeypatch.context() as patch:
        # A plain step may ask whether there is padding, which tensors without values cannot tell.
        patch.setattr(masking_utils, "_ignore_bidirectional_mask_sdpa", lambda *_: False)
        steps.accumulate(pieces)
    steps.drop_gradients()
    # What transformers asks, to leave out what a recording does not allow.
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    with _Watch() as watch:
        steps.accumulate(pieces)
        steps.update(torch.empty((), device=NOWHERE))
    return watch.copies


def _tokens(side="right"):
    random = np.random.default_rng(0)
    template = Template((2,), (3,), (0,), (0,), 0, 1, 0, side, "right")
    offsets = np.concatenate([[0], np.cumsum(random.integers(0, 14, 24))]).astype(np.int64)
    return TokenStore(random.integers(5, 90, offsets[-1]).astype(np.int32), offsets, template)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"deberta-v2"}))
def test_a_step_asks_nothing_of_the_host(kind, monkeypatch):
    """With dropout, and the mask that padding needs: these architectures can be recorded as a CUDA graph.

    DeBERTa copies constants from the host, and takes plain steps.
    """
    _skip_where_positions_are_copied(kind)
    model = AutoModelForSequenceClassification.from_config(
        AutoConfig.for_model(kind, **KINDS[kind], num_labels=3)
    )
    model.to(NOWHERE).train()
    tokens = _tokens("left" if kind == "xlnet" else "right")
    inputs = TokenInputs(model, {"train": tokens}, 16)
    inputs.view = training_view(model)
    loss = Loss("bce", np.ones((24, 3), dtype=bool), device=NOWHERE)
    assert not _copies_of_a_step(inputs, model, loss, monkeypatch)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_asks_nothing_of_the_host(name, monkeypatch):
    """Whatever is minimised, with smoothed labels, of the head and of the whole model."""
    model = torch.nn.Linear(4, 3, device=NOWHERE)
    features = torch.empty(24, 4, device=NOWHERE)
    inputs = SimpleNamespace(train_logits=lambda at, _: model(features.index_select(0, at)))
    targets = np.random.default_rng(0).random((24, 3)) < 0.4
    loss = Loss(name, targets, label_smoothing=0.1, device=NOWHERE)
    assert not _copies_of_a_step(inputs, model, loss, monkeypatch)


@pytest.mark.parametrize(
    "case",
    [
        ("last_layer", "tiny_bert", "first"),
        ("last_layer", "tiny_bert", "mean"),
        ("last_layer", "scratch:albert-tiny", "first"),
        ("last_layer", "scratch:xlnet-tiny", "first"),
        ("head", "tiny_bert", "first"),
        ("head", "tiny_bert", "mean"),
        ("head", "scratch:xlnet-tiny", "first"),
    ],
    ids="-".join,
)
def test_a_step_behind_a_cache_asks_nothing_of_the_host(case, small_splits, request, tmp_path, monkeypatch):
    """Of the last block on states, and of the head on features."""
    trainable, name, pooling = case
    if trainable == "last_layer":
        _skip_where_positions_are_copied(name.removeprefix("scratch:").removesuffix("-tiny"))
    name = request.getfixturevalue(name) if name == "tiny_bert" else name
    cache = request.getfixturevalue("cache")
    data = prepare(small_splits, name, trainable="all", max_lengths=[16], cache=cache)
    model = build_model(data.checkpoint, labels=list("abc"), trainable=trainable, seed=0, pooling=pooling)
    sequences = number_sequences(data.tokens, [16])
    if trainable == "head":
        frozen = FrozenFeatures.build(tmp_path / "f", model, data.tokens, sequences)
        inputs = FeatureInputs(model.to(NOWHERE), frozen, 16)
    else:
        frozen = FrozenStates.build(tmp_path / "s", split_model(model).prefix, data.tokens, sequences)
        monkeypatch.setattr(pooling_module, "_is_untouched", lambda *_: True)  # else it asks for weights
        parts = split_model(model.to(NOWHERE))
        inputs = SuffixInputs(parts.suffix, frozen, data.tokens["train"].template, 16)
    inputs.view = training_view(inputs.view)
    loss = Loss("bce", np.ones((24, 3), dtype=bool), device=NOWHERE)
    assert not _copies_of_a_step(inputs, model, loss, monkeypatch)


def test_a_copy_from_the_host_is_seen(monkeypatch):
    """The watch is not blind: a constant that a step copies, and a value that it asks for."""
    model = torch.nn.Linear(4, 3, device=NOWHERE)
    loss = Loss("bce", np.ones((24, 3), dtype=bool), device=NOWHERE)
    features = torch.empty(24, 4, device=NOWHERE)
    copying = SimpleNamespace(
        train_logits=lambda at, _: model(features[:8]) * torch.tensor(2.0).to(at.device)
    )
    assert _copies_of_a_step(copying, model, loss, monkeypatch)
    asking = SimpleNamespace(train_logits=lambda at, _: model(features[:8]) * int(at.sum()))
    with pytest.raises(RuntimeError, match="meta"):
        _copies_of_a_step(asking, model, loss, monkeypatch)


# --- replayed ---


class _Graph:
    """Stands for a CUDA graph: what is recorded is not taken, and every replay takes it."""

    def __init__(self):
        self.steps: ReplayedSteps | None = None

    def replay(self):
        recording = next(r for r in self.steps._recordings.values() if r.graph is self)
        recording.mean_loss.copy_(self.steps._plain.accumulate(recording.pieces))
        self.steps._plain.update(self.steps._learning_rate.item())


@pytest.fixture
def replayed(monkeypatch):
    """Return a function that makes a training replay its steps, through stand-ins for CUDA's own parts."""
    made: list[_Graph] = []

    def make(run) -> tuple[ReplayedSteps, list[_Graph]]:
        @contextlib.contextmanager
        def recording(graph, **_):
            graph.steps = steps
            made.append(graph)
            before = {name: t.clone() for name, t in {**run._trained, **run._optimizer.state()}.items()}
            random = torch.get_rng_state()
            yield
            with torch.no_grad():
                for name, tensor in {**run._trained, **run._optimizer.state()}.items():
                    tensor.copy_(before[name])
            torch.set_rng_state(random)

        stream = SimpleNamespace(wait_stream=lambda _: None)
        for name, value in {
            "Stream": lambda *_: stream,
            "graph_pool_handle": lambda: None,
            "CUDAGraph": _Graph,
            "graph": recording,
            "stream": lambda _: contextlib.nullcontext(),
            "current_stream": lambda *_: stream,
            "empty_cache": lambda: None,
            "set_stream": lambda _: None,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)
        monkeypatch.setattr(graphs, "renew_generator", set_random_state)
        steps = run._steps = ReplayedSteps(run._plain_steps, run.device)
        return steps, made

    return make


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.2}, {"batch_size": 4, "accumulation_steps": 3}])
def test_replayed_steps_are_the_plain_ones(prepared, replayed, changes):
    """Bookkeeping of recordings - shapes, rows, rates, losses - changes nothing but the rate's float32."""
    configuration = _configuration(prepared, epochs=4, **changes)
    plain = train(configuration, prepared)
    run = TrainingRun(configuration, prepared)
    steps, made = replayed(run)
    _finish(run)
    assert len(made) == len(steps._recordings) > 3
    _assert_close(_weights(run), _weights(plain))
    assert run.best.metrics["train/loss"] == pytest.approx(plain.best.metrics["train/loss"], abs=1e-5)


def test_a_step_that_cannot_be_recorded_is_plain(prepared, replayed, monkeypatch):
    """The training goes on without recordings, says why, and gives what it always gave."""
    configuration = _configuration(prepared, epochs=2, dropout=0.2)
    run = TrainingRun(configuration, prepared)
    steps, _ = replayed(run)
    ours, is_recording = run._plain_steps.accumulate, []
    streams = []
    monkeypatch.setattr(torch.cuda, "set_stream", streams.append)

    @contextlib.contextmanager
    def recording(*_, **__):
        is_recording.append(True)
        try:
            yield
        finally:
            is_recording.clear()

    def accumulate(pieces):
        if is_recording:
            torch.rand(1)  # what is drawn in vain must not be missing
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        return ours(pieces)

    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(run._plain_steps, "accumulate", accumulate)
    with pytest.warns(GraphsNotReplayedWarning, match="not permitted when stream is capturing$"):
        _finish(run)
    assert not steps._recordings
    assert len(streams) == 1
    plain = train(configuration, prepared)
    assert all(torch.equal(_weights(run)[name], weight) for name, weight in _weights(plain).items())


def test_a_replay_that_reads_the_wrong_memory_is_an_error(prepared, replayed, monkeypatch):
    """The first loss of a recording is compared with a plain pass."""
    run = TrainingRun(_configuration(prepared, epochs=2), prepared)
    replayed(run)
    ours = _Graph.replay

    def wrong(self):
        ours(self)
        next(r for r in self.steps._recordings.values() if r.graph is self).mean_loss.fill_(77.0)

    monkeypatch.setattr(_Graph, "replay", wrong)
    with pytest.raises(GoemoError, match=r"gave the loss 77 .* start again with model.cuda_graphs: false"):
        _finish(run)


def test_graphs_are_asked_for(prepared):
    """By default steps are plain ones; on a CPU they are so whatever is asked for."""
    assert not Configuration(checkpoint="any").cuda_graphs
    for asked in (False, True):
        run = TrainingRun(_configuration(prepared, cuda_graphs=asked), prepared, device="cpu")
        assert isinstance(run._steps, PlainSteps)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("checkpoint", ["tiny_bert", "scratch:albert-tiny", "scratch:xlnet-tiny"])
def test_replayed_steps_equal_plain_steps_on_a_gpu(checkpoint, small_splits, tiny_bert, cache, monkeypatch):
    """The same weights to the rounding of bfloat16 after three epochs, without dropout."""
    name = tiny_bert if checkpoint == "tiny_bert" else checkpoint
    prepared = prepare(small_splits, name, trainable="all", max_lengths=[24], cache=cache)
    configuration = _configuration(prepared, epochs=3, learning_rate=1e-4, cuda_graphs=True)
    run = train(configuration, prepared)
    assert isinstance(run._steps, ReplayedSteps)
    assert run._steps._recordings
    plain = train(replace(configuration, cuda_graphs=False), prepared)
    assert isinstance(plain._steps, PlainSteps)
    _assert_close(_weights(run), _weights(plain), atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_step_that_cannot_be_recorded_is_plain_on_a_gpu(prepared, monkeypatch):
    """A failed recording leaves neither its stream nor a generator that draws no more."""
    ours = PlainSteps.accumulate

    def accumulate(self, pieces):
        loss = ours(self, pieces)
        loss.item()  # waits, which a recording may not
        return loss

    monkeypatch.setattr(PlainSteps, "accumulate", accumulate)
    configuration = _configuration(prepared, epochs=2, dropout=0.2, learning_rate=1e-4, cuda_graphs=True)
    before = torch.cuda.current_stream()
    with pytest.warns(GraphsNotReplayedWarning):
        run = train(configuration, prepared)
    assert torch.cuda.current_stream() == before
    plain = train(replace(configuration, cuda_graphs=False), prepared)
    _assert_close(_weights(run), _weights(plain), atol=1e-3)
