"""Commands as a user runs them, in a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# Threads, folder and store are those of a user, whatever other tests of the process have set.
NOT_INHERITED = ("OMP_NUM_THREADS", "GOEMO_RUNS", "MLFLOW_TRACKING_URI", "RAY_ADDRESS")

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
"""


@dataclass
class Shell:
    """Runs `goemo` in one folder.

    Attributes:
        folder: Where the commands run, and where `mlruns` lies.
    """

    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "tune.cli", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if k not in NOT_INHERITED} | {"HF_HUB_OFFLINE": "1"},
        )

    def run(self, *arguments: str, code: int = 0, timeout: int = 240) -> subprocess.CompletedProcess:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        assert process.returncode == code, f"goemo {' '.join(arguments)}\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


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
def retrained(shell, searched):
    """The bundle `model` of the best trial, logged and registered, and what the command printed."""
    shell.run("export", "tiny", "-o", "best.yaml")
    return shell.run("retrain", "best.yaml", "-o", "model", "--seeds", "1")
