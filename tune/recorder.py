"""Takes down what trials tell while they run, and hands it on to the view, the suggestions and the store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray.tune as ray_tune

from tune.names import short_name
from tune.progress import TrialState, View
from tune.records import Outcome, SearchFolder, StopReason, TrialFolder, TrialRecord
from tune.schedulers import OBJECTIVE, PROGRESS
from tune.space import Suggestions
from tune.spec import SearchSpec
from tune.trial import ENDED

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


def _worker_error(trial: Any) -> str:
    """Return what Ray knows of a worker's end; the file is there before Ray's own storage has it."""
    path = Path(trial.error_file) if trial.error_file else None
    return path.read_text(encoding="utf-8", errors="replace") if path and path.is_file() else "no traceback"


def _folder(trial: Any) -> TrialFolder:
    return TrialFolder(Path(trial.config["folder"]))
