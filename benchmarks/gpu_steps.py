"""Part 2 of a visit to a GPU: the engine with and without CUDA graphs beside `transformers.Trainer`.

Real GoEmotions texts, bfloat16 on both sides, every weight trains, the steps alone are timed. The ways take
turns within a round; ratios are taken within a round. A folder without weights is trained from random ones,
which is right for speed.

A step can be no faster than its memory traffic and no faster than its arithmetic:

    traffic      bytes a weight: AdamW reads and writes weight and two moments (24), the gradient is written,
                 read for its norm and read for the update (12), a bfloat16 copy is made and read by the
                 forward and the backward pass (4 + 2 + 2 + 2)
    arithmetic   6 operations a weight of the blocks and token (2 forward, 4 backward), where ALBERT's shared
                 weights count once an application; attention itself is left out

Both rates are measured on the device first: a copy of 1 GiB, and a product of bfloat16 matrices.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from gpu_results import Results, Settings, checkpoint_name, short_name
from measuring import hardware, write_subset
from trainer_loop import make_trainer, quiet, tokenize, training_speed

from goemo.configuration import Configuration
from goemo.data import Splits, load_splits
from goemo.fast import reduce_vocabulary
from goemo.inference import choose_device
from goemo.models import build_model, load_tokenizer
from goemo.training import Prepared, TrainingRun, prepare
from goemo.training.memory_estimate import estimate_memory
from goemo.training.precision import uses_bfloat16

TRAFFIC_BYTES = 24 + 12 + 4 + 2 + 2 + 2
MAX_LENGTH = 32
TRAINER_SECONDS = 2.0  # least time of a measurement of Trainer
COMPILED = "compiled, "  # before the name of a way


@dataclass(frozen=True)
class Device:
    """What the device can do at best, as measured.

    Attributes:
        bandwidth: Bytes a second that a copy reads and writes.
        arithmetic: Operations a second of a bfloat16 product.
    """

    bandwidth: float
    arithmetic: float


def wait() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], object], times: int) -> float:
    """Return the seconds of one of several runs, the device being idle before and after."""
    work()
    wait()
    started = time.perf_counter()
    for _ in range(times):
        work()
    wait()
    return (time.perf_counter() - started) / times


def measure_device() -> Device:
    """Measure a copy of 1 GiB, and a product of two matrices of 8,192 x 8,192; smaller ones on a CPU."""
    device = choose_device()
    on_gpu = device.type == "cuda"
    source = torch.ones(2**30 if on_gpu else 2**26, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    side = 8192 if on_gpu else 1024
    matrix = torch.randn(side, side, device=device, dtype=torch.bfloat16 if on_gpu else torch.float32)
    return Device(
        bandwidth=2 * len(source) / seconds_of(lambda: target.copy_(source), 20),
        arithmetic=2 * side**3 / seconds_of(lambda: matrix @ matrix, 20),
    )


def run_machine(settings: Settings, results: Results, *, allow_cpu: bool) -> None:
    """Write down what the machine is and can do.

    Raises:
        RuntimeError: It has no GPU, and that was not allowed.
    """
    del settings
    has_gpu = torch.cuda.is_available()
    if not has_gpu and not allow_cpu:
        raise RuntimeError("there is no GPU; --allow-cpu runs it all the same, slowly and for no figures")
    device = measure_device()
    results.add(
        "machine",
        device=torch.cuda.get_device_name() if has_gpu else "no GPU",
        memory_gb=torch.cuda.get_device_properties(0).total_memory / 1e9 if has_gpu else None,
        terabytes_s=device.bandwidth / 1e12,
        teraflops=device.arithmetic / 1e12,
        hardware=hardware(),
    )


class _SecondHalf:
    """Times the second half of a training's steps; the shapes of batches are met in the first."""

    seconds, steps = 0.0, 0

    def __call__(self, done: int, total: int) -> None:
        """Take note of a step; as ``on_progress`` of a training."""
        if done == total // 2:
            wait()
            self._started = time.perf_counter()
        if done == total:
            wait()
            self.seconds, self.steps = time.perf_counter() - self._started, total - total // 2


@dataclass(frozen=True)
class Case:
    """One model and batch size."""

    configuration: Configuration
    prepared: Prepared
    splits: Splits
    output: Path

    def engine_speed(self, *, with_graphs: bool = False, compiled: bool = False) -> float:
        """Train half an epoch to warm up and half by the clock; return samples a second."""
        run = TrainingRun(replace(self.configuration, cuda_graphs=with_graphs), self.prepared)
        if compiled:
            run._inputs.view.compile(dynamic=True)  # noqa: SLF001 - the module whose calls are the steps
        clock = _SecondHalf()
        run.train_to(100, clock)
        return clock.steps * self.configuration.batch_size / clock.seconds

    def trainer_speed(self, *, compiled: bool = False) -> float:
        """Return samples a second of Trainer, grouped by length."""
        c = self.configuration
        tokenizer = load_tokenizer(self.prepared.checkpoint)
        items = tokenize(self.splits.train, tokenizer, max_length=c.max_length, collation="grouped")
        model = self._model()
        in_bfloat16 = uses_bfloat16(c.mixed_precision, choose_device(), model.config.hidden_size)
        trainer = make_trainer(
            c, model, tokenizer, items, output=self.output, in_bfloat16=in_bfloat16, compiled=compiled
        )
        return training_speed(trainer, TRAINER_SECONDS, warmup=1)

    def bound(self, device: Device) -> tuple[str, float]:
        """Return what bounds a step, and the milliseconds that it takes at least."""
        model = self._model()
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

    def _model(self) -> torch.nn.Module:
        checkpoint, labels = self.prepared.checkpoint, self.prepared.labels
        built: torch.nn.Module = build_model(checkpoint, labels=labels, trainable="all", seed=0)
        return built


def make_case(settings: Settings, model: str, batch_size: int, folder: Path) -> Case:
    """Draw rows for so many batches and prepare them."""
    source, rows = Path(settings.data), folder / f"rows-{batch_size}"
    write_subset(source, rows, train=settings.batches * batch_size, validation=64)
    # The engine trains the words that the data has: those of all of it, and not of these batches alone.
    shutil.copy(source / "train.tsv", rows / "test.tsv")
    splits, checkpoint = load_splits(f"dir:{rows}"), checkpoint_name(model)
    prepared = prepare(splits, checkpoint, trainable="all", max_lengths=[MAX_LENGTH], cache=folder / "cache")
    configuration = Configuration(
        checkpoint=checkpoint, batch_size=batch_size, max_length=MAX_LENGTH, epochs=1, reports=1
    )
    return Case(configuration, prepared, splits, folder)


def _measure(settings: Settings, results: Results, model: str, *, compiled: bool) -> None:
    """Measure round after round, so that what is cut short has fewer rounds of every batch size."""
    quiet()
    device, name = measure_device(), short_name(model)
    cases: dict[int, Case] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in settings.batch_sizes[:1] if compiled else settings.batch_sizes:
            with results.attempt(f"{name}, batch {size}"):
                cases[size] = make_case(settings, model, size, Path(folder))
                what, bound = cases[size].bound(device)
                results.add("bound", model=name, batch=size, by=what, ms=bound)
        for number in range(1 if compiled else settings.rounds):
            for size, case in cases.items():
                for way, measure in _ways(case, compiled=compiled).items():
                    with results.attempt(f"{name}, batch {size}, {way}"):
                        facts = {"model": name, "batch": size, "way": way, "round": number}
                        results.add("speed", **facts, samples_s=measure())


def _ways(case: Case, *, compiled: bool) -> dict[str, Callable[[], float]]:
    if compiled:
        return {
            f"{COMPILED}engine": lambda: case.engine_speed(compiled=True),
            f"{COMPILED}Trainer": lambda: case.trainer_speed(compiled=True),
        }
    return {
        "engine": case.engine_speed,
        "engine, CUDA graphs": lambda: case.engine_speed(with_graphs=True),
        "Trainer": case.trainer_speed,
    }


def run_steps(settings: Settings, results: Results, *, model: str) -> None:
    """Measure the three ways of one model at every batch size."""
    _measure(settings, results, model, compiled=False)


def run_compiled(settings: Settings, results: Results, *, model: str) -> None:
    """Measure engine and Trainer with `torch.compile` at the first batch size."""
    _measure(settings, results, model, compiled=True)


def run_trial(settings: Settings, results: Results, *, model: str) -> None:
    """Train as a published trial, at batch 16 with a report an epoch; each report is written as it comes."""
    quiet()
    with tempfile.TemporaryDirectory() as name:
        source = Path(settings.data)
        if settings.rows:
            source = write_subset(source, Path(name) / "rows", train=settings.rows, validation=settings.rows)
        splits, checkpoint = load_splits(f"dir:{source}"), checkpoint_name(model)
        prepared = prepare(
            splits, checkpoint, trainable="all", max_lengths=[MAX_LENGTH], cache=Path(name) / "cache"
        )
        epochs = settings.trial_epochs
        configuration = Configuration(
            checkpoint=checkpoint,
            batch_size=16,
            max_length=MAX_LENGTH,
            epochs=epochs,
            reports=epochs,
            cuda_graphs=True,
        )
        started = time.perf_counter()
        run = TrainingRun(configuration, prepared)
        estimated = estimate_memory(run._model, configuration).total / 1e9  # noqa: SLF001 - the model it trains
        while not run.is_finished:
            report = run.advance()
            results.add(
                "trial",
                model=short_name(model),
                rows=len(splits.train),
                epochs=epochs,
                progress=report.progress,
                seconds=time.perf_counter() - started,
                peak_gb=report.metrics["train/peak_memory_gb"],
                estimated_gb=estimated,
            )
