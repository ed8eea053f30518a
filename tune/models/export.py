"""The best configuration as a YAML that `goemo retrain` takes; `tune.models.exported` declares its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from goemo.configuration.declared import keys_of
from goemo.configuration.settings import ModelSettings
from goemo.errors import InputError
from tune.answer.blend import BlendAcrossSearches
from tune.engine.resources import threads_per_trial
from tune.models.exported import LONGEST_NAME, read_export
from tune.ranking import leaderboard
from tune.ranking.answers import BaselineRow, BlendRow, better_answer, why_no_blend
from tune.ranking.confirmed import Confirmed, with_interval
from tune.ranking.leaderboard import Leaderboard
from tune.ranking.rows import Row
from tune.records import BASELINE, BLEND, SearchFolder, Snapshot, write_text
from tune.spec import SearchSpec, possible_lengths


def write_export(search: SearchFolder, path: Path, *, trial_id: str | None = None) -> str:
    """Write one trial's configuration and return what was written, in a line.

    A second line names what is shown to be better, where no trial was named.

    Args:
        search: Where the trial ran.
        path: The YAML to write.
        trial_id: A trial, ``baseline`` or ``blend``; None for the best trial by validation: by the mean over
            seeds where leaders were confirmed.

    Raises:
        InputError: The trial is not ranked, or the path is a folder or a file of another kind.
        GoemoError: No trial is.
    """
    replaced = _replaced(path, "best.yaml")
    now = search.snapshot()
    board = leaderboard.build(now)
    values = _exported(now, board, board.best.trial_id if trial_id is None else trial_id)
    _write(path, values)
    chosen, expected = values["origin"]["trial"], values["expected"]
    score = f"{expected['value']:.4f} [{expected['low']:.4f}, {expected['high']:.4f}]"
    leader = _confirmed(board, chosen)
    seeds = "" if leader is None else f"; mean of {len(leader.seeds)} seeds {with_interval(leader)}"
    written = f"{path}: {chosen} of {search.name}, validation {board.objective} {score}{replaced}{seeds}"
    better = better_answer(board.baseline, board.blend) if trial_id is None else None
    if better is None:
        return written
    name, sentence = better
    return f"{written}\nnote: {sentence}\nto export it: goemo export {search.name} --trial {name} -o {path}"


def write_export_across(found: BlendAcrossSearches, path: Path) -> str:
    """Write a blend over several searches, as `write_export` does one of a single search.

    Raises:
        InputError: The blend is not offered, or the path is a folder or a file of another kind.
    """
    if not found.blend.is_offered:
        raise InputError("goemo blend", [found.sentence])
    replaced = _replaced(path, "blend.yaml")
    first, blend = found.members[0][0], found.blend
    score = blend.value, blend.interval.low, blend.interval.high
    members = [
        _member(search, leaderboard.build(search), record.trial_id, member.tenths)
        for member, (search, record) in zip(blend.members, found.members, strict=True)
    ]
    values = _values(first, leaderboard.build(first), BLEND, score, _blend_configuration(first))
    values["origin"]["search"] = _together(list(dict.fromkeys(search.name for search, _ in found.members)))
    _write(path, {**values, "members": members})
    return f"{path}: {len(members)} members{replaced}"


def _write(path: Path, values: Mapping[str, Any]) -> None:
    head = f"# goemo retrain {path} -o model\n"
    write_text(path, head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _exported(search: Snapshot, board: Leaderboard, trial_id: str) -> dict[str, Any]:
    """Return what the export of a trial, the baseline or the blend holds.

    Raises:
        InputError: The trial is not ranked, or there is no baseline or blend.
    """
    if trial_id == BLEND:
        blend = board.blend
        if blend is None:
            raise InputError("--trial", [f"{search.name} offers no blend: {why_no_blend(search)}"])
        members = [_member(search, board, one.trial_id, round(one.weight * 10)) for one in blend.members]
        values = _values(search, board, BLEND, _score(blend), _blend_configuration(search))
        return {**values, "members": members}
    if trial_id == BASELINE:
        if board.baseline is None:
            remedy = f"goemo resume {search.name} fits it, unless baseline: none"
            raise InputError("--trial", [f"{search.name} has no baseline (yet): {remedy}"])
        return _values(search, board, BASELINE, _score(board.baseline), search.answers[BASELINE].config)
    row = board.row(trial_id)
    values = _values(search, board, trial_id, _score(row), row.config)
    values["origin"]["rank"] = row.rank
    values["expected"]["at_progress"] = row.best_progress
    confirmed = _confirmed(board, trial_id)
    if confirmed is not None:
        values["expected"]["confirmed"] = _confirmed_facts(confirmed)
    return values


def _member(search: Snapshot, board: Leaderboard, trial_id: str, tenths: int) -> dict[str, Any]:
    """Return a member of a blend with its own export."""
    kind = "words" if trial_id == BASELINE else "encoder"
    return {"tenths": tenths, kind: _exported(search, board, trial_id)}


def _score(row: Row | BaselineRow | BlendRow) -> tuple[float, float, float]:
    """Return the objective with its interval."""
    return row.objective, row.low, row.high


def _confirmed(board: Leaderboard, trial_id: str) -> Confirmed | None:
    """Return what further seeds have shown of a trial; None where it was not confirmed."""
    return next((leader for leader in board.confirmed if leader.trial_id == trial_id), None)


def _together(names: Sequence[str]) -> str:
    """Return the names of searches as one name, which may not be longer than others."""
    every = " ".join(names)
    return every if len(every) <= LONGEST_NAME else f"{names[0]} and {len(names) - 1} more"


def _blend_configuration(search: Snapshot) -> dict[str, Any]:
    objective = search.asked("objective")
    return {
        "checkpoint": BLEND,
        "metric": objective["metric"],
        "thresholds": objective["thresholds"],
        "seed": search.asked("seed"),
    }


def _values(
    search: Snapshot,
    board: Leaderboard,
    trial_id: str,
    score: tuple[float, float, float],
    configuration: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the export of anything holds."""
    spec = SearchSpec.from_dict(dict(search.spec))
    environment, data = search.known("environment"), search.known("data")
    keys = ("source", "taxonomy", "seed", "splitting", "digest", "splits", "options")
    value, low, high = score
    return {
        "origin": {
            "search": search.name,
            "trial": trial_id,
            "trials": len(board.rows),
            "threads": threads_per_trial(spec),
            "experiment": spec.experiment,
            "max_lengths": _max_lengths(spec, configuration),
            "prefix_limit_gb": spec.resources.prefix_limit_gb,
            **{key: environment.get(key) for key in ("platform", "gpus", "git_commit")},
        },
        "expected": {
            "metric": f"val/{board.objective}",
            "value": value,
            "low": low,
            "high": high,
            "interval": "95 % bootstrap of the validation rows; thresholds cross-fitted",
        },
        "data": {key: data[key] for key in keys if key in data},
        "configuration": dict(configuration),
        "versions": environment["versions"],
    }


def _max_lengths(spec: SearchSpec, configuration: Mapping[str, Any]) -> list[int]:
    """Return the maximum lengths that an encoder was prepared for in the search; none of other models."""
    if "trainable" not in configuration:
        return []
    known = {name: configuration[name] for name in keys_of(ModelSettings) if name in configuration}
    return possible_lengths(spec, ModelSettings(**known))


def _replaced(path: Path, usual: str) -> str:
    """Return what an export takes the place of, in a few words; empty where there is no file.

    Args:
        path: The YAML to write.
        usual: A name for it, told where the path is a folder.

    Raises:
        InputError: The path is a folder, or a file that is no export, which is left as it is.
    """
    if path.is_dir():
        raise InputError(str(path), [f"is a folder; name a file, such as {path / usual}"])
    if not path.exists():
        return ""
    try:
        before = read_export(path)
    except InputError as error:
        problem = "exists and is not an export of goemo; name another file with -o, or remove it"
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
