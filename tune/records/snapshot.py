"""A snapshot of the records of a search at one moment, and the reader that makes it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from goemo.errors import GoemoError
from tune.records.declared import Blended, Confirming
from tune.records.trial_folder import (
    ANSWERS,
    DAMAGED,
    DamagedTrialError,
    TrialFolder,
    TrialRecord,
    is_confirmation,
)

_FILES = ("config.json", "history.jsonl", "outcome.json")
_Version = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class Damaged:
    """A trial whose record cannot be read.

    Attributes:
        trial_id: The trial.
        why: One line that names the file and the field.
    """

    trial_id: str
    why: str


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that the records of a search say at one moment.

    Attributes:
        name: The search.
        path: Its folder.
        spec: The search space as it was run, as plain values.
        facts: What was true when it ran, as `tune.records.declared.Facts` declares it; parts may be missing.
        trials: The trials of the search, in order of their ids: what ranks, and what is learned from.
        confirmations: The trials that repeat one of these with another seed, in order of their ids.
        confirming: Which trials are confirmed; None before that was decided.
        damaged: The trials whose records cannot be read, in order of their ids; all others are there.
        answers: What stands beside the trials and is none of them, by its id: `BASELINE` and `BLEND`, where
            they are there.
        blended: Whether the best models are better as one; None before that was judged.
    """

    name: str
    path: Path
    spec: Mapping[str, Any]
    facts: Mapping[str, Any]
    trials: tuple[TrialRecord, ...]
    confirmations: tuple[TrialRecord, ...]
    confirming: Confirming | None
    damaged: tuple[Damaged, ...]
    answers: Mapping[str, TrialRecord] = field(default_factory=dict)
    blended: Blended | None = None

    @property
    def everyone(self) -> tuple[TrialRecord, ...]:
        """The trials of the search, then the confirmations."""
        return (*self.trials, *self.confirmations)

    @property
    def asked_for(self) -> int:
        """How many trials of the search there are, those that cannot be read included."""
        others = sum(
            not is_confirmation(one.trial_id) and one.trial_id not in ANSWERS for one in self.damaged
        )
        return len(self.trials) + others

    def without(self, error: DamagedTrialError) -> Snapshot:
        """Return the snapshot without a trial that turned out to be damaged."""
        return replace(
            self,
            trials=tuple(one for one in self.trials if one.trial_id != error.trial_id),
            confirmations=tuple(one for one in self.confirmations if one.trial_id != error.trial_id),
            answers={name: one for name, one in self.answers.items() if name != error.trial_id},
            damaged=(*self.damaged, Damaged(error.trial_id, str(error))),
        )

    @property
    def ended(self) -> int:
        """How many trials of the search have ended."""
        return sum(record.outcome is not None for record in self.trials)

    def asked(self, part: str) -> Any:
        """Return a part of the search space, which is there in every search.

        Raises:
            GoemoError: It is not there.
        """
        if self.spec.get(part) is None:
            where = self.path / "search.yaml"
            raise GoemoError(f"{self.name}: {where} is damaged: {part}: is missing")
        return self.spec[part]

    def known(self, part: str) -> Any:
        """Return a part of the facts that every search has whose trials were begun.

        Raises:
            GoemoError: It is not there.
        """
        if self.facts.get(part) is None:
            where = self.path / "search.json"
            again = f"to write it again: goemo resume {self.name}"
            raise GoemoError(f"{self.name}: {where} is damaged: {part}: is missing; {again}")
        return self.facts[part]

    def validation(self) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
        """Return targets, shape (n_examples, n_labels), and label names of the validation split.

        Raises:
            GoemoError: The search ended before its data was prepared, or the file is damaged.
        """
        return read_validation(self.path)


class Reader:
    """Reads the trials of a search, again only where their files have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, tuple[_Version, TrialRecord | Damaged]] = {}

    def read(self) -> tuple[tuple[TrialRecord, ...], tuple[Damaged, ...]]:
        """Return the trials, confirmations and answers, in this order, and what could not be read."""
        with self._lock:
            paths = [
                *sorted(self._path.glob("trials/*/config.json")),
                *self._path.glob("answers/*/config.json"),
            ]
            found = [self._read(path.parent) for path in paths]
        return (
            tuple(one for one in found if isinstance(one, TrialRecord)),
            tuple(one for one in found if isinstance(one, Damaged)),
        )

    def _read(self, folder: Path) -> TrialRecord | Damaged:
        version = tuple(_version(folder / name) for name in _FILES)
        known = self._known.get(folder.name)
        if known is not None and known[0] == version:
            return known[1]
        try:
            found: TrialRecord | Damaged = TrialFolder(folder).read()
        except DamagedTrialError as error:
            found = Damaged(folder.name, str(error))
        self._known[folder.name] = (version, found)
        return found


def read_validation(search: Path) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
    """Return what `Snapshot.validation` does, from the folder of a search."""
    path = search / "validation.npz"
    if not path.is_file():
        raise GoemoError(f"{search.name}: nothing to show yet; its data has not been prepared")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _checked_targets(archive["targets"], archive["labels"])
    except DAMAGED as error:
        raise GoemoError(
            f"{search.name}: {path} is damaged ({error}); to write it again: goemo resume {search.name}"
        ) from error


def _checked_targets(
    targets: npt.NDArray[Any], labels: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
    """Return targets and label names, or raise ValueError where they do not fit each other."""
    names = tuple(str(name) for name in labels)
    if targets.dtype != np.bool_ or targets.ndim != 2 or targets.shape[1] != len(names):
        raise ValueError(f"targets must be booleans of {len(names)} labels, got {targets.shape}")
    return targets, names


def _version(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from any that stood there before: each is written anew and put in place."""
    try:
        file = path.stat()
    except FileNotFoundError:
        return None
    return file.st_ino, file.st_mtime_ns, file.st_size
