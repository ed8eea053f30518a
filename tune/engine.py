"""Ray Tune, set up to run trials and to hold no state that a crash could lose."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any

import ray.tune as ray_tune
from ray.tune.search import Searcher

from tune.progress import View
from tune.recorder import LOST_WORKERS, LeftOut, Recorder
from tune.records import SearchFolder
from tune.resources import threads_per_trial
from tune.schedulers import OBJECTIVE, build_scheduler
from tune.space import Suggestions
from tune.spec import SearchSpec, configuration
from tune.trial import TrialActor


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
