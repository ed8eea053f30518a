"""The final model: trained on train and validation together, to a progress that was chosen before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from goemo import bundle, evaluation
from goemo.configuration import Configuration
from goemo.data import Split
from goemo.errors import GoemoError
from goemo.thresholds import fit_thresholds
from goemo.training import Diverged, TrainingRun, train
from goemo.training.prepared import prepare

LENGTHS = [16, 24]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Return a cache of these tests alone: a training that finds the states of others' equals to rounding."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def prepared(small_splits, tiny_bert, cache):
    return prepare(small_splits, tiny_bert, trainable="head", max_lengths=LENGTHS, cache=cache)


@pytest.fixture(scope="module")
def long_train(small_splits, tiny_bert, cache):
    """The same data from a source whose train holds both parts, one after the other."""
    train_rows, validation = small_splits.train, small_splits.validation
    both = Split(
        "train",
        [*train_rows.texts, *validation.texts],
        np.concatenate([train_rows.targets, validation.targets]),
        [*train_rows.ids, *validation.ids],
        digest="both",
    )
    return prepare(
        replace(small_splits, train=both), tiny_bert, trainable="head", max_lengths=LENGTHS, cache=cache
    )


def _configuration(prepared, **changes):
    defaults = {"learning_rate": 3e-3, "epochs": 2, "max_length": 24, "batch_size": 16, "reports": 4}
    return Configuration(checkpoint=prepared.checkpoint.name, **defaults | changes)


def _weights(run):
    return {name: p.detach().clone() for name, p in run._trained.items()}


@pytest.mark.parametrize("trainable", ["all", "last_layer"])
@pytest.mark.parametrize("report", [1, 3, 4])
def test_training_on_joined_splits_is_training_on_one_file_with_both(prepared, long_train, trainable, report):
    """To the last bit on the CPU, at any report, however often the other training looked at validation."""
    configuration = _configuration(prepared, trainable=trainable)
    oracle = TrainingRun(configuration, long_train)
    for _ in range(report):
        measured = oracle.advance()
    run = TrainingRun(configuration, prepared.joined())
    ended = run.train_to(measured.progress)
    assert (ended.progress, ended.step) == (measured.progress, measured.step)
    expected = _weights(oracle)
    assert all(torch.equal(weight, expected[name]) for name, weight in _weights(run).items())
    texts = ["what a wonderful day", "the dog was so sad"]
    oracle.best = measured  # its weights now, whichever of its reports was best
    oracle._best_weights = expected
    assert np.array_equal(run.scores(texts), oracle.scores(texts))
    assert np.array_equal(run.scores("test"), oracle.scores("test"))


def test_a_head_on_frozen_features_is_trained_on_the_joined_rows(prepared, long_train):
    """The cached features of both splits stand where one source with both would have them."""
    for max_length in LENGTHS:
        joined = prepared.joined().frozen_features("first", max_length)
        oracle = long_train.frozen_features("first", max_length)
        for split in ("train", "test"):
            ours = joined.features[joined.rows_for(split, max_length)]
            assert ours == pytest.approx(
                oracle.features[oracle.rows_for(split, max_length)], rel=1e-4, abs=1e-5
            )
    configuration = _configuration(prepared, trainable="head")
    runs = [TrainingRun(configuration, data) for data in (prepared.joined(), long_train)]
    for run in runs:
        run.train_to(100)
    assert runs[0].scores("test") == pytest.approx(runs[1].scores("test"), abs=1e-4)


def test_joined_data_is_both_splits_in_order_and_has_no_validation(prepared, long_train):
    """Tokens and targets are those of one file with both; what is left out cannot be looked at."""
    joined = prepared.joined()
    assert np.array_equal(joined.targets["train"], long_train.targets["train"])
    ours, theirs = joined.tokens["train"], long_train.tokens["train"]
    assert np.array_equal(ours.ids, theirs.ids)
    assert np.array_equal(ours.offsets, theirs.offsets)
    assert set(joined.tokens) == set(joined.targets) == {"train", "test"}
    assert joined.data["examples"] == {"train": 203 + 90, "test": 70}
    assert joined.data["trained_on"] == "train+validation"
    assert joined.data["digest"] != prepared.data["digest"]
    assert joined.joined() is joined
    run = TrainingRun(_configuration(prepared), joined)
    with pytest.raises(KeyError, match="validation"):
        run.advance()
    run = TrainingRun(_configuration(prepared), joined)
    run.train_to(50)
    with pytest.raises(ValueError, match="split must be one of train, test"):
        run.scores("validation")


def test_an_unmeasured_training_ends_where_it_was_told_to(prepared):
    """It is finished, knows its progress, tells every step of its own, and cannot begin twice."""
    steps = []
    run = TrainingRun(_configuration(prepared), prepared.joined())
    report = run.train_to(50, lambda done, of: steps.append((done, of)))
    assert run.is_finished
    assert (run.progress, report.progress, report.step) == (50, 50, run.total_steps // 2)
    assert steps == [(step, report.step) for step in range(1, report.step + 1)]
    assert set(report.metrics) == {"train/loss", "train/samples_per_second", "train/peak_memory_gb"}
    for again in (run.advance, lambda: run.train_to(75)):
        with pytest.raises(GoemoError):
            again()
    with pytest.raises(ValueError, match="from 1 to 100"):
        TrainingRun(_configuration(prepared), prepared).train_to(0)


@pytest.mark.parametrize("progress", [1, 37, 99])
def test_a_progress_between_reports_is_the_nearest_step(prepared, progress):
    """Where the joined data has other reports than the chosen one, the share of the training decides."""
    run = TrainingRun(_configuration(prepared, epochs=1), prepared.joined())
    report = run.train_to(progress)
    assert report.step == max(1, round(progress * run.total_steps / 100))


def test_a_final_training_that_diverges_says_so(prepared):
    """Without a look at validation, the loss and the weights tell."""
    run = TrainingRun(_configuration(prepared, learning_rate=1_000.0, trainable="all"), prepared.joined())
    with pytest.raises(Diverged):
        run.train_to(100)


def test_progress_is_told_after_every_step(prepared):
    """A training that measures tells the steps done of all its steps."""
    told = []
    run = train(_configuration(prepared), prepared, on_progress=lambda done, of: told.append((done, of)))
    assert told == [(step, run.total_steps) for step in range(1, run.total_steps + 1)]


def test_a_final_model_is_saved_as_any_other(prepared, tmp_path):
    """The bundle of an unmeasured training loads, and gives the training's own scores."""
    run = TrainingRun(_configuration(prepared), prepared.joined())
    run.train_to(75)
    thresholds = fit_thresholds(run.scores("train"), run.prepared.targets["train"])
    results = evaluation.results(prepared.labels, thresholds, run.scores("test"), prepared.targets["test"])
    bundle.save(run, tmp_path / "model", thresholds=thresholds, provenance={}, results=results)
    loaded = bundle.load(tmp_path / "model")
    assert loaded.provenance["data"]["trained_on"] == "train+validation"
    texts = ["what a wonderful day", "the dog was so sad"]
    assert loaded.scores(texts) == pytest.approx(run.scores(texts), abs=1e-6)
