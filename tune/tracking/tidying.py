"""The runs of one search in a store: found, removed for good, renamed. Each can be repeated after a crash."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tune.tracking import views
from tune.tracking.experiment import paged
from tune.tracking.store import Store
from tune.tracking.writer import NOTE

AT_ONCE = 100  # runs that are removed with one call


@dataclass(frozen=True)
class Removed:
    """What was removed from a store.

    Attributes:
        runs: How many runs, the parent included.
        remains: What still lies on a server, and what removes it, in one line; empty where nothing does.
    """

    runs: int
    remains: str = ""


def remove_runs(store: Store, search_id: str) -> Removed:
    """Remove a search's runs, with their artifacts where these are files of this machine.

    A tracking server only marks runs as deleted; that is said.

    Raises:
        Exception: Anything that MLflow raises; calling again removes the rest.
    """
    if store.is_off or (store.database is not None and not store.database.exists()):
        return Removed(0)
    client = store.client()
    experiments, runs = _found(client, search_id, "ALL")
    for run in runs:
        if run.info.lifecycle_stage == "active":
            client.delete_run(run.info.run_id)
    for experiment in experiments:
        views.remove(client, experiment, search_id)
    if store.is_server:
        if not runs:
            return Removed(0)
        remains = (
            f"{store.shown} hides the {len(runs)} runs, and keeps them with their artifacts until this runs "
            f"there: mlflow gc --backend-store-uri ... --run-ids {runs[0].info.run_id},..."
        )
        return Removed(len(runs), remains)
    for start in range(0, len(runs), AT_ONCE):
        some = runs[start : start + AT_ONCE]
        _collect(store, [run.info.run_id for run in some])
        for run in some:
            _remove_folder(run)
    return Removed(len(runs))


def rename_runs(store: Store, search_id: str, old: str, new: str) -> int:
    """Rename a search in its runs: the name of the parent, the tags, the commands in the descriptions.

    Returns:
        How many runs it has.
    """
    if store.is_off or (store.database is not None and not store.database.exists()):
        return 0
    client = store.client()
    experiments, runs = _found(client, search_id, "ACTIVE_ONLY")
    for experiment in experiments:
        views.rename(client, experiment, search_id, new)
    for run in runs:
        tags, run_id = run.data.tags, run.info.run_id
        if tags.get("goemo.kind") == "search" and run.info.run_name != new:
            client.update_run(run_id, name=new)
        if NOTE in tags:
            client.set_tag(run_id, NOTE, renamed_commands(tags[NOTE], old, new))
        client.set_tag(run_id, "mlflow.source.name", f"goemo search {new}")
        client.set_tag(run_id, "goemo.search", new)
    return len(runs)


def renamed_commands(text: str, old: str, new: str) -> str:
    """Return a text in which the commands on one search are those on another."""
    return re.sub(rf"(\bgoemo [a-z]+ ){re.escape(old)}(?![\w.-])", lambda found: found[1] + new, text)


def _found(client: Any, search_id: str, which: str) -> tuple[list[Any], list[Any]]:
    """Return every experiment, deleted ones too, and the runs of a search: ``ALL`` or ``ACTIVE_ONLY``."""
    from mlflow.entities import ViewType

    experiments = list(paged(client.search_experiments, view_type=ViewType.ALL))
    ids = [one.experiment_id for one in experiments]
    of_search, view = f"tags.`goemo.search_id` = '{search_id}'", getattr(ViewType, which)
    runs = list(paged(client.search_runs, ids, of_search, run_view_type=view)) if ids else []
    return experiments, runs


def _collect(store: Store, run_ids: list[str]) -> None:
    """Remove runs that are marked as deleted, with MLflow's own command, which is the public way to do so."""
    # An empty --tracking-uri leaves that of this process alone; the environment must have one, though.
    arguments = ["gc", "--backend-store-uri", store.uri, "--tracking-uri", "", "--run-ids", ",".join(run_ids)]
    unread = io.StringIO()  # it names every run, and warns of its own type hints
    with contextlib.redirect_stdout(unread), contextlib.redirect_stderr(unread), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.cli import cli

        before = os.environ.get("MLFLOW_TRACKING_URI")
        os.environ["MLFLOW_TRACKING_URI"] = before or store.uri
        try:
            cli.main(arguments, standalone_mode=False)
        finally:
            if before is None:
                del os.environ["MLFLOW_TRACKING_URI"]


def _remove_folder(run: Any) -> None:
    """Remove what MLflow leaves of the folder of a run: the empty one around its artifacts."""
    place = urlsplit(run.info.artifact_uri)
    folder = Path(unquote(place.path)).parent
    if place.scheme in {"", "file"} and folder.name == run.info.run_id:
        shutil.rmtree(folder, ignore_errors=True)
