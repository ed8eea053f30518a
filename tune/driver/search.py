"""Starts, resumes and extends searches: prepares once, runs the trials, keeps the results."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rich.console import Console

from goemo.data import load_splits
from tune.driver import session
from tune.driver.command import command_on
from tune.driver.facts import added_to, check_added, same_splits, same_store, store_fact
from tune.driver.inputs import basis_without_trials, check, ready_for_trials
from tune.driver.result import SearchResult
from tune.live.consoles import progress_console
from tune.records import SearchFolder, runs_folder
from tune.records.holding import held
from tune.space.warm_start import check_sources
from tune.spec import SearchSpec, extended
from tune.stopping.budget import Budget
from tune.tracking import find_store


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
    read = partial(load_splits, spec.data.source, spec.data.taxonomy, seed=spec.seed, options=spec.data)
    with command_on(
        spec, address=address, tracking_uri=tracking_uri, budget=budget, console=console
    ) as command:
        SearchFolder.refuse_taken(spec.name)
        check_sources(spec)
        checked = check(command, read, is_new=True)
        with ready_for_trials(command, checked, shared=runs_folder()) as inputs:
            facts = {"address": address, "added": added_to(spec), **store_fact(tracking_uri)}
            search = SearchFolder.create(spec.name, spec.to_dict(), text=spec.text, facts=facts)
            with held(search):
                command.log.open(search, find_store(tracking_uri).hide)
                return session.run(command, inputs, search)


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
    search = SearchFolder.open(name)
    with held(search):
        spec = SearchSpec.from_dict(search.spec)
        check_added(spec, search)
        if trial_timeout_s is not None:
            spec = replace(spec, trial_timeout_s=trial_timeout_s)
        address = address or search.facts.get("address")
        store = same_store(search, tracking_uri)
        read = partial(same_splits, spec, search)
        with command_on(spec, address=address, tracking_uri=store, budget=budget, console=console) as command:
            command.log.open(search, find_store(store).hide)
            for damaged in search.set_aside_damaged():
                command.view.say(f"{damaged.why}; moved to {search.path / 'damaged'}, and run again")
            if tracking_uri or "tracking_uri" not in search.facts:
                search.add_facts(**store_fact(tracking_uri))
            if session.remaining(spec, search) == 0:
                command.log.phase("reading the data")
                return session.run(command, basis_without_trials(command, read()), search)
            checked = check(command, read, is_new=False)
            records = search.snapshot().everyone
            with ready_for_trials(command, checked, shared=search.path, records=records) as inputs:
                return session.run(command, inputs, search)


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
    with held(search):
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
