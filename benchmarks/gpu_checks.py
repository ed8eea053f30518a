"""Part 1 of a visit to a GPU: does what was written for it do what it says?

The tests of the suite that a GPU alone can run, by pytest; and what only the device itself can tell: the
arithmetic it takes, how far CUDA graphs and bfloat16 move the scores of a real encoder beside how far two
runs of the same training lie apart, memory as estimated and as taken, and a batch that does not fit.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_results import Results, Settings, checkpoint_name, short_name
from measuring import write_subset
from trainer_loop import quiet

from goemo.configuration import Configuration
from goemo.data import Splits, load_splits
from goemo.inference import choose_device
from goemo.models import build_model
from goemo.training import Prepared, TrainingRun, prepare, train
from goemo.training.memory_estimate import PROCESS_BYTES, estimate_memory
from goemo.training.optimization import AdamW
from goemo.training.precision import uses_bfloat16

CHECKOUT = Path(__file__).resolve().parents[1]
ROWS, VALIDATION_ROWS = 2000, 500
MAX_LENGTH = 32
LARGEST = (64, 64)  # batch size and maximum length of the published grid that take the most
TOO_LARGE = 512  # batch size that shall not fit
MARK = "needs a GPU"  # the reason that the tests are skipped for elsewhere


def run_tests(settings: Settings, results: Results) -> None:
    """Run the tests that are skipped without a GPU, those of the files that have any, and no others.

    Raises:
        RuntimeError: pytest did not get to them.
    """
    files = [
        str(file)
        for file in sorted((CHECKOUT / "tests").rglob("test_*.py"))
        if MARK in file.read_text(encoding="utf-8")
    ]
    found = Path(settings.out) / "tests.xml"
    command = [sys.executable, "-m", "pytest", *files, "-k", "on_a_gpu", "-m", "", "-q", "-W", "default"]
    command += ["-p", "no:cacheprovider", f"--junitxml={found}"]
    done = subprocess.run(command, cwd=CHECKOUT, check=False)
    if not found.is_file():
        raise RuntimeError(f"pytest ended with {done.returncode} and no report")
    for case in ET.parse(found).iter("testcase"):
        ended = next((part for part in case if part.tag in {"failure", "error", "skipped"}), None)
        outcome = "passed" if ended is None else ended.tag
        why = "" if ended is None else ended.get("message", "").partition("\n")[0]
        results.add("test", name=case.get("name"), outcome=outcome, why=why)
        results.failures += outcome in {"failure", "error"}
    found.unlink()


def run_checks(settings: Settings, results: Results) -> None:
    """Check one after the other; what fails is written down."""
    quiet()
    device = choose_device()
    _add(results, "device chosen", str(device), "cuda:0", is_right=str(device) == "cuda:0")
    with results.attempt("fused AdamW"):
        _check_optimizer(results, device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = settings.rows or ROWS
        rows = write_subset(Path(settings.data), folder / "rows", train=few, validation=VALIDATION_ROWS)
        splits = load_splits(f"dir:{rows}")
        for number, model in enumerate(settings.models):
            with results.attempt(short_name(model)):
                prepared = _prepared(splits, model, folder)
                configuration = Configuration(
                    checkpoint=checkpoint_name(model),
                    batch_size=16,
                    learning_rate=1e-4,
                    max_length=MAX_LENGTH,
                    epochs=1,
                    reports=1,
                    dropout=0.0,
                )
                _check_memory(results, configuration, prepared)
                _check_scores(results, configuration, prepared)
                if number == 0:
                    _check_out_of_memory(results, configuration, prepared)


def _prepared(splits: Splits, model: str, folder: Path) -> Prepared:
    lengths = sorted({MAX_LENGTH, LARGEST[1]})
    return prepare(
        splits, checkpoint_name(model), trainable="all", max_lengths=lengths, cache=folder / "cache"
    )


def _add(results: Results, what: str, found: Any, expected: str, *, is_right: bool | None) -> None:
    results.add("check", what=what, found=found, expected=expected, is_right=is_right)


def _check_optimizer(results: Results, device: torch.device) -> None:
    """Take three steps with our grouping of the fused kernel, and three with the plain loop of torch."""
    torch.manual_seed(0)
    ours = {name: torch.randn(shape, device=device) for name, shape in (("w", (384, 384)), ("bias", (384,)))}
    theirs = {name: tensor.clone() for name, tensor in ours.items()}
    fused = AdamW(ours, weight_decay=0.01, max_norm=0.0)
    groups = [
        {"params": [theirs["w"]], "weight_decay": 0.01},
        {"params": [theirs["bias"]], "weight_decay": 0},
    ]
    plain = torch.optim.AdamW(groups, lr=1e-3, foreach=False, fused=False)
    for _ in range(3):
        for name, tensor in ours.items():
            tensor.grad = torch.randn_like(tensor)
            theirs[name].grad = tensor.grad.clone()
        fused.step(1e-3)
        plain.step()
    most = max(float((ours[name] - theirs[name]).abs().max()) for name in ours)
    _add(results, "fused AdamW, largest difference of a weight", most, "2e-6 or less", is_right=most <= 2e-6)


def _check_memory(results: Results, configuration: Configuration, prepared: Prepared) -> None:
    """Compare a search's estimate with the peak, for batches of the usual size and of the largest."""
    model = build_model(prepared.checkpoint, labels=prepared.labels, trainable="all", seed=0)
    for size, length in ((configuration.batch_size, MAX_LENGTH), LARGEST):
        run = TrainingRun(replace(configuration, batch_size=size, max_length=length), prepared)
        in_bfloat16 = run.mixed_precision == "bfloat16"
        estimate = estimate_memory(model, run.configuration, in_bfloat16=in_bfloat16)
        report = run.advance()
        on_gpu = run.device.type == "cuda"
        free, total = torch.cuda.mem_get_info(run.device) if on_gpu else (0, 0)
        results.add(
            "memory",
            model=short_name(configuration.checkpoint),
            batch=size,
            max_length=length,
            estimated_gb=estimate.total / 1e9,
            estimated_without_process_gb=(estimate.total - PROCESS_BYTES) / 1e9,
            peak_gb=report.metrics["train/peak_memory_gb"],
            device_gb=(total - free) / 1e9,
        )
        del run
        if on_gpu:
            torch.cuda.empty_cache()


def _check_scores(results: Results, configuration: Configuration, prepared: Prepared) -> None:
    """Train alike in several ways, without dropout; compare validation scores with those of the plain way."""
    name = short_name(configuration.checkpoint)
    plain = train(configuration, prepared)
    width = plain._model.config.hidden_size  # noqa: SLF001 - the model it trained
    wanted = "bfloat16" if uses_bfloat16("auto", plain.device, width) else "none"
    _add(
        results,
        f"{name}, arithmetic",
        plain.mixed_precision,
        wanted,
        is_right=plain.mixed_precision == wanted,
    )
    changes: dict[str, dict[str, Any]] = {
        "the same once more": {},
        "CUDA graphs": {"cuda_graphs": True},
        "float32": {"mixed_precision": "none"},
    }
    assert plain.best is not None
    for way, change in changes.items():
        other = train(replace(configuration, **change), prepared)
        assert other.best is not None
        scores = plain.best.scores.astype(np.float32) - other.best.scores.astype(np.float32)
        loss = other.best.metrics["val/loss"] - plain.best.metrics["val/loss"]
        found = f"scores {np.abs(scores).max():.4f}, loss {loss:+.5f}"
        _add(
            results,
            f"{name}, {way}: difference to plain",
            found,
            "loss within 0.001",
            is_right=abs(loss) <= 1e-3,
        )


def _check_out_of_memory(results: Results, configuration: Configuration, prepared: Prepared) -> None:
    """Let a batch not fit; the step must be taken in pieces, and give what it gives whole."""
    large = min(TOO_LARGE, len(prepared.tokens["train"]))
    c = replace(configuration, batch_size=large, epochs=2)
    whole = train(c, prepared)
    assert whole.best is not None
    expected = whole.best.metrics
    del whole
    run = TrainingRun(c, prepared)
    with _too_little_memory(run, expected["train/peak_memory_gb"] * 1e9):
        report = run.advance()
    piece = run._plain_steps.piece  # noqa: SLF001 - what it has come down to
    _add(results, f"out of memory: piece of a batch of {large}", piece, "smaller", is_right=piece < large)
    difference = report.metrics["val/loss"] - expected["val/loss"]
    _add(
        results,
        "out of memory: loss beside that of whole batches",
        difference,
        "within 0.001",
        is_right=abs(difference) <= 1e-3,
    )


@contextmanager
def _too_little_memory(run: TrainingRun, peak: float) -> Iterator[None]:
    """Give a process less of its GPU than a training takes; on a CPU, refuse more than half a batch."""
    if run.device.type == "cuda":
        torch.cuda.empty_cache()
        held = torch.cuda.memory_reserved(run.device)
        total = torch.cuda.get_device_properties(run.device).total_memory
        torch.cuda.set_per_process_memory_fraction((held + 0.6 * max(peak - held, 0)) / total)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    inputs = run._inputs  # noqa: SLF001 - a CPU's memory is the whole machine's, which nobody shall fill
    ours, most = inputs.train_logits, run.configuration.batch_size // 2

    def limited(at: torch.Tensor, width: int) -> torch.Tensor:
        if len(at) > most:
            raise torch.OutOfMemoryError("as if the memory were full")
        return ours(at, width)

    inputs.train_logits = limited  # type: ignore[method-assign]
    yield
