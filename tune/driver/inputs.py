"""Inputs of the trials of a search: checked data and model, Ray, and everything that trials share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goemo.data import Splits
from tune.driver.command import Command
from tune.engine.preparation import (
    ModelCheck,
    checked_models,
    dearest,
    found_checkpoints,
    prepare,
    trial_resources,
)
from tune.environment import describe
from tune.forecast.disk_need import check_disk
from tune.live.progress import progress_bars
from tune.stopping.budget import Budget, BudgetUse

if TYPE_CHECKING:
    from tune.records import TrialRecord


@dataclass(frozen=True, kw_only=True)
class CheckedInputs:
    """What was read and found right before anything is started.

    Attributes:
        splits: The data.
        checkpoints: Where the checkpoints are; without those that are made from the data.
        model: What building the models has shown.
    """

    splits: Splits
    checkpoints: Sequence[Path]
    model: ModelCheck


@dataclass(frozen=True, kw_only=True)
class SearchInputs:
    """What the trials of a search run on.

    Attributes:
        splits: The data.
        prepared: For each checkpoint the folder of what its trials share.
        environment: What runs it: hardware and versions.
        per_trial: CPUs and GPUs of a trial, ``cpu`` and ``gpu``; empty where no trial will run.
        spending: What the command may spend, and has.
    """

    splits: Splits
    prepared: Mapping[str, Path]
    environment: Mapping[str, Any]
    per_trial: Mapping[str, float]
    spending: BudgetUse


def check(command: Command, read: Callable[[], Splits], *, is_new: bool) -> CheckedInputs:
    """Check all that can be wrong with a search and needs no Ray to be seen.

    Args:
        command: The command.
        read: Reads the data.
        is_new: Whether its store must answer now; that of a search that goes on is brought up to date once it
            does.

    Raises:
        InputError: Address, data, checkpoint or store are wrong.
        GoemoError: The store does not answer.
    """
    from tune.engine.cluster import check_address
    from tune.tracking import find_store

    spec = command.spec
    check_address(command.address)
    store = find_store(command.tracking_uri)
    if is_new:
        store.check(spec.experiment)
    checkpoints = found_checkpoints(spec)
    command.log.phase("reading the data")
    splits = read()
    model = dearest(checked_models(spec, splits))
    return CheckedInputs(splits=splits, checkpoints=checkpoints, model=model)


@contextmanager
def ready_for_trials(
    command: Command, checked: CheckedInputs, *, shared: Path, records: Sequence[TrialRecord] | None = None
) -> Iterator[SearchInputs]:
    """Have a Ray for the block, on whose nodes trials can run, and what all trials share.

    Whatever refuses a search does so before the minutes of preparation.

    Args:
        command: The command.
        checked: What was checked before.
        shared: A folder that all nodes of a cluster must see.
        records: Of the trials of a search that goes on; None for a new one.

    Raises:
        InputError: Address, resources or budget are wrong, or the disk has no room.
        GoemoError: The work failed.
    """
    from tune.engine.cluster import connect

    spec, splits = command.spec, checked.splits
    command.log.phase("starting Ray")
    with connect(command.address, command.view.say) as nodes:
        command.signals.take_back()
        resources = nodes(shared=shared, needed=checked.checkpoints, note=command.view.say)
        per_trial = trial_resources(spec, checked.model, resources)
        spending = BudgetUse(
            command.budget, started=command.started, gpus_per_trial=per_trial["gpu"], records=records or ()
        )
        command.log.phase("preparing")
        reserved = check_disk(spec, splits, checked.model, records=records)
        yield SearchInputs(
            splits=splits,
            prepared=_prepared(command, splits, reserved=reserved),
            environment=describe(),
            per_trial=per_trial,
            spending=spending,
        )


def basis_without_trials(command: Command, splits: Splits) -> SearchInputs:
    """Return what it takes to report a search whose trials have all ended.

    Args:
        command: The command.
        splits: The data.
    """
    command.log.phase("preparing")
    return SearchInputs(
        splits=splits,
        prepared=_prepared(command, splits),
        environment=describe(),
        per_trial={},
        spending=BudgetUse(Budget(), started=command.started, gpus_per_trial=0.0),
    )


def _prepared(command: Command, splits: Splits, *, reserved: float = 0) -> dict[str, Path]:
    """Prepare what trials share, with its progress shown; return the folder of each checkpoint."""
    console = command.view.console

    def note(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False)

    with progress_bars(console) as on_progress:
        return prepare(command.spec, splits, reserved=reserved, on_progress=on_progress, on_note=note)
