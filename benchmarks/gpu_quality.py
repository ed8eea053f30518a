"""Part 4 of a visit to a GPU: macro-F1 over seeds, the engine beside Trainer, alone and blended with words.

Every weight trains; seeds, epochs, batch size and learning rate are the same on both sides, and so is the
arithmetic. Thresholds come from validation: cross-fitted where validation itself is judged, fitted on all of
it for the test split. A blend's members and weights are chosen on validation too. Intervals are those of
:mod:`goemo.significance`, over seeds and examples.

Where a block of ours averages an encoder's tokens, Trainer leaves dropout on in it and the engine does not.
Seeds train at the same time in processes that share the GPU, so that the seconds here are no speed.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections import defaultdict
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_results import Results, Settings, checkpoint_name, short_name
from measuring import write_subset
from numpy.typing import NDArray
from trainer_loop import make_trainer, predicted_scores, quiet, tokenize

from goemo.blending import Candidate, blended_scores, find_blend
from goemo.configuration import Configuration
from goemo.data import Split, load_splits
from goemo.evaluation import as_kept
from goemo.inference import choose_device
from goemo.models import build_model, load_config, load_tokenizer, resolve_checkpoint
from goemo.models.architectures import encoder_width
from goemo.models.pooling import MEAN_BLOCKS
from goemo.significance import Bootstrap, bootstrap, seed_difference, seed_mean
from goemo.thresholds import apply_thresholds, cross_fitted_predictions, fit_thresholds, threshold_options
from goemo.training import Prepared, prepare, train
from goemo.training.precision import uses_bfloat16
from goemo.words import choose_settings, fit_words

SPLITS = ("validation", "test")
SMALL_WIDTH, SMALL_RATE, BASE_RATE = 384, 2e-4, 3e-5  # a small encoder wants some ten times the learning rate
MAX_LENGTH = 48
CORES_PER_TRAINING = 3

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Work:
    """What a process needs to train a model."""

    configuration: Configuration
    prepared: Path
    data: str
    output: str


@dataclass(frozen=True)
class Judged:
    """Predictions of one model, on the resamples that all share; by split."""

    validation: Bootstrap
    test: Bootstrap


def run_quality(settings: Settings, results: Results, *, model: str) -> None:
    """Train all seeds of both sides and a bag of words; write each as soon as it is judged."""
    quiet()
    with tempfile.TemporaryDirectory() as name:
        folder, source = Path(name), Path(settings.data)
        if settings.rows:
            source = write_subset(source, folder / "rows", train=settings.rows, validation=settings.rows)
        splits, checkpoint = load_splits(f"dir:{source}"), checkpoint_name(model)
        config = load_config(resolve_checkpoint(checkpoint, texts=splits.train.texts, cache=folder).folder)
        configuration = Configuration(
            checkpoint=checkpoint,
            pooling="mean" if config.model_type in MEAN_BLOCKS else "first",
            batch_size=64,
            learning_rate=SMALL_RATE if encoder_width(config) <= SMALL_WIDTH else BASE_RATE,
            max_length=MAX_LENGTH,
            epochs=settings.epochs,
            reports=1,
            thresholds="proportional",
        )
        prepared = prepare(
            splits,
            checkpoint,
            trainable="all",
            pooling=configuration.pooling,
            max_lengths=[MAX_LENGTH],
            cache=folder / "cache",
        )
        work = Work(configuration, prepared.folder, f"dir:{source}", str(folder / "trainer"))
        judge = _Judge(results, short_name(model), configuration, splits.validation, splits.test)
        workers = max(1, min(settings.seeds + 1, (os.cpu_count() or 1) // CORES_PER_TRAINING))
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            waiting: dict[Future[dict[str, Scores]], tuple[str, int]] = {}
            waiting[pool.submit(_words, work)] = ("words", 0)
            for way, training in (("engine", _engine), ("Trainer", _trainer)):
                for seed in range(settings.seeds):
                    waiting[pool.submit(training, work, seed)] = (way, seed)
            for done in as_completed(waiting):
                way, seed = waiting[done]
                with results.attempt(f"{way}, seed {seed}"):
                    judge.take(way, seed, done.result())


class _Judge:
    """Judges models as they come, and blends those of the engine with the words once these are there.

    Args:
        results: Where to write.
        model: Its name.
        configuration: How thresholds are fitted.
        validation: Rows that choose.
        test: Rows that choose nothing.
    """

    def __init__(
        self, results: Results, model: str, configuration: Configuration, validation: Split, test: Split
    ) -> None:
        self._results, self._model = results, model
        self._options = threshold_options(configuration.thresholds)
        self._targets = {"validation": validation.targets, "test": test.targets}
        self._engine: dict[int, dict[str, Scores]] = {}
        self._words: dict[str, Scores] | None = None
        self._judged: dict[str, list[Judged]] = defaultdict(list)

    def take(self, way: str, seed: int, scores: dict[str, Scores]) -> None:
        """Judge scores of both splits."""
        self._add(way, seed, scores, self._cross_fitted(scores))
        if way == "words":
            self._words = scores
        elif way == "engine":
            self._engine[seed] = scores
        if self._words is not None and way in {"words", "engine"}:
            for one in list(self._engine) if way == "words" else [seed]:
                self._blend(one, self._words, self._engine[one])

    def _cross_fitted(self, scores: dict[str, Scores]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = cross_fitted_predictions(
            scores["validation"], self._targets["validation"], **self._options
        )
        return found

    def _blend(self, seed: int, words: dict[str, Scores], encoder: dict[str, Scores]) -> None:
        kinds = {"words": words, "encoder": encoder}
        candidates = [Candidate(name, name, scores["validation"]) for name, scores in kinds.items()]
        blend = find_blend(candidates, self._targets["validation"], **self._options)
        tenths = [member.tenths for member in blend.members]
        test = blended_scores([kinds[member.name]["test"] for member in blend.members], tenths)
        shares = ", ".join(f"{member.name} {member.weight:g}" for member in blend.members)
        scores = {"validation": blend.scores, "test": test}
        self._add("blend", seed, scores, blend.predictions, members=shares, is_offered=blend.is_offered)

    def _add(
        self,
        way: str,
        seed: int,
        scores: dict[str, Scores],
        on_validation: NDArray[np.bool_],
        **facts: Any,
    ) -> None:
        """Write the figures of one model, and the means of its way so far."""
        fitted = fit_thresholds(scores["validation"], self._targets["validation"], **self._options)
        on_test = apply_thresholds(scores["test"], fitted)
        (validation,) = bootstrap(self._targets["validation"], on_validation)
        (test,) = bootstrap(self._targets["test"], on_test)
        self._judged[way].append(Judged(validation, test))
        figures = {"validation": validation.estimate("macro_f1"), "test": test.estimate("macro_f1")}
        self._results.add("quality", model=self._model, way=way, seed=seed, **figures, **facts)
        for split in SPLITS:
            self._means(way, split)

    def _means(self, way: str, split: str) -> None:
        found = self._of(way, split)
        mean = seed_mean(found)
        facts = {"model": self._model, "way": way, "split": split, "seeds": len(found)}
        values = {"mean": mean.mean, "low": mean.low, "high": mean.high, "deviation": mean.deviation}
        if len(found) == 1:  # its interval is over examples alone
            held = found[0].interval()
            values |= {"low": held.low, "high": held.high}
        self._results.add("mean", **facts, **values)
        others = {"engine": "Trainer", "Trainer": "engine", "blend": "engine"}
        other = self._of(others[way], split) if way in others else []
        if len(found) > 1 and len(other) == len(found):
            ours, theirs = ("engine", "Trainer") if way != "blend" else ("blend", "engine")
            a, b = self._of(ours, split), self._of(theirs, split)
            held = seed_difference(a, b)
            difference = seed_mean(a).mean - seed_mean(b).mean
            self._results.add(
                "difference",
                model=self._model,
                way=f"{ours} minus {theirs}",
                split=split,
                seeds=len(a),
                mean=difference,
                low=held.low,
                high=held.high,
            )

    def _of(self, way: str, split: str) -> list[Bootstrap]:
        return [getattr(one, split) for one in self._judged[way]]


def _engine(work: Work, seed: int) -> dict[str, Scores]:
    """Return the scores of the engine's training at its end."""
    quiet()
    threads = _threads()
    run = train(replace(work.configuration, seed=seed), Prepared.open(work.prepared), threads=threads)
    assert run.best is not None
    return {"validation": run.best.scores.astype(np.float32), "test": as_kept(run.scores("test"))}


def _trainer(work: Work, seed: int) -> dict[str, Scores]:
    """Return the scores of Trainer's training at its end, rounded as the engine's are."""
    quiet()
    torch.set_num_threads(_threads())
    c, prepared = replace(work.configuration, seed=seed), Prepared.open(work.prepared)
    splits = load_splits(work.data)
    tokenizer = load_tokenizer(prepared.checkpoint)
    model = build_model(
        prepared.checkpoint, labels=prepared.labels, trainable="all", seed=seed, pooling=c.pooling
    )
    items, *looked_at = (tokenize(split, tokenizer, max_length=c.max_length) for split in splits.splits())
    in_bfloat16 = uses_bfloat16(c.mixed_precision, choose_device(), encoder_width(model.config))
    trainer = make_trainer(
        c, model, tokenizer, items, output=Path(f"{work.output}-{seed}"), in_bfloat16=in_bfloat16
    )
    trainer.train()
    return {
        split: as_kept(predicted_scores(trainer, one)) for split, one in zip(SPLITS, looked_at, strict=True)
    }


def _words(work: Work) -> dict[str, Scores]:
    """Return the scores of a bag of words, as a search's baseline has them."""
    splits = load_splits(work.data)
    texts, targets = splits.train.texts, splits.train.targets
    fitted = fit_words(texts, targets, choose_settings(texts, targets).settings, labels=splits.labels)
    return {split: as_kept(fitted.scores(getattr(splits, split).texts)) for split in SPLITS}


def _threads() -> int:
    return max(1, min(CORES_PER_TRAINING, os.cpu_count() or 1))
