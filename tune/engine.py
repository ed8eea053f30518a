"""Ray Tune, set up to run trials and to hold no state that a crash could lose."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.tune as ray_tune
from ray.tune.search import Searcher

from goemo.errors import InputError
from tune import resources
from tune.names import short_name
from tune.progress import TrialState, View
from tune.records import RANKED_REASONS, Outcome, SearchFolder, StopReason, TrialFolder
from tune.schedulers import OBJECTIVE, PROGRESS, build_scheduler
from tune.space import Suggestions
from tune.spec import SearchSpec, configuration
from tune.trial import ENDED, TrialActor

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean what they meant in the driver
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # CPU trials may see the GPUs of the machine
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
        self.best: dict[str, float] = {}
        for record in search.records():
            if record.outcome is not None:
                self.view.state.ended[record.trial_id] = record.outcome.stop_reason
                if record.is_ranked and record.objective is not None:
                    self._keep_best(record.trial_id, short_name(record.varied), record.objective)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Show a trial that starts, or starts again."""
        del iteration, trials, info
        folder = _folder(trial)
        record = folder.read()
        self.view.state.running[folder.path.name] = TrialState(short_name(record.varied), record.progress)

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
        self._keep_best(trial_id, state.label, state.objective)
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
        lines = str(trial.get_error() or "its worker died").strip().splitlines()
        outcome = Outcome("failed", lines[-1], "\n".join(lines), ended_at=time.time())
        self._end(_folder(trial), outcome)

    def _end(self, folder: TrialFolder, outcome: Outcome) -> None:
        trial_id = folder.path.name
        folder.write_outcome(outcome)
        record = folder.read()
        state = self.view.state.running.pop(trial_id, TrialState(short_name(record.varied), record.progress))
        self.view.state.ended[trial_id] = outcome.stop_reason
        if outcome.stop_reason not in RANKED_REASONS:
            self.best.pop(trial_id, None)
        self._drop_models()
        self.suggestions.tell(trial_id, record.objective, outcome.stop_reason, progress=record.progress)
        self.view.trial_ended(trial_id, state, outcome)
        self.notice(trial_id)

    def _keep_best(self, trial_id: str, words: str, objective: float) -> None:
        before = self._leaders()
        self.best[trial_id] = objective
        shown = self.view.state.best
        if shown is None or objective > shown[2]:
            self.view.state.best = (trial_id, words, objective)
        if self._leaders() != before:
            self.search.write_leaders(self._leaders(), self.keep_models)

    def _leaders(self) -> dict[str, float]:
        """Return the best trials and their objectives, as many as keep their weights."""
        ranked = sorted(self.best.items(), key=lambda item: (-item[1], item[0]))
        return dict(ranked[: self.keep_models])

    def _drop_models(self) -> None:
        """Delete the weights of ended trials that have fallen behind."""
        leaders = self._leaders()
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
    suggestions: Suggestions,
    view: View,
    notice: Callable[[str], None],
    address: str | None = None,
) -> None:
    """Run the trials that remain; return when all have ended or the user has interrupted.

    Args:
        spec: The search.
        search: Its records, written as the trials go.
        prepared: Folder of what all trials share.
        suggestions: The configurations that remain.
        view: Shows the progress.
        notice: Called with a trial's id whenever its record has changed.
        address: A Ray cluster, ``auto`` or ``HOST:PORT``; None for this machine.

    Raises:
        InputError: A trial asks for more than the cluster has, or there is no cluster at the address.
    """
    with _ray(address) as cluster:
        per_trial = resources.per_trial(spec, cluster)
        recorder = Recorder(spec, search, suggestions, view, notice)
        remaining = suggestions.total - len(view.state.ended)
        task = {
            "prepared": prepared,
            "threads": max(1, int(per_trial["cpu"])),
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
            ray_tune.with_resources(TrialActor, per_trial),
            tune_config=ray_tune.TuneConfig(
                search_alg=SuggestionSearcher(suggest),
                scheduler=build_scheduler(spec, search.records()),
                num_samples=remaining,
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
        with _terminate_as_interrupt():
            tuner.fit()
        shutil.rmtree(search.path / "ray", ignore_errors=True)


@contextmanager
def _ray(address: str | None) -> Iterator[dict[str, float]]:
    """Connect to Ray and yield all resources of the cluster; leave a Ray that was there as it was."""
    os.environ.update({key: os.environ.get(key, value) for key, value in RAY_SETTINGS.items()})
    if ray.is_initialized():
        yield ray.cluster_resources()
        return
    try:
        ray.init(
            address=address or os.environ.get("RAY_ADDRESS") or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except ConnectionError as error:
        raise InputError(
            "--address", [f"no Ray cluster answers at {address}; start one with: ray start --head ({error})"]
        ) from error
    try:
        yield ray.cluster_resources()
    finally:
        ray.shutdown()


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM stop a search in order, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before_term = signal.getsignal(signal.SIGTERM)
    before_int = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before_term)
        signal.signal(signal.SIGINT, before_int)  # Ray leaves its own handler behind


def _folder(trial: Any) -> TrialFolder:
    return TrialFolder(Path(trial.config["folder"]))
