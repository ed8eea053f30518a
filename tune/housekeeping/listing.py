"""The searches on this machine: what each is, how far it got, and its size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from goemo.configuration.json_files import read_text
from goemo.errors import GoemoError, InputError
from tune.housekeeping.sizes import size_of
from tune.ranking.confirmed import confirmed_best
from tune.ranking.leaderboard import in_order
from tune.ranking.resampled import resampled
from tune.records import SearchFolder, Snapshot, search_names
from tune.records.holding import is_held
from tune.spec import SearchSpec


@dataclass(frozen=True)
class Best:
    """The best trial of a search.

    Attributes:
        trial_id: The trial.
        metric: The objective.
        value: On validation, thresholds cross-fitted.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    trial_id: str
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """One search.

    Attributes:
        name: The search.
        space: Name of the search space that it was started with.
        data: Where its data comes from.
        state: ``running``, ``complete``, ``interrupted`` or ``damaged``.
        ended: How many of its trials have ended.
        trials: How many it has in all; None where that cannot be read.
        best: None before the first report.
        started: Seconds since the epoch.
        size: Bytes that its records take.
        problem: What is damaged, in one line.
    """

    name: str
    space: str
    data: str
    state: str
    ended: int
    trials: int | None
    best: Best | None
    started: float
    size: int
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "age_s": round(time.time() - self.started)}


def summaries() -> Iterator[Summary]:
    """Yield every search under the runs folder, oldest first."""
    for name in search_names():
        yield summary(name)


def summary(name: str) -> Summary:
    """Return what there is to say of one search; a damaged one is told of as that.

    Raises:
        InputError: There is none of that name.
    """
    search = SearchFolder.open(name)
    started = (search.path / "search.yaml").stat().st_mtime
    size = size_of(search.path)
    try:
        now = search.snapshot()
        best = _best(now)
    except GoemoError as error:
        return Summary(name, name, "", "damaged", 0, None, None, started, size, str(error))
    status = now.facts.get("status")
    state = "running" if is_held(search) else "complete" if status == "complete" else "interrupted"
    return Summary(
        name=name,
        space=_space(search),
        data=str(now.spec.get("data", {}).get("source", "")),
        state=state,
        ended=now.ended,
        trials=_trials(now),
        best=best,
        started=float(now.facts.get("started") or started),
        size=size,
        problem=now.damaged[0].why if now.damaged else "",
    )


def _best(now: Snapshot) -> Best | None:
    ranked = in_order(now.trials)
    if not ranked:
        return None
    record = confirmed_best(now) or ranked[0]
    targets, _ = now.validation()
    (found,) = resampled([record], targets)
    assert record.objective is not None
    return Best(record.trial_id, record.config["metric"], record.objective, found.low, found.high)


def _trials(now: Snapshot) -> int | None:
    try:
        return SearchSpec.from_dict(dict(now.spec)).total
    except (InputError, KeyError, TypeError, ValueError):  # of another version of goemo
        return None


def _space(search: SearchFolder) -> str:
    """Return the name in the search space as it was given."""
    path: Path = search.path / "artifacts" / "search_space.yaml"
    try:
        values = yaml.safe_load(read_text(path))
    except (OSError, ValueError, yaml.YAMLError):
        return search.name
    return str(values.get("name", search.name)) if isinstance(values, dict) else search.name
