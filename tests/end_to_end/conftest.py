"""Commands as a user runs them, in a folder of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, ClassVar

import psutil
import pytest

# Threads, folder and store are those of a user, whatever other tests of the process have set.
NOT_INHERITED = ("OMP_NUM_THREADS", "GOEMO_RUNS", "MLFLOW_TRACKING_URI", "RAY_ADDRESS")

PATIENCE_S = 240

SPACE = """\
name: tiny
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:600"}
space:
  batch_size:    {grid: [16, 32]}
  learning_rate: {grid: [1.0e-3, 3.0e-3]}
  max_length: 16
  epochs: 1
scheduler: none
baseline: none
"""


@dataclass
class Shell:
    """Runs `goemo` in one folder.

    Attributes:
        folder: Where the commands run, and where `mlruns` lies.
        environment: What the commands find there besides a user's own.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start a command, as the leader of a group of processes, as a terminal would."""
        inherited = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tune.cli", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=inherited | {"HF_HUB_OFFLINE": "1", **self.environment},
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0, timeout: int = 240) -> subprocess.CompletedProcess:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:  # Ctrl-C does not reach another session
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode == code, f"goemo {' '.join(arguments)}\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def board(self, name: str) -> dict[str, Any]:
        """Return the leaderboard of a search, as its JSON has it."""
        return json.loads(self.run("leaderboard", name, "--format", "json").stdout)

    def ranking(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a leaderboard without what may depend on when or where the search ran."""
        left_out = ("seconds", "search", "ms_per_text", "is_on_front")
        return [{k: v for k, v in row.items() if k not in left_out} for row in self.board(name)["trials"]]

    def drive(self, *arguments: str) -> Driver:
        """Start a command to watch it, and to do to it what befalls commands."""
        return Driver(self.start(*arguments))


class Driver:
    """One run of `goemo`, whose lines are read as they come.

    Attributes:
        process: The command.
        lines: Of its stderr, until now.
        out: Of its stdout, until now.
    """

    started: ClassVar[list[Driver]] = []

    def __init__(self, process: subprocess.Popen) -> None:
        self.started.append(self)
        self.process = process
        self.lines: list[str] = []
        self.out: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(process.stderr, self.lines)),
            threading.Thread(target=self._read, args=(process.stdout, self.out)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        lines.extend(line.rstrip("\n") for line in stream)

    def wait_for(self, is_true: Callable[[], bool]) -> bool:
        """Wait until something holds; False where the command ended before."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            if is_true():
                return True
            assert time.monotonic() < deadline, self.told
            time.sleep(0.02)
        return False

    def wait_for_line(self, text: str) -> bool:
        """Wait until stderr has a line with this text; False where the command ended without."""
        return self.wait_for(lambda: any(text in line for line in list(self.lines)))

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        try:
            self.process.wait(timeout=PATIENCE_S)
        finally:
            if self.process.returncode is None:
                self.kill(all_of_it=True)
        for reader in self._readers:
            reader.join()
        return self.process.returncode

    @property
    def told(self) -> str:
        """What the command has written."""
        return "\n".join([*self.out, *self.lines])

    def family(self) -> list[psutil.Process]:
        """Return the command and all that it has started."""
        try:
            driver = psutil.Process(self.process.pid)
            return [driver, *driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self, *, all_of_it: bool) -> None:
        """Kill the driver; with all of it, everything that it has started too, as a reboot would.

        Ray's processes follow a driver that dies alone, at once where they could still write to the records.
        """
        family = self.family()
        for process in family if all_of_it else family[:1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(timeout=PATIENCE_S)
        self.end()
        assert not self.left_of(family)

    @staticmethod
    def left_of(family: list[psutil.Process]) -> list[psutil.Process]:
        """Return those processes that do not end; Ray's agents, which end in their own time, are left out."""
        return psutil.wait_procs([process for process in family if not _is_agent(process)], timeout=30)[1]


def _is_agent(process: psutil.Process) -> bool:
    try:
        return "Agent" in process.name()
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(autouse=True)
def no_command_is_left():
    """End what a test has started and, where it failed, left running."""
    yield
    for driver in Driver.started:
        if driver.process.poll() is None:
            driver.kill(all_of_it=True)
    Driver.started.clear()


@pytest.fixture(scope="session")
def shell(tmp_path_factory):
    """A folder with the tiny search space in it, shared by the tests of a session."""
    folder = tmp_path_factory.mktemp("end_to_end")
    (folder / "tiny.yaml").write_text(SPACE, encoding="utf-8")
    return Shell(folder)


@pytest.fixture(scope="session")
def searched(shell):
    """A finished search named `tiny`, and what the command printed."""
    return shell.run("search", "tiny.yaml")


@pytest.fixture(scope="session")
def client(shell, searched):
    """MLflow's own client on the store that the search left."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{shell.folder / 'mlruns' / 'mlflow.db'}")


@pytest.fixture(scope="session")
def retrained(shell, searched):
    """The bundle `model` of the best trial, logged and registered, and what the command printed."""
    shell.run("export", "tiny", "-o", "best.yaml")
    return shell.run("retrain", "best.yaml", "-o", "model", "--seeds", "1")
