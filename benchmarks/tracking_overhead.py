"""What logging to MLflow costs: the wall time of a small search with tracking on, against off.

    python benchmarks/tracking_overhead.py
    python benchmarks/tracking_overhead.py --repeats 5 --tracking-uri http://127.0.0.1:5000

Both are `goemo search` as a user runs it, from the start of the process to its end, alternated so that a
machine that gets busier or hotter hurts both. On is the default; off is `--tracking-uri none`, which leaves
all records on disk, with the tables, figures and report of every trial, and nothing in MLflow. Each run with
tracking makes a new SQLite store, as a user's first search does, unless a URI is given. A run that warms up
the caches of tokens and of the operating system comes first and does not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPACE = """\
name: tiny
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:%(rows)s"}
space:
  batch_size:    {grid: [16, 32, 64]}
  learning_rate: {grid: [5.0e-4, 1.0e-3, 2.0e-3]}
  max_length:    {grid: [16, 24, 32]}
  epochs: %(epochs)s
scheduler: none
"""


def search(folder: Path, name: str, tracking_uri: str | None) -> tuple[float, float]:
    """Run the search under a name of its own; return its wall and CPU seconds, workers included."""
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment["GOEMO_RUNS"] = str(folder / name)  # a new store for each, as the first search of a user has
    (folder / name).mkdir()
    (folder / name / "cache").symlink_to(folder / "cache")
    arguments = ["search", str(folder / "tiny.yaml"), "--name", name]
    arguments += ["--tracking-uri", tracking_uri] if tracking_uri else []
    before, started = os.times(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tune.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.monotonic() - started
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


def main() -> None:
    """Measure and print one line a run, then the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=5000, help="of the built-in sample")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--tracking-uri", help="the store that is measured (default: a new SQLite store)")
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"on": [], "off": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cache").mkdir()
        (folder / "tiny.yaml").write_text(SPACE % vars(arguments), encoding="utf-8")
        search(folder, "warm-up", "none")
        for repeat in range(arguments.repeats):
            order = ("off", "on") if repeat % 2 == 0 else ("on", "off")
            for kind in order:
                wall, cpu = search(
                    folder, f"{kind}-{repeat}", "none" if kind == "off" else arguments.tracking_uri
                )
                times[kind].append(wall)
                print(f"{kind:<4} {wall:7.1f} s   driver {cpu:6.1f} CPU s", flush=True)
    on, off = (statistics.median(times[kind]) for kind in ("on", "off"))
    pairs = sorted(a / b for a, b in zip(times["on"], times["off"], strict=True))
    spread = f"pairs {pairs[0]:.2f} to {pairs[-1]:.2f}"
    print(f"27 trials: on {on:.1f} s, off {off:.1f} s, ratio {on / off:.2f} ({spread})")


if __name__ == "__main__":
    main()
