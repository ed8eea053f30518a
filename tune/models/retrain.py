"""An exported configuration, trained into a bundle, evaluated on the test split once, and registered."""

from __future__ import annotations

import shlex
import time
import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from rich.console import Console

from goemo import bundle, evaluation
from goemo.configuration.data import DataOptions
from goemo.data import Splits, load_recorded, load_splits
from goemo.errors import GoemoError, InputError
from goemo.thresholds import FittedThresholds, fit_thresholds, threshold_options
from goemo.training import Diverged, Report, TrainingRun, train
from goemo.training.memory import is_out_of_memory
from goemo.training.prepared import Prepared, prepare
from tune.environment import describe
from tune.live.consoles import progress_console
from tune.live.progress import progress_bars
from tune.models.exported import Exported, plain, read_export
from tune.records import runs_folder

if TYPE_CHECKING:
    from tune.models.registry import Registered

TrainedOn = Literal["train", "train+validation"]


@dataclass(frozen=True)
class Retrained:
    """What a retrain gave.

    Attributes:
        folder: The bundle.
        results: What `goemo.evaluation.results` gives for the test split.
        registered: What the MLflow store has of it; None where the store failed, or tracking is off.
        trouble: Why the store failed, and what logs the bundle later; None where it did not.
    """

    folder: Path
    results: dict[str, Any]
    registered: Registered | None
    trouble: str | None = None


@dataclass(frozen=True, eq=False)
class _Selection:
    """The training that was chosen, and those that it was chosen from.

    Attributes:
        run: On train, with the seed that is best on validation.
        seeds: For each seed its best objective and the progress of that report; where it gave no model, both
            are None and ``stop_reason`` says why, as in a trial's record.
        reports: Every report of every seed.
    """

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


def retrain(
    exported_path: Path,
    output: Path,
    *,
    data: str | None = None,
    options: DataOptions | None = None,
    seeds: int = 1,
    on: TrainedOn = "train",
    register: str | bool = True,
    tracking_uri: str | None = None,
    console: Console | None = None,
) -> Retrained:
    """Train an exported configuration into a bundle, evaluate it on test, log and register it in MLflow.

    The bundle is written before MLflow is asked for anything, so that no store can lose it.

    Args:
        exported_path: What `tune.models.export.write_export` wrote.
        output: Folder of the bundle; must not exist or be empty.
        data: Another source than the exported one.
        options: How to read another source; the exported one is read as it was.
        seeds: Trainings with seeds ``seed``, ``seed + 1``, ...; the best on validation is kept. One that
            diverges or runs out of memory is told of, and costs no other.
        on: ``train`` keeps the best of these trainings. ``train+validation`` trains the configuration once
            more, on both splits, to the progress of the report that was best, without looking at validation;
            its thresholds are cross-fitted on the validation scores of the training that was best.
        register: Name of the registered model; True for one that models of the same data and labels share;
            False logs the model without registering it.
        tracking_uri: An MLflow server; None for ``$MLFLOW_TRACKING_URI`` or the store under ``mlruns``.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: The export, the data, the output folder, the name or the store's URI is wrong; nothing was
            trained.
        GoemoError: Every seed diverged or ran out of memory.
    """
    from tune.models.registry import check_name, write_record

    console = console or progress_console()
    if isinstance(register, str):
        check_name(register)
    exported = read_export(exported_path)
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise InputError(str(output), ["the folder must be new or empty; choose another or remove it"])
    bundle.check_target(output)
    _warn_of_store(tracking_uri, output, register, console)
    splits = _load(plain(exported.data), data, options)
    environment = describe()
    for difference in _differences(exported, splits, environment):
        console.print(f"changed since the search: {difference}", soft_wrap=True)
    started = time.time()
    prepared = _prepare(exported, splits, console)
    selection = _best_of(exported, prepared, seeds, console)
    run, thresholds = _final(selection, prepared, on, exported, console)
    scores = evaluation.as_kept(run.scores("test"))
    results = evaluation.results(splits.labels, thresholds, scores, splits.test.targets)
    bundle.save(
        run,
        output,
        thresholds=thresholds,
        provenance={
            "retrain_id": uuid.uuid4().hex,
            "origin": plain(exported.origin),
            "expected": plain(exported.expected),
            "data": _data_facts(splits, prepared, exported.data.seed),
            "versions": environment["versions"],
            **_training_facts(selection, run, on),
            "started_at": started,
            "ended_at": time.time(),
        },
        results=results,
    )
    write_record(
        output,
        results=results,
        reports=selection.reports,
        environment=environment,
        scores=selection.report.scores,
        targets=splits.validation.targets,
    )
    registered, trouble = _register(output, register, tracking_uri, console)
    return Retrained(output, results, registered, trouble)


def evaluate_bundle(
    folder: Path,
    *,
    data: str | None = None,
    options: DataOptions | None = None,
    split: str = "test",
    console: Console | None = None,
) -> dict[str, Any]:
    """Measure a bundle on a split of the data it was trained on, or of another source.

    The thresholds called ``validation`` in the results are the bundle's own.

    Raises:
        InputError: The folder is no bundle, or the data has other labels.
    """
    console = console or progress_console()
    loaded = bundle.load(folder)
    known = loaded.provenance["data"]
    # A trial's own bundle has one seed for both.
    seed = known.get("seed", loaded.provenance["configuration"].get("seed"))
    splits = _load({**known, "seed": seed}, data, options)
    if tuple(splits.labels) != tuple(loaded.labels):
        raise InputError(splits.source, [f"its labels are not those of the model in {folder}"])
    if split == "validation" and loaded.provenance.get("trained_on") == "train+validation":
        console.print(f"note: {folder} was trained on validation too; that split cannot judge it")
    chosen = {part.name: part for part in splits.splits()}[split]
    with progress_bars(console) as on_progress:
        scores = loaded.scores(chosen.texts, on_progress=partial(on_progress, "scoring"))
    scores = evaluation.as_kept(scores)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", evaluation.OptimisticThresholdsWarning)
        results = evaluation.results(splits.labels, loaded.thresholds, scores, chosen.targets, split=split)
    for warning in caught:
        console.print(f"note: {warning.message}", soft_wrap=True)
    return results


def carried_options(choice: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return how thresholds are fitted that go over to another training: the same way, averaged over folds.

    Thresholds that were fitted to all scores of one model fit that model's scores most closely; the average
    over folds leans less on single rows.

    Args:
        choice: ``thresholds`` of a configuration.

    Returns:
        Keywords of `goemo.thresholds.fit_thresholds`.
    """
    options = threshold_options(choice)
    if options["method"] == "cross_fit":
        return options
    return {**options, "of": options["method"], "method": "cross_fit"}


def _load(known: Mapping[str, Any], data: str | None, options: DataOptions | None) -> Splits:
    """Load another source, or the one that is known, with other options or as it was read before."""
    if data is None and options is None:
        return load_recorded(known)
    return load_splits(data or known["source"], known["taxonomy"], seed=known["seed"], options=options)


def _later(output: Path, register: str | bool, tracking_uri: str | None) -> str:
    """Return the command that logs the bundle once the store is there."""
    from tune.tracking import find_store

    command = ["goemo", "register", str(output)]
    command += ["--name", register] if isinstance(register, str) else []
    command += [] if register else ["--log-only"]
    command += ["--tracking-uri", find_store(tracking_uri).shown] if tracking_uri else []
    return shlex.join(command)


def _warn_of_store(tracking_uri: str | None, output: Path, register: str | bool, console: Console) -> None:
    """Say before the training that the store is away; nothing is lost by it, so it stops nothing."""
    from tune.tracking import check_store

    try:
        check_store(tracking_uri)
    except InputError:
        raise
    except GoemoError as error:
        later = _later(output, register, tracking_uri)
        note = f"note: {error}; training goes on, and this logs the model later: {later}"
        console.print(note, soft_wrap=True)


def _differences(exported: Exported, splits: Splits, environment: Mapping[str, Any]) -> list[str]:
    """Return what is not as it was when the configuration was found."""
    found = []
    if splits.digest != exported.data.digest:
        was = {name: split.digest for name, split in (exported.data.splits or {}).items() if split.digest}
        changed = [part.name for part in splits.splits() if was.get(part.name, part.digest) != part.digest]
        which = f", in {', '.join(changed)}" if changed else ""
        digests = f"digest {splits.digest[:12]}, was {exported.data.digest[:12]}"
        found.append(f"the data{which} ({splits.source}: {digests})")
    now = environment["versions"]
    found.extend(
        f"{package} is {now.get(package, 'missing')}, was {version}"
        for package, version in exported.versions.items()
        if now.get(package) != version
    )
    gpus = exported.origin.gpus
    if gpus is not None and list(gpus) != environment["gpus"]:
        here, there = (", ".join(names) or "none" for names in (environment["gpus"], gpus))
        found.append(f"the GPUs are {here}, were {there}; scores will differ a little")
    return found


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


def _best_of(exported: Exported, prepared: Prepared, seeds: int, console: Console) -> _Selection:
    """Train with each seed and choose the run with the best objective on validation.

    A seed that gives no model is told of, and the next one is tried: memory may have been short for a while.

    On the CPU with the trial's number of threads, so that the exported seed gives the trial's very scores.
    """
    configuration, threads = exported.configuration, exported.origin.threads
    objective = f"val/{configuration.metric}"
    best: TrainingRun | None = None
    reports: list[dict[str, Any]] = []
    outcomes: list[dict[str, Any]] = []
    for seed in range(configuration.seed, configuration.seed + seeds):

        def show(report: Report, seed: int = seed) -> None:
            row = {"seed": seed, "progress": report.progress, "time": time.time(), **report.metrics}
            reports.append(row)
            score = report.metrics[objective]
            console.print(f"seed {seed}: {report.progress} %  {objective} {score:.4f}", highlight=False)

        try:
            with progress_bars(console) as on_progress:
                run = train(
                    replace(configuration, seed=seed),
                    prepared,
                    on_report=show,
                    on_progress=partial(on_progress, f"training, seed {seed}"),
                    threads=threads,
                )
        except Exception as error:
            if not isinstance(error, Diverged) and not is_out_of_memory(error):
                raise
            reason = "diverged" if isinstance(error, Diverged) else "out_of_memory"
            line = f"seed {seed}: {reason.replace('_', ' ')}: {next(iter(str(error).splitlines()), '')}"
            console.print(line.removesuffix(": "), soft_wrap=True)
            outcomes.append({"seed": seed, "value": None, "progress": None, "stop_reason": reason})
            continue
        assert run.best is not None
        outcomes.append({"seed": seed, "value": run.best.metrics[objective], "progress": run.best.progress})
        if best is None or best.best is None or run.best.metrics[objective] > best.best.metrics[objective]:
            best = run
    if best is None:
        ended = ", ".join(f"seed {entry['seed']}: {entry['stop_reason']}" for entry in outcomes)
        why = ended.replace("_", " ")
        raise GoemoError(f"no seed gave a model ({why}); the configuration cannot be trained here")
    selection = _Selection(best, outcomes, reports)
    if seeds > 1:
        assert best.best is not None
        kept = f"seed {best.configuration.seed}, {objective} {best.best.metrics[objective]:.4f}"
        line = f"{selection.finished} of {seeds} seeds gave a model; the best of them is kept: {kept}"
        console.print(line, soft_wrap=True)
    return selection


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
            f"alone: {chosen}; its thresholds were cross-fitted on validation and carried over. No figure on "
            "validation is one of this model."
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


def _data_facts(splits: Splits, prepared: Prepared, seed: int) -> dict[str, Any]:
    digests = {part.name: {"examples": len(part), "digest": part.digest} for part in splits.splits()}
    return {**prepared.data, "seed": seed, "splits": digests}


def _register(
    output: Path, register: str | bool, tracking_uri: str | None, console: Console
) -> tuple[Registered | None, str | None]:
    """Log and register the bundle; a store that fails is told of, and costs nothing but the logging."""
    from tune.models.registry import register as register_bundle
    from tune.tracking import find_store

    if find_store(tracking_uri).is_off:
        return None, None
    console.print("logging to MLflow", highlight=False)
    name = register if isinstance(register, str) else None
    try:
        registered = register_bundle(
            output, name=name, is_registered=register is not False, tracking_uri=tracking_uri
        )
    except (GoemoError, KeyboardInterrupt) as error:
        why = str(error) or "interrupted"
        later = _later(output, register, tracking_uri)
        return None, f"{why}; the bundle in {output} is safe, log it later with: {later}"
    return registered, None
