"""One trial in its actor: what it writes down, and how it ends."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from goemo.configuration import Configuration
from goemo.configuration.thresholds import threshold_options
from goemo.data import load_splits
from goemo.thresholds import cross_fitted_predictions
from goemo.training import Diverged, TrainingRun, train
from goemo.training.prepared import prepare
from tune.engine import trial_actor as trials
from tune.engine.schedulers import OBJECTIVE, PROGRESS
from tune.engine.trial_actor import ENDED, LEFT, TrialActor
from tune.records import Outcome, SearchFolder, TrialFolder
from tune.stopping.stop_sign import StopSign, take_down

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


def actor(folder, prepared, *, checkpoint_every_s=1e9, timeout_s=None, **tasks):
    """A trial actor outside Ray: the same methods in the same order."""
    made = TrialActor.__new__(TrialActor)
    made.setup(
        {
            "folder": str(folder.path),
            "prepared": {CONFIGURATION.checkpoint: str(prepared.folder)},
            "here": str(Path.cwd()),
            "threads": 1,
            "device": "cpu",
            "gpus": 0.0,
            "checkpoint_every_s": checkpoint_every_s,
            "timeout_s": timeout_s,
            "with_test": False,
            "with_predictions": False,
            **tasks,
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

    def advance(self, on_progress):
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
    trial.task["prepared"] = {CONFIGURATION.checkpoint: str(prepared.folder / "missing")}
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


@pytest.fixture
def looks_always(monkeypatch):
    """Trials look after every step whether to leave the training."""
    monkeypatch.setattr(trials, "LOOK_EVERY_S", 0.0)


def stop_after(monkeypatch, step, do):
    """Have something done after a step of the training, before the trial looks."""
    look = TrialActor._look

    def do_and_look(self, done, total):
        if done == step:
            do()
        look(self, done, total)

    monkeypatch.setattr(TrialActor, "_look", do_and_look)


def test_a_trial_takes_checkpoints_between_its_reports(
    folder, prepared, undisturbed, monkeypatch, looks_always
):
    """By time: one that dies after a checkpoint goes on from there, and gives the same reports."""
    kept = folder.path / "kept"
    stop_after(monkeypatch, 5, lambda: shutil.copytree(folder.path / "checkpoint", kept))
    first = actor(folder, prepared, checkpoint_every_s=0)
    while not first.step()["done"]:
        pass
    shutil.rmtree(folder.path / "checkpoint")
    kept.rename(folder.path / "checkpoint")
    begun = []
    begin = TrialActor._begin
    monkeypatch.setattr(
        TrialActor, "_begin", lambda self, record: begun.append(begin(self, record)) or begun[0]
    )
    folder.truncate_history(undisturbed[1][0])
    second = actor(folder, prepared)
    second.step()
    assert begun[0].unreported_seconds == 0
    assert begun[0].progress == undisturbed[1][0]
    while not second.step()["done"]:
        pass
    assert objectives(folder) == undisturbed


def test_at_the_end_of_a_budget_a_trial_reports_what_it_has(folder, prepared, monkeypatch, looks_always):
    """Between two reports it makes one at its whole per cent, and ends with it as stopped early."""
    stop_after(monkeypatch, 2, lambda: StopSign("report", "the time is over").put_up(search_of(folder)))
    result = actor(folder, prepared).step()
    steps = TrainingRun(CONFIGURATION, prepared).total_steps
    assert result[PROGRESS] == 100 * 2 // steps
    assert result["done"]
    assert (result[ENDED].stop_reason, result[ENDED].message) == ("stopped_early", "the time is over")
    record = folder.read()
    assert [row["progress"] for row in record.history] == [result[PROGRESS]]
    assert record.objective == result[OBJECTIVE]
    assert record.scores().shape == (30, 28)


def test_after_a_budget_no_trial_begins(folder, prepared):
    """One that has not begun is left for a resume; one that has just reported ends with that report."""
    sign = StopSign("report", "the time is over")
    sign.put_up(search_of(folder))
    result = actor(folder, prepared).step()
    assert result["done"]
    assert result[LEFT] == ""
    assert not folder.read().history
    take_down(search_of(folder))
    trial = actor(folder, prepared)
    first = trial.step()
    sign.put_up(search_of(folder))
    result = trial.step()
    assert result[ENDED].stop_reason == "stopped_early"
    assert len(folder.read().history) == 1
    assert result[OBJECTIVE] == first[OBJECTIVE]


def test_an_interrupted_trial_goes_on_where_it_was(folder, prepared, undisturbed, monkeypatch, looks_always):
    """It saves a checkpoint between two reports; what comes of it is what an undisturbed one gives."""
    with monkeypatch.context() as patch:
        stop_after(patch, 5, lambda: StopSign("save", "interrupted").put_up(search_of(folder)))
        trial = actor(folder, prepared)
        results = [trial.step()]
        while not results[-1]["done"]:
            results.append(trial.step())
    assert results[-1][LEFT] == ""
    assert ENDED not in results[-1]
    take_down(search_of(folder))
    again = actor(folder, prepared)
    while not again.step()["done"]:
        pass
    assert objectives(folder) == undisturbed
    seconds = [row["seconds"] for row in folder.read().history]
    assert seconds == sorted(seconds)


def test_a_trial_that_ray_ends_after_its_report_saves_what_it_takes_to_go_on(folder, prepared, undisturbed):
    """An interrupt while it reports finds it between two steps: Ray asks for no other and stops its actor."""
    trial = actor(folder, prepared)
    trial.step()
    StopSign("save", "interrupted").put_up(search_of(folder))
    trial.cleanup()
    take_down(search_of(folder))
    first, *_ = folder.read().history
    again = actor(folder, prepared)
    while not again.step()["done"]:
        pass
    assert folder.read().history[0] == first
    assert objectives(folder) == undisturbed


def test_an_actor_that_ray_ends_leaves_no_checkpoint_behind_unasked(folder, prepared):
    """Nor for a trial that has ended."""
    trial = actor(folder, prepared)
    trial.step()
    trial.cleanup()
    assert not (folder.path / "checkpoint").exists()
    trial = actor(folder, prepared)
    trial.step()
    folder.write_outcome(Outcome("stopped_early"))
    StopSign("save", "interrupted").put_up(search_of(folder))
    trial.cleanup()
    assert not (folder.path / "checkpoint").exists()


def test_a_trial_that_takes_too_long_fails_with_its_stack(folder, prepared, looks_always):
    """Between two steps it ends by itself; the worker lives on for the next trial."""
    result = actor(folder, prepared, timeout_s=1e-9).step()
    assert result[ENDED].stop_reason == "failed"
    assert result[ENDED].message.startswith("still running after 0 s; --trial-timeout")
    assert "_look" in result[ENDED].details
    assert not (folder.path / "hang.txt").exists()


def test_the_time_of_a_trial_is_that_of_the_reports_it_keeps(folder, prepared, looks_always):
    """What earlier processes have reported counts; what they have lost does not."""
    actor(folder, prepared, checkpoint_every_s=0).step()
    rows = folder.read().history
    folder.write_report({**rows[0], "seconds": 1000.0}, None)
    assert actor(folder, prepared, timeout_s=900.0).step()[ENDED].stop_reason == "failed"
    assert ENDED not in actor(folder, prepared, timeout_s=1900.0).step()


def test_a_trial_whose_process_hung_is_not_run_again(folder, prepared):
    """The process that was ended has left its stack, which the next one hands on."""
    (folder.path / "hang.txt").write_text("Thread 1 (most recent call first):\n  in step")
    result = actor(folder, prepared, timeout_s=1800.0).step()
    assert result[ENDED].stop_reason == "failed"
    assert result[ENDED].message.startswith("still running after 30 min")
    assert "most recent call first" in result[ENDED].details


def test_a_full_disk_does_not_end_a_trial(folder, prepared, monkeypatch):
    """It is left as it was, with a line for the user: the search stops, and goes on once there is room."""

    def write(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TrialFolder, "write_report", write)
    result = actor(folder, prepared).step()
    assert result["done"]
    assert ENDED not in result
    assert "is full" in result[LEFT]
    assert "goemo resume s" in result[LEFT]


def test_gpu_seconds_are_the_share_of_a_gpu_times_the_seconds(folder, prepared):
    """They are in the records, so that a budget holds over several commands."""
    trial = actor(folder, prepared)
    trial.task["gpus"] = 0.25
    while not trial.step()["done"]:
        pass
    record = folder.read()
    assert record.gpu_seconds == pytest.approx(0.25 * record.seconds)
    assert record.gpu_seconds > 0


def search_of(folder):
    return folder.path.parent.parent


def test_test_scores_are_left_when_every_trial_is_tested(folder, prepared):
    """`objective.test: every_trial` keeps the scores of the test split; without it nobody opens it."""
    trial = actor(folder, prepared, with_test=True)
    while not trial.step()["done"]:
        assert not (folder.path / "test_scores.npz").exists()
    assert (folder.path / "test_scores.npz").is_file()


def test_predictions_are_kept_from_the_middle_on(folder, prepared):
    """Of each report before the last, for who is compared with the trial there; they are the report's own."""
    reports = []
    train(CONFIGURATION, prepared, on_report=reports.append, threads=1)
    trial = actor(folder, prepared, with_predictions=True)
    while not trial.step()["done"]:
        pass
    late = [report for report in reports if 50 <= report.progress < 100]
    kept = sorted(path.name for path in folder.path.glob("predictions-*"))
    assert kept == [f"predictions-{report.progress:03}.npy" for report in late] != []
    for report in late:
        shape = report.scores.shape
        assert np.array_equal(folder.predictions(report.progress, shape), report.predictions)
        expected = cross_fitted_predictions(
            report.scores.astype(np.float32),
            np.asarray(prepared.targets["validation"]),
            **threshold_options(CONFIGURATION.thresholds),
        )
        assert np.array_equal(report.predictions, expected)
