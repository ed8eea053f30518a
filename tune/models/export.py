"""The best configuration as a YAML that `goemo retrain` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from goemo.configuration import Configuration
from goemo.errors import InputError
from tune.engine.preparation import max_lengths
from tune.engine.resources import threads_per_trial
from tune.ranking import leaderboard
from tune.ranking.confirmed import Confirmed, with_interval
from tune.records import SearchFolder, write_text
from tune.spec import SearchSpec

PARTS = {  # of an export, with the keys that `goemo retrain` needs
    "origin": ("search", "trial", "threads"),
    "expected": ("metric", "value"),
    "data": ("source", "taxonomy", "seed", "digest"),
    "configuration": ("checkpoint",),
    "versions": (),
}


@dataclass(frozen=True)
class Exported:
    """One configuration and where it came from.

    Attributes:
        configuration: What to train.
        data: Source, taxonomy, seed of the splits, splitting and digests of what it was found on.
        origin: The search, the trial, the threads that it trained with on the CPU, and what it ran on.
        expected: The trial's objective on validation with its interval; under ``confirmed``, where it is one
            of the leaders that were confirmed, the mean over seeds with its own.
        versions: Of the packages that decide the results.
    """

    configuration: Configuration
    data: dict[str, Any]
    origin: dict[str, Any]
    expected: dict[str, Any]
    versions: dict[str, str]


def write_export(search: SearchFolder, path: Path, *, trial_id: str | None = None) -> str:
    """Write one trial's configuration and return a line that says what was written.

    Args:
        search: Where the trial ran.
        path: The YAML to write.
        trial_id: None for the best by validation: by the mean over seeds where leaders were confirmed.

    Raises:
        InputError: The trial is not ranked, or the path is a folder or a file of another kind.
        GoemoError: No trial is.
    """
    if path.is_dir():
        raise InputError(str(path), [f"is a folder; name a file, {path / 'best.yaml'} say"])
    replaced = _replaced(path)
    board = leaderboard.build(search.snapshot())
    row = board.best if trial_id is None else board.row(trial_id)
    confirmed = next((leader for leader in board.confirmed if leader.trial_id == row.trial_id), None)
    facts, spec = search.facts, SearchSpec.from_dict(search.spec)
    data = {
        key: facts["data"][key] for key in ("source", "taxonomy", "seed", "splitting", "digest", "splits")
    }
    values = {
        "origin": {
            "search": search.name,
            "trial": row.trial_id,
            "rank": row.rank,
            "trials": len(board.rows),
            "threads": threads_per_trial(spec),
            "max_lengths": max_lengths(spec),
            "prefix_limit_gb": spec.resources.prefix_limit_gb,
            **{key: facts["environment"].get(key) for key in ("platform", "gpus", "git_commit")},
        },
        "expected": {
            "metric": f"val/{board.objective}",
            "value": row.objective,
            "low": row.low,
            "high": row.high,
            "interval": "95 % bootstrap of the validation rows; thresholds cross-fitted",
            "at_progress": row.best_progress,
            **({} if confirmed is None else {"confirmed": _confirmed_facts(confirmed)}),
        },
        "data": data,
        "configuration": row.config,
        "versions": facts["environment"]["versions"],
    }
    head = f"# goemo retrain {path} -o model\n"
    write_text(path, head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    score = f"{row.objective:.4f} [{row.low:.4f}, {row.high:.4f}]"
    told = f"{path}: {row.trial_id} of {search.name}, validation {board.objective} {score}{replaced}"
    if confirmed is None:
        return told
    return f"{told}; mean of {len(confirmed.seeds)} seeds {with_interval(confirmed)}"


def _replaced(path: Path) -> str:
    """Return what an export takes the place of, in a few words; empty where there is no file.

    Raises:
        InputError: The file is no export, and is left as it is.
    """
    if not path.exists():
        return ""
    try:
        before = read_export(path)
    except InputError as error:
        problem = "exists and is no export of goemo; name another file with -o, or remove it"
        raise InputError(str(path), [problem]) from error
    return f"; it replaces {before.origin['trial']} of {before.origin['search']}"


def _confirmed_facts(leader: Confirmed) -> dict[str, Any]:
    """Return what further seeds have shown of a configuration, as plain values."""
    return {
        "mean": leader.mean,
        "low": leader.low,
        "high": leader.high,
        "interval": "95 %, over seeds and validation rows; thresholds cross-fitted",
        "deviation": leader.deviation,
        "seeds": list(leader.seeds),
        "values": list(leader.values),
        "lost": [f"seed {lost.seed}: {lost.stop_reason.replace('_', ' ')}" for lost in leader.lost],
        "waiting": leader.waiting,
    }


def read_export(path: Path) -> Exported:
    """Read what `write_export` wrote.

    Raises:
        InputError: The file is not there, is no YAML, or lacks or misspells a part.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(str(path), [error.strerror or str(error)]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(str(path), [f"not YAML: {' '.join(str(error).split())}"]) from error
    problems = _problems(values)
    if problems:
        raise InputError(str(path), [*problems, "write it with: goemo export NAME"])
    try:
        configuration = Configuration.from_dict(values["configuration"])
    except (TypeError, ValueError) as error:
        raise InputError(str(path), [f"configuration: {error}"]) from error
    return Exported(
        configuration=configuration,
        data=values["data"],
        origin=values["origin"],
        expected=values["expected"],
        versions=values["versions"],
    )


def _problems(values: Any) -> list[str]:
    if not isinstance(values, Mapping):
        return ["must hold a mapping, as goemo export writes it"]
    missing = [f"{part}: missing" for part in PARTS if not isinstance(values.get(part), Mapping)]
    unknown = [f"{key}: unknown key" for key in values if key not in PARTS]
    inner = [
        f"{part}.{key}: missing"
        for part, keys in PARTS.items()
        for key in keys
        if isinstance(values.get(part), Mapping) and key not in values[part]
    ]
    return missing + unknown + inner
