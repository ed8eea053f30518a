"""Retraining: an exported configuration, trained into a bundle, tested once, and registered."""

from __future__ import annotations

import shlex
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from goemo import bundle, evaluation
from goemo.configuration.data import DataOptions
from goemo.data import Splits, load_recorded, load_splits
from goemo.errors import GoemoError, InputError
from tune import tracking
from tune.environment import describe
from tune.live.consoles import progress_console
from tune.models import registry
from tune.models.blend import train_blend
from tune.models.encoder import train_encoder
from tune.models.exported import AnyExported, ExportedBlend, ExportedWords, plain, read_export
from tune.models.kept import kept_encoder, kept_model
from tune.models.trained import Trained, TrainedOn
from tune.models.words import train_words
from tune.records.holding import using_caches


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
    registered: registry.Registered | None
    trouble: str | None = None


@using_caches()
def retrain(
    exported_path: Path,
    output: Path,
    *,
    data: str | None = None,
    options: DataOptions | None = None,
    seeds: int = 1,
    on: TrainedOn = "train",
    kept: bool = False,
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
        kept: Take the weights that the search has kept, where it has, and train nothing; for one seed, on
            train. Of a blend those of each member.
        register: Name of the registered model; True for one that models of the same data and labels share;
            False logs the model without registering it.
        tracking_uri: An MLflow server; None for ``$MLFLOW_TRACKING_URI`` or the store under ``mlruns``.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: The export, the data, the output folder, the name or the store's URI is wrong; nothing was
            trained.
        GoemoError: Every seed diverged or ran out of memory.
    """
    console = console or progress_console()
    if isinstance(register, str):
        registry.check_name(register)
    if kept and (seeds > 1 or on != "train"):
        raise InputError("--kept", ["is for one seed, trained on train: the search kept no other weights"])
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
    trained = train_exported(exported, splits, seeds=seeds, on=on, kept=kept, console=console)
    results = evaluation.results(splits.labels, trained.thresholds, trained.test, splits.test.targets)
    provenance = {
        "retrain_id": uuid.uuid4().hex,
        "origin": plain(exported.origin),
        "expected": plain(exported.expected),
        "data": trained.data,
        "versions": environment["versions"],
        **trained.facts,
        "started_at": started,
        "ended_at": time.time(),
    }
    trained.save(output, provenance=provenance, results=results)
    trained.forget()
    registry.write_record(
        output,
        results=results,
        reports=trained.reports,
        environment=environment,
        scores=trained.validation.astype(np.float16),
        targets=splits.validation.targets,
    )
    registered, trouble = _register(output, register, tracking_uri, console)
    return Retrained(output, results, registered, trouble)


def train_exported(
    exported: AnyExported, splits: Splits, *, seeds: int, on: TrainedOn, kept: bool, console: Console
) -> Trained:
    """Train what an export holds: an encoder, a bag of words, or a blend of such; arguments as in `retrain`.

    Raises:
        GoemoError: Every seed diverged or ran out of memory.
    """
    if isinstance(exported, ExportedWords):
        return train_words(exported, splits, seeds=seeds, on=on, console=console)
    if isinstance(exported, ExportedBlend):
        train_member = partial(train_exported, splits=splits, seeds=seeds, on=on, kept=kept, console=console)
        return train_blend(exported, splits, train_member, on=on, console=console)
    if kept:
        found = kept_encoder(exported, splits, console)
        if found is not None:
            return found
    elif seeds == 1 and on == "train" and kept_model(exported) is not None:
        note = "the search has kept the weights of this trial: --kept takes them without training again"
        console.print(f"note: {note}", soft_wrap=True, highlight=False)
    return train_encoder(exported, splits, seeds=seeds, on=on, console=console)


def _load(known: Mapping[str, Any], data: str | None, options: DataOptions | None) -> Splits:
    """Load another source, or the one that is known, with other options or as it was read before."""
    if data is None and options is None:
        return load_recorded(known)
    return load_splits(data or known["source"], known["taxonomy"], seed=known["seed"], options=options)


def _later(output: Path, register: str | bool, tracking_uri: str | None) -> str:
    """Return the command that logs the bundle once the store is there."""
    command = ["goemo", "register", str(output)]
    command += ["--name", register] if isinstance(register, str) else []
    command += [] if register else ["--log-only"]
    command += ["--tracking-uri", tracking.find_store(tracking_uri).shown] if tracking_uri else []
    return shlex.join(command)


def _warn_of_store(tracking_uri: str | None, output: Path, register: str | bool, console: Console) -> None:
    """Say before the training that the store is away; nothing is lost by it, so it stops nothing."""
    try:
        tracking.check_store(tracking_uri)
    except InputError:
        raise
    except GoemoError as error:
        later = _later(output, register, tracking_uri)
        note = f"note: {error}; training goes on, and this logs the model later: {later}"
        console.print(note, soft_wrap=True)


def _differences(exported: AnyExported, splits: Splits, environment: Mapping[str, Any]) -> list[str]:
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


def _register(
    output: Path, register: str | bool, tracking_uri: str | None, console: Console
) -> tuple[registry.Registered | None, str | None]:
    """Log and register the bundle; a store that fails is told of, and costs nothing but the logging."""
    if tracking.find_store(tracking_uri).is_off:
        return None, None
    console.print("logging to MLflow", highlight=False)
    name = register if isinstance(register, str) else None
    try:
        registered = registry.register(
            output, name=name, is_registered=register is not False, tracking_uri=tracking_uri
        )
    except (GoemoError, KeyboardInterrupt) as error:
        why = str(error) or "interrupted"
        later = _later(output, register, tracking_uri)
        return None, f"{why}; the bundle in {output} is safe, log it later with: {later}"
    return registered, None
