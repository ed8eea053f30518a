"""ASHA on progress, and its memory after a crash."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune.records import Outcome, SearchFolder
from tune.schedulers import OBJECTIVE, PROGRESS, build_scheduler
from tune.spec import SchedulerSpec, load_spec

CONFIG = {"metric": "macro_f1"}


@pytest.fixture
def search(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    return SearchFolder.create("s", {})


def spec(**scheduler):
    return replace(load_spec("quickstart"), scheduler=SchedulerSpec(**scheduler))


def decide(scheduler, trial_id, progress, objective):
    trial = SimpleNamespace(trial_id=trial_id)
    scheduler.on_trial_add(None, trial)
    return scheduler.on_trial_result(None, trial, {PROGRESS: progress, OBJECTIVE: objective})


def record(search, trial_id, objectives, reason):
    folder = search.trial(trial_id)
    folder.write_config(CONFIG, {})
    for i, objective in enumerate(objectives):
        row = {"progress": 20 * (i + 1), "time": float(i), "seconds": 1.0, "val/macro_f1": objective}
        folder.write_report(row, None)
    if reason is not None:
        folder.write_outcome(Outcome(reason))


def test_none_stops_nobody():
    """`scheduler: none` is first in, first out."""
    assert isinstance(build_scheduler(spec(algorithm="none")), FIFOScheduler)


def test_losers_are_stopped_at_a_rung_and_winners_are_not():
    """At 20 % of its own training a trial below the best third of those before it is stopped."""
    scheduler = build_scheduler(spec(algorithm="asha"))
    for trial_id, objective in [("t001", 0.3), ("t002", 0.5), ("t003", 0.4)]:
        decide(scheduler, trial_id, 20, objective)
    assert decide(scheduler, "t004", 20, 0.1) == TrialScheduler.STOP
    assert decide(scheduler, "t005", 20, 0.9) == TrialScheduler.CONTINUE
    assert decide(scheduler, "t006", 19, 0.0) == TrialScheduler.CONTINUE


def test_rungs_are_filled_again_from_the_records(search):
    """A resumed search stops whom the undisturbed one would have stopped."""
    for trial_id, objectives, reason in [
        ("t001", [0.3, 0.31], "completed"),
        ("t002", [0.5, 0.51], "completed"),
        ("t003", [0.4], "stopped_early"),
    ]:
        record(search, trial_id, objectives, reason)
    scheduler = build_scheduler(spec(algorithm="asha"), search.records())
    assert decide(scheduler, "t004", 20, 0.35) == TrialScheduler.STOP
    fresh = build_scheduler(spec(algorithm="asha"))
    assert decide(fresh, "t004", 20, 0.35) == TrialScheduler.CONTINUE


def test_what_will_be_reported_again_fills_no_rung(search):
    """A trial that has not ended makes its reports again; nobody is cut by them twice."""
    record(search, "t002", [0.9], None)
    scheduler = build_scheduler(spec(algorithm="asha"), search.records())
    assert decide(scheduler, "t003", 20, 0.1) == TrialScheduler.CONTINUE
