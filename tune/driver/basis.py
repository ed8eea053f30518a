"""What the trials of a search run on: a Ray with a fork server, data, and what was prepared of it."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goemo.data import Splits
from tune.driver.command import Command
from tune.engine.forks import Forks, fork_server
from tune.engine.preparation import found_checkpoint, look_around, prepare, trial_resources
from tune.environment import describe
from tune.forecast.disk_need import check_disk
from tune.live.progress import progress_bars
from tune.stopping.budget import Budget, Spending

if TYPE_CHECKING:
    from tune.records import TrialRecord
    from tune.tracking import Store


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What the trials of a search run on.

    Attributes:
        splits: The data.
        prepared: The folder of what all trials share.
        forks: Call what needs torch, which this process does without.
        environment: What runs it: hardware and versions.
        per_trial: CPUs and GPUs of a trial, ``cpu`` and ``gpu``; empty where no trial will run.
        spending: What the command may spend, and has.
    """

    splits: Splits
    prepared: Path
    forks: Forks
    environment: Mapping[str, Any]
    per_trial: Mapping[str, float]
    spending: Spending


@contextmanager
def basis_for_trials(
    command: Command,
    read: Callable[[], Splits],
    *,
    shared: Path,
    records: Sequence[TrialRecord] | None = None,
) -> Iterator[Basis]:
    """Start Ray, check all that can be wrong with a search, and prepare what its trials share.

    What takes longest begins first: the fork server, then Ray, beside which this process imports and reads.
    Whatever refuses a search does so before the minutes of preparation.

    Args:
        command: The command.
        read: Reads the data.
        shared: A folder that all nodes of a cluster must see.
        records: Of the trials of a search that goes on, whose store is brought up to date when it answers;
            None for a new one, whose store must.

    Raises:
        InputError: Data, checkpoint, store, resources or budget are wrong, or the disk has no room.
        GoemoError: The work failed.
    """
    spec, view = command.spec, command.view
    with fork_server() as forks:
        from tune.engine.cluster import connect
        from tune.tracking import find_store

        with connect(command.address, forks) as nodes:
            store = find_store(command.tracking_uri)
            _import_meanwhile(forks, store)
            if records is None:
                store.check()
            checkpoint = forks.call(found_checkpoint, spec)
            command.log.phase("reading the data")
            splits = read()
            check, environment = forks.call(look_around, spec, splits)
            resources = nodes(shared=shared, needed=checkpoint, note=view.say)
            command.signals.take_back()
            per_trial = trial_resources(spec, check, resources)
            spending = Spending(
                command.budget,
                started=command.started,
                gpus_per_trial=per_trial["gpu"],
                records=records or (),
            )
            command.log.phase("preparing")
            reserved = check_disk(spec, splits, check, records=records)
            yield Basis(
                splits=splits,
                prepared=_prepared(command, splits, forks, reserved=reserved),
                forks=forks,
                environment=environment,
                per_trial=per_trial,
                spending=spending,
            )


def basis_without_trials(command: Command, read: Callable[[], Splits]) -> Basis:
    """Return what it takes to report a search whose trials have all ended.

    Args:
        command: The command.
        read: Reads the data.
    """
    command.log.phase("reading the data")
    splits, forks = read(), Forks()
    command.log.phase("preparing")
    return Basis(
        splits=splits,
        prepared=_prepared(command, splits, forks),
        forks=forks,
        environment=describe(),
        per_trial={},
        spending=Spending(Budget(), started=command.started, gpus_per_trial=0.0),
    )


def _import_meanwhile(forks: Forks, store: Store) -> None:
    """Import what takes seconds and is needed later, while Ray starts and the fork server imports torch."""
    if not forks.are_there:
        return
    from tune.ranking import insight as search_insight

    parts: list[Callable[[], object]] = [
        partial(importlib.import_module, "tune.engine.tuner"),
        partial(importlib.import_module, "tune.reporting.report"),
        search_insight.import_evaluator,
    ]
    if not store.is_off:
        parts.append(store.import_client)
    for import_part in parts:
        import_part()
        gc.freeze()  # it stays to the end; for the collector to look through it would take half a second


def _prepared(command: Command, splits: Splits, forks: Forks, *, reserved: float = 0) -> Path:
    """Prepare what trials share, with its progress shown; return the folder."""
    console = command.view.console

    def note(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False)

    with progress_bars(console) as on_progress:
        return forks.call(
            prepare, command.spec, splits, reserved=reserved, on_progress=on_progress, on_note=note
        )
