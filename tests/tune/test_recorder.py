"""What the driver makes of the trials' reports, without Ray."""

from __future__ import annotations

import io
import logging
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from tune.engine.recorder import Recorder
from tune.engine.schedulers import OBJECTIVE, PROGRESS
from tune.engine.trial_actor import ENDED
from tune.live.progress import Best, ProgressView, SearchState
from tune.records import Outcome, SearchFolder, TrialFolder, leaders_beaten_by
from tune.spec import ConfirmSpec, load_spec

CONFIG = {"metric": "macro_f1", "thresholds": "exact"}


class Told:
    """Suggestions that only remember what they were told."""

    def __init__(self):
        self.calls = []

    def tell(self, trial_id, objective, stop_reason, *, progress):
        self.calls.append((trial_id, objective, stop_reason, progress))


class Bench:
    """A recorder on a search in a temporary folder, and the trials it hears of."""

    def __init__(self, keep_models=1):
        self.search = SearchFolder.create("s", {})
        self.spec = replace(load_spec("quickstart"), keep_models=keep_models)
        self.start()

    def start(self):
        """As a new process would."""
        self.told, self.noticed = Told(), []
        console = Console(file=io.StringIO(), width=200)
        self.view = ProgressView(SearchState("s", total=5, objective="macro_f1"), console)
        self.recorder = Recorder(self.spec, self.search, self.told, self.view, self.noticed.append)

    def report(self, trial_id, progress, objective, done=False, batch_size=16):
        """One report of a trial, as worker, Ray and driver see it; the worker keeps a model."""
        folder = self.search.trial(trial_id)
        trial = SimpleNamespace(config={"folder": str(folder.path)}, error_file=None)
        if not (folder.path / "config.json").is_file():
            folder.write_config(CONFIG, {"batch_size": batch_size})
        if trial_id not in self.view.state.running:
            self.recorder.on_trial_start(trial)
        (folder.path / "model").mkdir(exist_ok=True)
        row = {"progress": progress, "time": 1.0, "seconds": 1.0, "val/macro_f1": objective}
        folder.write_report(row, None)
        trial.last_result = {PROGRESS: progress, OBJECTIVE: objective, "done": done}
        self.recorder.on_trial_result(trial, trial.last_result)
        return trial

    def end(self, trial, **result):
        trial.last_result = {**trial.last_result, **result}
        self.recorder.on_trial_complete(trial)

    def models(self):
        return sorted(path.parent.name for path in self.search.path.glob("trials/*/model"))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))


def test_how_a_trial_ended_is_told_from_its_last_result(runs):
    """At 100 % it completed; cut before, it was stopped early; else it says itself."""
    bench = Bench()
    bench.end(bench.report("t001", 100, 0.3))
    bench.end(bench.report("t002", 20, 0.1))
    bench.end(bench.report("t003", 40, 0.2), **{ENDED: Outcome("diverged", "the loss is NaN")})
    reasons = {r.trial_id: r.outcome.stop_reason for r in bench.search.snapshot().trials}
    assert reasons == {"t001": "completed", "t002": "stopped_early", "t003": "diverged"}
    assert bench.told.calls == [
        ("t001", 0.3, "completed", 100),
        ("t002", 0.1, "stopped_early", 20),
        ("t003", 0.2, "diverged", 40),
    ]
    assert bench.noticed[-1] == "t003"


def test_the_weights_of_the_first_row_are_kept(runs):
    """Of equal trials the leaderboard puts the smaller id first, and its weights stay."""
    bench = Bench()
    bench.end(bench.report("t002", 100, 0.5))
    bench.end(bench.report("t001", 100, 0.5))
    bench.end(bench.report("t003", 100, 0.4))
    assert bench.models() == ["t001"]


def test_a_leader_that_fails_gives_its_place_away(runs):
    """A trial that diverges after a good report stands in nobody's way."""
    bench = Bench()
    leader = bench.report("t001", 60, 0.9)
    bench.end(bench.report("t002", 100, 0.4))
    assert bench.view.state.best.trial_id == "t001"
    bench.end(leader, **{ENDED: Outcome("diverged", "the loss is NaN")})
    assert bench.models() == ["t002"]
    assert bench.view.state.best.trial_id == "t002"


def test_a_running_trial_keeps_its_weights_until_it_has_ended(runs):
    """Only trials that have ended are compared: whoever runs may still become the best, or fail."""
    bench = Bench()
    running = bench.report("t001", 20, 0.1)
    bench.end(bench.report("t002", 100, 0.4))
    assert bench.models() == ["t001", "t002"]
    bench.end(running)
    assert bench.models() == ["t002"]


def test_no_models_are_kept_when_none_are_wanted(runs):
    """`keep_models: 0` leaves no weights behind."""
    bench = Bench(keep_models=0)
    bench.end(bench.report("t001", 100, 0.5))
    assert bench.models() == []


def test_a_new_process_knows_the_leaders(runs):
    """After a resume, a trial that is worse than one that had ended does not take its place."""
    bench = Bench()
    bench.end(bench.report("t001", 100, 0.5))
    bench.start()
    bench.end(bench.report("t002", 100, 0.4))
    assert bench.models() == ["t001"]
    assert bench.view.state.best == Best("t001", "bs16", 0.5)


def test_a_trial_that_goes_on_counts_from_where_it_was(runs):
    """What an earlier process trained of it is no work of this one."""
    bench = Bench()
    bench.report("t001", 40, 0.5)
    bench.start()
    bench.report("t001", 60, 0.6)
    assert bench.view.state.running["t001"].begun_at == 40
    assert bench.view.state.trained == 20


def test_a_trial_ends_once(runs):
    """When Ray runs a trial again after it had ended, its record stays as it was."""
    bench = Bench()
    trial = bench.report("t001", 20, 0.5)
    bench.end(trial)
    bench.end(trial, **{PROGRESS: 100})
    assert bench.search.trial("t001").read().outcome.stop_reason == "stopped_early"
    assert len(bench.told.calls) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ray.exceptions.ActorDiedError: killed", "failed"),
        ("ray.exceptions.OutOfMemoryError: node", "out_of_memory"),
    ],
)
def test_a_lost_worker_leaves_rays_last_words(runs, tmp_path, text, reason):
    """A trial whose worker died too often says so, with what Ray knows of it."""
    bench = Bench()
    trial = bench.report("t001", 20, 0.5)
    trial.error_file = str(tmp_path / "error.txt")
    (tmp_path / "error.txt").write_text(text)
    bench.recorder.on_trial_error(trial)
    outcome = bench.search.trial("t001").read().outcome
    assert outcome.stop_reason == reason
    assert outcome.details == text
    assert "its worker died" in outcome.message


def test_a_trial_that_runs_takes_the_lead_back_when_the_best_fails(runs):
    """The view then shows the best of those that are left, running ones too."""
    bench = Bench()
    leader = bench.report("t001", 60, 0.9)
    bench.report("t002", 60, 0.5)
    bench.end(bench.report("t003", 100, 0.4))
    bench.end(leader, **{ENDED: Outcome("diverged", "the loss is NaN")})
    assert bench.view.state.best == Best("t002", "bs16", 0.5)


def test_the_work_for_a_trial_does_not_grow_with_those_before_it(runs, monkeypatch):
    """The hundredth trial costs as many reads of records, writes and deletions as the tenth."""
    calls = []

    def counted(owner, name):
        original = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *given, **named: calls.append(name) or original(*given, **named)
        )

    for owner, name in [
        (TrialFolder, "read"),
        (TrialFolder, "write_outcome"),
        (SearchFolder, "snapshot"),
        (SearchFolder, "write_leaders"),
        (shutil, "rmtree"),
    ]:
        counted(owner, name)
    bench = Bench(keep_models=2)
    costs = []
    for n in range(1, 101):
        calls.clear()
        bench.end(bench.report(f"t{n:03d}", 100, 0.5 - n / 1000))
        costs.append(sorted(calls))
    assert costs[9] == costs[99]
    assert bench.models() == ["t001", "t002"]
    failing = bench.report("t101", 60, 0.9)
    calls.clear()
    bench.end(failing, **{ENDED: Outcome("diverged", "the loss is NaN")})
    assert len(calls) <= len(costs[9]) + 1  # whoever is shown instead is read once
    assert bench.view.state.best.trial_id == "t001"


def test_what_a_trial_does_stands_in_the_log(runs, caplog, tmp_path):
    """Its start, its reports, a lost worker with the last words, its end with a traceback."""
    caplog.set_level(logging.INFO, logger="tune")
    bench = Bench()
    trial = bench.report("t001", 20, 0.25)
    trial.num_failures = 1
    trial.error_file = str(tmp_path / "error.txt")
    (tmp_path / "error.txt").write_text("Failure # 1 (at noon)\nthe first\nFailure # 2 (at one)\nSIGKILL\n")
    bench.recorder.on_trial_recover(trial)
    assert "t001" not in bench.view.state.running
    bench.recorder.on_trial_start(trial)
    bench.end(trial, **{ENDED: Outcome("failed", "a bug", "Traceback: line 1")})
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "t001 starts: bs16"
    assert said[1].startswith("t001 at 20 %")
    assert said[1].endswith("macro_f1 0.2500")
    assert said[2] == "t001  lost its worker (1 of 3 times allowed) and restarts"
    assert said[3] == "t001: last output of its worker: Failure # 2 (at one)\nSIGKILL"
    assert said[4] == "t001 starts, again from 20 %: bs16"
    assert said[5] == "t001  bs16  macro_f1 0.2500  FAILED: a bug"
    assert said[6] == "t001: Traceback: line 1"


def test_weights_of_those_that_may_be_confirmed_are_kept(runs):
    """Of the trials that were trained to their end as many as will be confirmed, and the best of all.

    While there is a place left, any trial may keep its weights; then it has to beat the last of them.
    """
    bench = Bench()
    bench.spec = replace(bench.spec, confirm=ConfirmSpec(top=2, seeds=3))
    bench.start()
    bench.end(bench.report("t001", 20, 0.9))  # stopped early, and yet the best
    bench.end(bench.report("t002", 100, 0.3))
    assert leaders_beaten_by(bench.search.trial("t003"), 0.1)
    bench.end(bench.report("t003", 100, 0.2, batch_size=32))
    assert bench.models() == ["t001", "t002", "t003"]
    assert not leaders_beaten_by(bench.search.trial("t004"), 0.1)
    bench.end(bench.report("t004", 100, 0.4, batch_size=64))
    assert bench.models() == ["t001", "t002", "t004"]
    bench.start()  # as another process would
    assert bench.models() == ["t001", "t002", "t004"]


def test_a_configuration_that_was_drawn_again_keeps_nobody_elses_weights_away(runs):
    """It is confirmed once, so that two other configurations need their weights."""
    bench = Bench()
    bench.spec = replace(bench.spec, confirm=ConfirmSpec(top=2, seeds=3))
    bench.start()
    bench.end(bench.report("t001", 100, 0.5))
    bench.end(bench.report("t002", 100, 0.5))
    assert bench.models() == ["t001"]
    assert leaders_beaten_by(bench.search.trial("t003"), 0.1)
    bench.end(bench.report("t003", 100, 0.2, batch_size=32))
    assert bench.models() == ["t001", "t003"]


def test_a_confirmation_ends_without_taking_a_place(runs):
    """However good, it is neither the best that is shown nor keeps its weights; it counts as ended."""
    bench = Bench()
    bench.end(bench.report("t001", 100, 0.3))
    bench.search.trial("t001-s43").write_config(CONFIG, {"batch_size": 16, "seed": 43}, confirms="t001")
    bench.end(bench.report("t001-s43", 100, 0.9))
    assert bench.view.state.best.trial_id == "t001"
    assert bench.models() == ["t001"]
    assert bench.told.calls[-1] == ("t001-s43", 0.9, "completed", 100)
    bench.start()
    assert bench.view.state.best.trial_id == "t001"
    assert bench.view.state.ended == {"t001": "completed", "t001-s43": "completed"}
