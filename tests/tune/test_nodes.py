"""What a cluster's nodes must have, and what becomes of trials when a node is lost."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError
from ray.tune.search import Searcher
from rich.console import Console

from goemo.errors import GoemoError
from tune.engine.cluster import inspection, watching
from tune.engine.cluster.inspection import Inspection, NodeReport, look_around
from tune.engine.cluster.watching import NodeWatch
from tune.engine.schedulers import build_scheduler
from tune.engine.trial_actor import TrialActor
from tune.engine.tuner import SuggestionSearcher
from tune.environment import versions
from tune.live.progress import ProgressView, SearchState
from tune.records import SearchFolder
from tune.spec import load_spec
from tune.stopping.stop_request import StopRequest

NODE = {"Alive": True, "NodeManagerAddress": "10.0.0.2", "Resources": {"CPU": 2.0}}
HEAD = {"Alive": True, "NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 1.0}, "NodeID": "aa"}


def test_a_node_tells_what_a_trial_would_find(tmp_path):
    """It sees the driver's file and what else is needed, or says what it does not see."""
    marker, there, missing = tmp_path / "marker", tmp_path, tmp_path / "missing"
    assert not look_around(str(marker), [])["sees_folder"]
    marker.touch()
    answer = look_around(str(marker), [str(there), str(missing)])
    assert answer == {
        "sees_folder": True,
        "write_error": "",
        "missing": [str(missing)],
        "versions": versions(),
        "gpu_bytes": answer["gpu_bytes"],
    }


def test_a_node_tells_that_it_cannot_write(tmp_path):
    """A folder that is mounted read-only is not enough."""
    marker = tmp_path / ("long" * 60)  # the longest name that a file may have: another one beside it fails
    marker.touch()
    answer = look_around(str(marker), [])
    assert answer["sees_folder"]
    assert answer["write_error"]


@pytest.mark.parametrize(
    ("change", "problem", "note"),
    [
        ({}, "", ""),
        ({"sees_folder": False}, "does not see", ""),
        ({"write_error": "Read-only file system"}, "Read-only file system", ""),
        ({"missing": ["/models/bert"]}, "has no /models/bert", ""),
        ({"versions": {**versions(), "torch": "2.0"}}, "", "torch 2.0 (here"),
        ({"versions": {"python": versions()["python"]}}, "lacks goemo, torch", ""),
        ({"gpu_bytes": [16e9, 8e9]}, "", ""),
    ],
)
def test_what_an_answer_means(tmp_path, change, problem, note):
    """What keeps trials from running is a problem with a remedy; another version is a note."""
    marker = tmp_path / "marker"
    marker.touch()
    found = Inspection(tmp_path)._judge(
        {**NODE, "NodeID": "bb"}, look_around(str(marker), []) | {"gpu_bytes": []} | change
    )
    assert problem in " ".join(found.problems)
    assert bool(found.problems) == bool(problem)
    assert note in found.note
    assert bool(found.note) == bool(note)
    assert found.gpu_bytes == min(change.get("gpu_bytes", []), default=None)


class Asked:
    """Stands for an `Inspection`: says what it is told to."""

    def __init__(self, *findings):
        self.to_come = list(findings)

    def ask(self, node):
        pass

    def findings(self):
        found, self.to_come = self.to_come, []
        return found

    def close(self):
        pass


@pytest.fixture
def cluster(monkeypatch):
    """The nodes that are alive, to be changed."""
    alive = [HEAD, {**NODE, "NodeID": "bb"}]
    monkeypatch.setattr(watching, "alive_nodes", lambda: list(alive))
    monkeypatch.setattr(watching, "_EVERY_S", 0.0)
    monkeypatch.setattr(inspection.Inspection, "ask", lambda self, node: None)
    return alive


@pytest.fixture
def stop_request(tmp_path):
    return StopRequest(tmp_path)


@pytest.fixture
def watch(cluster, stop_request, tmp_path, capsys):
    view = ProgressView(SearchState("s", total=4, objective="macro_f1"), Console(highlight=False))
    return NodeWatch(SearchFolder(tmp_path), {"cpu": 2.0, "gpu": 0.0}, view, stop_request)


@pytest.fixture
def clock(monkeypatch):
    """The time of the watch, to be changed; Ray says that all workers are on the second node."""
    now = [1000.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(watching, "_answer", lambda told: told or "")
    return now


def lost(tmp_path, *messages):
    """A trial of Ray that has lost its worker once for each message."""
    file = tmp_path / "error.txt"
    failures = [f"Failure # {n} (occurred at noon)\n{text}\n" for n, text in enumerate(messages, start=1)]
    file.write_text("".join(failures), encoding="utf-8")
    return SimpleNamespace(
        error_file=str(file),
        config={"folder": str(tmp_path / "t003")},
        run_metadata=SimpleNamespace(num_failures=len(messages)),
    )


@pytest.fixture
def out_of_reach(tmp_path):
    """A trial that has just heard so of its worker."""
    actor = SimpleNamespace(node_id=SimpleNamespace(remote=lambda: "bb"))
    trial = lost(tmp_path, "The actor is temporarily unavailable")
    trial.temporary_state = SimpleNamespace(ray_actor=actor)
    return trial


DEAD_NODE = "The actor died because its node has died. Node Id: bb"
DEAD_WORKER = str(ActorDiedError())


@pytest.mark.parametrize("event", ["on_trial_recover", "on_trial_error"])
@pytest.mark.parametrize(
    ("messages", "counted"),
    [([DEAD_NODE], 0), ([DEAD_WORKER], 1), ([DEAD_WORKER, DEAD_NODE], 1), ([DEAD_NODE, DEAD_WORKER], 2)],
)
def test_a_lost_node_is_no_failure_of_the_trial(watch, tmp_path, event, messages, counted):
    """The last loss alone is judged: it counts where a worker died by itself, and not where a node did."""
    trial = lost(tmp_path, *messages)
    getattr(watch, event)(trial)
    assert trial.run_metadata.num_failures == counted


@pytest.mark.parametrize("case", [(20.0, 0), (3600.0, 1)])
def test_a_worker_out_of_reach_is_judged_by_its_node(watch, cluster, out_of_reach, clock, case):
    """Where the node is given up soon after, the worker went with it; later, it had died by itself."""
    (passed, counted), trial = case, out_of_reach
    watch.on_trial_start(trial)
    watch.on_trial_recover(trial)
    assert trial.run_metadata.num_failures == 1
    watch.on_step_begin()
    assert trial.run_metadata.num_failures == 1
    clock[0] += passed
    cluster.pop()
    watch.on_step_begin()
    watch.on_step_begin()
    assert trial.run_metadata.num_failures == counted


def test_a_lost_node_is_told_with_its_trials(watch, cluster, tmp_path, capsys):
    """One line has the node and who starts again; another one says that nothing fits any more."""
    trial = lost(tmp_path, DEAD_NODE)
    watch.on_trial_recover(trial)
    cluster.pop()
    watch.on_step_begin()
    watch.on_step_begin()
    out = capsys.readouterr().out
    assert "node 10.0.0.2 (2 CPUs, 0 GPUs) lost: t003 restarts" in out
    assert "no remaining node has room for a trial" in out
    watch.on_step_begin()
    assert not capsys.readouterr().out


def test_a_node_that_joins_is_told(watch, cluster, capsys, stop_request):
    """It is asked whether trials can run on it; another version of a package is told and no more."""
    watch._inspection = Asked(
        NodeReport("cc", "10.0.0.3", has_answered=True, problems=(), note="has torch 2.0 (here 2.1)")
    )
    cluster.append({**NODE, "NodeID": "cc", "NodeManagerAddress": "10.0.0.3", "Resources": {"CPU": 1.0}})
    watch.on_step_begin()
    out = capsys.readouterr().out
    assert "node 10.0.0.3 (1 CPU, 0 GPUs) joined" in out
    assert "node 10.0.0.3 has torch 2.0" in out
    assert stop_request.kind is None


def test_a_node_that_trials_would_fail_on_stops_the_search(watch, stop_request):
    """In order, with the reason and what to do."""
    problems = ("does not see the folder",)
    watch._inspection = Asked(NodeReport("cc", "10.0.0.3", has_answered=True, problems=problems))
    watch.on_step_begin()
    assert stop_request.kind == "error"
    assert "node 10.0.0.3 has joined, but does not see the folder" in stop_request.why
    assert "goemo resume" in stop_request.why


def test_a_node_that_does_not_answer_stops_nothing(watch, stop_request, capsys):
    """It may be gone again, or busy."""
    problems = ("has not answered within 60 s",)
    watch._inspection = Asked(NodeReport("cc", "10.0.0.3", has_answered=False, problems=problems))
    watch.on_step_begin()
    assert stop_request.kind is None
    assert "has not answered" in capsys.readouterr().out


def test_no_more_trials_are_given_out_than_fit():
    """Another one waits for the end of one, or for a node that joins; the end is told as such."""
    tasks, slots = iter([{"folder": str(n)} for n in range(4)]), [2]
    searcher = SuggestionSearcher(lambda: next(tasks, None), lambda: slots[0])
    assert [searcher.suggest("a")["folder"], searcher.suggest("b")["folder"]] == ["0", "1"]
    assert searcher.suggest("c") is None
    searcher.on_trial_complete("a")
    assert searcher.suggest("c")["folder"] == "2"
    assert searcher.suggest("d") is None
    slots[0] = 3
    assert searcher.suggest("d")["folder"] == "3"
    searcher.on_trial_complete("b", error=True)
    assert searcher.suggest("e") == Searcher.FINISHED


@pytest.mark.parametrize("algorithm", ["none", "asha", "median", "hyperband"])
def test_no_scheduler_takes_a_trial_from_the_worker_that_starts_for_it(algorithm):
    """They name no trial that is to run next, or Ray would give it the first worker that is free."""
    spec = load_spec("minilm_head", overrides=[f"scheduler={algorithm}"])
    waiting = SimpleNamespace(get_trials=lambda: [SimpleNamespace(status="PENDING")])
    assert build_scheduler(spec).choose_trial_to_run(waiting) is None


def test_the_watch_says_how_many_trials_fit(watch, cluster):
    """On the nodes that are alive, and one where there is none: it waits."""
    assert watch.slots() == 1  # two CPUs a trial: the head has one, the other node two
    cluster.append({**NODE, "NodeID": "cc", "Resources": {"CPU": 5.0}})
    watch.on_step_begin()
    assert watch.slots() == 3
    del cluster[1:]
    watch.on_step_begin()
    assert watch.slots() == 1


def test_a_worker_that_does_not_see_its_trial_does_not_take_it(tmp_path):
    """The trial is not written down as failed: it may run on another node."""
    with pytest.raises(GoemoError, match="does this node see the shared folder"):
        TrialActor.reset_config(SimpleNamespace(), {"folder": str(tmp_path / "elsewhere")})
