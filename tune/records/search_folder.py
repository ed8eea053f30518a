"""The folder of one search, and everything that is written to it except its trials."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import ValidationError

from goemo.configuration.json_files import (
    UnreadableError,
    check_bounds,
    parse_json,
    problems_of,
    read_json,
    read_text,
)
from goemo.errors import GoemoError, InputError
from tune.records.declared import Blended, Confirming, Facts, Recorded, SystemSample, WarmStart
from tune.records.snapshot import Damaged, Reader, Snapshot, read_validation
from tune.records.trial_folder import ANSWERS, DamagedTrialError, TrialFolder, TrialRecord
from tune.records.writing import runs_folder, write_arrays, write_json, write_text

Model = TypeVar("Model")


class SearchFolder:
    """One search's records.

    Attributes:
        name: The search's name, unique in its store.
        path: Its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._reader = Reader(path)

    @staticmethod
    def refuse_taken(name: str) -> None:
        """Make sure that a search can be made under this name.

        Raises:
            InputError: One exists.
        """
        if (runs_folder() / "searches" / name / "search.yaml").exists():
            problem = f"a search named {name!r} exists; choose another, or: goemo resume {name}"
            raise InputError("--name", [problem])

    @classmethod
    def create(
        cls, name: str, spec: Mapping[str, Any], *, text: str = "", facts: Mapping[str, Any] | None = None
    ) -> SearchFolder:
        """Make the folder of a new search.

        Args:
            name: The search.
            spec: The search space, every default filled in.
            text: The search space as it was given, for readers.
            facts: What `resume` has to know from the first moment on.

        Raises:
            InputError: A search of that name exists.
        """
        cls.refuse_taken(name)
        path = runs_folder() / "searches" / name
        path.mkdir(parents=True, exist_ok=True)
        if text:
            write_text(path / "artifacts" / "search_space.yaml", text)
        search = cls(path)
        if facts:
            write_json(path / "search.json", dict(facts))
        search.write_spec(spec)  # last: with it, the search exists
        return search

    @classmethod
    def open(cls, name: str) -> SearchFolder:
        """Find the folder of a search by name.

        Raises:
            InputError: There is none; the message lists those there are.
        """
        if name not in search_names():
            raise InputError(name, [f"no search of that name in {runs_folder()}; {known_searches(name)}"])
        return cls(runs_folder() / "searches" / name)

    @property
    def spec(self) -> dict[str, Any]:
        """The search space as it was run, as plain values."""
        path = self.path / "search.yaml"
        try:
            values = yaml.safe_load(read_text(path))
            check_bounds(values)
            if not isinstance(values, dict):
                raise self._damaged(path, "must be a mapping")
            Recorded.model_validate(values)
        except ValidationError as error:
            raise self._damaged(path, "; ".join(problems_of(error, Recorded))) from error
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            raise self._damaged(path, error) from error
        return values

    def write_spec(self, spec: Mapping[str, Any]) -> None:
        """Write the search space, in place of the one before where the search was extended."""
        text = yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True)
        write_text(self.path / "search.yaml", text)

    @property
    def facts(self) -> dict[str, Any]:
        """What was true when it ran: data digests, versions, hardware. Empty before it is known."""
        found = self._declared("search.json", Facts)
        if found is None:
            return {}
        parts = {name: getattr(found, name) for name in ("data", "environment")}
        known = {name: part.model_dump(exclude_none=True) for name, part in parts.items() if part is not None}
        return {**found.model_dump(exclude_unset=True), **known}

    def add_facts(self, **facts: Any) -> None:
        """Add to the facts, keeping those that are not named."""
        write_json(self.path / "search.json", {**self.facts, **facts})

    def trial(self, trial_id: str) -> TrialFolder:
        """Return the folder of one trial, or of one of `ANSWERS`, which need not exist yet."""
        return TrialFolder(self.path / ("answers" if trial_id in ANSWERS else "trials") / trial_id)

    def write_validation(self, targets: npt.NDArray[np.bool_], labels: Sequence[str]) -> None:
        """Keep the validation targets, so that every number can be computed again from the folder alone."""
        path = self.path / "validation.npz"
        write_arrays(path, targets=np.asarray(targets, dtype=np.bool_), labels=np.array(labels))

    def validation(self) -> tuple[npt.NDArray[np.bool_], tuple[str, ...]]:
        """Return targets and label names of the validation split, as `Snapshot.validation` does."""
        return read_validation(self.path)

    def write_leaders(self, best: Mapping[str, float], keep: int) -> None:
        """Tell the trials whom they have to beat for their weights to be kept."""
        write_json(self.path / "leaders.json", {"keep": keep, "best": dict(best)})

    @property
    def warm_start(self) -> list[dict[str, Any]] | None:
        """Trials of earlier searches, as `tune.space.warm_start` has chosen them; None before that."""
        found = self._declared("warm_start.json", WarmStart)
        return None if found is None else found.model_dump()

    def write_warm_start(self, trials: Sequence[Mapping[str, Any]]) -> None:
        """Keep what TPE knows of earlier searches."""
        write_json(self.path / "warm_start.json", list(trials))

    def add_system_sample(self, row: Mapping[str, float]) -> None:
        """Append how busy the machine was: ``step``, ``time`` and metrics by their names in MLflow."""
        with (self.path / "system.jsonl").open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(dict(row)))  # first, so that a torn line before it stays alone

    def system_samples(self) -> list[dict[str, float]]:
        """Return the samples of all processes that have driven the search, in order of their steps."""
        path = self.path / "system.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        found = []
        for line in filter(None, lines):
            # A full disk or a loss of power may tear a line; that sample is left out.
            with suppress(ValueError):
                found.append(SystemSample.model_validate(parse_json(line)).root)
        return found

    def snapshot(self) -> Snapshot:
        """Return all that the records say now.

        Only the files of trials that have changed since the last call on this object are read again; the
        others' records are the same objects as before. May be called from several threads.

        Raises:
            GoemoError: A file of the search itself is damaged; the message names it.
        """
        records, damaged = self._reader.read()
        trials = [record for record in records if record.trial_id not in ANSWERS]
        return Snapshot(
            name=self.name,
            path=self.path,
            spec=self.spec,
            facts=self.facts,
            trials=tuple(record for record in trials if record.confirms is None),
            confirmations=tuple(record for record in trials if record.confirms is not None),
            confirming=self.confirming,
            blended=self.blended,
            damaged=damaged,
            answers={record.trial_id: record for record in records if record.trial_id in ANSWERS},
        )

    @property
    def confirming(self) -> Confirming | None:
        """Which trials are confirmed, as `tune.ranking.confirm` has decided; None before that."""
        return self._declared("confirm.json", Confirming)

    def write_confirming(self, decision: Confirming) -> None:
        """Keep the decision which trials are confirmed."""
        write_json(self.path / "confirm.json", decision.model_dump())

    @property
    def blended(self) -> Blended | None:
        """Whether the best models are better as one; None before that was judged."""
        return self._declared("blend.json", Blended)

    def write_blended(self, verdict: Blended) -> None:
        """Keep whether the best models are better as one."""
        write_json(self.path / "blend.json", verdict.model_dump())

    def set_aside_damaged(self) -> list[Damaged]:
        """Move the trials whose records or scores cannot be read to ``damaged/``, so that they are run again.

        Returns:
            What was moved, and why.
        """
        now = self.snapshot()
        found = list(now.damaged)
        records = [record for record in (*now.everyone, *now.answers.values()) if record.history]
        shape = self._shape(records)
        for record in records:
            if record.outcome is not None:
                try:
                    record.ranked_report()
                    record.scores(shape)
                except DamagedTrialError as error:
                    found.append(Damaged(record.trial_id, str(error)))
        for damaged in found:
            target = self.path / "damaged" / f"{damaged.trial_id}-{time.time_ns()}"
            target.parent.mkdir(exist_ok=True)
            self.trial(damaged.trial_id).path.rename(target)
        return found

    def _shape(self, records: Sequence[TrialRecord]) -> tuple[int, ...] | None:
        """Return the shape that scores must have; None where the targets tell one that no trial's have."""
        with suppress(GoemoError):
            shape = self.validation()[0].shape
            for record in records:
                with suppress(DamagedTrialError):
                    record.scores(shape)
                    return shape
        return None

    def _declared(self, name: str, model: type[Model]) -> Model | None:
        """Return what a file holds, checked; None where there is no such file yet."""
        path = self.path / name
        if not path.is_file():
            return None
        try:
            return read_json(path, model)
        except UnreadableError as error:
            raise self._damaged(path, error) from error

    def _damaged(self, path: Path, why: object) -> GoemoError:
        told = " ".join(str(why).removeprefix(f"{path}: ").split())
        return GoemoError(f"{self.name}: {path} is damaged: {told}")


def search_names() -> list[str]:
    """Return the names of the searches in the store, oldest first."""
    files = (runs_folder() / "searches").glob("*/search.yaml")
    return [p.parent.name for p in sorted(files, key=lambda p: p.stat().st_mtime)]


def known_searches(meant: str = "", most: int = 12) -> str:
    """Return a line that names the searches there are, the newest first, and the one nearest to a name."""
    names = search_names()[::-1]
    if not names:
        return "there are none yet; to start one: goemo search quickstart"
    near = get_close_matches(meant, names, n=1)
    more = f" and {len(names) - most} more (goemo list)" if len(names) > most else ""
    told = f"there are: {', '.join(names[:most])}{more}"
    return f"did you mean {near[0]}? {told}" if near else told
