"""An exported configuration, trained into a bundle and evaluated on the test split once."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from goemo import bundle, evaluation
from goemo.data import Splits, load_splits
from goemo.errors import GoemoError, InputError
from goemo.prepared import prepare
from goemo.thresholds import fit_thresholds
from goemo.training import Diverged, Report, TrainingRun, train
from tune.environment import versions
from tune.export import Exported, read_export
from tune.progress import progress_bars
from tune.records import runs_folder, write_json


def retrain(
    exported_path: Path,
    output: Path,
    *,
    data: str | None = None,
    seeds: int = 1,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train an exported configuration into a bundle and evaluate it on the test split.

    Args:
        exported_path: What `tune.export.write_export` wrote.
        output: Folder of the bundle; must not exist or be empty.
        data: Another source than the exported one.
        seeds: Trainings with seeds ``seed``, ``seed + 1``, ...; the best on validation is kept.
        console: Where progress is shown; None for stderr.

    Returns:
        What `goemo.evaluation.results` gives for the test split.

    Raises:
        InputError: The export, the data or the output folder is wrong; nothing was trained.
    """
    console = console or Console(file=sys.stderr, highlight=False)
    exported = read_export(exported_path)
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise InputError(str(output), ["the folder must be new or empty; choose another or remove it"])
    splits = _load(exported, data)
    for difference in _differences(exported, splits):
        console.print(f"changed since the search: {difference}", soft_wrap=True, markup=False)
    run = _best_of(exported, splits, seeds, console)
    assert run.best is not None
    thresholds = fit_thresholds(
        run.best.scores.astype(np.float32), splits.validation.targets, method=run.configuration.thresholds
    )
    scores = evaluation.as_kept(run.scores("test"))
    results = evaluation.results(splits.labels, thresholds, scores, splits.test.targets)
    bundle.save(
        run,
        output,
        thresholds=thresholds,
        provenance={
            "origin": exported.origin,
            "expected": exported.expected,
            "data": {**run.prepared.data, "seed": exported.data["seed"]},
            "versions": versions(),
        },
        results=results,
    )
    write_json(output / "test_results.json", results)
    return results


def evaluate_bundle(
    folder: Path, *, data: str | None = None, split: str = "test", console: Console | None = None
) -> dict[str, Any]:
    """Measure a bundle on a split of the data it was trained on, or of another source.

    The thresholds called ``validation`` in the results are the bundle's own.

    Raises:
        InputError: The folder is no bundle, or the data has other labels.
    """
    console = console or Console(file=sys.stderr, highlight=False)
    loaded = bundle.load(folder)
    known = loaded.provenance["data"]
    seed = known.get("seed", loaded.configuration.seed)  # a trial's own bundle has one seed for both
    splits = load_splits(data or known["source"], known["taxonomy"], seed=seed)
    if tuple(splits.labels) != tuple(loaded.labels):
        raise InputError(splits.source, [f"its labels are not those of the model in {folder}"])
    chosen = {part.name: part for part in splits.splits()}[split]
    with progress_bars(console) as on_progress:
        scores = loaded.scores(chosen.texts, on_progress=partial(on_progress, "scoring"))
    scores = evaluation.as_kept(scores)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", evaluation.OptimisticThresholdsWarning)
        results = evaluation.results(splits.labels, loaded.thresholds, scores, chosen.targets, split=split)
    for warning in caught:
        console.print(f"note: {warning.message}", soft_wrap=True, markup=False)
    return results


def _load(exported: Exported, data: str | None) -> Splits:
    source = data or exported.data["source"]
    return load_splits(source, exported.data["taxonomy"], seed=exported.data["seed"])


def _differences(exported: Exported, splits: Splits) -> list[str]:
    """Return what is not as it was when the configuration was found."""
    found = []
    if splits.digest != exported.data["digest"]:
        found.append(
            f"the data ({splits.source}: digest {splits.digest[:12]}, was {exported.data['digest'][:12]})"
        )
    now = versions()
    found.extend(
        f"{package} is {now.get(package, 'missing')}, was {version}"
        for package, version in exported.versions.items()
        if now.get(package) != version
    )
    return found


def _best_of(exported: Exported, splits: Splits, seeds: int, console: Console) -> TrainingRun:
    """Train with each seed and return the run with the best objective on validation.

    On the CPU with the trial's number of threads, so that the exported seed gives the trial's very scores.
    """
    configuration, threads = exported.configuration, exported.origin["threads"]
    with progress_bars(console) as on_progress:
        prepared = prepare(
            splits,
            configuration.checkpoint,
            trainable=configuration.trainable,
            pooling=configuration.pooling,
            max_lengths=[configuration.max_length],
            cache=runs_folder() / "cache",
            on_progress=on_progress,
        )
    objective = f"val/{configuration.metric}"
    best: TrainingRun | None = None
    for seed in range(configuration.seed, configuration.seed + seeds):

        def show(report: Report, seed: int = seed) -> None:
            score = report.metrics[objective]
            console.print(f"seed {seed}: {report.progress} %  {objective} {score:.4f}", highlight=False)

        try:
            run = train(replace(configuration, seed=seed), prepared, on_report=show, threads=threads)
        except Diverged as error:
            console.print(f"seed {seed}: diverged: {error}", soft_wrap=True, markup=False)
            continue
        assert run.best is not None
        if best is None or best.best is None or run.best.metrics[objective] > best.best.metrics[objective]:
            best = run
    if best is None:
        raise GoemoError("every seed diverged; the configuration cannot be trained on this data")
    return best
