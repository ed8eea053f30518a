"""What stands between Ray and the records: which trials are handed out, and what counts as their end."""

from __future__ import annotations

import errno
import io
import os
import pickle
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from goemo.errors import GoemoError
from tune.engine.cluster import servers
from tune.engine.cluster.servers import RayDiedError, ServerWatch
from tune.engine.recorder import LOST_WORKERS
from tune.engine.trial_actor import LEFT
from tune.engine.tuner import Listener, SecretsFilter, StopWatcher, _TrialSupply
from tune.live.progress import ProgressView, SearchState
from tune.records import SearchFolder
from tune.space import suggestions
from tune.spec import load_spec
from tune.stopping.budget import Budget, BudgetUse
from tune.stopping.stop_request import StopRequest
from tune.stopping.stop_sign import stop_sign


@pytest.fixture
def search(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    return SearchFolder.create("s", {})


@pytest.fixture
def view():
    return ProgressView(
        SearchState("s", total=12, objective="macro_f1"), Console(file=io.StringIO(), width=200)
    )


class Recorded:
    """Stands for the recorder; remembers what it was told, or raises."""

    def __init__(self, view, error=None):
        self.view, self.error, self.told = view, error, []

    def __getattr__(self, name):
        def hear(trial, *_):
            if self.error is not None:
                raise self.error
            self.told.append((name, trial.config["folder"].rpartition("/")[2]))

        return hear


def trial_of(search, trial_id, *, failures=0, **result):
    folder = str(search.trial(trial_id).path)
    return SimpleNamespace(config={"folder": folder}, num_failures=failures, last_result=result)


def test_a_trial_that_has_only_stopped_is_not_recorded_as_ended(search, view):
    """It goes on with the next command; one that has ended is handed on."""
    stop_request, recorder = StopRequest(search.path), Recorded(view)
    listener = Listener(recorder, stop_request)
    view.state.running["t001"] = SimpleNamespace()
    listener.on_trial_complete(trial_of(search, "t001", **{LEFT: ""}))
    listener.on_trial_complete(trial_of(search, "t002"))
    assert recorder.told == [("on_trial_complete", "t002")]
    assert not view.state.running
    assert stop_request.kind is None


def test_a_trial_that_left_because_of_a_full_disk_stops_the_search(search, view):
    """Its words are those of the error that the command ends with."""
    stop_request = StopRequest(search.path)
    Listener(Recorded(view), stop_request).on_trial_complete(trial_of(search, "t001", **{LEFT: "it is full"}))
    assert stop_request.kind == "error"
    assert isinstance(stop_request.error, GoemoError)
    assert str(stop_request.error) == "it is full"


def test_a_trial_that_ray_gives_up_too_early_is_run_again(search, view):
    """A worker that dies between two trials counts twice for Ray; only one death too many is a failure."""
    recorder = Recorded(view)
    listener = Listener(recorder, StopRequest(search.path))
    listener.on_trial_error(trial_of(search, "t001", failures=2))
    listener.on_trial_error(trial_of(search, "t002", failures=LOST_WORKERS + 1))
    assert list(listener.again) == ["t001"]
    assert recorder.told == [("on_trial_error", "t002")]


def test_a_trial_that_gets_on_may_lose_any_number_of_workers(search, view):
    """As long as there is a new checkpoint in between; the next round counts from that one."""
    checkpoint = search.trial("t001").path / "checkpoint"
    recorder, lost = Recorded(view), trial_of(search, "t001", failures=LOST_WORKERS + 1)
    for saved in (5, 7):
        listener = Listener(recorder, StopRequest(search.path))
        listener.on_trial_start(lost)
        checkpoint.mkdir(parents=True, exist_ok=True)
        os.utime(checkpoint, ns=(saved, saved))
        listener.on_trial_start(lost)
        listener.on_trial_error(lost)
        assert list(listener.again) == ["t001"]
    listener = Listener(recorder, StopRequest(search.path))
    listener.on_trial_start(lost)
    listener.on_trial_error(lost)
    assert not listener.again
    assert [name for name, _ in recorder.told if name != "on_trial_start"] == ["on_trial_error"]


@pytest.mark.parametrize(
    "hook", ["on_trial_start", "on_trial_result", "on_trial_recover", "on_trial_complete", "on_trial_error"]
)
def test_what_fails_in_the_records_stops_the_search_and_no_trial(search, view, hook):
    """Ray would take an error in a callback for a failure of the trial."""
    full = OSError(errno.ENOSPC, "No space left on device")
    stop_request = StopRequest(search.path)
    listener = Listener(Recorded(view, full), stop_request)
    result = [{}] if hook == "on_trial_result" else []
    getattr(listener, hook)(trial_of(search, "t001", failures=9), *result)
    assert stop_request.error is full
    assert stop_sign(search.path).how == "save"


def test_rays_snapshots_hold_nothing_of_ours(search, view):
    """The recorder holds threads and open files; a callback in a pickle stands for nothing."""
    listener = Listener(Recorded(view), StopRequest(search.path))
    assert type(pickle.loads(pickle.dumps(listener))) is object


def supply(search, spec, budget=None):
    spending = BudgetUse(budget or Budget(), started=0.0, gpus_per_trial=0.0)
    return _TrialSupply(spec, search, suggestions(spec), spending, StopRequest(search.path), {"threads": 1})


def test_trials_are_handed_out_as_far_as_the_budget_goes(search):
    """Each with its configuration on disk first; then there are none."""
    supplied = supply(search, load_spec("quickstart_scratch"), Budget(trials=2))
    first, second, third = supplied.next(), supplied.next(), supplied.next()
    assert third is None
    assert {record.folder for record in search.snapshot().trials} == {
        search.trial(task["folder"].rpartition("/")[2]).path for task in (first, second)
    }
    assert first["threads"] == 1


def test_trials_that_run_again_come_first_and_cost_no_budget(search):
    """They have been counted when they started."""
    supplied = supply(search, load_spec("quickstart_scratch"), Budget(trials=1))
    first = supplied.next()
    supplied.again.append(first["folder"].rpartition("/")[2])
    assert supplied.next() == first
    assert supplied.next() is None


def test_a_halted_search_hands_out_no_trial(search):
    """Neither new ones nor those that would run again."""
    supplied = supply(search, load_spec("quickstart_scratch"))
    supplied.again.append("t001")
    supplied.stop_request.interrupt()
    assert supplied.next() is None
    assert not search.snapshot().trials


def test_a_configuration_that_cannot_be_written_stops_the_search(search):
    """A full disk, say: Ray is told that there is no other trial."""
    supplied = supply(search, load_spec("quickstart_scratch"))
    (search.path / "trials").write_text("no folder")
    assert supplied.next() is None
    assert supplied.stop_request.kind == "error"


def test_the_end_of_a_budget_waits_for_trials_and_an_interrupt_does_not(search, view):
    """Both are told once."""
    stop_request = StopRequest(search.path)
    over = BudgetUse(replace(Budget(), time_s=1e-9), started=0.0, gpus_per_trial=0.0)
    watch = StopWatcher(stop_request, over, view)
    assert not watch.stop_all()
    assert not watch.stop_all()
    assert stop_request.kind == "budget"
    assert stop_sign(search.path).how == "report"
    stop_request.interrupt()
    assert watch.stop_all()
    said = view.console.file.getvalue()
    assert said.count("is used up: running trials report") == 1
    assert said.count("interrupted: running trials save") == 1


def test_a_dead_server_ends_the_loop_of_ray(monkeypatch):
    """A server that has died is found; a process that has started no Ray has none to look at."""
    monkeypatch.setattr(servers, "SERVERS", ("sleep",))
    monkeypatch.setattr(servers, "_EVERY_S", 0.0)
    with subprocess.Popen(["sleep", "600"]) as process:
        watch = ServerWatch()
        watch.on_step_begin()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet waited for
        with pytest.raises(RayDiedError, match="Ray's sleep died"):
            watch.on_step_begin()
    ServerWatch().on_step_begin()


def test_keys_of_a_cloud_are_not_there_while_workers_are_described(monkeypatch):
    """In the first turn of Ray Tune's loop alone, and they come back also where that turn has failed."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame")
    keeps = SecretsFilter()
    for turn, is_there in [(0, False), (1, True)]:
        keeps.on_step_begin(turn)
        assert ("AWS_SECRET_ACCESS_KEY" in os.environ) == is_there
        keeps.on_step_end()
        assert os.environ["AWS_SECRET_ACCESS_KEY"] == "sesame"
    keeps.on_step_begin(0)
    keeps.put_back()
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "sesame"
