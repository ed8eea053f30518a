"""Trials that go wrong inside: each ends with its reason, and the search goes on without it."""

from __future__ import annotations

import json
import sqlite3
import textwrap

import pytest

pytestmark = pytest.mark.faults

SPACE = """\
name: wrong
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:300"}
space:
  learning_rate: {grid: [1.0e-3, 2.0e-3, 3.0e-3, 4.0e-3, 1.0e+3]}
  batch_size: 32
  max_length: 16
  epochs: 1
objective: {reports: 2}
scheduler: none
"""

# Python imports a module of this name at its start: what goes wrong is in the workers, not in the product.
INJECTION = '''
import importlib.util
import re
import sys


def go_wrong(module):
    """Break the trainings of some learning rates, once the module has them."""
    make = module.TrainingRun.__init__

    def broken(self, configuration, *arguments, **options):
        make(self, configuration, *arguments, **options)

        def raises(*_):
            raise ValueError("injected: this trial raises")

        def runs_out(*_):
            import torch

            raise torch.OutOfMemoryError("injected: out of memory")

        def hangs(*_):
            re.match("(a+)+$", "a" * 64 + "b")  # holds the interpreter's lock for years

        wrong = {2e-3: raises, 3e-3: runs_out, 4e-3: hangs}.get(configuration.learning_rate)
        if wrong is not None:
            self._plain_steps.accumulate = wrong

    module.TrainingRun.__init__ = broken


class Finder:
    """Finds the module as it would have been found, and has it changed once it is loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != "goemo.training.run":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_change(module):
            execute(module)
            go_wrong(module)

        spec.loader.exec_module = execute_and_change
        return spec


sys.meta_path.insert(0, Finder())
'''


@pytest.fixture(scope="module")
def wrong(tmp_path_factory, shell):
    """A folder with the search space, whose commands and workers go wrong as above."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "wrong.yaml").write_text(SPACE, encoding="utf-8")
    (folder / "injected").mkdir()
    (folder / "injected" / "sitecustomize.py").write_text(textwrap.dedent(INJECTION), encoding="utf-8")
    return type(shell)(folder, {"PYTHONPATH": str(folder / "injected")})


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trials_that_go_wrong_end_with_their_reason_and_the_search_completes(wrong):
    """NaN, an error, no memory, a hang that holds the interpreter: the others rank, these are told of.

    It is searched in two parts: the first command runs as many trials as it is asked for.
    """
    first = wrong.run("search", "wrong.yaml", "--trial-timeout", "20s", "--trials", "2")
    assert "3 trials remain: goemo resume wrong" in first.stdout
    done = wrong.run("resume", "wrong")
    board = json.loads(wrong.run("leaderboard", "wrong", "--format", "json").stdout)
    assert [row["trial_id"] for row in board["trials"]] == ["t001"]
    assert board["reasons"] == {"completed": 1, "failed": 2, "diverged": 1, "out_of_memory": 1}
    why = {trial["trial_id"]: (trial["stop_reason"], trial["message"]) for trial in board["left_out"]}
    assert {trial_id: reason for trial_id, (reason, _) in why.items()} == {
        "t002": "failed",
        "t003": "out_of_memory",
        "t004": "failed",
        "t005": "diverged",
    }
    assert why["t002"][1] == "ValueError: injected: this trial raises"
    assert why["t004"][1].startswith("still running after 20 s; --trial-timeout")
    table = wrong.run("leaderboard", "wrong").stdout
    for words in ("2 ended as failed", "1 ended as diverged", "1 ended as out of memory", "t004"):
        assert words in table
    assert "t002" in first.stderr + done.stderr

    with sqlite3.connect(wrong.folder / "mlruns" / "mlflow.db") as store:
        found = store.execute(
            "select i.value, t.value, r.artifact_uri from tags t join tags i on i.run_uuid = t.run_uuid "
            "join runs r on r.run_uuid = t.run_uuid "
            "where i.key = 'goemo.trial_id' and t.key = 'goemo.stop_reason'"
        ).fetchall()
    assert {trial_id: reason for trial_id, reason, _ in found} == {
        "t001": "completed",
        **{trial_id: reason for trial_id, (reason, _) in why.items()},
    }
    traces = {}
    for trial_id, _, uri in found:
        trace = wrong.folder.joinpath(uri.removeprefix("file://")) / "traceback.txt"
        if trace.is_file():
            traces[trial_id] = trace.read_text(encoding="utf-8")
    assert set(traces) == {"t002", "t004"}
    assert "injected: this trial raises" in traces["t002"]
    assert "in hangs" in traces["t004"]  # the stack, although the process could not run Python any more
