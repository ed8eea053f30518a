"""Search, resume, leaderboard, export and retrain as functions that do what the commands do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from goemo.configuration.wording import short
from goemo.errors import InputError
from tune.durations import read_duration
from tune.notebooks.frames import source_of
from tune.notebooks.results import Results
from tune.records import SearchFolder, search_names

if TYPE_CHECKING:
    from tune.driver import SearchResult
    from tune.models.retrain import Retrained
    from tune.stopping.budget import Budget


def search(
    space: str | Path,
    *,
    data: Any = None,
    name: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    address: str | None = None,
    tracking_uri: str | None = None,
    time_budget: str | float | None = None,
    gpu_hours: float | None = None,
    trials: int | None = None,
) -> Results:
    """Run a search; in a notebook the result shows its table and figures.

    Args:
        space: A search space: a file, or the name of a shipped one.
        data: Instead of the file's: a source such as ``dir:PATH``, a ``pandas.DataFrame`` with a column of
            texts and one of labels, a ``datasets.DatasetDict``, or a mapping of splits to frames.
        name: Of the search, instead of the file's.
        overrides: Instead of values of the file: ``{"space.epochs": 2}``.
        address: A Ray cluster; None for this machine.
        tracking_uri: An MLflow server; None for the store in ``mlruns``, ``none`` to log nothing.
        time_budget: Seconds, or text such as ``2h``, after which it stops.
        gpu_hours: Hours of GPUs that it may take.
        trials: How many trials to run now; `resume` runs the others.

    Raises:
        InputError: Something is wrong in the call, the search space or the data, or the name is taken;
            nothing was run.
        GoemoError: The work failed.
    """
    from tune.driver import run_search
    from tune.spec import load_spec

    given = [f"{key}={_in_yaml(key, value)}" for key, value in (overrides or {}).items()]
    spec = load_spec(str(space), overrides=given, data=source_of(data), name=name)
    budget = _budget(time_budget, gpu_hours, trials)
    return _shown(run_search(spec, address=address, tracking_uri=tracking_uri, budget=budget))


def resume(
    name: str,
    *,
    address: str | None = None,
    tracking_uri: str | None = None,
    time_budget: str | float | None = None,
    gpu_hours: float | None = None,
    trials: int | None = None,
) -> Results:
    """Go on with a search after an interrupt, a crash or the end of a budget; arguments as of `search`.

    Raises:
        InputError: There is no such search, or its data has changed.
        GoemoError: The work failed.
    """
    from tune.driver import resume_search

    budget = _budget(time_budget, gpu_hours, trials)
    return _shown(resume_search(name, address=address, tracking_uri=tracking_uri, budget=budget))


def leaderboard(name: str) -> Results:
    """Return the trials of a search as they stand now; works while it runs.

    Raises:
        InputError: There is no such search.
    """
    from tune.ranking import leaderboard as boards

    now = SearchFolder.open(name).snapshot()
    return Results(name, boards.build(now), is_complete=now.facts.get("status") == "complete")


def export(name: str, output: str | Path = "best.yaml", *, trial: str | None = None) -> Path:
    """Write the best trial's configuration, or another one's, for `retrain`; return the file.

    Raises:
        InputError: There is no such search or trial, or the file is there and of another kind.
        GoemoError: No trial has a score.
    """
    from tune.models.export import write_export

    write_export(SearchFolder.open(name), Path(output), trial_id=trial)
    return Path(output)


def retrain(
    exported: str | Path,
    output: str | Path,
    *,
    data: Any = None,
    seeds: int = 1,
    on: Literal["train", "train+validation"] = "train",
    kept: bool = False,
    register: str | bool = True,
    tracking_uri: str | None = None,
) -> Retrained:
    """Train an exported configuration, or the best of a search, into a model folder, and test it once.

    Args:
        exported: What `export` wrote, or the name of a search, whose best trial is exported beside the model.
        output: Folder of the model.
        data: Other data than the search's, as of `search`.
        seeds: Keep the best of so many seeds.
        on: What the saved model learns from.
        kept: Take the weights that the search has kept, and train nothing; for one seed, on train.
        register: Name of the registered model; True for that of the data, False to register none.
        tracking_uri: An MLflow server; None for the store in ``mlruns``.

    Raises:
        InputError: Something is wrong in the call; nothing was trained.
        GoemoError: No seed gave a model.
    """
    from tune.models.retrain import retrain as train_exported

    path = Path(exported)
    if not path.exists() and str(exported) in search_names():
        path = export(str(exported), Path(f"{output}.yaml"))
    return train_exported(
        path,
        Path(output),
        data=source_of(data),
        seeds=seeds,
        on=on,
        kept=kept,
        register=register,
        tracking_uri=tracking_uri,
    )


def _shown(result: SearchResult) -> Results:
    note = ""
    if not result.is_complete:
        why = f"{result.stopped_by}; " if result.stopped_by else ""
        note = f"{why}{result.remaining} trials remain: tune.resume({result.name!r})"
    return Results(result.name, result.leaderboard, is_complete=result.is_complete, note=note)


def _budget(time_budget: str | float | None, gpu_hours: float | None, trials: int | None) -> Budget:
    from tune.stopping.budget import Budget

    try:
        seconds = read_duration(time_budget) if isinstance(time_budget, str) else time_budget
    except ValueError as error:
        raise InputError("time_budget", [str(error)]) from None
    return Budget(seconds, gpu_hours, trials)


def _in_yaml(key: str, value: Any) -> str:
    """Return a value as ``--set`` reads it; numbers and arrays of numpy are numbers and lists."""
    try:
        text = yaml.safe_dump(_plain(value), default_flow_style=True, width=10**6)
    except yaml.representer.RepresenterError:
        problem = f"{key}: must be text, a number, a list or a mapping, got {short(value)}"
        raise InputError("overrides", [problem]) from None
    return text.removesuffix("\n...\n").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value
