"""A search from start to end: prepare once, run the trials, keep what they found, resume."""

from __future__ import annotations

import fcntl
import importlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Console

from goemo.data import Splits, load_splits
from goemo.errors import GoemoError
from goemo.outcomes import RANKED
from tune import confirm, leaderboard, space
from tune.budget import Budget, Spending
from tune.confirm import Confirmations
from tune.consoles import progress_console
from tune.disk_need import check_disk
from tune.durations import duration
from tune.environment import describe
from tune.forks import Forks
from tune.full_disk import FullDiskError, full_disk_error, is_full_disk
from tune.halt import Halt
from tune.interrupts import Interrupts, SearchInterrupted, interrupts
from tune.interval_of_best import IntervalOfBest
from tune.leaderboard import Leaderboard
from tune.preparation import check_model, found_checkpoint, prepare, trial_resources
from tune.progress import SearchState, View, is_live, progress_bars
from tune.records import SearchFolder, runs_folder, search_names
from tune.search_facts import data_facts, same_splits, same_store, store_fact
from tune.search_log import SearchLog, engine_logs
from tune.space import Suggestions
from tune.spec import SchedulerSpec, SearchSpec, advice, extended
from tune.warm_start import check_sources, earlier_trials

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from tune.tracking import Store, Tracker


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        name: The search.
        leaderboard: Its trials, best first.
        is_complete: False when it was interrupted, or its budget was over; `resume_search` goes on.
        remaining: How many trials have not ended.
        unlogged: What the MLflow store has not taken yet: trials, ``search`` for the parent run,
            ``system`` for its metrics. `resume_search` logs them.
        cut_by: Which budget was over; empty where that is not why trials remain.
    """

    name: str
    leaderboard: Leaderboard
    is_complete: bool
    remaining: int
    unlogged: tuple[str, ...] = ()
    cut_by: str = ""

    def to_pandas(self) -> pd.DataFrame:
        """Return the leaderboard as a frame."""
        return self.leaderboard.to_pandas()


@dataclass(frozen=True)
class _Session:
    """One process's work on a search: what it is, its records and data, what shows, logs and stops it.

    ``prepared`` is the folder of what trials share; ``forks`` calls what needs torch, which this process does
    without.
    """

    spec: SearchSpec
    search: SearchFolder
    splits: Splits
    prepared: Path
    forks: Forks
    view: View
    log: SearchLog
    signals: Interrupts
    spending: Spending
    per_trial: Mapping[str, float]

    @property
    def remaining(self) -> int:
        """How many trials have not ended."""
        return _remaining(self.spec, self.search)


def run_search(
    spec: SearchSpec,
    *,
    address: str | None = None,
    tracking_uri: str | None = None,
    budget: Budget | None = None,
    console: Console | None = None,
) -> SearchResult:
    """Run a new search.

    The first SIGINT or SIGTERM while trials run stops them in order, and what there is is returned; at other
    times, and the second one always, raises.

    Args:
        spec: The search space and how to search it, as `tune.spec.load_spec` gives it.
        address: A Ray cluster, ``auto`` or ``HOST:PORT``; None for this machine.
        tracking_uri: An MLflow server; None for ``$MLFLOW_TRACKING_URI`` or the store under ``mlruns``;
            ``none`` to log nothing, which a later `resume_search` makes up for.
        budget: What may be spent at most; None for as much as it takes.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: The name is taken, or data, checkpoint, resources or budget are wrong; nothing was run.
        GoemoError: The work failed.
        SearchInterrupted: A KeyboardInterrupt, whose message says how to go on.
    """
    started = time.monotonic()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    with _explained(spec.name), interrupts() as signals, SearchLog() as log:
        from tune.cluster import connect
        from tune.tracking import check_store, find_store

        SearchFolder.refuse_taken(spec.name)
        check_store(tracking_uri)
        check_sources(spec)
        view = View(SearchState(spec.name, total=spec.total, objective=spec.objective.metric), console)
        with connect(address) as connection:
            forks = connection.forks
            _import_while_others_do(forks, find_store(tracking_uri))
            checkpoint = forks.call(found_checkpoint, spec)
            log.phase("reading the data")
            splits = load_splits(spec.data.source, spec.data.taxonomy, seed=spec.seed)
            check = forks.call(check_model, spec, splits)
            # Before minutes of preparation, which a refusal would waste.
            resources = connection.nodes(shared=runs_folder(), needed=checkpoint, note=view.say)
            signals.take_back()
            per_trial = trial_resources(spec, check, resources)
            spending = Spending(budget or Budget(), started=started, gpus_per_trial=per_trial["gpu"])
            log.phase("preparing")
            prepared = _prepare(spec, splits, forks, view, reserved=check_disk(spec, splits, check))
            facts = {"address": address, **store_fact(tracking_uri)}
            search = SearchFolder.create(spec.name, spec.to_dict(), text=spec.text, facts=facts)
            with _held(search):
                log.open(search, find_store(tracking_uri).hide)
                session = _Session(
                    spec, search, splits, prepared, forks, view, log, signals, spending, per_trial
                )
                return _run(session, tracking_uri)


def resume_search(
    name: str,
    *,
    address: str | None = None,
    tracking_uri: str | None = None,
    budget: Budget | None = None,
    trial_timeout_s: float | None = None,
    console: Console | None = None,
) -> SearchResult:
    """Go on with a search after an interrupt or a crash; a complete one is only brought up to date.

    Signals are handled as in `run_search`.

    Args:
        name: The search.
        address: A Ray cluster; None for the one it ran on.
        tracking_uri: An MLflow server; None for the store it was logged to.
        budget: What may be spent at most; None for as much as it takes, whatever was given before.
        trial_timeout_s: Seconds that a trial may take, this time; None for what the search was given.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: There is no such search, its data has changed, its store needs a password again, or the
            budget is wrong.
        GoemoError: The work failed.
        SearchInterrupted: A KeyboardInterrupt, whose message says how to go on.
    """
    started = time.monotonic()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    search = SearchFolder.open(name)
    with _explained(name), _held(search), interrupts() as signals, SearchLog() as log:
        from tune.cluster import connect
        from tune.tracking import find_store

        spec = SearchSpec.from_dict(search.spec)
        if trial_timeout_s is not None:
            spec = replace(spec, trial_timeout_s=trial_timeout_s)
        asked, tracking_uri = tracking_uri, same_store(search, tracking_uri)
        log.open(search, find_store(tracking_uri).hide)
        log.phase("reading the data")
        view = View(SearchState(spec.name, total=spec.total, objective=spec.objective.metric), console)
        if asked or "tracking_uri" not in search.facts:
            search.add_facts(**store_fact(asked))
        if _remaining(spec, search) == 0:
            splits, forks = same_splits(spec, search), Forks()
            log.phase("preparing")
            prepared = _prepare(spec, splits, forks, view)
            spending = Spending(Budget(), started=started, gpus_per_trial=0.0)
            session = _Session(spec, search, splits, prepared, forks, view, log, signals, spending, {})
            return _run(session, tracking_uri)
        with connect(address or search.facts.get("address")) as connection:
            forks = connection.forks
            _import_while_others_do(forks, find_store(tracking_uri))
            checkpoint = forks.call(found_checkpoint, spec)
            splits = same_splits(spec, search)
            check = forks.call(check_model, spec, splits)
            resources = connection.nodes(shared=search.path, needed=checkpoint, note=view.say)
            signals.take_back()
            per_trial = trial_resources(spec, check, resources)
            spending = Spending(
                budget or Budget(),
                started=started,
                gpus_per_trial=per_trial["gpu"],
                records=[*search.records(), *search.confirmations()],
            )
            log.phase("preparing")
            prepared = _prepare(spec, splits, forks, view)
            session = _Session(spec, search, splits, prepared, forks, view, log, signals, spending, per_trial)
            return _run(session, tracking_uri)


def extend_search(
    name: str,
    trials: int,
    *,
    address: str | None = None,
    tracking_uri: str | None = None,
    budget: Budget | None = None,
    trial_timeout_s: float | None = None,
    console: Console | None = None,
) -> SearchResult:
    """Add trials to a random or TPE search, a complete one too, and run what remains as `resume_search` does.

    The trials that it has stay what they are. They are added before anything is run: should that fail,
    `resume_search` goes on with all of them.

    Args:
        name: The search.
        trials: How many more, at least 1.
        address: As of `resume_search`, like all that follow.
        tracking_uri: Likewise.
        budget: Likewise.
        trial_timeout_s: Likewise.
        console: Likewise.

    Raises:
        InputError: As `resume_search`; or the search is a grid, or ``trials`` is below 1.
        GoemoError: The work failed, or another process runs the search.
        SearchInterrupted: A KeyboardInterrupt, whose message says how to go on.
    """
    search = SearchFolder.open(name)
    with _held(search):
        spec = extended(SearchSpec.from_dict(search.spec), trials)
        search.write_spec(spec.to_dict())
    console = console or progress_console()
    console.print(f"{name}: {spec.total} trials now, {trials} more", soft_wrap=True, highlight=False)
    return resume_search(
        name,
        address=address,
        tracking_uri=tracking_uri,
        budget=budget,
        trial_timeout_s=trial_timeout_s,
        console=console,
    )


def _remaining(spec: SearchSpec, search: SearchFolder) -> int:
    """Return how many trials have not ended, those that confirm the leaders included."""
    ended = sum(record.outcome is not None for record in search.records())
    return spec.total - ended + confirm.remaining(spec, search)


def _run(session: _Session, tracking_uri: str | None) -> SearchResult:
    """Run what remains, then report; an interrupt or an error leaves records and store in order."""
    # MLflow and matplotlib take seconds to import: only what runs trials pays for them.
    from tune.artifacts import TrialArtifacts
    from tune.tracking import Tracker

    search, view = session.search, session.view
    search.write_validation(session.splits.validation.targets, session.splits.labels)
    search.add_facts(
        data=data_facts(session.splits, session.spec.seed),
        environment=session.forks.call(describe),
        started=search.facts.get("started", time.time()),
    )
    halt = Halt(search.path)
    artifacts = TrialArtifacts(search, session.splits)
    tracker = Tracker(
        search,
        tracking_uri,
        is_monitored=session.remaining > 0,
        describe=lambda: _summary(search),
        prepare_artifacts=artifacts.write,
        on_full_disk=halt.fail,
    )
    tracker.start()
    try:
        with engine_logs():
            if session.remaining:
                _run_remaining(session, halt, tracker)
            session.log.phase("report")
            board = _report(session)
    except BaseException as error:
        tracker.close(is_complete=False, timeout_s=0.0 if session.signals.are_urgent else 60.0)
        if not isinstance(error, KeyboardInterrupt):
            view.say(f"it went wrong; the log tells more: {session.log.shown}")
        raise
    remaining = session.remaining
    if tracker.store.is_off:
        view.say(f"nothing was logged to MLflow; to log it: goemo resume {search.name}")
    else:
        view.say("bringing MLflow up to date")
    session.log.phase("the store")
    unlogged = tracker.close(is_complete=remaining == 0)
    if halt.error is not None:  # found by the tracker's thread, after the last trial
        raise halt.error
    cut_by = halt.why if remaining and halt.kind == "budget" else ""
    elapsed = duration(time.monotonic() - view.state.started)
    view.say(f"{'done' if remaining == 0 else cut_by or 'interrupted'} after {elapsed}")
    wrong = sum(reason not in RANKED for reason in view.state.ended.values())
    if wrong or unlogged:
        what = f"{wrong} of the trials went wrong" if wrong else "the store did not take everything"
        view.say(f"{what}; the log tells more: {session.log.shown}")
    return SearchResult(search.name, board, remaining == 0, remaining, tuple(unlogged), cut_by)


def _import_while_others_do(forks: Forks, store: Store) -> None:
    """Import what takes seconds and is needed later, while Ray starts and the fork server imports torch."""
    if not forks.are_there:
        return
    for name in ("tune.engine", "tune.search_report", "optuna.importance"):
        importlib.import_module(name)
    if not store.is_off:
        store.import_client()


def _prepare(spec: SearchSpec, splits: Splits, forks: Forks, view: View, *, reserved: float = 0) -> Path:
    """Prepare what trials share, with its progress shown; return the folder."""

    def note(line: str) -> None:
        view.console.print(line, soft_wrap=True, highlight=False)

    with progress_bars(view.console) as on_progress:
        return forks.call(prepare, spec, splits, reserved=reserved, on_progress=on_progress, on_note=note)


def _run_remaining(session: _Session, halt: Halt, tracker: Tracker) -> None:
    from tune.engine import run_trials

    spec, view = session.spec, session.view
    session.log.phase("trials")
    known = (*session.search.records(), *session.search.confirmations())
    view.state.ended |= {r.trial_id: r.outcome.stop_reason for r in known if r.outcome is not None}
    for note in session.splits.notes:
        view.say(f"data: {note}")
    view.say(f"{spec.name}: {spec.total} trials, {spec.data.source}, {spec.model.checkpoint}")
    for sentence in advice(spec):
        view.say(f"note: {sentence}")

    def notice(trial_id: str) -> None:
        tracker.notice(trial_id)
        view.state.trouble = tracker.trouble

    spending = session.spending
    if spending.is_limited:
        view.state.budget = spending.words
        view.say(spending.words())
    if over := spending.look(running=0):  # preparing has taken it all
        halt.end_budget(over)
        return
    following = IntervalOfBest(session.search, view.state) if is_live(view.console) else nullcontext()
    with view, following, session.signals.deferred(halt.interrupt):
        for of_stage, suggestions in _stages(session, halt):
            run_trials(
                of_stage,
                session.search,
                prepared=str(session.prepared),
                per_trial=session.per_trial,
                suggestions=suggestions,
                spending=spending,
                halt=halt,
                view=view,
                notice=notice,
            )


def _stages(session: _Session, halt: Halt) -> Iterator[tuple[SearchSpec, Suggestions | Confirmations]]:
    """Yield what remains to be run: the trials of the search and, once all have ended, what confirms them."""
    spec, search, view = session.spec, session.search, session.view
    if spec.total > sum(record.outcome is not None for record in search.records()):
        earlier = earlier_trials(spec, search, digest=session.splits.digest, say=view.say)
        view.state.begin_stage(spec.total + len(confirm.ended_ids(search)))
        yield spec, space.suggestions(spec, search.records(), earlier)
    further = confirm.confirmations(spec, search) if halt.kind is None else None
    if further is not None and further.remaining:
        view.state.begin_stage(spec.total + further.total)
        view.say(further.words())
        yield replace(spec, scheduler=SchedulerSpec("none")), further


def _report(session: _Session) -> Leaderboard:
    """Rank the trials and write what the parent run shows; of a whole search, test the chosen trial."""
    from tune.search_report import chosen_is_tested, write_search_artifacts

    search, view = session.search, session.view
    board = leaderboard.build(search)
    if not board.rows:
        return board
    view.say("writing the report")
    if session.remaining:
        write_search_artifacts(search, board, session.splits)
        return board
    confirm.drop_weights(session.spec, search)
    best = board.best.trial_id
    view.say(f"opening the test split for {best}")
    with chosen_is_tested(search, board, session.prepared, session.forks) as has_results:

        def end_test() -> None:
            if not has_results():
                view.say(f"weights of {best} were not kept; to test it: goemo export, then goemo retrain")

        write_search_artifacts(search, board, session.splits, end_test=end_test)
    return board


def _summary(search: SearchFolder) -> str:
    """Return the leaderboard in words, for the parent run's description."""
    board = leaderboard.build(search)
    return leaderboard.summary(board) if board.rows else "No trial has reported yet."


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
def _explained(name: str) -> Iterator[None]:
    """Say of an interrupt, and of a full disk, how to go on with a search of this name."""
    try:
        yield
    except FullDiskError:
        raise
    except KeyboardInterrupt as error:
        raise SearchInterrupted(f"interrupted; {_next_command(name)}") from error
    except Exception as error:
        if is_full_disk(error):
            raise full_disk_error(error, runs_folder(), _next_command(name)) from error
        raise


def _next_command(name: str) -> str:
    if name in search_names():
        return f"go on with: goemo resume {name}"
    return "run the same command again; what was prepared is kept"
