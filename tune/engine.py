"""Ray Tune, set up to run trials and to hold no state that a crash could lose."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.tune as ray_tune
from ray.tune.search import Searcher

from goemo.errors import InputError
from tune.names import short_name
from tune.progress import TrialState, View
from tune.records import Outcome, SearchFolder, StopReason, TrialFolder, TrialRecord
from tune.resources import threads_per_trial
from tune.schedulers import OBJECTIVE, PROGRESS, build_scheduler
from tune.space import Suggestions
from tune.spec import SearchSpec, configuration
from tune.trial import ENDED, TrialActor

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean what they meant in the driver
    "RAY_AIR_NEW_OUTPUT": "0",  # the view replaces Ray's tables
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the records replace Ray's own files
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial that diverged reports no objective
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # nothing is restored from Ray's state
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",  # likewise
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the view tells of errors, the records keep them
}


LOST_WORKERS = 3  # how often a trial may lose its worker before it counts as failed


class LeftOut:
    """An object that Ray's own snapshots leave out: the records are the state, nothing is restored."""

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        """Stand for nothing in a pickle."""
        return object, ()


class Recorder(LeftOut, ray_tune.Callback):  # type: ignore[misc]  # Ray ships no types
    """Writes down what the trials tell, and passes it on to the view, the suggestions and the store.

    Args:
        spec: The search.
        search: Its records.
        suggestions: Told how each trial ended.
        view: Shows events and state.
        notice: Called with a trial's id whenever its record has changed.
    """

    def __init__(
        self,
        spec: SearchSpec,
        search: SearchFolder,
        suggestions: Suggestions,
        view: View,
        notice: Callable[[str], None],
    ) -> None:
        self.keep_models = spec.keep_models
        self.search = search
        self.suggestions = suggestions
        self.view = view
        self.notice = notice
        self.best: dict[str, float] = {}  # of trials that have ended in rank
        for record in search.records():
            if record.outcome is not None:
                self.view.state.ended[record.trial_id] = record.outcome.stop_reason
                self._take_in(record)
                search.trial(record.trial_id).drop_leftovers()
        self._choose_leaders()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Show a trial that starts, or starts again."""
        del iteration, trials, info
        folder = _folder(trial)
        record = folder.read()
        state = TrialState(short_name(record.varied), record.progress, record.objective)
        self.view.state.running[folder.path.name] = state

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Take in one report."""
        del iteration, trials, info
        trial_id = _folder(trial).path.name
        state = self.view.state.running[trial_id]
        objective = result.get(OBJECTIVE)
        if objective is None:
            return
        self.view.state.trained += max(0, int(result[PROGRESS]) - state.progress)
        state.progress = int(result[PROGRESS])
        state.objective = max(objective, state.objective or objective)
        self._show_best(trial_id, state.label, state.objective)
        self.notice(trial_id)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Write down how a trial ended: by itself, at its end, or cut by the scheduler."""
        del iteration, trials, info
        result = trial.last_result
        outcome = result.get(ENDED)
        if outcome is None:
            reason: StopReason = "completed" if result[PROGRESS] >= 100 else "stopped_early"
            outcome = Outcome(stop_reason=reason, ended_at=time.time())
        self._end(_folder(trial), outcome)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Write down that a trial lost its worker more often than it may."""
        del iteration, trials, info
        text = _worker_error(trial)
        is_memory = "OutOfMemoryError" in text
        remedy = "run fewer trials at once with resources.cpus_per_trial, or free memory"
        self._end(
            _folder(trial),
            Outcome(
                "out_of_memory" if is_memory else "failed",
                f"its worker died {LOST_WORKERS + 1} times; {remedy}; the last words are in outcome.json",
                text,
                ended_at=time.time(),
            ),
        )

    def _end(self, folder: TrialFolder, outcome: Outcome) -> None:
        trial_id = folder.path.name
        if folder.read().outcome is not None:
            return  # Ray runs a trial again when something failed after it had ended
        folder.write_outcome(outcome)
        record = folder.read()
        state = self.view.state.running.pop(trial_id, TrialState(short_name(record.varied), record.progress))
        self.view.state.ended[trial_id] = outcome.stop_reason
        self._take_in(record)
        self._choose_leaders()
        self.suggestions.tell(trial_id, record.objective, outcome.stop_reason, progress=record.progress)
        self.view.trial_ended(trial_id, state, outcome)
        self.notice(trial_id)

    def _take_in(self, record: TrialRecord) -> None:
        """Count an ended trial among those that may lead."""
        if record.is_ranked and record.objective is not None:
            self.best[record.trial_id] = record.objective
            self._show_best(record.trial_id, short_name(record.varied), record.objective)
            return
        shown = self.view.state.best
        if shown is not None and shown[0] == record.trial_id:
            self.view.state.best = None
            for trial_id, objective in self.best.items():
                self._show_best(trial_id, short_name(self.search.trial(trial_id).read().varied), objective)

    def _show_best(self, trial_id: str, words: str, objective: float) -> None:
        shown = self.view.state.best
        if shown is None or objective > shown[2]:
            self.view.state.best = (trial_id, words, objective)

    def _choose_leaders(self) -> None:
        """Tell the trials whom they have to beat, and delete the weights of those who have fallen behind.

        Only trials that have ended count: one that still runs may yet fail. The order is that of the
        leaderboard, equals by trial id, so that its first row is a trial whose weights are kept.
        """
        ranked = sorted(self.best.items(), key=lambda item: (-item[1], item[0]))
        leaders = dict(ranked[: self.keep_models])
        self.search.write_leaders(leaders, self.keep_models)
        for trial_id in self.view.state.ended:
            if trial_id not in leaders:
                shutil.rmtree(self.search.trial(trial_id).path / "model", ignore_errors=True)


class SuggestionSearcher(LeftOut, Searcher):  # type: ignore[misc]  # Ray ships no types
    """Hands suggestions to Ray Tune; what they learn, they learn from the `Recorder`."""

    def __init__(self, suggest: Callable[[], dict[str, Any] | None]) -> None:
        super().__init__(metric=OBJECTIVE, mode="max")
        self._suggest = suggest

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the next trial's task."""
        del trial_id  # Ray's own, and random: the records use the search's
        task = self._suggest()
        return Searcher.FINISHED if task is None else task

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Leave it to the recorder, which knows how the trial ended."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the records are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: the records are the state."""


def run_trials(
    spec: SearchSpec,
    search: SearchFolder,
    *,
    prepared: str,
    per_trial: Mapping[str, float],
    suggestions: Suggestions,
    view: View,
    notice: Callable[[str], None],
) -> None:
    """Run the trials that remain; return when all have ended or the user has interrupted.

    Args:
        spec: The search.
        search: Its records, written as the trials go.
        prepared: Folder of what all trials share.
        per_trial: CPUs and GPUs of a trial, ``cpu`` and ``gpu``.
        suggestions: The configurations that remain.
        view: Shows the progress.
        notice: Called with a trial's id whenever its record has changed.
    """
    recorder = Recorder(spec, search, suggestions, view, notice)
    task = {
        "prepared": prepared,
        "threads": threads_per_trial(spec),
        "device": None if per_trial["gpu"] else "cpu",
        "gpus": per_trial["gpu"],
        "checkpoint_every_s": spec.checkpoint_every_s,
        "with_test": spec.objective.test == "every_trial",
    }

    def suggest() -> dict[str, Any] | None:
        asked = suggestions.ask()
        if asked is None:
            return None
        trial_id, varied = asked
        folder = search.trial(trial_id)
        folder.write_config(configuration(spec, varied).to_dict(), varied)
        return {**task, "folder": str(folder.path)}

    shutil.rmtree(search.path / "ray", ignore_errors=True)
    tuner = ray_tune.Tuner(
        ray_tune.with_resources(TrialActor, dict(per_trial)),
        tune_config=ray_tune.TuneConfig(
            search_alg=SuggestionSearcher(suggest),
            scheduler=build_scheduler(spec, search.records()),
            num_samples=suggestions.total - len(view.state.ended),
            reuse_actors=True,
        ),
        run_config=ray_tune.RunConfig(
            name="ray",
            storage_path=str(search.path),
            callbacks=[recorder],
            failure_config=ray_tune.FailureConfig(max_failures=LOST_WORKERS),
            verbose=0,
        ),
    )
    before = signal.getsignal(signal.SIGINT)
    tuner.fit()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, before)  # Ray leaves its own handler behind
    shutil.rmtree(search.path / "ray", ignore_errors=True)


@contextmanager
def connect(address: str | None) -> Iterator[Callable[[], list[dict[str, float]]]]:
    """Connect to Ray in a thread, for it takes seconds; leave a Ray that was there as it was.

    Args:
        address: A cluster, ``auto`` or ``HOST:PORT``; None for ``$RAY_ADDRESS`` or this machine.

    Yields:
        A function that waits for Ray and returns the resources of each node.

    Raises:
        InputError: The address is none. That no cluster answers there is raised by the function.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in RAY_SETTINGS.items()})
    where, target = "--address", address
    if not target:
        where, target = "RAY_ADDRESS", os.environ.get("RAY_ADDRESS")
    if target and target.startswith("ray://"):
        raise InputError(where, ["Ray's client protocol cannot drive a search; give the cluster's HOST:PORT"])
    if ray.is_initialized():
        yield _nodes
        return
    # Linux ends Ray's processes with the thread that has started them: it stays until Ray has ended.
    with ThreadPoolExecutor(1, thread_name_prefix="ray-start") as starter:
        starting = starter.submit(_start, where, target)

        def nodes() -> list[dict[str, float]]:
            starting.result()
            return _nodes()

        try:
            yield nodes
        finally:
            wait([starting])
            ray.shutdown()


def _start(where: str, target: str | None) -> None:
    """Start a Ray on this machine, or connect to the cluster at ``target``."""
    try:
        ray.init(
            address=target or "local",
            include_dashboard=None if target else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError) as error:
        problem = (
            f"no Ray cluster lets us in at {target!r}; start one: ray start --head, and where it asks "
            "for a token: export RAY_AUTH_MODE=token, with the head's ~/.ray/auth_token on this machine "
            f"({error})"
        )
        raise InputError(where, [problem]) from error


def _nodes() -> list[dict[str, float]]:
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


def _worker_error(trial: Any) -> str:
    """Return what Ray knows of a worker's end; the file is there before Ray's own storage has it."""
    path = Path(trial.error_file) if trial.error_file else None
    return path.read_text(encoding="utf-8", errors="replace") if path and path.is_file() else "no traceback"


def _folder(trial: Any) -> TrialFolder:
    return TrialFolder(Path(trial.config["folder"]))
