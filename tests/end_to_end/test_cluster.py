"""Two Ray nodes share a search, as processes of their own; one of them dies in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.faults

# Trials of some seconds, so that both nodes are at work when one is killed.
SPACE = """\
name: shared
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:3000"}
space:
  batch_size:    {grid: [16, 32]}
  learning_rate: {grid: [1.0e-3, 2.0e-3, 3.0e-3]}
  max_length: 16
  epochs: 1
scheduler: none
baseline: none
"""


@dataclass
class Node:
    """A `ray start --block` and all that it has started."""

    process: subprocess.Popen

    def kill(self) -> None:
        """End it at once, as a power cut does: nothing gets to say goodbye."""
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            doomed = [parent, *parent.children(recursive=True)]
            for each in doomed:  # stopped first, so that none sees another one die
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.suspend()
            for each in doomed:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass
class Cluster:
    """Ray nodes on this machine, each started by the command that a user gives."""

    address: str
    folder: str
    nodes: list[Node]

    def start(self, *arguments: str) -> Node:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments]
        process = subprocess.Popen(
            [*command, "--object-store-memory=100000000", "--disable-usage-stats"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.nodes.append(Node(process))
        return self.nodes[-1]


@pytest.fixture
def cluster(monkeypatch):
    """A cluster with its head, which has one CPU; it asks for a token that this test alone knows."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", os.urandom(16).hex())
    # By default, Ray takes half a minute to give a node up.
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not the test's own folder: the paths of sockets may not be long.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        found = Cluster(f"127.0.0.1:{port}", folder, [])
        found.start(
            *("--head", "--node-ip-address=127.0.0.1", f"--port={port}", f"--temp-dir={folder}"),
            *("--num-cpus=1", "--include-dashboard=false"),
        )
        try:
            wait_until(lambda: answers(port), found.nodes[0].process)
            yield found
        finally:
            for node in found.nodes:
                node.kill()


def answers(port):
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition, process):
    """Wait for something that a running search does."""
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ranking(shell, name):
    """What must not depend on when or where a search ran."""
    board = json.loads(shell.run("leaderboard", name, "--format", "json").stdout)
    left_out = ("seconds", "search", "ms_per_text", "is_on_front")
    return [{key: value for key, value in row.items() if key not in left_out} for row in board["trials"]]


@pytest.mark.slow
@pytest.mark.timeout(900)  # two searches, with nodes that start and die
def test_a_search_survives_the_loss_of_a_node(shell, cluster):
    """A node with two CPUs joins a search that runs on the head, takes trials, and is killed with them.

    The search ends with what it gives undisturbed on one machine, to the last digit; every trial has one run
    and every report one step in MLflow; and the terminal tells of the node, and whose trials start again.
    """
    (shell.folder / "shared.yaml").write_text(SPACE, encoding="utf-8")
    process = shell.start("search", "shared.yaml", "--address", cluster.address)
    trials = shell.folder / "mlruns/searches/shared/trials"
    wait_until(lambda: any(trials.glob("*/config.json")), process)
    second = cluster.start(f"--address={cluster.address}", "--node-ip-address=127.0.0.2", "--num-cpus=2")

    def under_way():
        return [f for f in trials.glob("*/history.jsonl") if not f.with_name("outcome.json").is_file()]

    wait_until(lambda: len(under_way()) >= 2, process)  # the head has room for one
    second.kill()
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert "node 127.0.0.2 (2 CPUs, 0 GPUs) joined" in err
    assert "node 127.0.0.2 (2 CPUs, 0 GPUs) lost: t0" in err
    assert "Best: t0" in out
    assert "raylet" not in out  # Ray's own words are in the log
    assert "has been marked dead" in (trials.parent / "log.txt").read_text(encoding="utf-8")

    shell.run("search", "shared.yaml", "--name", "alone")
    assert len(ranking(shell, "alone")) == 6
    assert ranking(shell, "shared") == ranking(shell, "alone")
    with sqlite3.connect(shell.folder / "mlruns" / "mlflow.db") as store:
        runs = "select run_uuid from tags where key = 'goemo.search' and value = 'shared'"
        ids = f"select value from tags where key = 'goemo.trial_id' and run_uuid in ({runs}) order by value"
        assert [row[0] for row in store.execute(ids)] == [f"t{number:03d}" for number in range(1, 7)]
        steps = "select step from metrics where key = 'val/macro_f1' and run_uuid = ?"
        for (run,) in store.execute(
            f"{runs} and run_uuid in (select run_uuid from tags where key = 'goemo.trial_id')"
        ):
            assert [row[0] for row in store.execute(steps, (run,))] == [20, 40, 60, 80, 100]


@pytest.mark.slow
def test_a_node_that_does_not_see_the_records_is_refused(shell, cluster, monkeypatch):
    """The search ends before it begins, with the node, the folder and the remedy; no trace of it is left."""
    here = "/proc/self/cwd"  # for every process, the folder that it runs in
    if not Path(here).is_dir():
        pytest.skip("needs a path that leads elsewhere in another process")
    (shell.folder / "shared.yaml").write_text(SPACE, encoding="utf-8")
    runs = shell.folder / "elsewhere"
    runs.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    arguments = [
        "search",
        shell.folder / "shared.yaml",
        "--address",
        cluster.address,
        "--tracking-uri",
        "none",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tune.cli", *arguments],
        cwd=runs,
        env=environment | {"GOEMO_RUNS": f"{here}/runs"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 2
    assert re.search(rf"--address: node \S+ does not see {here}/runs;", done.stderr)
    assert "GOEMO_RUNS" in done.stderr
    assert not (runs / "runs" / "searches").exists()
    assert not list((runs / "runs").glob(".node-check*"))
