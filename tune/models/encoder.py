"""An encoder from its export: trained with each seed as in the search, the best kept."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console

from goemo import bundle, evaluation
from goemo.data import Splits
from goemo.errors import GoemoError
from goemo.models.failures import is_out_of_memory
from goemo.training import Diverged, Report, TrainingRun, train
from goemo.training.prepared import Prepared, prepare
from tune.live.progress import progress_bars
from tune.models.exported import Exported
from tune.models.seeds import EndedSeeds
from tune.models.trained import Trained, TrainedOn, data_facts, fitted_thresholds
from tune.records import runs_folder


def train_encoder(
    exported: Exported, splits: Splits, *, seeds: int, on: TrainedOn, console: Console
) -> Trained:
    """Train an exported configuration; the arguments are those of `tune.models.retrain.retrain`.

    Raises:
        GoemoError: Every seed diverged or ran out of memory.
    """
    prepared = _prepare(exported, splits, console)
    first = exported.configuration.seed
    ended = EndedSeeds(exported, splits, range(first, first + seeds))
    best, report = _best_of(exported, prepared, ended, console)
    scores, choice = report.scores.astype(np.float32), exported.configuration.thresholds
    thresholds = fitted_thresholds(scores, prepared.targets["validation"], choice, on=on)
    run = best
    if on == "train+validation":
        run = _on_both(best, report.progress, prepared, exported.origin.threads, console)
    return Trained(
        validation=report.scores,
        test=evaluation.as_kept(run.scores("test")),
        thresholds=thresholds,
        data=data_facts(splits, prepared.data, exported.data.seed),
        facts=_training_facts(ended.outcomes, best, report, on),
        reports=ended.reports,
        save=partial(bundle.save, run, thresholds=thresholds),
        forget=ended.forget,
    )


def _prepare(exported: Exported, splits: Splits, console: Console) -> Prepared:
    """Prepare the data as the search did, a frozen encoder's features for all of its lengths together.

    Which texts share a pass of the encoder depends on the lengths, and so do the last bits of features.
    """
    configuration = exported.configuration
    with progress_bars(console) as on_progress:
        return prepare(
            splits,
            configuration.checkpoint,
            trainable=configuration.trainable,
            pooling=configuration.pooling,
            max_lengths=list(exported.origin.max_lengths) or [configuration.max_length],
            cache=runs_folder() / "cache",
            prefix_limit_gb=exported.origin.prefix_limit_gb,
            on_progress=on_progress,
        )


def _best_of(
    exported: Exported, prepared: Prepared, ended: EndedSeeds, console: Console
) -> tuple[TrainingRun, Report]:
    """Train with each seed; return the run with the best objective on validation, and its best report.

    A seed that gives no model is told of, and the next one is tried: memory may have been short for a while.
    Seeds that a command before this one had trained when it was killed are not trained again.

    On the CPU with the trial's number of threads, so that the exported seed gives the trial's very scores.
    """
    ended.take_up(prepared)
    for outcome in ended.outcomes:
        console.print(f"seed {outcome['seed']}: trained by an earlier command", highlight=False)
    known = {outcome["seed"] for outcome in ended.outcomes}
    for seed in ended.wanted:
        if seed not in known:
            _train_seed(exported, prepared, seed, ended, console)
    best = ended.best
    if best is None:
        why = ", ".join(f"seed {one['seed']}: {one['stop_reason']}" for one in ended.outcomes)
        why = why.replace("_", " ")
        raise GoemoError(f"no seed gave a model ({why}); the configuration cannot be trained here")
    assert best.best is not None
    if len(ended.wanted) > 1:
        objective = f"val/{exported.configuration.metric}"
        kept = f"seed {best.configuration.seed}, {objective} {best.best.metrics[objective]:.4f}"
        finished = f"{_finished(ended.outcomes)} of {len(ended.wanted)} seeds gave a model"
        console.print(f"{finished}; the best of them is kept: {kept}", soft_wrap=True)
    return best, best.best


def _finished(outcomes: Sequence[Mapping[str, Any]]) -> int:
    """Return how many seeds gave a model."""
    return sum(one["value"] is not None for one in outcomes)


def _train_seed(
    exported: Exported, prepared: Prepared, seed: int, ended: EndedSeeds, console: Console
) -> None:
    """Train with one seed, and keep how it ended."""
    objective = f"val/{exported.configuration.metric}"

    def show(report: Report) -> None:
        row = {"seed": seed, "progress": report.progress, "time": time.time(), **report.metrics}
        ended.reports.append(row)
        score = report.metrics[objective]
        console.print(f"seed {seed}: {report.progress} %  {objective} {score:.4f}", highlight=False)

    try:
        with progress_bars(console) as on_progress:
            run = train(
                replace(exported.configuration, seed=seed),
                prepared,
                on_report=show,
                on_progress=partial(on_progress, f"training, seed {seed}"),
                threads=exported.origin.threads,
            )
    except Exception as error:
        if not isinstance(error, Diverged) and not is_out_of_memory(error):
            raise
        reason = "diverged" if isinstance(error, Diverged) else "out_of_memory"
        line = f"seed {seed}: {reason.replace('_', ' ')}: {next(iter(str(error).splitlines()), '')}"
        console.print(line.removesuffix(": "), soft_wrap=True)
        ended.add({"seed": seed, "value": None, "progress": None, "stop_reason": reason})
        return
    assert run.best is not None
    value, before = run.best.metrics[objective], ended.best
    is_best = before is None or before.best is None or value > before.best.metrics[objective]
    outcome = {"seed": seed, "value": value, "progress": run.best.progress}
    ended.add(outcome, run if is_best else None)


def _on_both(
    best: TrainingRun, progress: int, prepared: Prepared, threads: int, console: Console
) -> TrainingRun:
    """Train the chosen configuration on train and validation together, as far as its best report."""
    run = TrainingRun(best.configuration, prepared.joined(), threads=threads)
    with progress_bars(console) as on_progress:
        run.train_to(progress, partial(on_progress, "training on train+validation"))
    return run


def _training_facts(
    outcomes: Sequence[Mapping[str, Any]], best: TrainingRun, report: Report, on: TrainedOn
) -> dict[str, Any]:
    """Return, for the provenance, what was trained on what, and what was chosen how."""
    seed, metric = best.configuration.seed, best.configuration.metric
    asked, finished = len(outcomes), _finished(outcomes)
    tried = f", the best of {asked} seeds" if asked > 1 else ""
    if finished < asked:
        tried = f", the best of the {finished} of {asked} seeds that gave a model"
    value = f"validation {metric} {report.metrics[f'val/{metric}']:.4f}"
    chosen = f"the report at {report.progress} % of the training with seed {seed}{tried} ({value})"
    words = f"Trained on train; the weights are those of {chosen}. Thresholds were fitted on validation."
    if on == "train+validation":
        words = (
            f"Trained on train and validation together, to {report.progress} % of the training, without "
            "looking at validation. Configuration, progress and thresholds come from a training on train "
            f"alone: {chosen}; its thresholds were cross-fitted on validation and carried over. No "
            "validation figure is of this model."
        )
    return {
        "trained_on": on,
        "training": words,
        "selection": {
            "trained_on": "train",
            "seed": seed,
            "seeds": sorted(outcomes, key=lambda one: one["seed"]),
            "report": {"progress": report.progress, "step": report.step, "metrics": report.metrics},
        },
    }
