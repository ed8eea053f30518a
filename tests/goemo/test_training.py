"""One training: the same however it is cut into pieces, whatever ran before, with the cache or without."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import get_linear_schedule_with_warmup

from goemo.configuration import Configuration
from goemo.configuration.schedules import learning_rate_factor
from goemo.errors import GoemoError
from goemo.evaluation import cross_fitted_metrics
from goemo.training import Diverged, TrainingRun, report_progress, report_step, state_file, train
from goemo.training import run as training_run
from goemo.training.optimization import AdamW
from goemo.training.precision import uses_bfloat16
from goemo.training.prepared import Prepared, prepare

KINDS = ["head", "all", "last_layer"]
MEASURED = ("train/samples_per_second", "train/peak_memory_gb")


@pytest.fixture(scope="module")
def prepared(small_splits, tiny_bert, cache) -> Prepared:
    return prepare(small_splits, tiny_bert, trainable="head", max_lengths=[16, 24], cache=cache)


def _configuration(prepared, **changes) -> Configuration:
    defaults = {"learning_rate": 3e-3, "epochs": 2, "max_length": 24, "batch_size": 16, "reports": 4}
    return Configuration(checkpoint=prepared.checkpoint.name, **defaults | changes)


def _history(run_or_reports) -> list[dict]:
    """What must be the same to the last bit: everything but speed and memory."""
    return [
        {
            "progress": r.progress,
            "step": r.step,
            "is_best": r.is_best,
            "scores": r.scores.tobytes(),
            **{name: value for name, value in r.metrics.items() if name not in MEASURED},
        }
        for r in run_or_reports
    ]


def _reports(configuration, prepared) -> list:
    reports: list = []
    train(configuration, prepared, on_report=reports.append)
    return reports


def _weights(run) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in run._trained.items()}


def _equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --- what a training is ---


@pytest.mark.parametrize("total", [1, 2, 3, 7, 26, 100, 101, 1357])
@pytest.mark.parametrize("asked", [1, 2, 3, 5, 7, 100])
def test_reports_come_at_equal_fractions_and_never_twice(total, asked):
    """Steps and progress rise strictly, the last is the end, and each is within half a step of its share."""
    reports = min(asked, total)
    steps = [report_step(k, reports, total) for k in range(1, reports + 1)]
    progress = [report_progress(k, reports) for k in range(1, reports + 1)]
    assert steps == sorted(set(steps))
    assert steps[0] >= 1
    assert steps[-1] == total
    assert progress == sorted(set(progress))
    assert progress[-1] == 100
    for k, (step, per_cent) in enumerate(zip(steps, progress, strict=True), start=1):
        assert abs(step - k * total / reports) <= 0.5
        assert abs(per_cent - 100 * k / reports) <= 0.5


@pytest.mark.parametrize(("total", "warmup"), [(100, 10), (7, 0), (1, 0), (50, 49)])
def test_the_schedule_is_that_of_transformers(total, warmup):
    """Every step's factor equals the library's linear schedule with warm-up."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, total)
    for factor in (learning_rate_factor("linear", step, total, warmup) for step in range(total)):
        assert factor == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_the_optimizer_is_clipped_adamw_without_decay_of_biases_and_norms():
    """Fifty steps, of large and small gradients, equal clip_grad_norm_ and torch's AdamW with two groups."""

    def layers():
        torch.manual_seed(1)
        return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 3))

    ours, theirs = layers(), layers()
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim > 1], "weight_decay": 0.3},
        {"params": [p for p in theirs.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    mine, oracle = (
        AdamW(dict(ours.named_parameters()), weight_decay=0.3),
        torch.optim.AdamW(groups, foreach=False),
    )
    for step in range(50):
        x, rate = torch.randn(4, 5), 0.01 * (1 + step % 3)
        for model in (ours, theirs):
            (model(x).pow(2).sum() * (100 if step % 2 else 0.001)).backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        for group in oracle.param_groups:
            group["lr"] = rate
        oracle.step()
        oracle.zero_grad()
        mine.step(rate)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("trainable", KINDS)
def test_only_what_is_trainable_changes(prepared, trainable):
    """After training, what trains differs from the start, and the rest is as before, to the bit."""
    configuration = _configuration(prepared, trainable=trainable, reports=1)
    run = TrainingRun(configuration, prepared)
    before = {name: p.detach().clone() for name, p in run._model.named_parameters()}
    run.advance()
    changed = {name for name, p in run._model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {name for name, p in run._model.named_parameters() if p.requires_grad}
    assert any(name.startswith("classifier") for name in changed)


def test_a_training_learns(prepared):
    """The loss falls, and macro-F1 ends above the 0.46 of predicting every label everywhere."""
    reports = _reports(_configuration(prepared, trainable="all", epochs=8, batch_size=8), prepared)
    assert reports[-1].metrics["train/loss"] < 0.9 * reports[0].metrics["train/loss"]
    assert reports[-1].metrics["val/loss"] < 0.9 * reports[0].metrics["val/loss"]
    assert reports[-1].metrics["val/macro_f1"] > 0.55


def test_the_loss_is_the_mean_cross_entropy(prepared):
    """With a learning rate too small to matter, train/loss and val/loss equal an oracle's over the split."""
    configuration = _configuration(prepared, trainable="head", learning_rate=1e-12, epochs=1, reports=1)
    run = TrainingRun(configuration, prepared)
    run._model.classifier.bias.data.fill_(1.5)
    run._model.dropout.p = 0.0
    report = run.advance()
    for split, name in (("train", "train/loss"), ("validation", "val/loss")):
        logits = torch.from_numpy(run._inputs.logits(split))
        targets = torch.from_numpy(prepared.targets[split].astype(np.float32))
        oracle = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        # 203 texts in batches of 16 make a last batch of 11, which counts as much as the others.
        assert report.metrics[name] == pytest.approx(
            oracle.mean().item(), rel=1e-2 if split == "train" else 1e-5
        )


def test_every_thresholded_metric_follows_from_the_scores_that_are_kept(prepared, monkeypatch):
    """The metrics are computed from the rounded scores of the report, by the configuration's method."""
    seen = []

    def recording(scores, targets, *, method):
        seen.append((scores, method))
        return cross_fitted_metrics(scores, targets, method=method)

    monkeypatch.setattr(training_run, "cross_fitted_metrics", recording)
    reports = _reports(_configuration(prepared, trainable="head", thresholds="grid"), prepared)
    for report, (scores, method) in zip(reports, seen, strict=True):
        assert report.scores.dtype == np.float16
        assert np.array_equal(report.scores.astype(np.float64), scores.astype(np.float64))
        assert method == "grid"


def test_the_best_report_keeps_its_weights(prepared, monkeypatch):
    """Scores are those of the first highest report, and asking for them changes nothing in what follows."""
    values = [0.3, 0.5, 0.4, 0.5, 0.2]

    def reports(*, disturbed):
        left = iter(values)
        monkeypatch.setattr(
            training_run,
            "cross_fitted_metrics",
            lambda *_, **__: (None, {"val/macro_f1": 0.0, "val/micro_f1": next(left)}),
        )
        run = TrainingRun(_configuration(prepared, trainable="all", metric="micro_f1", reports=5), prepared)
        made = []
        while not run.is_finished:
            made.append(run.advance())
            if disturbed:
                run.scores("test")
        return run, made

    run, made = reports(disturbed=True)
    assert _history(made) == _history(reports(disturbed=False)[1])
    assert [r.is_best for r in made] == [True, True, False, False, False]
    assert run.best is made[1]
    assert np.array_equal(run.scores("validation").astype(np.float16), made[1].scores)
    assert not np.array_equal(made[1].scores, made[-1].scores)
    assert run.scores("test").shape == (70, 4)


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_texts_are_scored_like_the_split_they_come_from(prepared, small_splits, trainable):
    """Scores of the test split equal scores of its texts, given as texts, to 1e-5."""
    run = train(_configuration(prepared, trainable=trainable, epochs=1, reports=1), prepared)
    texts = run.scores(small_splits.test.texts)
    assert np.allclose(run.scores("test"), texts, atol=1e-5)
    with pytest.raises(ValueError, match="'dev'"):
        run.scores("dev")


# --- the same again ---


@pytest.mark.parametrize("trainable", KINDS)
def test_a_reused_process_gives_the_same_history(prepared, trainable):
    """A training gives the same bits before and after another, and while another takes turns with it."""
    configuration = _configuration(prepared, trainable=trainable)
    first = _history(_reports(configuration, prepared))
    other = replace(configuration, batch_size=8, learning_rate=1e-2, max_length=16, seed=7)
    train(other, prepared)
    torch.rand(5)
    again, turns = [], TrainingRun(other, prepared)
    train(
        configuration, prepared, on_report=lambda r: (again.append(r), turns.is_finished or turns.advance())
    )
    assert _history(again) == first


def test_the_seed_matters(prepared):
    """Another seed is another training."""
    configuration = _configuration(prepared, trainable="head")
    other = _reports(replace(configuration, seed=43), prepared)
    assert _history(other) != _history(_reports(configuration, prepared))


def test_the_random_state_of_the_process_is_left_alone(prepared):
    """Dropout draws from the training's own random state."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(_configuration(prepared, trainable="all", epochs=1, reports=1), prepared)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("trainable", ["all", "last_layer"])
def test_a_training_in_bfloat16_resumes_to_the_bit_and_says_what_it_was(prepared, trainable, tmp_path):
    """It learns what float32 learns, about; halves of it, one after the other, are the whole of it."""
    configuration = _configuration(prepared, trainable=trainable, epochs=3, mixed_precision="bfloat16")
    whole, reports = TrainingRun(configuration, prepared), []
    while not whole.is_finished:
        reports.append(whole.advance())
    part = TrainingRun(configuration, prepared)
    part.advance()
    part.save(tmp_path / "state")
    part = TrainingRun.restore(configuration, prepared, tmp_path / "state")
    resumed = []
    while not part.is_finished:
        resumed.append(part.advance())
    assert _history(resumed) == _history(reports[1:])
    assert _equal(_weights(part), _weights(whole))
    assert whole.mixed_precision == "bfloat16"

    exact = replace(configuration, mixed_precision="none")
    other = TrainingRun(exact, prepared)
    losses = [other.advance().metrics["train/loss"] for _ in range(other.reports)]
    assert other.mixed_precision == "none"
    assert losses != [report.metrics["train/loss"] for report in reports]
    assert losses == pytest.approx([report.metrics["train/loss"] for report in reports], rel=0.02)


@pytest.mark.parametrize("trainable", ["all", "last_layer"])
def test_scores_of_the_same_weights_do_not_depend_on_mixed_precision(
    small_splits, tiny_bert, cache, trainable
):
    """Equal to the bit, from tokens and from cached states; the logits that train are not."""
    data = prepare(small_splits, tiny_bert, trainable=trainable, max_lengths=[24], cache=cache)
    inputs = [
        TrainingRun(_configuration(data, trainable=trainable, mixed_precision=choice), data)._inputs
        for choice in ("bfloat16", "none")
    ]
    rows = np.arange(8)
    ours, theirs = (one.train_logits(torch.from_numpy(rows), one.width(rows)) for one in inputs)
    assert ours.dtype == torch.float32
    assert 0 < (ours - theirs).norm() / theirs.norm() < 0.05
    assert np.array_equal(*(one.logits("validation") for one in inputs))


@pytest.mark.parametrize("trainable", KINDS)
@pytest.mark.parametrize("stopped_after", [0, 1, 3])
def test_a_resumed_training_equals_an_uninterrupted_one(prepared, tmp_path, trainable, stopped_after):
    """History, final weights and best weights are the same to the bit, with dropout, from within an epoch."""
    configuration = _configuration(prepared, trainable=trainable, epochs=3)
    whole, reports = TrainingRun(configuration, prepared), []
    while not whole.is_finished:
        reports.append(whole.advance())

    part = TrainingRun(configuration, prepared)
    for _ in range(stopped_after):
        part.advance()
    part.save(tmp_path / "state")
    if stopped_after == 1:
        part.advance()  # goes on after the save, as a trial does, without touching what was saved
    part = TrainingRun.restore(configuration, prepared, tmp_path / "state")
    assert part.progress == [0, 25, 50, 75][stopped_after]
    assert part._step % part._steps_per_epoch or not stopped_after
    resumed = []
    while not part.is_finished:
        resumed.append(part.advance())
    assert _history(resumed) == _history(reports[stopped_after:])
    assert _equal(_weights(part), _weights(whole))
    assert _equal(part._best_weights, whole._best_weights)
    assert _history([part.best]) == _history([whole.best])


class StopRequest(Exception):  # noqa: N818 - no error
    """Raised by a test in the middle of a training."""


def halt_at(step):
    """Return an ``on_progress`` that raises after a step."""

    def on_progress(done, total):
        if done == step:
            raise StopRequest

    return on_progress


@pytest.mark.parametrize("trainable", KINDS)
def test_a_training_goes_on_from_between_two_reports(prepared, tmp_path, trainable):
    """Left within a report's steps, saved, restored: all reports and weights are the same to the bit."""
    configuration = _configuration(prepared, trainable=trainable, epochs=3)
    whole, reports = TrainingRun(configuration, prepared), []
    while not whole.is_finished:
        reports.append(whole.advance())
    part, resumed = TrainingRun(configuration, prepared), []
    resumed.append(part.advance())
    middle = (reports[0].step + reports[1].step) // 2
    assert reports[0].step < middle < reports[1].step
    with pytest.raises(StopRequest):
        part.advance(halt_at(middle))
    assert part.progress == reports[0].progress
    assert part.unreported_seconds > 0
    part.save(tmp_path / "state")
    part = TrainingRun.restore(configuration, prepared, tmp_path / "state")
    assert part.unreported_seconds > 0
    while not part.is_finished:
        resumed.append(part.advance())
    assert _history(resumed) == _history(reports)
    assert _equal(_weights(part), _weights(whole))


def test_a_report_between_two_reports_changes_none_of_them(prepared):
    """It stands at its whole per cent, counts the steps since the last; scores of later reports stay."""
    configuration = _configuration(prepared, trainable="all", epochs=3)
    whole, reports = TrainingRun(configuration, prepared), []
    while not whole.is_finished:
        reports.append(whole.advance())
    run = TrainingRun(configuration, prepared)
    first = run.advance()
    middle = (reports[0].step + reports[1].step) // 2
    with pytest.raises(StopRequest):
        run.advance(halt_at(middle))
    between = run.report_now()
    assert between.step == middle
    assert between.progress == run.progress == 100 * middle // run.total_steps
    assert run.report_now() is None
    later = []
    while not run.is_finished:
        later.append(run.advance())
    assert [r.progress for r in [first, *later]] == [r.progress for r in reports]
    for mine, undisturbed in zip([first, *later], reports, strict=True):
        np.testing.assert_array_equal(mine.scores, undisturbed.scores)
    second = reports[1].metrics["train/loss"] * (reports[1].step - reports[0].step)
    parts = between.metrics["train/loss"] * (middle - reports[0].step)
    parts += later[0].metrics["train/loss"] * (reports[1].step - middle)
    assert parts == pytest.approx(second, rel=1e-9)


def test_a_report_where_one_is_due_is_that_one(prepared):
    """Left after the last step before a report, the training makes that report, and it counts as made."""
    configuration = _configuration(prepared, trainable="head", epochs=3)
    expected = TrainingRun(configuration, prepared).advance()
    run = TrainingRun(configuration, prepared)
    with pytest.raises(StopRequest):
        run.advance(halt_at(expected.step))
    assert _history([run.report_now()]) == _history([expected])
    assert run.advance().progress == 2 * expected.progress


def test_two_processes_may_save_one_trial(prepared, tmp_path, monkeypatch):
    """Started again while the last process still writes: each state is whole, nothing is left."""
    configuration = _configuration(prepared, trainable="head")
    run, other = TrainingRun(configuration, prepared), TrainingRun(configuration, prepared)
    run.advance()
    other.advance()
    other.advance()
    save, inner = state_file.save_file, [other]

    def interrupted(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        if inner:
            inner.pop().save(tmp_path / "state")
            assert TrainingRun.restore(configuration, prepared, tmp_path / "state").progress == 50
        save(tensors, path, metadata)

    monkeypatch.setattr(state_file, "save_file", interrupted)
    run.save(tmp_path / "state")
    assert TrainingRun.restore(configuration, prepared, tmp_path / "state").progress == 25
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_emulated_bfloat16_is_not_used(monkeypatch):
    """GPUs before Ampere and older processors compute it many times slower than float32."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True})
    for kind in ("cuda", "cpu"):
        assert not uses_bfloat16("auto", torch.device(kind), 768)
        assert uses_bfloat16("bfloat16", torch.device(kind), 768)


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16"])
def test_processors_with_bfloat16_use_it_unless_told_not_to(instructions, monkeypatch):
    """Either kind of instructions is enough; narrow encoders would lose by it."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {instructions: True})
    assert uses_bfloat16("auto", torch.device("cpu"), 128)
    assert not uses_bfloat16("auto", torch.device("cpu"), 127)
    assert not uses_bfloat16("none", torch.device("cpu"), 384)


def test_a_torch_that_does_not_tell_of_the_processor_trains_in_float32(monkeypatch):
    """An older one has no public way to ask."""
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not uses_bfloat16("auto", torch.device("cpu"), 384)


def test_a_saved_state_is_replaced_whole(prepared, tmp_path, monkeypatch):
    """A save that is cut off leaves the earlier state, and no folder where there was none."""
    configuration = _configuration(prepared, trainable="head")
    run = TrainingRun(configuration, prepared)
    run.advance()
    run.save(tmp_path / "state")
    run.advance()

    def cut_off(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(state_file, "save_file", cut_off)
        for folder in ("state", "new"):
            with pytest.raises(OSError, match="no space"):
                run.save(tmp_path / folder)
    assert TrainingRun.restore(configuration, prepared, tmp_path / "state").progress == 25
    assert not (tmp_path / "new").exists()
    run.save(tmp_path / "state")
    assert TrainingRun.restore(configuration, prepared, tmp_path / "state").progress == 50
    assert [p.name for p in (tmp_path / "state").iterdir()] == ["training.safetensors"]


def test_a_state_that_does_not_fit_is_refused(prepared, tmp_path):
    """Of another configuration, damaged, without a weight, or not there: one error that says what to do."""
    configuration = _configuration(prepared, trainable="head")
    run = TrainingRun(configuration, prepared)
    run.save(tmp_path / "state")
    with pytest.raises(GoemoError, match="another configuration or other data"):
        TrainingRun.restore(replace(configuration, seed=1), prepared, tmp_path / "state")
    file = tmp_path / "state" / "training.safetensors"
    tensors = load_file(file)
    metadata = {"state": json.dumps({"step": 0, "reported": 0, "progress": 0})}
    metadata["made_by"] = json.dumps(training_run._identity(run))
    del tensors["model/classifier.bias"]
    save_file(tensors, file, metadata)
    for damage in (lambda: None, lambda: file.write_bytes(file.read_bytes()[:99]), file.unlink):
        damage()
        with pytest.raises(GoemoError, match="start it again"):
            TrainingRun.restore(configuration, prepared, tmp_path / "state")


# --- with and without the cache ---


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_training_on_cached_features_equals_training_through_the_encoder(prepared, monkeypatch, dropout):
    """Metrics, weights and scores are those of the uncached path to 1e-5 after many steps, dropout or not."""
    configuration = _configuration(prepared, trainable="head", epochs=2, dropout=dropout)

    def trained():
        run = TrainingRun(configuration, prepared)
        reports = []
        while not run.is_finished:
            reports.append(run.advance())
        return run, reports

    cached, cached_reports = trained()
    monkeypatch.setattr(Prepared, "frozen_features", lambda *_: None)
    uncached, uncached_reports = trained()
    assert type(cached._inputs) is not type(uncached._inputs)
    for a, b in zip(cached_reports, uncached_reports, strict=True):
        assert a.metrics["train/loss"] == pytest.approx(b.metrics["train/loss"], abs=1e-5)
        assert a.metrics["val/loss"] == pytest.approx(b.metrics["val/loss"], abs=1e-5)
    for name, weight in _weights(cached).items():
        assert torch.allclose(weight, _weights(uncached)[name], atol=1e-4)
    assert np.allclose(cached.scores("test"), uncached.scores("test"), atol=1e-5)


def test_training_with_a_reduced_vocabulary_equals_training_with_the_whole(prepared, monkeypatch):
    """To 1e-5 after many steps with dropout and decay; tokens that no text has keep their rows."""
    options = {"dropout": 0.1, "weight_decay": 0.1, "learning_rate": 1e-3}
    configuration = _configuration(prepared, trainable="all", **options)

    def trained():
        run = TrainingRun(configuration, prepared)
        reports = [run.advance() for _ in range(4)]
        with run.best_model() as model:
            weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        return run, reports, weights

    cut, cut_reports, cut_weights = trained()
    monkeypatch.setattr(training_run, "reduce_vocabulary", lambda *_: None)
    whole, whole_reports, whole_weights = trained()
    name = "bert.embeddings.word_embeddings.weight"
    assert len(cut._trained[name]) < len(whole._trained[name]) - 30
    for a, b in zip(cut_reports, whole_reports, strict=True):
        assert a.metrics["train/loss"] == pytest.approx(b.metrics["train/loss"], abs=1e-5)
        assert a.metrics["val/loss"] == pytest.approx(b.metrics["val/loss"], abs=1e-5)
    assert list(cut_weights) == list(whole_weights)
    read = prepared.distinct_tokens()
    for of, weight in cut_weights.items():
        rows = torch.from_numpy(read) if of == name else slice(None)
        assert torch.allclose(weight[rows], whole_weights[of][rows], atol=1e-4), of
    unread = np.setdiff1d(np.arange(len(cut_weights[name])), read)
    pretrained = load_file(Path(prepared.checkpoint.name) / "model.safetensors")
    assert torch.equal(cut_weights[name][unread], pretrained[name.removeprefix("bert.")][unread])


def test_the_encoder_does_not_run_where_its_features_are_cached(prepared, monkeypatch):
    """Training and scoring the splits never call the encoder."""
    run = TrainingRun(_configuration(prepared, trainable="head"), prepared)
    monkeypatch.setattr(type(run._model), "forward", None)
    monkeypatch.setattr(type(run._model.base_model), "forward", None)
    while not run.is_finished:
        run.advance()
    assert run.scores("train").shape == (203, 4)


@pytest.mark.parametrize("checkpoint", ["scratch:albert-tiny", "scratch:xlnet-tiny"])
@pytest.mark.parametrize("trainable", KINDS)
def test_other_architectures_train(small_splits, cache, checkpoint, trainable):
    """An encoder with shared blocks and one that pads on the left go through every way of training."""
    prepared = prepare(small_splits, checkpoint, trainable=trainable, max_lengths=[16], cache=cache)
    configuration = _configuration(prepared, trainable=trainable, max_length=16, reports=2, epochs=1)
    reports = _reports(configuration, prepared)
    assert [r.progress for r in reports] == [50, 100]
    assert _history(_reports(configuration, prepared)) == _history(reports)


# --- failure, and the walls ---


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_a_training_that_diverges_says_so_before_any_report(prepared, trainable):
    """A NaN in the loss is an error of its own kind, and nothing is reported."""
    run = TrainingRun(_configuration(prepared, trainable=trainable), prepared)
    run._model.classifier.bias.data[0] = float("nan")
    with pytest.raises(Diverged, match=r"the loss is not a number by step \d+; try a lower learning rate"):
        run.advance()
    assert (run.progress, run.best) == (0, None)
    with pytest.raises(GoemoError, match="first report"):
        run.scores("test")


def test_a_score_that_is_no_number_is_never_reported(prepared, monkeypatch):
    """Nor when the loss was one: it may go wrong on validation first."""
    run = TrainingRun(_configuration(prepared, trainable="head"), prepared)
    monkeypatch.setattr(run._inputs, "logits", lambda _: np.full((90, 4), np.inf, dtype=np.float32))
    with pytest.raises(Diverged, match="a score is not a number"):
        run.advance()
    assert (run.progress, run.best) == (0, None)


def test_a_finished_training_does_not_advance(prepared):
    """There is nothing after the last report."""
    run = train(_configuration(prepared, trainable="head", epochs=1, reports=1), prepared)
    assert run.is_finished
    assert run.progress == 100
    with pytest.raises(GoemoError, match="finished"):
        run.advance()


def test_a_training_shorter_than_its_reports_makes_fewer(prepared):
    """One step an epoch and two epochs give two reports, not five."""
    reports = _reports(_configuration(prepared, trainable="head", batch_size=500, reports=5), prepared)
    assert [(r.progress, r.step) for r in reports] == [(50, 1), (100, 2)]


def test_threads_are_set(prepared):
    """A trial takes no more threads than it was given."""
    before = torch.get_num_threads()
    try:
        TrainingRun(_configuration(prepared, trainable="head"), prepared, threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_configuration_trains_where_no_engine_is_installed(prepared):
    """With ray, mlflow, optuna and tune barred from import, one configuration trains from prepared data."""
    code = f"""
import sys

sys.modules.update(dict.fromkeys(("ray", "mlflow", "optuna", "tune")))  # as if they were not installed
from pathlib import Path
from goemo import bundle, data, evaluation
from goemo.configuration import Configuration
from goemo.training.prepared import Prepared
from goemo.training import train
configuration = Configuration.from_dict({_configuration(prepared, trainable="head", epochs=1).to_dict()!r})
run = train(configuration, Prepared.open(Path({str(prepared.folder)!r})), device="cpu")
print(run.progress, run.best.metrics["val/macro_f1"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("100 ")
