"""Part 3 of a visit to a GPU: trials that share it, beside the same trials one after the other.

With Ray, two real searches without a store, each in a process of its own: ``gpus_per_trial: auto`` and 1.
Their times are those of the trials, from the first's begin to the last's end, as their records have them.

Without Ray, as many processes as would share the GPU take the trials in turns, each held to its share of the
memory as a trial's worker is, and each trained by the engine that trains trials. That measures what sharing
gives and what memory it takes; it does not measure the driver, its schedulers and its records.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gpu_results import Results, Settings, checkpoint_name
from measuring import write_subset

from goemo.configuration import Configuration
from goemo.data import load_splits
from goemo.inference import choose_device
from goemo.training import Prepared, prepare, train

NEEDS = ("ray", "jsonschema", "altair")
LEARNING_RATES = (1e-4, 2e-4, 4e-4)
MAX_LENGTH = 32
AT_ONCE = 4  # at most on a GPU, as `gpus_per_trial: auto` has it
REPORTS = 2


@dataclass(frozen=True)
class Trained:
    """One trial.

    Attributes:
        began: By the machine's clock.
        ended: Likewise.
        peak_gb: The most that torch's allocator has handed out.
        gpus: Its share of a GPU.
    """

    began: float
    ended: float
    peak_gb: float
    gpus: float


def run_search(settings: Settings, results: Results, *, model: str) -> None:
    """Run the trials that share the GPU first, for they are done sooner."""
    with tempfile.TemporaryDirectory() as name:
        folder, source = Path(name), Path(settings.data)
        if settings.rows:
            source = write_subset(source, folder / "rows", train=settings.rows, validation=settings.rows)
        lacking = [need for need in NEEDS if importlib.util.find_spec(need) is None]
        if not lacking:
            for way, resources in _ways().items():
                with results.attempt(f"search, {way}"):
                    space = _space(settings, model, source, resources)
                    _add(results, f"search, {way}", _searched(space, folder / "runs", way))
            return
        results.add(
            "note", text=f"no search without {', '.join(lacking)}: plain processes of the same trials"
        )
        prepared = prepare(
            load_splits(f"dir:{source}"),
            checkpoint_name(model),
            trainable="all",
            max_lengths=[MAX_LENGTH],
            cache=folder / "cache",
        )
        for at_once in (AT_ONCE if torch.cuda.is_available() else 2, 1):
            with results.attempt(f"{at_once} processes"):
                trained = _in_processes(_configurations(settings, model), prepared.folder, at_once)
                way = "processes, shared" if at_once > 1 else "processes, one after the other"
                _add(results, way, trained)


def _ways() -> dict[str, dict[str, Any]]:
    if torch.cuda.is_available():
        shared: dict[str, Any] = {"gpus_per_trial": "auto"}
        return {"shared": shared, "one after the other": {"gpus_per_trial": 1}}
    return {"shared": {"cpus_per_trial": 1}, "one after the other": {"cpus_per_trial": os.cpu_count()}}


def _add(results: Results, way: str, trained: list[Trained]) -> None:
    seconds = [one.ended - one.began for one in trained]
    wall = max(one.ended for one in trained) - min(one.began for one in trained)
    has_gpu = torch.cuda.is_available()
    memory = torch.cuda.get_device_properties(0).total_memory / 1e9 if has_gpu else 0.0
    results.add(
        "search",
        way=way,
        trials=len(trained),
        wall_s=wall,
        at_once=sum(seconds) / wall,
        trial_s=sum(seconds) / len(seconds),
        peak_gb=max(one.peak_gb for one in trained),
        share_gb=memory * max(one.gpus for one in trained),
    )


def _space(settings: Settings, model: str, source: Path, resources: dict[str, Any]) -> str:
    """Return the search space, as JSON, which is YAML."""
    return json.dumps(
        {
            "name": "visit",
            "model": {"checkpoint": checkpoint_name(model), "trainable": "all"},
            "data": {"source": f"dir:{source}"},
            "space": {
                "batch_size": {"grid": list(settings.search_batch_sizes)},
                "learning_rate": {"grid": list(LEARNING_RATES)},
                "max_length": MAX_LENGTH,
                "epochs": settings.search_epochs,
            },
            "search": {"algorithm": "grid"},
            "scheduler": "none",
            "objective": {"metric": "macro_f1", "thresholds": "proportional", "reports": REPORTS},
            "baseline": "none",
            "resources": {"cpus_per_trial": 1, **resources},
        }
    )


def _searched(space: str, runs: Path, way: str) -> list[Trained]:
    """Run a search in a process of its own and return its trials.

    What comes after the trials, the report, needs packages that the trials do not: it may fail.

    Raises:
        RuntimeError: A trial did not get to its end.
    """
    runs.mkdir(exist_ok=True)
    name = way.replace(" ", "-")
    file = runs / f"{name}.yaml"
    file.write_text(space, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, __file__, str(file), name], env=os.environ | {"GOEMO_RUNS": str(runs)}, check=False
    )
    histories = sorted((runs / "searches" / name / "trials").glob("*/history.jsonl"))
    trained = []
    for history in histories:
        rows = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
        if rows[-1]["progress"] != 100:
            raise RuntimeError(f"{history.parent.name} ended at {rows[-1]['progress']} %")
        last = rows[-1]
        peak = max(row["train/peak_memory_gb"] for row in rows)
        gpus = last["gpu_seconds"] / last["seconds"]
        trained.append(Trained(last["time"] - last["seconds"], last["time"], peak, gpus))
    if not trained:
        raise RuntimeError(f"the search ended with {done.returncode} and no trial")
    return trained


def _configurations(settings: Settings, model: str) -> list[Configuration]:
    return [
        Configuration(
            checkpoint=checkpoint_name(model),
            batch_size=size,
            learning_rate=rate,
            max_length=MAX_LENGTH,
            epochs=settings.search_epochs,
            reports=REPORTS,
            thresholds="proportional",
        )
        for size in settings.search_batch_sizes
        for rate in LEARNING_RATES
    ]


def _in_processes(configurations: list[Configuration], prepared: Path, at_once: int) -> list[Trained]:
    """Train the configurations, so many at once."""
    context = multiprocessing.get_context("spawn")
    threads = 1 if at_once > 1 else torch.get_num_threads()
    with ProcessPoolExecutor(at_once, context, initializer=_keep_to_share, initargs=(at_once,)) as pool:
        share = 1 / at_once if torch.cuda.is_available() else 0.0
        waiting = [pool.submit(_train, one.to_dict(), prepared, threads, share) for one in configurations]
        return [one.result() for one in as_completed(waiting)]


def _keep_to_share(at_once: int) -> None:
    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(1 / at_once)


def _train(configuration: dict[str, Any], prepared: Path, threads: int, share: float) -> Trained:
    began = time.time()
    peak = 0.0

    def keep(report: Any) -> None:
        nonlocal peak
        peak = max(peak, report.metrics["train/peak_memory_gb"])

    where = {"device": choose_device(), "threads": threads}
    train(Configuration.from_dict(configuration), Prepared.open(prepared), on_report=keep, **where)
    return Trained(began, time.time(), peak, share)


def main() -> None:
    """Run one search: the process that `_searched` starts."""
    from tune.driver import run_search as run
    from tune.spec import load_spec

    file, name = sys.argv[1:]
    run(load_spec(file, name=name), tracking_uri="none")


if __name__ == "__main__":
    main()
