"""A search from start to end: prepare once, run the trials, keep what they found, resume."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from goemo.data import Splits, load_splits
from goemo.errors import GoemoError, InputError
from tune import leaderboard, space
from tune.environment import describe
from tune.leaderboard import Leaderboard
from tune.preparation import prepare, refuse_unknown_checkpoint
from tune.progress import SearchState, View, duration
from tune.records import SearchFolder
from tune.spec import SearchSpec

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        name: The search.
        leaderboard: Its trials, best first.
        is_complete: False when it was interrupted; `resume_search` goes on.
        remaining: How many trials have not ended.
        unlogged: Trials that the MLflow store has not taken yet; `resume_search` logs them.
    """

    name: str
    leaderboard: Leaderboard
    is_complete: bool
    remaining: int
    unlogged: tuple[str, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return the leaderboard as a frame."""
        return self.leaderboard.to_pandas()


def run_search(
    spec: SearchSpec,
    *,
    address: str | None = None,
    tracking_uri: str | None = None,
    console: Console | None = None,
) -> SearchResult:
    """Run a new search.

    Args:
        spec: The search space and how to search it, as `tune.spec.load_spec` gives it.
        address: A Ray cluster, ``auto`` or ``HOST:PORT``; None for this machine.
        tracking_uri: An MLflow server; None for ``$MLFLOW_TRACKING_URI`` or the store under ``mlruns``.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: The name is taken, or data, checkpoint or resources are wrong; nothing was started.
        GoemoError: The work failed.
    """
    from tune.tracking import check_store

    SearchFolder.refuse_taken(spec.name)
    check_store(tracking_uri)
    splits = load_splits(spec.data.source, spec.data.taxonomy, seed=spec.seed)
    refuse_unknown_checkpoint(spec, splits)
    search = SearchFolder.create(spec.name, spec.to_dict())
    return _run(spec, search, splits, address=address, tracking_uri=tracking_uri, console=console)


def resume_search(
    name: str,
    *,
    address: str | None = None,
    tracking_uri: str | None = None,
    console: Console | None = None,
) -> SearchResult:
    """Go on with a search after an interrupt or a crash; a complete one is only brought up to date.

    Raises:
        InputError: There is no such search, or its data has changed.
        GoemoError: The work failed.
    """
    search = SearchFolder.open(name)
    spec = SearchSpec.from_dict(search.spec)
    splits = load_splits(spec.data.source, spec.data.taxonomy, seed=spec.seed)
    before = search.facts.get("data", {}).get("digest")
    if before not in (None, splits.digest):
        raise InputError(name, [f"{spec.data.source} has changed since the search began; start a new one"])
    return _run(spec, search, splits, address=address, tracking_uri=tracking_uri, console=console)


def _run(
    spec: SearchSpec,
    search: SearchFolder,
    splits: Splits,
    *,
    address: str | None,
    tracking_uri: str | None,
    console: Console | None,
) -> SearchResult:
    # Ray, MLflow and torch take seconds to import: only what runs trials pays for them.
    from tune.artifacts import TrialArtifacts
    from tune.engine import run_trials
    from tune.search_report import test_chosen, write_search_artifacts
    from tune.tracking import Tracker

    state = SearchState(spec.name, total=0, objective=spec.objective.metric)
    view = View(state, console)
    with _only_driver(search), _engine_logs(search):
        prepared = prepare(spec, splits, view.console)
        search.write_validation(prepared.targets["validation"], prepared.labels)
        search.add_facts(
            data=_data_facts(splits, spec.seed),
            environment=describe(),
            started=search.facts.get("started", time.time()),
        )
        suggestions = space.suggestions(spec, search.records())
        state.total = suggestions.total
        artifacts = TrialArtifacts(search, splits)
        tracker = Tracker(
            search, tracking_uri, describe=lambda: _summary(search), prepare_artifacts=artifacts.write
        )
        for note in splits.notes:
            view.say(f"data: {note}")
        view.say(f"{spec.name}: {suggestions.total} trials, {spec.data.source}, {spec.model.checkpoint}")
        tracker.start()
        with view:
            try:
                if any(r.outcome is None for r in search.records()) or _unasked(suggestions, search):
                    run_trials(
                        spec,
                        search,
                        prepared=str(prepared.folder),
                        suggestions=suggestions,
                        view=view,
                        notice=tracker.notice,
                        address=address,
                    )
            except BaseException:
                tracker.close(is_complete=False)
                raise
        remaining = suggestions.total - sum(r.outcome is not None for r in search.records())
        board = leaderboard.build(search)
        if board.rows:
            if remaining == 0:
                view.say(f"opening the test split for {board.best.trial_id}")
                test_chosen(search, board, splits)
            write_search_artifacts(search, board, splits)
        unlogged = tracker.close(is_complete=remaining == 0, on_progress=_closing(view))
    elapsed = duration(time.monotonic() - state.started)
    view.say(f"{'done' if remaining == 0 else 'interrupted'} after {elapsed}")
    return SearchResult(spec.name, board, remaining == 0, remaining, tuple(unlogged))


def _unasked(suggestions: space.Suggestions, search: SearchFolder) -> bool:
    return len(search.records()) < suggestions.total


def _summary(search: SearchFolder) -> str:
    """Return the leaderboard in words, for the parent run's description."""
    board = leaderboard.build(search)
    return leaderboard.summary(board) if board.rows else "No trial has reported yet."


def _closing(view: View) -> Callable[[int], None]:
    """Return a callback that tells once how many runs the store still has to take."""
    told: list[int] = []

    def tell(waiting: int) -> None:
        if waiting and not told:
            told.append(waiting)
            view.say(f"logging the last {waiting} runs to MLflow")

    return tell


def _data_facts(splits: Splits, seed: int) -> dict[str, object]:
    return {
        "source": splits.source,
        "taxonomy": splits.taxonomy,
        "labels": list(splits.labels),
        "seed": seed,
        "splitting": splits.splitting,
        "digest": splits.digest,
        "splits": {
            split.name: {"examples": len(split), "digest": split.digest}
            for split in (splits.train, splits.validation, splits.test)
        },
        "notes": list(splits.notes),
    }


@contextmanager
def _only_driver(search: SearchFolder) -> Iterator[None]:
    """Hold the search, so that two drivers never write to it; the lock goes with the process."""
    with (search.path / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GoemoError(
                f"{search.name} is running in another process; wait for it or stop it"
            ) from error
        yield


@contextmanager
def _engine_logs(search: SearchFolder) -> Iterator[None]:
    """Send what the engines log to the search's log file instead of the terminal."""
    handler = logging.FileHandler(search.path / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        handler.close()
