"""What a search costs beside its training: `goemo search` and `Trainer.hyperparameter_search`, same trials.

    python benchmarks/search_overhead.py
    python benchmarks/search_overhead.py --growth 9 27 100 300

The first form runs a grid of 27 short trials (batch size, learning rate, maximum length) of a tiny ALBERT on
the built-in sample, one CPU a trial and as many trials at once as there are cores: through `goemo search` as
users have it, logging to a new MLflow store; through `goemo search --tracking-uri none`; and through
`Trainer.hyperparameter_search(backend="ray")` (benchmarks/trainer_search.py). Each is a process of its own,
timed from its start to its end, in turns. Both evaluate after every epoch; beyond that, `goemo search` fits
thresholds, tests the chosen trial, draws and reports, and Trainer does not.

How much of a search is training decides the ratio of the wall times, so trials come in three sizes
(`--sizes`), and the table has the seconds of harness a trial too: the wall time times the trials at once,
less the seconds that trials spent in training and evaluation by their own clocks, divided by the trials. What
does not train slows down what does, for they share the cores: some of the harness counts as training, on
either side.

The second form runs `goemo search` alone with more and more trials of the first size, which differ in the
learning rate only.

Tokens and the tokenizer that is trained on the sample are cached by a first search of one trial, which does
not count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from measuring import SearchRun, goemo_search, hardware, need_accelerate, say, spread, table

CHECKPOINT = "scratch:albert-tiny"
SEED = 42
BATCH_SIZES, LEARNING_RATES, MAX_LENGTHS = [16, 32, 64], [5e-4, 1e-3, 2e-3], [16, 24, 32]
AT_ONCE = os.cpu_count() or 1
WAYS = {
    "goemo": "`goemo search`",
    "untracked": "`goemo search --tracking-uri none`",
    "trainer": "`Trainer.hyperparameter_search`",
}


@dataclass(frozen=True)
class Size:
    """Of a trial: rows of the sample, most of which train, and epochs."""

    rows: int
    epochs: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read ``ROWSxEPOCHS``."""
        rows, _, epochs = text.partition("x")
        return cls(int(rows), int(epochs))

    def __str__(self) -> str:
        return f"{self.rows:,} rows, {self.epochs} epoch{'s' if self.epochs > 1 else ''}"


SIZES = [Size(300, 1), Size(300, 2), Size(1000, 2)]


def search_space(
    size: Size,
    *,
    batch_sizes: Sequence[int],
    learning_rates: Sequence[float],
    max_lengths: Sequence[int],
) -> str:
    """Return the grid as a search space of goemo."""
    values = {
        "name": "tiny",
        "model": {"checkpoint": CHECKPOINT},
        "data": {"source": f"sample:{size.rows}"},
        "space": {
            "batch_size": {"grid": list(batch_sizes)},
            "learning_rate": {"grid": list(learning_rates)},
            "max_length": {"grid": list(max_lengths)},
            "epochs": size.epochs,
        },
        "scheduler": "none",
        "objective": {"reports": size.epochs},
        "resources": {"cpus_per_trial": 1},
        "seed": SEED,
    }
    return yaml.safe_dump(values, sort_keys=False)


def new_runs(folder: Path, name: str) -> Path:
    """Return a folder for a search, with the caches of the first one."""
    (folder / name).mkdir()
    (folder / name / "cache").symlink_to(folder / "cache", target_is_directory=True)
    return folder / name


def trainer_search(size: Size, folder: Path, name: str) -> SearchRun:
    """Run Trainer's search of the grid in a process of its own."""
    task = {
        "checkpoint": CHECKPOINT,
        "source": f"sample:{size.rows}",
        "epochs": size.epochs,
        "seed": SEED,
        "cache": str(folder / "cache"),
        "grid": {
            "per_device_train_batch_size": BATCH_SIZES,
            "learning_rate": LEARNING_RATES,
            "max_length": MAX_LENGTHS,
        },
    }
    work = folder / name
    work.mkdir()
    (work / "grid.json").write_text(json.dumps(task), encoding="utf-8")
    script = Path(__file__).with_name("trainer_search.py")
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AIR_NEW_OUTPUT": "0"}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(script), str(work / "grid.json"), str(work)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{script.name} failed:\n{done.stderr[-4000:]}")
    seconds = (work / "seconds.txt").read_text(encoding="utf-8").split()
    return SearchRun(wall, tuple(map(float, seconds)))


def harness_seconds(run: SearchRun) -> float:
    """Return the seconds of one core a trial that were not spent in training and evaluation."""
    return (run.wall * AT_ONCE - sum(run.trial_seconds)) / len(run.trial_seconds)


def compare(folder: Path, sizes: Sequence[Size], *, rounds: int) -> None:
    """Print a table of the three ways, for each size of the trials."""
    trials = len(BATCH_SIZES) * len(LEARNING_RATES) * len(MAX_LENGTHS)
    lines = []
    for size in sizes:
        space = search_space(
            size, batch_sizes=BATCH_SIZES, learning_rates=LEARNING_RATES, max_lengths=MAX_LENGTHS
        )
        runs: dict[str, list[SearchRun]] = defaultdict(list)
        for number in range(rounds):
            for way, shown in WAYS.items():
                name = f"{way}-{size.rows}-{size.epochs}-{number}"
                if way == "trainer":
                    run = trainer_search(size, folder, name)
                else:
                    uri = "none" if way == "untracked" else None
                    run = goemo_search(
                        space, new_runs(folder, name), name, tracking_uri=uri, reports=size.epochs
                    )
                if len(run.trial_seconds) != trials:
                    sys.exit(f"{shown}: {len(run.trial_seconds)} of {trials} trials got to their end")
                say(f"{size}, round {number + 1}, {shown}: {run.wall:.1f} s")
                runs[way].append(run)
        for way, shown in WAYS.items():
            harness = {name: [harness_seconds(run) for run in runs[name]] for name in (way, "trainer")}
            times = [theirs.wall / ours.wall for theirs, ours in zip(runs["trainer"], runs[way], strict=True)]
            fewer = [a / b for a, b in zip(harness["trainer"], harness[way], strict=True)]
            lines.append(
                [
                    shown,
                    str(size),
                    spread([run.wall for run in runs[way]]),
                    spread([sum(run.trial_seconds) for run in runs[way]]),
                    spread(harness[way], 2),
                    "" if way == "trainer" else spread(times),
                    "" if way == "trainer" else spread(fewer),
                ]
            )
    print(f"{trials} trials of {CHECKPOINT}; rounds in turns: {rounds}, median (least to most).\n")
    header = ["search", "a trial", "wall, s", "training of all trials, CPU s", "harness a trial, CPU s"]
    print(table([*header, "wall: Trainer / this", "harness: Trainer / this"], lines))


def grow(folder: Path, counts: Sequence[int], size: Size, *, tracking_uri: str | None) -> None:
    """Print a table of the harness's seconds a trial."""
    lines = []
    for count in counts:
        rates = np.geomspace(2e-4, 2e-3, count).round(8).tolist()
        space = search_space(size, batch_sizes=[32], learning_rates=rates, max_lengths=[24])
        name = f"of-{count}"
        run = goemo_search(
            space, new_runs(folder, name), name, tracking_uri=tracking_uri, reports=size.epochs
        )
        if len(run.trial_seconds) != count:
            sys.exit(f"{len(run.trial_seconds)} of {count} trials got to their end")
        training = sum(run.trial_seconds)
        say(f"{count} trials: {run.wall:.1f} s")
        cells = [run.wall, run.wall / count, training / count, harness_seconds(run)]
        lines.append([str(count), *(f"{cell:.2f}" for cell in [*cells, run.wall - training / AT_ONCE])])
    print(f"{CHECKPOINT}, {size}, {AT_ONCE} trials at once.\n")
    header = ["trials", "wall, s", "wall a trial, s", "training a trial, CPU s"]
    print(table([*header, "harness a trial, CPU s", "wall less training, s"], lines))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes",
        type=Size.parse,
        nargs="+",
        metavar="ROWSxEPOCHS",
        default=SIZES,
        help="of a trial: rows of the built-in sample, and epochs with an evaluation after each",
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--growth", type=int, nargs="+", metavar="TRIALS", help="`goemo search` alone, of so many"
    )
    parser.add_argument("--tracking-uri", help="of --growth; `none` logs nothing (default: a new store)")
    options = parser.parse_args()
    if not options.growth:
        need_accelerate()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cache").mkdir()
        for size in options.sizes:
            space = search_space(size, batch_sizes=[32], learning_rates=[1e-3], max_lengths=[24])
            first = f"first-{size.rows}-{size.epochs}"
            goemo_search(space, new_runs(folder, first), first, tracking_uri="none")
        print(hardware())
        if options.growth:
            grow(folder, options.growth, options.sizes[0], tracking_uri=options.tracking_uri)
        else:
            compare(folder, options.sizes, rounds=options.rounds)


if __name__ == "__main__":
    main()
