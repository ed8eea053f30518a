"""Every scheduler with every algorithm: the real objects, on a trivial objective, without Ray's actors."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace
from typing import get_args

import pytest
from ray.tune.schedulers import TrialScheduler

from tune.engine.schedulers import OBJECTIVE, PROGRESS, build_scheduler
from tune.records import Outcome, SearchFolder
from tune.space import EarlierTrial, suggestions
from tune.spec import SearchSpec, configuration
from tune.spec.sections import Algorithm, Scheduler

REPORTS = (20, 40, 60, 80, 100)
SPACE = {
    "batch_size": {"grid": [16, 32, 64]},
    "schedule": {"grid": ["linear", "constant"]},
    "warmup_fraction": {"grid": [0.0, 0.05, 0.1], "only_if": {"schedule": ["linear"]}},
    "epochs": {"grid": [1, 2]},
}
ENQUEUED = [{"batch_size": 32, "schedule": "linear", "warmup_fraction": 0.1, "epochs": 2}]
EARLIER = [
    EarlierTrial("before", f"t00{epochs}", varied, objective=0.3, stop_reason="completed", progress=100)
    for epochs in (1, 2)
    for varied in [{"batch_size": 16, "schedule": "constant", "epochs": epochs}]
]


def make_spec(algorithm, scheduler, brackets=1):
    return SearchSpec.from_dict(
        {
            "name": "s",
            "model": {"checkpoint": "scratch:albert-tiny"},
            "space": SPACE,
            "search": {
                "algorithm": algorithm,
                "trials": None if algorithm == "grid" else 24,
                "enqueue": ENQUEUED,
                **({"warm_start": ["before"]} if algorithm == "tpe" else {}),
            },
            "scheduler": {"algorithm": scheduler, "brackets": brackets},
        }
    )


def objective(varied, progress):
    """A landscape that is best at batches of 32 and a warm-up of 0.1, and rises to the end."""
    peak = 0.6 - 0.1 * abs(math.log2(varied["batch_size"] / 32)) + varied.get("warmup_fraction", 0)
    return peak * (1 - math.exp(-progress / 40)) + 0.001 * varied["epochs"]


class Driver:
    """What the engine, Ray's controller and the recorder do between them, in one process."""

    def __init__(self, spec, search, at_once=1):
        self.spec, self.search, self.at_once = spec, search, at_once
        self.clock = itertools.count(sum(len(record.history) for record in search.snapshot().trials))
        earlier = EARLIER if spec.search.warm_start else ()
        self.source = suggestions(spec, search.snapshot().trials, earlier)
        self.scheduler = build_scheduler(spec, search.snapshot().trials)
        self.running = []

    def run(self, most_reports=None):
        """Run to the end, or until so many reports were made and the process dies."""
        for _ in itertools.count() if most_reports is None else range(most_reports):
            while len(self.running) < self.at_once and (asked := self.source.ask()):
                self._start(*asked)
            if not self.running:
                return
            self._report(self.running[0])
            self.running = [*self.running[1:], *self.running[:1]]

    def _start(self, trial_id, varied):
        folder = self.search.trial(trial_id)
        folder.write_config(configuration(self.spec, varied).to_dict(), varied)
        trial = SimpleNamespace(trial_id=f"of-ray-{trial_id}", config={"folder": str(folder.path)})
        trial.folder = folder
        self.running.append(trial)
        self.scheduler.on_trial_add(None, trial)

    def _report(self, trial):
        record = trial.folder.read()
        progress = REPORTS[len(record.history)]
        value = objective(record.varied, progress)
        now = float(next(self.clock))
        row = {"progress": progress, "time": now, "seconds": 1.0, "val/macro_f1": value}
        trial.folder.write_report(row, None)
        result = {PROGRESS: progress, OBJECTIVE: value}
        if progress < 100 and self.scheduler.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE:
            return
        self.scheduler.on_trial_complete(None, trial, result)
        reason = "completed" if progress == 100 else "stopped_early"
        trial.folder.write_outcome(Outcome(reason))
        record = trial.folder.read()
        self.source.tell(record.trial_id, record.objective, reason, progress=progress)
        self.running.remove(trial)


@pytest.fixture
def new_search(tmp_path, monkeypatch):
    def make(name):
        monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / name))
        return SearchFolder.create("s", {})

    return make


def told(search):
    """What a search has found, without the times."""
    return [
        (r.trial_id, r.varied, [(row["progress"], row["val/macro_f1"]) for row in r.history], r.outcome)
        for r in search.snapshot().trials
    ]


PAIRS = list(itertools.product(get_args(Algorithm), get_args(Scheduler)))


def test_these_are_all_pairs():
    """An algorithm or a scheduler that is added comes here by itself."""
    assert len(PAIRS) == 12


@pytest.mark.parametrize(("algorithm", "scheduler"), PAIRS)
def test_every_pair_runs_to_its_end(new_search, algorithm, scheduler):
    """With conditions, an enqueued configuration and a warm start: all trials end, and losers are cut."""
    spec, search = make_spec(algorithm, scheduler), new_search("whole")
    Driver(spec, search, at_once=3).run()
    records = search.snapshot().trials
    assert [record.trial_id for record in records] == [f"t{n:03d}" for n in range(1, 25)]
    assert spec.total == 24
    reasons = [record.outcome.stop_reason for record in records]
    assert set(reasons) == {"completed"} | (set() if scheduler == "none" else {"stopped_early"})
    assert all(record.progress == 100 for record in records if record.outcome.stop_reason == "completed")
    assert any(record.varied == ENQUEUED[0] for record in records)
    if scheduler != "none":
        best = max(records, key=lambda record: record.objective)
        assert best.outcome.stop_reason == "completed"


@pytest.mark.parametrize(("algorithm", "scheduler"), PAIRS)
@pytest.mark.parametrize("dies_after", [1, 14, 37])
def test_every_pair_goes_on_after_a_crash_as_an_undisturbed_one(new_search, algorithm, scheduler, dies_after):
    """Trials one after the other, the process killed in the middle: the same trials with the same ends.

    The trial under way goes on from its last report, as from a checkpoint.
    """
    spec = make_spec(algorithm, scheduler)
    undisturbed = new_search("undisturbed")
    Driver(spec, undisturbed).run()
    search = new_search("killed")
    Driver(spec, search).run(most_reports=dies_after)
    assert any(record.outcome is None for record in search.snapshot().trials) or dies_after != 1
    Driver(spec, search).run()
    assert told(search) == told(undisturbed)


def test_asha_with_brackets_goes_on_as_an_undisturbed_one(new_search):
    """Each trial is in the bracket of its number, before and after."""
    spec = make_spec("random", "asha", brackets=3)
    undisturbed, search = new_search("undisturbed"), new_search("killed")
    Driver(spec, undisturbed).run()
    for dies_after in (3, 10, 20):
        Driver(spec, search).run(most_reports=dies_after)
    Driver(spec, search).run()
    assert told(search) == told(undisturbed)
