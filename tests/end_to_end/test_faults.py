"""Processes that are killed, at any moment: the search goes on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from contextlib import suppress

import psutil
import pytest

from tune.engine.recorder import LOST_WORKERS

pytestmark = pytest.mark.faults

SEED = int(os.environ.get("GOEMO_FAULT_SEED", "1"))  # another one kills at other moments
MEASURED = {"train/samples_per_second", "train/peak_memory_gb", "cost/ms_per_text"}

SPACE = """\
name: faults
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:400"}
space:
  batch_size:    {grid: [16, 32]}
  learning_rate: {grid: [1.0e-3, 2.0e-3, 3.0e-3]}
  max_length:    {grid: [8, 16]}
  epochs: 1
objective: {reports: 4}
scheduler: none
baseline: none
"""


def kill(processes):
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def named(driver, is_it):
    """Return the processes that a command has started whose command line is one of those."""
    found = []
    for process in driver.family()[1:]:
        with suppress(psutil.Error):
            if is_it(" ".join(process.cmdline())):
                found.append(process)
    return found


def is_worker(line):
    """Whether a process runs trials, or waits for one; Ray's agents are part of its servers."""
    return line.startswith("ray::") and "Agent" not in line


def folder_of(shell, name):
    return shell.folder / "mlruns/searches" / name


def ended(shell, name):
    return len(list(folder_of(shell, name).glob("trials/*/outcome.json")))


def reports(shell, name):
    return sum(
        len(path.read_text(encoding="utf-8").splitlines())
        for path in folder_of(shell, name).glob("trials/*/history.jsonl")
    )


def go_on(shell, name, *arguments):
    """Start the search, or go on with it where there is one."""
    if (folder_of(shell, name) / "search.yaml").is_file():
        return shell.drive("resume", name)
    return shell.drive("search", "faults.yaml", "--name", name, *arguments)


def board_of(shell, name):
    return json.loads(shell.run("leaderboard", name, "--format", "json").stdout)


def without_times(board):
    """Return the leaderboard without its name, and without how long the trials took."""
    timed = {"seconds", "search", "ms_per_text", "is_on_front"}
    rows = [{k: v for k, v in row.items() if k not in timed} for row in board["trials"]]
    return {**board, "search": None, "trials": rows}


def check_store(shell, name):
    """Every trial has one run with a reason, and each of its reports stands once under each metric."""
    trials = {path.name: path for path in folder_of(shell, name).glob("trials/*")}
    with sqlite3.connect(shell.folder / "mlruns" / "mlflow.db") as store:
        tags = store.execute(
            "select t.run_uuid, t.key, t.value from tags t join runs r on r.run_uuid = t.run_uuid "
            "where r.lifecycle_stage = 'active' and t.run_uuid in "
            "(select run_uuid from tags where key = 'goemo.search' and value = ?)",
            (name,),
        ).fetchall()
        trial_of = {run: value for run, key, value in tags if key == "goemo.trial_id"}
        assert sorted(trial_of.values()) == sorted(trials)
        assert len({run for run, _, _ in tags}) == len(trials) + 1  # and the search itself
        reasons = {trial_of[run]: value for run, key, value in tags if key == "goemo.stop_reason"}
        for run, trial_id in trial_of.items():
            told = json.loads((trials[trial_id] / "outcome.json").read_text(encoding="utf-8"))
            assert reasons[trial_id] == told["stop_reason"]
            lines = (trials[trial_id] / "history.jsonl").read_text(encoding="utf-8").splitlines()
            of_run = store.execute("select key, step, value from metrics where run_uuid = ?", (run,))
            logged = {(key, step): value for key, step, value in of_run}
            count = store.execute("select count(*) from metrics where run_uuid = ?", (run,)).fetchone()
            assert count == (len(logged),)
            reported = {
                (key, row["progress"]): value
                for row in map(json.loads, lines)
                for key, value in row.items()
                if "/" in key
            }
            assert {place for place in logged if place[0].startswith(("val/", "train/", "cost/"))} == set(
                reported
            )
            # A report that was made again took another time to make.
            for place, value in reported.items():
                assert logged[place] == value or place[0] in MEASURED, place


@pytest.fixture(scope="module")
def faults(tmp_path_factory, shell):
    """A folder of its own with the search space in it, and nothing prepared."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "faults.yaml").write_text(SPACE, encoding="utf-8")
    return type(shell)(folder)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_driver_killed_at_ten_moments_leaves_the_leaderboard_of_an_undisturbed_search(faults):
    """SIGKILL at the start, in preparing, searching and reporting, with Ray or without: nothing is different.

    The leaderboard is the same to the last digit; each trial has one run in the store, each report one value
    of each metric. Only how long the trials took depends on the kills.
    """
    chance = random.Random(SEED)
    moments = ["start"] * 2 + ["searching"] * 6 + ["reporting"] * 2
    for number, moment in enumerate(moments):
        driver = go_on(faults, "killed")
        if moment == "searching":
            before, more = reports(faults, "killed"), chance.randint(1, 4)
            driver.wait_for(lambda: reports(faults, "killed") >= before + more)  # noqa: B023 - called at once
            time.sleep(chance.uniform(0, 0.5))
        elif moment == "reporting":
            driver.wait_for_line("writing the report")
            time.sleep(chance.uniform(0, 3))
        else:
            time.sleep(chance.uniform(0.5, 6))
        driver.kill(all_of_it=number % 2 == 0)
    driver = go_on(faults, "killed")
    assert driver.end() == 0, driver.told
    calm = go_on(faults, "calm")
    assert calm.end() == 0, calm.told
    board = board_of(faults, "killed")
    assert len(board["trials"]) == 12
    assert without_times(board) == without_times(board_of(faults, "calm"))
    check_store(faults, "killed")
    check_store(faults, "calm")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("how", ["asha", "tpe"])
def test_killed_workers_cost_no_trial(faults, how):
    """SIGKILL of workers, idle ones included: the search ends, each trial once, with ASHA and with TPE."""
    chance = random.Random(SEED)
    changes = {
        "asha": ["--set", "scheduler={algorithm: asha, grace: 25}"],
        "tpe": [
            *("--set", "search={algorithm: tpe, trials: 8}"),
            *("--set", "space.learning_rate={log_uniform: [1.0e-4, 1.0e-2]}"),
        ],
    }
    total = {"asha": 12, "tpe": 8}[how]
    driver = go_on(faults, how, *changes[how])
    for _ in range(LOST_WORKERS):  # more could all hit the same trial
        before = ended(faults, how) + chance.randint(0, 1)
        driver.wait_for(lambda: ended(faults, how) > before)  # noqa: B023 - called at once
        time.sleep(chance.uniform(0, 0.5))
        workers = named(driver, is_worker)
        kill(chance.sample(workers, min(len(workers), 2)))
    assert driver.end() == 0, driver.told
    board = board_of(faults, how)
    assert len(board["trials"]) == total
    assert set(board["reasons"]) <= {"completed", "stopped_early"}
    check_store(faults, how)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_dead_ray_ends_the_command_with_one_line(faults):
    """When Ray's own servers die, the command says so in one line, exits with 1, and resume goes on."""
    for server in ("gcs_server", "raylet/raylet"):
        driver = go_on(faults, "rayless")
        before = reports(faults, "rayless")
        assert driver.wait_for(lambda: reports(faults, "rayless") > before)  # noqa: B023 - called at once
        family = driver.family()
        kill(named(driver, lambda line: server in line))  # noqa: B023 - called at once
        assert driver.end() == 1, driver.told
        assert driver.lines[-1].startswith("goemo: Ray")
        assert driver.lines[-1].endswith("goemo resume rayless")
        assert not any("Traceback" in line for line in driver.lines)
        assert not driver.left_of(family)
    driver = go_on(faults, "rayless")
    assert driver.end() == 0, driver.told
    assert board_of(faults, "rayless")["reasons"] == {"completed": 12}
    check_store(faults, "rayless")
