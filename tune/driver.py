"""A search from start to end: prepare once, run the trials, keep what they found, resume."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from goemo.data import Splits, load_splits
from goemo.errors import GoemoError, InputError
from tune import leaderboard, space
from tune.environment import describe
from tune.leaderboard import Leaderboard
from tune.preparation import check_checkpoint, checked_model, memory_needed, prepare
from tune.progress import SearchState, View, duration
from tune.records import SearchFolder, runs_folder
from tune.resources import per_trial, trials_per_gpu
from tune.spec import SearchSpec

if TYPE_CHECKING:
    import pandas as pd

    from goemo.prepared import Prepared
    from tune.tracking import Tracker


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        name: The search.
        leaderboard: Its trials, best first.
        is_complete: False when it was interrupted; `resume_search` goes on.
        remaining: How many trials have not ended.
        unlogged: What the MLflow store has not taken yet: trials, ``search`` for the parent run,
            ``system`` for its metrics. `resume_search` logs them.
    """

    name: str
    leaderboard: Leaderboard
    is_complete: bool
    remaining: int
    unlogged: tuple[str, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return the leaderboard as a frame."""
        return self.leaderboard.to_pandas()


@dataclass(frozen=True)
class _Session:
    """One process's work on a search: what it is, its records, its data, what shows it."""

    spec: SearchSpec
    search: SearchFolder
    splits: Splits
    prepared: Prepared
    view: View

    @property
    def remaining(self) -> int:
        """How many trials have not ended."""
        return self.spec.total - sum(record.outcome is not None for record in self.search.records())


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
        tracking_uri: An MLflow server; None for ``$MLFLOW_TRACKING_URI`` or the store under ``mlruns``;
            ``none`` to log nothing, which a later `resume_search` makes up for.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: The name is taken, or data, checkpoint or resources are wrong; no trial was started.
        GoemoError: The work failed.
    """
    from tune.cluster import connect
    from tune.tracking import check_store

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    SearchFolder.refuse_taken(spec.name)
    check_store(tracking_uri)
    check_checkpoint(spec)
    view = View(SearchState(spec.name, total=spec.total, objective=spec.objective.metric), console)
    with connect(address) as nodes:
        splits = load_splits(spec.data.source, spec.data.taxonomy, seed=spec.seed)
        model = checked_model(spec, splits)
        # Before minutes of preparation, which a refusal would waste.
        trial_resources = per_trial(spec, nodes(), sharing=_sharing(spec, model))
        prepared = prepare(spec, splits, view.console)
        search = SearchFolder.create(spec.name, spec.to_dict(), text=spec.text)
        search.add_facts(address=address)
        _record_store(search, tracking_uri)
        with _held(search):
            return _run(_Session(spec, search, splits, prepared, view), trial_resources, tracking_uri)


def resume_search(
    name: str,
    *,
    address: str | None = None,
    tracking_uri: str | None = None,
    console: Console | None = None,
) -> SearchResult:
    """Go on with a search after an interrupt or a crash; a complete one is only brought up to date.

    Args:
        name: The search.
        address: A Ray cluster; None for the one it ran on.
        tracking_uri: An MLflow server; None for the store it was logged to.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: There is no such search, its data has changed, or its store needs a password again.
        GoemoError: The work failed.
    """
    from tune.cluster import connect

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    search = SearchFolder.open(name)
    spec = SearchSpec.from_dict(search.spec)
    asked, tracking_uri = tracking_uri, _same_store(search, tracking_uri)
    view = View(SearchState(spec.name, total=spec.total, objective=spec.objective.metric), console)
    with _held(search):
        if asked or "tracking_uri" not in search.facts:
            _record_store(search, asked)
        splits = load_splits(spec.data.source, spec.data.taxonomy, seed=spec.seed)
        before = search.facts.get("data", {}).get("digest")
        if before not in (None, splits.digest):
            problem = f"{spec.data.source} has changed since the search began; start a new one"
            raise InputError(name, [problem])
        prepared = prepare(spec, splits, view.console)
        session = _Session(spec, search, splits, prepared, view)
        if session.remaining == 0:
            return _run(session, {}, tracking_uri)
        with connect(address or search.facts.get("address")) as nodes:
            sharing = _sharing(spec, checked_model(spec, splits))
            return _run(session, per_trial(spec, nodes(), sharing=sharing), tracking_uri)


def _run(session: _Session, trial_resources: Mapping[str, float], tracking_uri: str | None) -> SearchResult:
    """Run what remains, then report; an interrupt or an error leaves records and store in order."""
    # MLflow and matplotlib take seconds to import: only what runs trials pays for them.
    from tune.artifacts import TrialArtifacts
    from tune.tracking import Tracker

    search, view = session.search, session.view
    search.write_validation(session.prepared.targets["validation"], session.prepared.labels)
    search.add_facts(
        data=_data_facts(session.splits, session.spec.seed),
        environment=describe(),
        started=search.facts.get("started", time.time()),
    )
    artifacts = TrialArtifacts(search, session.splits)
    tracker = Tracker(
        search,
        tracking_uri,
        is_monitored=session.remaining > 0,
        describe=lambda: _summary(search),
        prepare_artifacts=artifacts.write,
    )
    tracker.start()
    try:
        with _engine_logs(search), _terminate_as_interrupt():
            if session.remaining:
                _run_remaining(session, trial_resources, tracker)
            board = _report(session)
    except BaseException as error:
        tracker.close(is_complete=False)
        if isinstance(error, KeyboardInterrupt):
            raise GoemoError(f"interrupted; go on with: goemo resume {search.name}") from error
        raise
    remaining = session.remaining
    if tracker.store.is_off:
        view.say(f"nothing was logged to MLflow; to log it: goemo resume {search.name}")
    else:
        view.say("bringing MLflow up to date")
    unlogged = tracker.close(is_complete=remaining == 0)
    elapsed = duration(time.monotonic() - view.state.started)
    view.say(f"{'done' if remaining == 0 else 'interrupted'} after {elapsed}")
    return SearchResult(search.name, board, remaining == 0, remaining, tuple(unlogged))


def _run_remaining(session: _Session, trial_resources: Mapping[str, float], tracker: Tracker) -> None:
    from tune.engine import run_trials

    spec, view = session.spec, session.view
    for note in session.splits.notes:
        view.say(f"data: {note}")
    view.say(f"{spec.name}: {spec.total} trials, {spec.data.source}, {spec.model.checkpoint}")

    def notice(trial_id: str) -> None:
        tracker.notice(trial_id)
        view.state.trouble = tracker.trouble

    view.state.training_since = time.monotonic()
    with view:
        run_trials(
            spec,
            session.search,
            prepared=str(session.prepared.folder),
            per_trial=trial_resources,
            suggestions=space.suggestions(spec, session.search.records()),
            view=view,
            notice=notice,
        )


def _report(session: _Session) -> Leaderboard:
    """Rank the trials and write what the parent run shows; of a whole search, test the chosen trial."""
    from tune.search_report import test_chosen, write_search_artifacts

    search, view = session.search, session.view
    board = leaderboard.build(search)
    if not board.rows:
        return board
    if session.remaining == 0:
        best = board.best.trial_id
        view.say(f"opening the test split for {best}")
        if test_chosen(search, board, session.splits) is None:
            view.say(f"weights of {best} were not kept; to test it: goemo export, then goemo retrain")
    write_search_artifacts(search, board, session.splits)
    return board


def _sharing(spec: SearchSpec, model: Any) -> int:
    """Return how many trials fit on one of this machine's GPUs; 1 where it has none to ask."""
    import torch

    gpus = [torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())]
    return trials_per_gpu(memory_needed(spec, model), min(gpus)) if gpus else 1


def _record_store(search: SearchFolder, tracking_uri: str | None) -> None:
    """Write down where a search is logged to, without a password, for `resume_search`.

    None stands for the store in mlruns; where tracking is off, nothing is written, because that holds for
    one command only.
    """
    from tune.tracking import find_store

    store = find_store(tracking_uri)
    if store.is_off:
        return
    is_default = not (tracking_uri or os.environ.get("MLFLOW_TRACKING_URI"))
    search.add_facts(tracking_uri=None if is_default else store.shown)


def _same_store(search: SearchFolder, tracking_uri: str | None) -> str | None:
    """Return the store that a search was logged to, unless another is asked for.

    Raises:
        InputError: Its URI had a password, which was not kept.
    """
    facts = search.facts
    if tracking_uri or "tracking_uri" not in facts:
        return tracking_uri
    recorded: str | None = facts["tracking_uri"]
    if recorded is None:
        return f"sqlite:///{runs_folder() / 'mlflow.db'}"
    if "***" in recorded:
        from tune.tracking import find_store

        if os.environ.get("MLFLOW_TRACKING_URI") and find_store(None).shown == recorded:
            return None  # the environment has it whole
        raise InputError("--tracking-uri", [f"give {recorded} again, with the password: it was not kept"])
    return recorded


def _summary(search: SearchFolder) -> str:
    """Return the leaderboard in words, for the parent run's description."""
    board = leaderboard.build(search)
    return leaderboard.summary(board) if board.rows else "No trial has reported yet."


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
def _held(search: SearchFolder) -> Iterator[None]:
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
    root, ray_logger = logging.getLogger(), logging.getLogger("ray")
    of_ray, propagates = list(ray_logger.handlers), ray_logger.propagate
    ray_logger.handlers, ray_logger.propagate = [], True
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        ray_logger.handlers, ray_logger.propagate = of_ray, propagates
        handler.close()


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM stop a search in order, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
