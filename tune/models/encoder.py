"""An encoder from its export: trained with each seed as in the search, the best kept."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from goemo import bundle, evaluation
from goemo.data import Splits
from goemo.errors import GoemoError
from goemo.models.failures import is_out_of_memory
from goemo.thresholds import FittedThresholds, fit_thresholds, threshold_options
from goemo.training import Diverged, Report, TrainingRun, train
from goemo.training.prepared import Prepared, prepare
from tune.live.progress import progress_bars
from tune.models.exported import Exported
from tune.models.seeds import EndedSeeds
from tune.models.trained import Trained, TrainedOn, carried_options, data_facts
from tune.records import runs_folder


@dataclass(frozen=True, eq=False)
class _Selection:
    """The training that was chosen, and those that it was chosen from.

    Attributes:
        ended: Where they are kept.
        run: On train, with the seed that is best on validation.
        seeds: For each seed its best objective and the progress of that report; where it gave no model, both
            are None and ``stop_reason`` says why, as in a trial's record.
        reports: Every report of every seed.
    """

    ended: EndedSeeds
    run: TrainingRun
    seeds: Sequence[Mapping[str, Any]]
    reports: Sequence[Mapping[str, Any]]

    @property
    def finished(self) -> int:
        """How many seeds gave a model."""
        return sum(entry["value"] is not None for entry in self.seeds)

    @property
    def report(self) -> Report:
        """The report that was chosen."""
        assert self.run.best is not None
        return self.run.best


def train_encoder(
    exported: Exported, splits: Splits, *, seeds: int, on: TrainedOn, console: Console
) -> Trained:
    """Train an exported configuration; the arguments are those of `tune.models.retrain.retrain`.

    Raises:
        GoemoError: Every seed diverged or ran out of memory.
    """
    prepared = _prepare(exported, splits, console)
    selection = _best_of(exported, splits, prepared, seeds, console)
    run, thresholds = _final(selection, prepared, on, exported, console)

    def save(folder: Path, provenance: Mapping[str, Any], results: Mapping[str, Any] | None) -> None:
        bundle.save(run, folder, thresholds=thresholds, provenance=provenance, results=results)

    return Trained(
        validation=selection.report.scores,
        test=evaluation.as_kept(run.scores("test")),
        thresholds=thresholds,
        data=data_facts(splits, prepared.data, exported.data.seed),
        facts=_training_facts(selection, run, on),
        reports=selection.reports,
        save=save,
        forget=selection.ended.forget,
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
    exported: Exported, splits: Splits, prepared: Prepared, seeds: int, console: Console
) -> _Selection:
    """Train with each seed and choose the run with the best objective on validation.

    A seed that gives no model is told of, and the next one is tried: memory may have been short for a while.
    Seeds that a command before this one had trained when it was killed are not trained again.

    On the CPU with the trial's number of threads, so that the exported seed gives the trial's very scores.
    """
    wanted = range(exported.configuration.seed, exported.configuration.seed + seeds)
    ended = EndedSeeds(exported, splits, wanted)
    ended.take_up(prepared)
    for outcome in ended.outcomes:
        console.print(f"seed {outcome['seed']}: trained by an earlier command", highlight=False)
    known = {outcome["seed"] for outcome in ended.outcomes}
    for seed in wanted:
        if seed not in known:
            _train_seed(exported, prepared, seed, ended, console)
    if ended.best is None:
        why = ", ".join(f"seed {one['seed']}: {one['stop_reason']}" for one in ended.outcomes)
        why = why.replace("_", " ")
        raise GoemoError(f"no seed gave a model ({why}); the configuration cannot be trained here")
    in_order = sorted(ended.outcomes, key=lambda one: one["seed"])
    selection = _Selection(ended, ended.best, in_order, ended.reports)
    if seeds > 1:
        score = selection.report.metrics[f"val/{exported.configuration.metric}"]
        kept = f"seed {selection.run.configuration.seed}, val/{exported.configuration.metric} {score:.4f}"
        line = f"{selection.finished} of {seeds} seeds gave a model; the best of them is kept: {kept}"
        console.print(line, soft_wrap=True)
    return selection


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


def _final(
    selection: _Selection, prepared: Prepared, on: TrainedOn, exported: Exported, console: Console
) -> tuple[TrainingRun, FittedThresholds]:
    """Return the training whose weights are saved, and its thresholds."""
    configuration = selection.run.configuration
    scores = selection.report.scores.astype(np.float32)
    targets = prepared.targets["validation"]
    if on == "train":
        options = threshold_options(configuration.thresholds)
        return selection.run, fit_thresholds(scores, targets, **options)
    thresholds = fit_thresholds(scores, targets, **carried_options(configuration.thresholds))
    run = TrainingRun(configuration, prepared.joined(), threads=exported.origin.threads)
    with progress_bars(console) as on_progress:
        run.train_to(selection.report.progress, partial(on_progress, "training on train+validation"))
    return run, thresholds


def _training_facts(selection: _Selection, run: TrainingRun, on: TrainedOn) -> dict[str, Any]:
    """Return, for the provenance, what was trained on what, and what was chosen how."""
    report, metric = selection.report, run.configuration.metric
    seed = run.configuration.seed
    asked, finished = len(selection.seeds), selection.finished
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
            "seeds": [dict(entry) for entry in selection.seeds],
            "report": {"progress": report.progress, "step": report.step, "metrics": report.metrics},
        },
    }
