"""How fast are exact thresholds and bootstrap intervals, beside the loop of the published notebook?

    python benchmarks/thresholds_speed.py

Takes about a minute. Times are CPU time of one core, so that other work on the machine hardly counts, as
median (lowest to highest) of several repeats. The loop: 19 thresholds x 28 labels, five metrics of
scikit-learn each. With a million examples it would take a quarter of an hour, so a part of it is timed.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, precision_score, recall_score
from threadpoolctl import threadpool_limits

from goemo.metrics import AVERAGES
from goemo.significance import bootstrap
from goemo.thresholds import apply_thresholds, fit_thresholds

Scores = NDArray[np.float32]
Targets = NDArray[np.bool_]

LABELS = 28
VALIDATION, TEST, MANY = 5_426, 5_427, 1_000_000
CUTS = [round(0.05 * step, 2) for step in range(1, 20)]
DRAWS = 1_000


def data(examples: int, seed: int = 0) -> tuple[Scores, Targets]:
    """Return scores and targets with labels from one example in a thousand to one in three, (n, l) each."""
    generator = np.random.default_rng(seed)
    targets = generator.random((examples, LABELS)) < np.geomspace(0.001, 1 / 3, LABELS)
    logits = generator.normal(size=(examples, LABELS)) + 2.0 * targets - 3
    return (1 / (1 + np.exp(-logits))).astype(np.float32), targets


def published_loop(scores: Scores, targets: Targets, cuts: list[float]) -> list[float]:
    """Return each label's first best cut by F1, from five metrics a cut, as the notebook does."""
    chosen = []
    for label in range(scores.shape[1]):
        true, best, best_cut = targets[:, label], -1.0, cuts[0]
        for cut in cuts:
            predicted = scores[:, label] > cut
            accuracy_score(true, predicted)
            precision_score(true, predicted, zero_division=0)
            recall_score(true, predicted, zero_division=0)
            f1 = float(f1_score(true, predicted, zero_division=0))
            matthews_corrcoef(true, predicted)
            if f1 > best:
                best, best_cut = f1, cut
        chosen.append(best_cut)
    return chosen


def all_averages(targets: Targets, predictions: Targets) -> dict[str, NDArray[np.float64]]:
    """Return every average in every draw."""
    (drawn,) = bootstrap(targets, predictions, draws=DRAWS)
    return {name: drawn.draws(name) for name in AVERAGES}


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Return the CPU time of each repeat, after one that does not count where it is short."""
    if repeats > 1:
        work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return times


def show(name: str, times: list[float], *, scale: float = 1, note: str = "") -> float:
    """Print one line and return the median in seconds."""
    median, low, high = (scale * value for value in (statistics.median(times), min(times), max(times)))
    print(f"{name:<44} {median:>9.4f} s  ({low:.4f} to {high:.4f}, {len(times)} repeats){note}")
    return median


def compare(examples: int, *, repeats: int, labels: int, cuts: list[float]) -> None:
    """Time exact thresholds, and the loop over these labels and cuts, scaled to all of them."""
    scores, targets = data(examples)
    exact = show(f"exact, {LABELS} x {examples:,}", seconds(lambda: fit_thresholds(scores, targets), repeats))
    part = np.ascontiguousarray(scores[:, :labels]), np.ascontiguousarray(targets[:, :labels])
    scale = LABELS / labels * len(CUTS) / len(cuts)
    note = f"; {labels} labels x {len(cuts)} cuts timed, times {scale:g}" if scale > 1 else ""
    times = seconds(lambda: published_loop(*part, cuts), repeats=1)
    loop = show(f"published loop, {LABELS} x {examples:,}", times, scale=scale, note=note)
    print(f"{'':<44} {loop / exact:>9,.0f} times as long\n")


def hardware() -> str:
    """Return what it ran on, in a line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "scikit-learn"))
    cpu = f"{model or platform.machine()}, {os.cpu_count()} cores, one used"
    return f"{cpu}; Python {platform.python_version()}, {versions}"


def main() -> None:
    """Print all figures."""
    print(hardware() + "\n")
    with threadpool_limits(1):
        compare(VALIDATION, repeats=21, labels=LABELS, cuts=CUTS)
        compare(MANY, repeats=3, labels=2, cuts=CUTS[9:10])
        scores, targets = data(TEST, seed=1)
        predictions = apply_thresholds(scores, fit_thresholds(scores, targets))
        show(
            f"{len(AVERAGES)} averages, {DRAWS:,} draws, {LABELS} x {TEST:,}",
            seconds(lambda: all_averages(targets, predictions), repeats=5),
        )


if __name__ == "__main__":
    main()
