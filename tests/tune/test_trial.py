"""One trial in its actor: what it writes down, and how it ends."""

from __future__ import annotations

import shutil

import pytest
import torch

from goemo.configuration import Configuration
from goemo.data import load_splits
from goemo.prepared import prepare
from goemo.training import Diverged, TrainingRun, train
from tune.records import SearchFolder
from tune.schedulers import OBJECTIVE, PROGRESS
from tune.trial import ENDED, TrialActor

CONFIGURATION = Configuration(
    checkpoint="scratch:albert-tiny",
    batch_size=32,
    learning_rate=1e-3,
    epochs=1,
    max_length=16,
    reports=3,
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(
        load_splits("sample:300"),
        CONFIGURATION.checkpoint,
        trainable="all",
        pooling="first",
        max_lengths=[16],
        cache=tmp_path_factory.mktemp("cache"),
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    search = SearchFolder.create("s", {})
    trial = search.trial("t001")
    trial.write_config(CONFIGURATION.to_dict(), {})
    return trial


def actor(folder, prepared, *, checkpoint_every_s=1e9, with_test=False):
    """A trial actor outside Ray: the same methods in the same order."""
    made = TrialActor.__new__(TrialActor)
    made.setup(
        {
            "folder": str(folder.path),
            "prepared": str(prepared.folder),
            "threads": 1,
            "device": "cpu",
            "gpus": 0.0,
            "checkpoint_every_s": checkpoint_every_s,
            "with_test": with_test,
        }
    )
    return made


def objectives(folder):
    return [(row["progress"], row["val/macro_f1"]) for row in folder.read().history]


@pytest.fixture(scope="module")
def undisturbed(prepared):
    """(progress, objective) of every report of a plain training."""
    reports = []
    train(CONFIGURATION, prepared, on_report=reports.append, threads=1)
    return [(report.progress, report.metrics["val/macro_f1"]) for report in reports]


def test_a_trial_reports_what_a_plain_training_gives(folder, prepared, undisturbed):
    """The actor adds nothing to the training: its reports equal the plain loop's, to the last digit."""
    trial = actor(folder, prepared)
    results = [trial.step() for _ in undisturbed]
    assert objectives(folder) == undisturbed
    assert [(r[PROGRESS], r[OBJECTIVE]) for r in results] == undisturbed
    assert [r["done"] for r in results] == [False, False, True]
    assert folder.read().scores().shape == (30, 28)
    assert (folder.path / "model" / "thresholds.json").is_file()


def test_a_trial_goes_on_from_its_checkpoint(folder, prepared, undisturbed):
    """A worker that dies after its checkpoint loses what came later and makes the same reports again."""
    first = actor(folder, prepared, checkpoint_every_s=0)
    first.step()
    shutil.copytree(folder.path / "checkpoint", folder.path / "kept")
    first.step()
    shutil.rmtree(folder.path / "checkpoint")
    (folder.path / "kept").rename(folder.path / "checkpoint")

    second = actor(folder, prepared)
    assert second.step()[PROGRESS] == undisturbed[1][0]
    assert second.step()["done"]
    assert objectives(folder) == undisturbed


def test_a_trial_without_checkpoint_starts_again(folder, prepared, undisturbed):
    """A short trial that dies is run again from the start and leaves every report once."""
    actor(folder, prepared).step()
    again = actor(folder, prepared)
    while not again.step()["done"]:
        pass
    assert objectives(folder) == undisturbed


def test_a_trial_that_had_ended_answers_from_its_record(folder, prepared, undisturbed):
    """When the driver died before it heard of the end, nothing is trained again."""
    first = actor(folder, prepared)
    while not first.step()["done"]:
        pass
    shutil.rmtree(folder.path / "model")
    answer = actor(folder, prepared).step()
    assert answer == {PROGRESS: 100, OBJECTIVE: max(o for _, o in undisturbed), "done": True}
    assert not (folder.path / "model").exists()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Diverged("the loss is NaN"), "diverged"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "out_of_memory"),
        (RuntimeError("a bug"), "failed"),
    ],
)
def test_a_trial_that_cannot_go_on_says_why(folder, prepared, monkeypatch, error, reason):
    """Whatever a training raises ends the trial with its reason and without an objective."""

    def advance(self):
        raise error

    monkeypatch.setattr(TrainingRun, "advance", advance)
    result = actor(folder, prepared).step()
    assert result["done"]
    assert OBJECTIVE not in result
    assert result[ENDED].stop_reason == reason
    assert str(error).split(".", maxsplit=1)[0] in result[ENDED].message
    assert ("Traceback" in result[ENDED].details) == (reason == "failed")


def test_a_broken_start_is_a_failed_trial(folder, prepared):
    """A trial whose shared data is gone ends as failed instead of killing its worker."""
    trial = actor(folder, prepared)
    trial.task["prepared"] = str(prepared.folder / "missing")
    assert trial.step()[ENDED].stop_reason == "failed"


def test_an_actor_runs_one_trial_after_the_other(folder, prepared, undisturbed, monkeypatch):
    """A reused actor gives the second trial what a fresh one would."""
    search = SearchFolder.open("s")
    other = search.trial("t002")
    other.write_config({**CONFIGURATION.to_dict(), "learning_rate": 3e-4}, {})
    trial = actor(other, prepared)
    trial.step()
    trial.reset_config({**trial.task, "folder": str(folder.path)})
    while not trial.step()["done"]:
        pass
    assert objectives(folder) == undisturbed


def test_a_trial_behind_the_leaders_keeps_no_weights(folder, prepared):
    """Weights of losers would fill the disk."""
    SearchFolder.open("s").write_leaders({"t009": 1.0}, keep=1)
    trial = actor(folder, prepared)
    while not trial.step()["done"]:
        pass
    assert not (folder.path / "model").exists()


def test_test_scores_are_left_when_every_trial_is_tested(folder, prepared):
    """`objective.test: every_trial` keeps the scores of the test split; without it nobody opens it."""
    trial = actor(folder, prepared, with_test=True)
    while not trial.step()["done"]:
        assert not (folder.path / "test_scores.npz").exists()
    assert (folder.path / "test_scores.npz").is_file()
