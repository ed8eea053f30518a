"""The recorder: writes down what trials report, and passes it to the view, the suggestions and the store."""

from __future__ import annotations

import logging
import shutil
import time
from bisect import insort
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tune.engine.schedulers import OBJECTIVE, PROGRESS
from tune.engine.trial_actor import ENDED
from tune.live.progress import Best, ProgressView, TrialState
from tune.ranking.confirm import Confirmations, first_distinct
from tune.records import Outcome, SearchFolder, StopReason, TrialFolder, TrialRecord, is_confirmation
from tune.short_names import short_name
from tune.space import Suggestions
from tune.spec import SearchSpec

LOST_WORKERS = 3  # how often a trial may lose its worker, without getting on, before it counts as failed

_log = logging.getLogger(__name__)


class OutOfSnapshots:
    """An object that Ray's own snapshots leave out: the records are the state, nothing is restored."""

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        """Stand for nothing in a pickle."""
        return object, ()


class Recorder:
    """Writes down what the trials tell, and passes it on to the view, the log, the suggestions and the store.

    What it does for one trial does not grow with the number of those that have ended.

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
        suggestions: Suggestions | Confirmations,
        view: ProgressView,
        notice: Callable[[str], None],
    ) -> None:
        self.keep_models = spec.keep_models
        self.search = search
        self.suggestions = suggestions
        self.view = view
        self.notice = notice
        self.confirmed = spec.confirm.top if spec.keep_models else 0  # leaders that keep weights for that
        self._ranking: list[tuple[float, str]] = []  # (-objective, trial id) of trials that ended in rank
        # Likewise of those that were trained to their end, each with what varies.
        self._completed: list[tuple[tuple[float, str], dict[str, Any]]] = []
        for record in search.snapshot().everyone:
            if record.outcome is not None:
                self.view.state.ended[record.trial_id] = record.outcome.stop_reason
                self._take_in(record)
                search.trial(record.trial_id).drop_leftovers()
        leaders = self._leaders()
        search.write_leaders(leaders, self._places())
        for trial_id in self.view.state.ended:
            if trial_id not in leaders:  # an earlier driver may have been killed before it came to it
                self._drop_model(trial_id)

    def on_trial_start(self, trial: Any) -> None:
        """Show a trial that starts, or starts again."""
        folder = folder_of(trial)
        record = folder.read()
        label = short_name(record.varied)
        state = TrialState(label, record.progress, record.objective, begun_at=record.progress)
        self.view.state.running[folder.trial_id] = state
        again = f", again from {record.progress} %" if record.progress else ""
        _log.info("%s starts%s: %s", folder.trial_id, again, state.label)

    def on_trial_result(self, trial: Any, result: dict[str, Any]) -> None:
        """Take in one report."""
        trial_id = folder_of(trial).trial_id
        state = self.view.state.running[trial_id]
        objective = result.get(OBJECTIVE)
        if objective is None:
            return
        self.view.state.trained += max(0, int(result[PROGRESS]) - state.progress)
        state.progress = int(result[PROGRESS])
        state.objective = max(objective, state.objective or objective)
        place = f"{result.get('hostname')}, process {result.get('pid')}"
        name = self.view.state.objective
        _log.info("%s at %d %% on %s: %s %.4f", trial_id, state.progress, place, name, objective)
        self._show_best(Best(trial_id, state.label, state.objective))
        self.notice(trial_id)

    def on_trial_recover(self, trial: Any) -> None:
        """Tell that a trial has lost its worker and will go on in another."""
        trial_id = folder_of(trial).trial_id
        self.view.state.running.pop(trial_id, None)
        count = trial.num_failures  # those with a node that was lost do not count
        lost = f"{count} of {LOST_WORKERS} times allowed" if count else "with its node"
        self.view.say(f"{trial_id}  lost its worker ({lost}) and restarts")
        _log.warning("%s: last output of its worker: %s", trial_id, last_words(trial))

    def on_trial_complete(self, trial: Any) -> None:
        """Write down how a trial ended: by itself, at its end, or stopped by the scheduler."""
        result = trial.last_result
        outcome = result.get(ENDED)
        if outcome is None:
            reason: StopReason = "completed" if result[PROGRESS] >= 100 else "stopped_early"
            outcome = Outcome(stop_reason=reason, ended_at=time.time())
        self._end(folder_of(trial), outcome)

    def on_trial_error(self, trial: Any) -> None:
        """Write down that a trial lost its worker more often than it may."""
        text = _worker_error(trial)
        is_memory = "OutOfMemoryError" in text
        remedy = "run fewer trials at once with resources.cpus_per_trial, or free memory"
        self._end(
            folder_of(trial),
            Outcome(
                "out_of_memory" if is_memory else "failed",
                f"its worker died {LOST_WORKERS + 1} times; {remedy}; its last output is in outcome.json",
                text,
                ended_at=time.time(),
            ),
        )

    def _end(self, folder: TrialFolder, outcome: Outcome) -> None:
        trial_id = folder.trial_id
        if folder.read().outcome is not None:
            return  # Ray runs a trial again when something failed after it had ended
        folder.write_outcome(outcome)
        record = folder.read()
        state = self.view.state.running.pop(trial_id, TrialState(short_name(record.varied), record.progress))
        self.view.state.ended[trial_id] = outcome.stop_reason
        self._drop_weights_behind(record)
        self.suggestions.tell(trial_id, record.objective, outcome.stop_reason, progress=record.progress)
        self.view.trial_ended(trial_id, state, outcome)
        if outcome.details:
            _log.warning("%s: %s", trial_id, outcome.details)
        self.notice(trial_id)

    def _take_in(self, record: TrialRecord) -> None:
        """Count an ended trial among those that may lead; a confirmation is none."""
        if record.confirms is not None:
            return
        if record.is_ranked and record.objective is not None:
            insort(self._ranking, (-record.objective, record.trial_id))
            if record.outcome is not None and record.outcome.stop_reason == "completed":
                insort(self._completed, ((-record.objective, record.trial_id), record.varied))
            self._show_best(Best(record.trial_id, short_name(record.varied), record.objective))
            return
        shown = self.view.state.best
        if shown is not None and shown.trial_id == record.trial_id:
            self._show_next_best()

    def _show_next_best(self) -> None:
        """Show the best of those that are left when the one that was shown has failed."""
        self.view.state.best = None
        for trial_id, trial in self.view.state.running.items():
            if trial.objective is not None:
                self._show_best(Best(trial_id, trial.label, trial.objective))
        for objective, trial_id in self._ranking[:1]:
            label = short_name(self.search.trial(trial_id).read().varied)
            self._show_best(Best(trial_id, label, -objective))

    def _show_best(self, candidate: Best) -> None:
        if is_confirmation(candidate.trial_id):
            return  # what is best is the search's to say, in which every trial has the same seed
        shown = self.view.state.best
        if shown is None or candidate.objective > shown.objective:
            self.view.state.best = candidate

    def _leaders(self) -> dict[str, float]:
        """Return the trials whose weights are kept, with their objectives.

        Only trials that have ended count: one that still runs may yet fail. The order is that of the
        leaderboard, equals by trial id, so that its first row is a trial whose weights are kept. So are those
        that will be confirmed, for any of them may come out first.
        """
        kept = [*self._ranking[: self.keep_models], *self._to_confirm()]
        return {trial_id: -objective for objective, trial_id in kept}

    def _to_confirm(self) -> list[tuple[float, str]]:
        """Return the trials that would be confirmed if the search ended now, as `_ranking` has them."""
        return first_distinct(self._completed, self.confirmed)

    def _places(self) -> int:
        """Return how many trials may keep their weights: one more than do, while there is a place left."""
        is_open = len(self._ranking) < self.keep_models or len(self._to_confirm()) < self.confirmed
        return len(self._leaders()) + is_open

    def _drop_weights_behind(self, record: TrialRecord) -> None:
        """Take in a trial that has ended, and delete the weights of whoever is no leader because of it.

        The trials that run are told whom they have to beat.
        """
        before = self._leaders()
        self._take_in(record)
        leaders = self._leaders()
        if leaders != before:
            self.search.write_leaders(leaders, self._places())
        for trial_id in {*before, record.trial_id} - set(leaders):
            self._drop_model(trial_id)

    def _drop_model(self, trial_id: str) -> None:
        shutil.rmtree(self.search.trial(trial_id).path / "model", ignore_errors=True)


def _worker_error(trial: Any) -> str:
    """Return what Ray knows of a worker's ends; the file is there before Ray's own storage has it."""
    path = Path(trial.error_file) if trial.error_file else None
    return path.read_text(encoding="utf-8", errors="replace") if path and path.is_file() else "no traceback"


def last_words(trial: Any) -> str:
    """Return what Ray knows of a worker's last end; its file has all of them, each under a heading."""
    text = _worker_error(trial)
    return text[max(0, text.rfind("Failure #")) :].strip()


def folder_of(trial: Any) -> TrialFolder:
    """Return the records of a trial that Ray runs, whose own id is a random one."""
    return TrialFolder(Path(trial.config["folder"]))
