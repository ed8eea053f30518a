"""The work of one command on a search: run the trials that remain, report, bring MLflow up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from goemo.configuration.outcomes import RANKED
from goemo.data import report_lines
from tune import space
from tune.driver.facts import data_facts
from tune.driver.result import SearchResult
from tune.durations import duration
from tune.live.interval_of_best import IntervalOfBest
from tune.live.log import engine_logs
from tune.live.progress import is_live
from tune.ranking import confirm, leaderboard
from tune.ranking.confirm import Confirmations
from tune.ranking.leaderboard import Leaderboard
from tune.records import BASELINE, BLEND
from tune.space import Suggestions
from tune.space.warm_start import earlier_trials
from tune.spec import SchedulerSpec, SearchSpec, advice
from tune.stopping.stop_request import StopRequest

if TYPE_CHECKING:
    from tune.answer.baseline import BaselineFit
    from tune.driver.command import Command
    from tune.driver.inputs import SearchInputs
    from tune.live.progress import ProgressView
    from tune.records import SearchFolder, Snapshot, TrialRecord
    from tune.tracking import Tracker


def remaining(spec: SearchSpec, search: SearchFolder) -> int:
    """Return how many trials have not ended, those that confirm the leaders included."""
    now = search.snapshot()
    return spec.total - now.ended + confirm.remaining(spec, now)


def run(command: Command, inputs: SearchInputs, search: SearchFolder) -> SearchResult:
    """Run what remains, then report; an interrupt or an error leaves records and store in order.

    Args:
        command: What is to be done.
        inputs: What trials run on.
        search: The records.
    """
    # MLflow and Altair take seconds to import: only what runs trials pays for them.
    from tune.answer.baseline import BaselineFit
    from tune.reporting.artifacts import TrialArtifacts
    from tune.tracking import Tracker

    spec, splits, view, log = command.spec, inputs.splits, command.view, command.log
    is_first = "started" not in search.facts
    search.write_validation(splits.validation.targets, splits.labels)
    search.add_facts(
        data=data_facts(splits, spec.seed),
        environment=inputs.environment,
        started=search.facts.get("started", time.time()),
        seconds={},
    )
    stop_request = StopRequest(search.path)
    tracker = Tracker(
        search,
        command.tracking_uri,
        is_monitored=remaining(spec, search) > 0,
        describe=_summary,
        prepare_artifacts=TrialArtifacts(search, splits).write,
        on_full_disk=stop_request.fail,
    )
    tracker.start()
    try:
        with engine_logs(), BaselineFit(spec, search, splits, partial(_baseline_known, view, tracker)) as fit:
            if remaining(spec, search):
                _run_remaining(command, inputs, search, stop_request, tracker)
            _await_baseline(fit, command, stop_request)
            log.phase("report")
            board = _report(command, inputs, search, tracker.notice)
    except BaseException as error:
        # Should a store be away too: Ray ends a process whose Ray has died a minute ago.
        tracker.close(is_complete=False, timeout_s=0.0 if command.signals.are_urgent else 30.0)
        if not isinstance(error, KeyboardInterrupt):
            view.say(f"it failed; see the log: {log.shown}")
        raise
    left = remaining(spec, search)
    if tracker.store.is_off:
        view.say(f"nothing was logged to MLflow; to log it: goemo resume {search.name}")
    else:
        view.say("bringing MLflow up to date")
    log.phase("the store")
    unlogged = tracker.close(is_complete=left == 0)
    if stop_request.error is not None:  # found by the tracker's thread, after the last trial
        raise stop_request.error
    stopped_by = stop_request.why if left and stop_request.kind == "budget" else ""
    _say_how_it_ended(command, left, stopped_by, is_logged=not unlogged)
    if is_first and left == 0:
        search.add_facts(seconds=log.seconds())
    return SearchResult(search.name, board, left == 0, left, tuple(unlogged), stopped_by)


def _baseline_known(view: ProgressView, tracker: Tracker, record: TrialRecord) -> None:
    """Tell of the baseline, and let the store have it."""
    metric, took = record.config["metric"], duration(record.seconds)
    view.say(f"baseline  a bag of words: {metric} {record.objective:.4f}, fitted in {took}")
    view.state.baseline = record.objective
    tracker.notice(BASELINE)


def _await_baseline(fit: BaselineFit, command: Command, stop_request: StopRequest) -> None:
    """Wait for a baseline that takes longer than the trials, unless the search was cut short."""
    if fit.is_running and stop_request.kind is None:
        command.log.phase("the baseline")
        command.view.say("waiting for the baseline; to search without one: baseline: none")
        fit.wait()
    if fit.trouble is not None:
        command.view.say(f"no baseline: {fit.trouble}; to try again: goemo resume {command.spec.name}")


def _say_how_it_ended(command: Command, left: int, stopped_by: str, *, is_logged: bool) -> None:
    """Say how the work ended, and where to read on when something went wrong."""
    view = command.view
    elapsed = duration(time.monotonic() - view.state.started)
    view.say(f"{'done' if left == 0 else stopped_by or 'interrupted'} after {elapsed}")
    wrong = sum(reason not in RANKED for reason in view.state.ended.values())
    if wrong or not is_logged:
        what = f"{wrong} trial{'s' * (wrong > 1)} went wrong" if wrong else "the store is missing some runs"
        view.say(f"{what}; see the log: {command.log.shown}")


def _run_remaining(
    command: Command, inputs: SearchInputs, search: SearchFolder, stop_request: StopRequest, tracker: Tracker
) -> None:
    """Run the trials that have not ended, and then those that confirm the leaders."""
    from tune.engine.tuner import run_trials

    spec, view, spending = command.spec, command.view, inputs.spending
    command.log.phase("trials")
    now = search.snapshot()
    known, baseline = now.everyone, now.answers.get(BASELINE)
    if baseline is not None and baseline.outcome is not None:
        view.state.baseline = baseline.objective
    view.state.ended |= {r.trial_id: r.outcome.stop_reason for r in known if r.outcome is not None}
    report = inputs.splits.report
    for line in inputs.splits.notes if report is None else report_lines(report.to_dict()):
        view.say(f"data: {line}")
    view.say(f"{spec.name}: {spec.total} trials, {spec.data.source}, {spec.model.words}")
    for sentence in advice(spec):
        view.say(f"note: {sentence}")

    def notice(trial_id: str) -> None:
        tracker.notice(trial_id)
        view.state.trouble = tracker.trouble

    if spending.is_limited:
        view.state.budget = spending.words
        view.say(spending.words())
    if over := spending.look(running=0):  # preparing has taken it all
        stop_request.end_budget(over)
        return
    following = IntervalOfBest(search, view.state) if is_live(view.console) else nullcontext()
    with view, following, command.signals.deferred(stop_request.interrupt):
        for of_stage, suggestions in _stages(command, inputs, search, stop_request):
            run_trials(
                of_stage,
                search,
                prepared=inputs.prepared,
                per_trial=inputs.per_trial,
                suggestions=suggestions,
                spending=spending,
                stop_request=stop_request,
                view=view,
                notice=notice,
            )


def _stages(
    command: Command, inputs: SearchInputs, search: SearchFolder, stop_request: StopRequest
) -> Iterator[tuple[SearchSpec, Suggestions | Confirmations]]:
    """Yield what remains to be run: the trials of the search and, once all have ended, what confirms them."""
    spec, view, now = command.spec, command.view, search.snapshot()
    if spec.total > now.ended:
        earlier = earlier_trials(spec, search, digest=inputs.splits.digest, say=view.say)
        view.state.begin_stage(spec.total + len(confirm.ended_ids(now)))
        yield spec, space.suggestions(spec, now.trials, earlier)
    further = confirm.confirmations(spec, search) if stop_request.kind is None else None
    if further is not None and further.remaining:
        view.state.begin_stage(spec.total + further.total)
        view.say(further.words())
        yield replace(spec, scheduler=SchedulerSpec(algorithm="none")), further


def _report(
    command: Command, inputs: SearchInputs, search: SearchFolder, notice: Callable[[str], None]
) -> Leaderboard:
    """Rank the trials and write what the parent run shows; of a whole search, test the chosen trial."""
    from tune.answer.blend import judge_blend
    from tune.reporting.report import open_test_split, write_search_artifacts

    spec, view, now = command.spec, command.view, search.snapshot()
    board = leaderboard.build(now)
    if not board.rows:
        return board
    if not remaining(spec, search):
        confirm.drop_weights(spec, now)
        view.say("looking for a blend")
        if judge_blend(search):
            notice(BLEND)
        now = search.snapshot()
        board = leaderboard.build(now)
        best = board.best.trial_id
        view.say(f"opening the test split for {best}")
        if not open_test_split(search, board, inputs.prepared[board.best.config["checkpoint"]]):
            view.say(f"weights of {best} were not kept; to test it: goemo export, then goemo retrain")
    view.say("writing the report")
    write_search_artifacts(now, board, inputs.splits)
    return board


def _summary(now: Snapshot) -> str:
    """Return the leaderboard in words, for the parent run's description."""
    board = leaderboard.build(now)
    return leaderboard.summary(board) if board.rows else "No trial has reported yet."
