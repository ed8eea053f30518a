"""Texts a second of a bundle's `predict` on the CPU, beside the pipeline of transformers at its best.

python benchmarks/predict.py MODEL --data GOEMOTIONS --threads 2

MODEL is a bundle, GOEMOTIONS the folder of the published files. The pipeline is measured with every batch
size, on the texts as they come and sorted by length, and then, with the best of each, against `predict` in
turns. Its scores must be those of `predict`. Sorting the texts, and putting
the results back in order, is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import pipeline
from transformers.utils import logging

from goemo import bundle
from goemo.data import load_splits

BATCH_SIZES = (1, 8, 16, 32, 64, 128)
TOLERANCE = 1e-5


def seconds(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall seconds, CPU seconds and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def scores_of(found: Sequence[Sequence[dict[str, Any]]], labels: Sequence[str]) -> np.ndarray:
    """Return the pipeline's scores as (texts, labels)."""
    rows = [{item["label"]: item["score"] for item in items} for items in found]
    return np.array([[row[label] for label in labels] for row in rows])


def spread(values: Sequence[float]) -> str:
    """Return the median, and the least and the most."""
    return f"{statistics.median(values):8.1f}  ({min(values):.1f} to {max(values):.1f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True, help="folder of the published GoEmotions files")
    parser.add_argument("--texts", type=int, default=0, help="the first N texts of test (default: all)")
    parser.add_argument("--try-texts", type=int, default=1000, help="texts to choose the batch size on")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.set_verbosity_error()

    texts = list(load_splits(f"dir:{options.data}").test.texts)[: options.texts or None]
    as_given = {"as given": texts, "sorted": sorted(texts, key=len, reverse=True)}
    model = bundle.load(options.model, device="cpu")
    classify = pipeline("text-classification", model=str(options.model), top_k=None, device="cpu")
    print(f"{len(texts)} texts, {options.threads} threads, torch {torch.__version__}")

    model.predict(texts[:64])
    best: dict[str, int] = {}
    for order, ordered in as_given.items():
        few = ordered[:: max(1, len(ordered) // options.try_texts)][: options.try_texts]
        speeds = {}
        for size in BATCH_SIZES:
            wall, _, _ = seconds(lambda few=few, size=size: classify(few, truncation=True, batch_size=size))
            speeds[size] = len(few) / wall
        best[order] = max(speeds, key=speeds.__getitem__)
        tried = ", ".join(f"{size}: {speed:.0f}" for size, speed in speeds.items())
        print(f"pipeline, {order}, texts/s by batch size: {tried}")

    speeds_of: dict[str, list[float]] = {"predict": [], **{order: [] for order in best}}
    work_of: dict[str, list[float]] = {"predict": [], **{order: [] for order in best}}
    for _ in range(options.repeats):
        wall, cpu, predictions = seconds(lambda: model.predict(texts))
        speeds_of["predict"].append(len(texts) / wall)
        work_of["predict"].append(len(texts) / cpu)
        ours = np.array([list(item["scores"].values()) for item in predictions])
        for order, size in best.items():
            chosen = as_given[order]
            wall, cpu, found = seconds(
                lambda chosen=chosen, size=size: classify(chosen, truncation=True, batch_size=size)
            )
            speeds_of[order].append(len(texts) / wall)
            work_of[order].append(len(texts) / cpu)
            if order == "as given":
                difference = np.abs(ours - scores_of(found, model.labels)).max()
                assert difference <= TOLERANCE, f"scores differ by {difference}"

    print(f"scores agree to {difference:.1e}")
    print("texts/s                        median  (least to most)    per CPU second")
    print(f"predict                      {spread(speeds_of['predict'])}  {spread(work_of['predict'])}")
    for order, size in best.items():
        print(f"pipeline, {order:8} batch {size:4} {spread(speeds_of[order])}  {spread(work_of[order])}")
    for order in best:
        pairs = zip(speeds_of["predict"], speeds_of[order], strict=True)
        ratios = [ours / theirs for ours, theirs in pairs]
        work = [ours / theirs for ours, theirs in zip(work_of["predict"], work_of[order], strict=True)]
        print(f"predict / pipeline, {order:8} {spread(ratios)}; of CPU time {spread(work)}")


if __name__ == "__main__":
    main()
