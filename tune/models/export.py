"""The best configuration as a YAML that `goemo retrain` takes; `tune.models.exported` declares its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from goemo.errors import InputError
from tune.engine.preparation import max_lengths
from tune.engine.resources import threads_per_trial
from tune.models.exported import read_export
from tune.ranking import leaderboard
from tune.ranking.confirmed import Confirmed, with_interval
from tune.records import SearchFolder, write_text
from tune.spec import SearchSpec


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
    keys = ("source", "taxonomy", "seed", "splitting", "digest", "splits", "options")
    data = {key: facts["data"][key] for key in keys if key in facts["data"]}
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
    return f"; it replaces {before.origin.trial} of {before.origin.search}"


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
