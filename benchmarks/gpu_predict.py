"""Part 5 of a visit to a GPU: texts a second of `predict` beside the pipeline, all at once and one by one."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gpu_results import Results, Settings, checkpoint_name, short_name
from measuring import write_subset
from predict import BATCH_SIZES, scores_of
from trainer_loop import quiet
from transformers import pipeline

from goemo import bundle
from goemo.configuration import Configuration
from goemo.data import Splits, load_splits
from goemo.inference import choose_device
from goemo.thresholds import fit_thresholds
from goemo.training import prepare, train

MAX_LENGTH = 64
TRAIN_ROWS, VALIDATION_ROWS = 2000, 500  # what the model has learnt does not change its speed
TOLERANCE = 1e-3  # of a score; a GPU's sums depend on the batch


def run_predict(settings: Settings, results: Results, *, model: str) -> None:
    """Save a model that has hardly trained, and measure both ways of reading it."""
    quiet()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = write_subset(
            Path(settings.data),
            folder / "rows",
            train=settings.rows or TRAIN_ROWS,
            validation=VALIDATION_ROWS,
        )
        _save(load_splits(f"dir:{few}"), model, folder)
        texts = list(load_splits(f"dir:{settings.data}").test.texts)[: settings.texts or None]
        device = choose_device()
        ours = bundle.load(folder / "model", device=device)
        theirs = pipeline("text-classification", model=str(folder / "model"), top_k=None, device=device)
        sizes = BATCH_SIZES if len(texts) > max(BATCH_SIZES) else (1, 16)
        ways: dict[str, Callable[[list[str]], Any]] = {"predict": ours.predict}
        for size in sizes:
            ways[f"pipeline, batch {size}"] = lambda some, size=size: theirs(
                some, truncation=True, batch_size=size
            )
        for way, read in ways.items():
            with results.attempt(way):
                read(texts[: max(sizes)])
                _add(results, model, way, [_seconds(read, texts)], texts=len(texts))
        for way in ("predict", "pipeline, batch 1"):
            with results.attempt(f"{way}, one by one"):
                each = [_seconds(ways[way], [text]) for text in texts[: settings.alone]]
                _add(results, model, way, each, texts=1)
        few_texts = texts[: max(sizes)]
        found = np.array([list(one["scores"].values()) for one in ours.predict(few_texts)])
        other = scores_of(ways[f"pipeline, batch {sizes[-1]}"](few_texts), ours.labels)
        most = float(np.abs(found - other).max())
        what = "predict, largest difference of a score to the pipeline's"
        results.add(
            "check", what=what, found=most, expected=f"{TOLERANCE} or less", is_right=most <= TOLERANCE
        )


def _save(splits: Splits, model: str, folder: Path) -> None:
    checkpoint = checkpoint_name(model)
    prepared = prepare(splits, checkpoint, trainable="all", max_lengths=[MAX_LENGTH], cache=folder / "cache")
    configuration = Configuration(checkpoint=checkpoint, max_length=MAX_LENGTH, epochs=1, reports=1)
    run = train(configuration, prepared)
    assert run.best is not None
    fitted = fit_thresholds(run.best.scores.astype(np.float32), splits.validation.targets)
    bundle.save(run, folder / "model", thresholds=fitted, provenance={})


def _seconds(read: Callable[[list[str]], Any], texts: list[str]) -> float:
    """Return the seconds of reading texts; scores come to the host, so that nothing is left to wait for."""
    started = time.perf_counter()
    read(texts)
    return time.perf_counter() - started


def _add(results: Results, model: str, way: str, seconds: list[float], *, texts: int) -> None:
    middle = statistics.median(seconds)
    results.add(
        "predict",
        model=short_name(model),
        way=way,
        how="at once" if texts > 1 else "one by one",
        texts_s=texts / middle,
        ms=1e3 * middle / texts,
        least_ms=1e3 * min(seconds) / texts,
        most_ms=1e3 * max(seconds) / texts,
    )
