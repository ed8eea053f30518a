"""Is quality traded for speed? Validation macro-F1 of the engine beside Trainer's, and of its own batches.

    python benchmarks/quality.py
    python benchmarks/quality.py --rows 1000 --validation-rows 500 --epochs 1 --seeds 0 1

Two questions on real GoEmotions texts with MiniLM, `last_layer`, the same rows, hyperparameters and seeds:

1. The engine beside `transformers.Trainer` as a user writes it (`trainer_loop.py`, length grouping). Trainer
   leaves dropout on in frozen blocks and the engine does not; everything else is the same.
2. The engine's length-bucketed batches beside plainly shuffled ones, in the engine.

Each model is judged at the end of its training by the same function (`goemo.evaluation.validation_metrics`:
cross-fitted thresholds) on the same validation rows. The noise of seeds is the standard deviation over seeds,
pooled over the two sides; a difference of means has the standard error noise * sqrt(2 / seeds), and is called
within noise up to two of those. A seed decides the new weights, the order of the texts and dropout.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measuring import MINILM, find_goemotions, hardware, need_accelerate, say, table, write_subset
from numpy.typing import NDArray
from trainer_loop import make_trainer, predicted_scores, quiet, tokenize

from goemo.configuration import Configuration
from goemo.data import Splits, load_splits
from goemo.evaluation import as_kept, validation_metrics
from goemo.models import build_model, load_tokenizer
from goemo.tokens.batches import epoch_batches
from goemo.training import train
from goemo.training.prepared import Prepared, prepare

METRIC = "val/macro_f1"
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """What is trained, and on what."""

    configuration: Configuration
    splits: Splits
    prepared: Prepared
    folder: Path
    threads: int

    def engine(self, seed: int) -> Scores:
        """Return validation scores at the end of the engine's training; there is one report, at the end."""
        run = train(replace(self.configuration, seed=seed, reports=1), self.prepared, threads=self.threads)
        assert run.best is not None
        return run.best.scores.astype(np.float32)

    def shuffled(self, seed: int) -> Scores:
        """Return the same of plainly shuffled batches."""
        with plain_shuffle():
            return self.engine(seed)

    def trainer(self, seed: int) -> Scores:
        """Return validation scores at the end of Trainer's training, rounded as the engine's are."""
        c = replace(self.configuration, seed=seed)
        tokenizer = load_tokenizer(self.prepared.checkpoint)
        model = build_model(
            self.prepared.checkpoint,
            labels=self.prepared.labels,
            trainable=c.trainable,
            seed=seed,
            pooling=c.pooling,
        )
        items, looked_at = (
            tokenize(split, tokenizer, max_length=c.max_length)
            for split in (self.splits.train, self.splits.validation)
        )
        trainer = make_trainer(c, model, tokenizer, items, output=self.folder)
        trainer.train()
        return as_kept(predicted_scores(trainer, looked_at))

    def judge(self, scores: Scores) -> float:
        """Return macro-F1 on validation with cross-fitted thresholds."""
        return validation_metrics(scores, self.splits.validation.targets)[METRIC]


@contextmanager
def plain_shuffle() -> Iterator[None]:
    """Let the engine train on batches that are not sorted by length.

    The engine has no such setting, because nobody should want it. The default of ``window_batches`` is
    replaced on the function itself, so that everybody who has imported it gets plain batches.
    """
    defaults = epoch_batches.__kwdefaults__
    assert defaults is not None
    before = dict(defaults)
    defaults["window_batches"] = 1
    try:
        yield
    finally:
        defaults.update(before)


def compare(task: Task, seeds: Sequence[int], ways: dict[str, Callable[[int], Scores]]) -> list[list[str]]:
    """Return rows of a table: two ways and the difference of the first to the second."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for seed in seeds:
        scores = {}
        for name, way in ways.items():
            scores[name] = way(seed)
            found[name].append(task.judge(scores[name]))
            say(f"seed {seed}, {name}: macro-F1 {found[name][-1]:.4f}")
        first, second = scores.values()
        # Had a switch been without effect, both would be the same model.
        assert not np.array_equal(first, second), "both ways gave the very same scores"
    rows = []
    for name, values in found.items():
        deviation = f"{statistics.stdev(values):.4f}" if len(values) > 1 else ""
        rows.append([name, f"{statistics.mean(values):.4f}", deviation, _listed(values), ""])
    ours, theirs = found.values()
    difference = statistics.mean(ours) - statistics.mean(theirs)
    verdict = ""
    if len(seeds) > 1:
        noise = math.sqrt((statistics.variance(ours) + statistics.variance(theirs)) / 2)
        error = noise * math.sqrt(2 / len(seeds))
        verdict = f"{'within' if abs(difference) <= 2 * error else 'BEYOND'} noise (2 s.e. = {2 * error:.4f})"
    per_seed = _listed([a - b for a, b in zip(ours, theirs, strict=True)], "+")
    return [*rows, ["difference", f"{difference:+.4f}", "", per_seed, verdict]]


def _listed(values: Sequence[float], sign: str = "") -> str:
    return ", ".join(f"{value:{sign}.4f}" for value in values)


def main() -> None:
    """Train all, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published GoEmotions files")
    parser.add_argument("--checkpoint", default=MINILM)
    parser.add_argument("--trainable", default="last_layer", choices=["all", "last_layer", "head"])
    parser.add_argument("--rows", type=int, default=8000, help="training rows; 0 for all")
    parser.add_argument("--validation-rows", type=int, default=0, help="default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--max-length", type=int, default=32)
    parser.add_argument("--only", choices=["trainer", "shuffled"], help="one of the two questions")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    need_accelerate()
    torch.set_num_threads(options.threads)
    quiet()
    configuration = Configuration(
        checkpoint=options.checkpoint,
        trainable=options.trainable,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        max_length=options.max_length,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write_subset(
            find_goemotions(options.data),
            folder / "data",
            train=options.rows,
            validation=options.validation_rows,
        )
        splits = load_splits(f"dir:{data}")
        prepared = prepare(
            splits,
            configuration.checkpoint,
            trainable=configuration.trainable,
            pooling=configuration.pooling,
            max_lengths=[configuration.max_length],
            cache=folder / "cache",
        )
        task = Task(configuration, splits, prepared, folder, options.threads)
        questions: dict[str, dict[str, Callable[[int], Scores]]] = {
            "trainer": {"engine": task.engine, "`Trainer`": task.trainer},
            "shuffled": {"bucketed batches": task.engine, "shuffled batches": task.shuffled},
        }
        tables = [compare(task, options.seeds, questions[q]) for q in questions if options.only in {None, q}]
        c = configuration
        print(hardware(options.threads))
        print(
            f"{c.checkpoint}, trainable {c.trainable}, {len(splits.train):,} training and "
            f"{len(splits.validation):,} validation rows, batch {c.batch_size}, learning rate "
            f"{c.learning_rate:g}, {c.epochs} epochs, max_length {c.max_length}, seeds {options.seeds}.\n"
        )
        header = ["way", "macro-F1 on validation, mean", "s.d. over seeds", "by seed", "verdict"]
        for rows in tables:
            print(table(header, rows), end="\n\n")


if __name__ == "__main__":
    main()
