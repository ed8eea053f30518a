"""What the driver costs a trial as the trials grow in number, beside bare Ray Tune: nothing is trained.

    python benchmarks/driver_overhead.py
    python benchmarks/driver_overhead.py --counts 100 300 1000 --ways engine mlflow ray --algorithm tpe

A trial makes five reports without computing anything; a worker is reused for the next trial, and there is one
for each core. Every search is a process of its own.

- `engine`: `tune.engine.tuner.run_trials` as `goemo search` calls it, with records, suggestions, scheduler
  and view, without a store. Its trials write the history and the scores that real ones write.
- `mlflow`: the whole of `tune.driver.search.run_search` with such trials: a new SQLite store, the tables,
  figures and page of every trial, the report of the search.
- `ray`: `ray.tune.Tuner` as it comes, with as many trials, reports and workers; its trials write nothing.

Seconds a trial are those between the ends of trials, so that the start of Ray does not count; CPU seconds are
those of all threads of the driver, and memory is its resident set at those moments.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from measuring import hardware, say, table

WAYS = ("engine", "mlflow", "ray")
REPORTS = (20, 40, 60, 80, 100)
WINDOW = 50  # trials over which the seconds at the beginning and at the end are taken
SPACE = """\
name: trivial
model: {{checkpoint: "scratch:albert-tiny"}}
data: {{source: "sample:600"}}
space:
  learning_rate: {{log_uniform: [1.0e-5, 1.0e-2]}}
  batch_size: {{choice: [16, 32, 64]}}
search: {{algorithm: {algorithm}, trials: {count}}}
scheduler: {scheduler}
resources: {{cpus_per_trial: 1}}
"""


class Ends:
    """When trials ended, what the driver had computed by then, and how much memory it held."""

    def __init__(self) -> None:
        self.moments: list[tuple[float, float, int]] = []
        self._process = psutil.Process()

    def take_down(self) -> None:
        """Note the end of one trial: seconds, CPU seconds of all threads, bytes."""
        self.moments.append((time.perf_counter(), time.process_time(), self._process.memory_info().rss))


def objective_at(learning_rate: float, progress: int) -> float:
    """Return a smooth objective: best at 1e-3, better with progress."""
    return 0.5 - 0.05 * abs(float(np.log10(learning_rate)) + 3) + progress / 1000


def recording_actor() -> type:
    """Return a Trainable that leaves the records of a trial and trains nothing."""
    import ray.tune as ray_tune

    class RecordingActor(ray_tune.Trainable):
        """Writes histories and scores."""

        def setup(self, config: dict[str, Any]) -> None:
            from tune.records import TrialFolder

            self.folder = TrialFolder(Path(config["folder"]))
            targets = np.load(self.folder.path.parents[1] / "validation.npz")["targets"]
            self.scores = np.clip(targets * 0.4 + np.random.default_rng(0).random(targets.shape) * 0.6, 0, 1)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            from tune.records import TrialFolder

            self.folder = TrialFolder(Path(new_config["folder"]))
            return True

        def step(self) -> dict[str, Any]:
            record = self.folder.read()
            progress = REPORTS[len(record.history)]
            value = objective_at(record.config["learning_rate"], progress)
            names = ("macro_f1", "macro_f1_at_0.5", "weighted_f1", "micro_f1", "loss")
            row = {"progress": progress, "time": time.time(), "seconds": progress / 100}
            row |= {f"val/{name}": value for name in names} | {"train/loss": 1 - value}
            self.folder.write_report(row, self.scores)
            return {"progress": progress, "objective": value, "done": progress == 100}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            pass

        def load_checkpoint(self, checkpoint: Any) -> None:
            pass

    return RecordingActor


def put_in_place(ends: Ends) -> None:
    """Let the engine run trials that train nothing, and take down when they end."""
    from tune.engine import tuner as engine

    class Watched(engine.Recorder):
        """The recorder, watched."""

        def on_trial_complete(self, trial: Any) -> None:
            super().on_trial_complete(trial)
            ends.take_down()

    engine.TrialActor = recording_actor()
    engine.Recorder = Watched


def run_engine(space: Path, ends: Ends) -> None:
    """Run the trials through the engine alone."""
    from rich.console import Console

    from tune.engine.cluster import connect
    from tune.engine.tuner import run_trials
    from tune.live.progress import ProgressView, SearchState
    from tune.records import SearchFolder
    from tune.space import suggestions
    from tune.spec import load_spec
    from tune.stopping.budget import Budget, BudgetUse
    from tune.stopping.stop_request import StopRequest

    spec = load_spec(str(space))
    put_in_place(ends)
    with connect(None) as nodes:
        nodes()
        search = SearchFolder.create(spec.name, spec.to_dict())
        search.write_validation(np.random.default_rng(0).random((90, 28)) < 0.1, [str(n) for n in range(28)])
        state = SearchState(spec.name, total=spec.total, objective=spec.objective.metric)
        with ProgressView(state, Console(file=io.StringIO())) as view:
            run_trials(
                spec,
                search,
                prepared={},
                per_trial={"cpu": 1.0, "gpu": 0.0},
                suggestions=suggestions(spec, []),
                spending=BudgetUse(Budget(), started=time.monotonic(), gpus_per_trial=0.0),
                stop_request=StopRequest(search.path),
                view=view,
                notice=lambda _: None,
            )


def run_whole(space: Path, ends: Ends) -> None:
    """Run a search as users do."""
    from rich.console import Console

    from tune.driver import run_search
    from tune.spec import load_spec

    put_in_place(ends)
    run_search(load_spec(str(space)), console=Console(file=io.StringIO()))


def run_ray(count: int, scheduler: str, ends: Ends) -> None:
    """Run Ray Tune as it comes."""
    import ray
    import ray.tune as ray_tune
    from ray.tune.schedulers import ASHAScheduler

    class Trivial(ray_tune.Trainable):
        """Reports and does nothing else."""

        def setup(self, config: dict[str, Any]) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.learning_rate, self.reported = new_config["learning_rate"], 0
            return True

        def step(self) -> dict[str, Any]:
            progress = REPORTS[self.reported]
            self.reported += 1
            value = objective_at(self.learning_rate, progress)
            return {"progress": progress, "objective": value, "done": progress == 100}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            pass

        def load_checkpoint(self, checkpoint: Any) -> None:
            pass

    class Watch(ray_tune.Callback):
        """Takes down when trials end."""

        def on_trial_complete(self, *_: Any, **info: Any) -> None:
            del info
            ends.take_down()

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            return object, ()

    asha = ASHAScheduler(
        time_attr="progress", metric="objective", mode="max", max_t=100, grace_period=20, reduction_factor=3
    )
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray_tune.Tuner(
        ray_tune.with_resources(Trivial, {"cpu": 1}),
        param_space={
            "learning_rate": ray_tune.loguniform(1e-5, 1e-2),
            "batch_size": ray_tune.choice([16, 32, 64]),
        },
        tune_config=ray_tune.TuneConfig(
            num_samples=count, reuse_actors=True, scheduler=asha if scheduler == "asha" else None
        ),
        run_config=ray_tune.RunConfig(
            name="bare", storage_path=str(Path.cwd()), callbacks=[Watch()], verbose=0
        ),
    ).fit()


def run_one(way: str, count: int, algorithm: str, scheduler: str) -> None:
    """Run one search in this process and folder; leave its figures in ``ends.json``."""
    space = Path("trivial.yaml")
    space.write_text(SPACE.format(algorithm=algorithm, count=count, scheduler=scheduler), encoding="utf-8")
    ends = Ends()
    ways: dict[str, Callable[[], None]] = {
        "engine": lambda: run_engine(space, ends),
        "mlflow": lambda: run_whole(space, ends),
        "ray": lambda: run_ray(count, scheduler, ends),
    }
    ways[way]()
    figures = {"moments": ends.moments, "done": time.perf_counter()}
    Path("ends.json").write_text(json.dumps(figures), encoding="utf-8")


def measure(way: str, count: int, folder: Path, options: argparse.Namespace) -> list[str]:
    """Run one search in a process of its own and return its row of the table."""
    folder.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in {"MLFLOW_TRACKING_URI", "RAY_ADDRESS"}}
    environment |= {"GOEMO_RUNS": str(folder / "mlruns"), "RAY_USAGE_STATS_ENABLED": "0"}
    given = ["--algorithm", options.algorithm, "--scheduler", options.scheduler]
    command = [sys.executable, str(Path(__file__).resolve()), "--one", way, "--counts", str(count), *given]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{way}, {count} trials:\n{done.stderr[-4000:]}")
    found = json.loads((folder / "ends.json").read_text(encoding="utf-8"))
    seconds, cpu, memory = np.array(found["moments"]).T
    if len(seconds) != count:
        sys.exit(f"{way}: {len(seconds)} of {count} trials ended")
    shares = [(values[WINDOW] - values[0]) / WINDOW for values in (seconds, cpu)]
    shares += [(values[-1] - values[-1 - WINDOW]) / WINDOW for values in (seconds, cpu)]
    mean, cpu_mean = ((values[-1] - values[0]) / (count - 1) for values in (seconds, cpu))
    growth = np.polyfit(np.arange(count), memory, 1)[0]
    rest = found["done"] - seconds[-1]
    say(f"{way}, {count} trials: {mean:.3f} s a trial")
    of_wall = [mean, shares[0], shares[2]]
    of_cpu = [cpu_mean, shares[1], shares[3]]
    cells = [f"{cell:.3f}" for cell in of_wall + of_cpu]
    held = [f"{memory[at] / 1e6:.0f}" for at in (0, -1)]
    return [way, str(count), *cells, f"{rest:.1f}", *held, f"{growth / 1e3:.0f}"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 300, 1000], help="of trials")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--algorithm", choices=["random", "tpe"], default="random", help="of ours")
    parser.add_argument("--scheduler", choices=["none", "asha"], default="none")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.counts[0], options.algorithm, options.scheduler)
        return
    with tempfile.TemporaryDirectory() as name:
        rows = [
            measure(way, count, Path(name) / f"{way}-{count}", options)
            for count in options.counts
            for way in options.ways
        ]
    print(hardware(), f"; {options.algorithm}, scheduler {options.scheduler}.\n", sep="")
    ends = [f"first {WINDOW}", f"last {WINDOW}"]
    header = ["way", "trials", "s a trial", *ends, "driver's CPU s a trial", *ends, "after the last trial, s"]
    print(table([*header, "MB at the first end", "MB at the last", "kB a trial"], rows))


if __name__ == "__main__":
    main()
