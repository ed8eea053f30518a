"""Ray Tune, set up to run trials without holding state that a crash could lose."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray.tune as ray_tune
from ray.tune.search import Searcher

from goemo.errors import GoemoError
from tune.engine.cluster.servers import RayDiedError, ServerWatch
from tune.engine.cluster.watching import NodeWatch
from tune.engine.recorder import LOST_WORKERS, OutOfSnapshots, Recorder, folder_of
from tune.engine.resources import threads_per_trial
from tune.engine.schedulers import OBJECTIVE, build_scheduler
from tune.engine.ties import Ties
from tune.engine.trial_actor import LEFT, TrialActor
from tune.live.progress import ProgressView
from tune.ranking.confirm import Confirmations
from tune.records import SearchFolder
from tune.space import Suggestions
from tune.spec import SearchSpec, configuration
from tune.stopping.budget import BudgetUse
from tune.stopping.stop_request import StopRequest
from tune.stopping.stop_sign import take_down


class SuggestionSearcher(OutOfSnapshots, Searcher):  # type: ignore[misc]  # Ray ships no types
    """Hands suggestions to Ray Tune; what they learn, they learn from the `Recorder`.

    There are never more than fit on the nodes. Ray by itself asks for one trial whenever the last one has
    started, so that workers start one after the other; and it gives that trial the worker of whichever trial
    ends next, so that a worker that takes longer to start than a trial takes never comes to work.

    Args:
        suggest: Gives the next trial's task; None when there is none to come.
        slots: Says how many trials fit on the nodes now.
    """

    def __init__(self, suggest: Callable[[], dict[str, Any] | None], slots: Callable[[], int]) -> None:
        super().__init__(metric=OBJECTIVE, mode="max")
        self._suggest = suggest
        self._slots = slots
        self._under_way = 0

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next trial's task; None where it has to wait for another one to end."""
        del trial_id  # Ray's own, and random: the records use the search's
        if self._under_way >= self._slots():
            return None
        task = self._suggest()
        if task is None:
            return str(Searcher.FINISHED)
        self._under_way += 1
        return task

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Make room for another one; the recorder knows how the trial ended."""
        del trial_id, result, error
        self._under_way -= 1

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the records are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: the records are the state."""


_WHAT_TRIALS_DO = {
    "budget": "running trials report what they have and end",
    "interrupt": "running trials save what they have; a second Ctrl-C ends at once",
    "error": "running trials save what they have",
}


class StopWatcher(OutOfSnapshots, ray_tune.Stopper):  # type: ignore[misc]  # Ray ships no types
    """Asked by Ray at every turn of its loop whether all trials are to stop."""

    def __init__(self, stop_request: StopRequest, spending: BudgetUse, view: ProgressView) -> None:
        self._halt, self._spending, self._view = stop_request, spending, view
        self._told = ""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial."""
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        """Look at the budget, and stop all trials where they are not waited for."""
        over = self._spending.look(running=len(self._view.state.running))
        if over is not None:
            self._halt.end_budget(over)
        if self._halt.kind is not None and self._halt.why != self._told:
            self._told = self._halt.why
            self._view.say(f"{self._halt.why}: {_WHAT_TRIALS_DO[self._halt.kind]}")
        return self._halt.is_at_once


class Listener(OutOfSnapshots, ray_tune.Callback):  # type: ignore[misc]  # Ray ships no types
    """Hands on to the recorder what Ray tells of trials, and keeps from it what is not their end.

    Args:
        recorder: Writes it down. What goes wrong there, a full disk say, stops the search: Ray would take it
            for a failure of the trial.
        stop_request: Stops the search.

    Attributes:
        again: Trials that Ray has given up too early, to be run in another round.
    """

    def __init__(self, recorder: Recorder, stop_request: StopRequest) -> None:
        self._recorder = recorder
        self._halt = stop_request
        self.again: deque[str] = deque()
        self._first_checkpoints: dict[str, int] = {}  # of each trial, when it was first started here

    def on_trial_start(self, trial: Any, **_: Any) -> None:
        """Hand on that a trial starts."""
        folder = folder_of(trial)
        with self._halt.on_error():
            self._first_checkpoints.setdefault(folder.trial_id, folder.checkpoint_time)
            self._recorder.on_trial_start(trial)

    def on_trial_result(self, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Hand on a report."""
        with self._halt.on_error():
            self._recorder.on_trial_result(trial, result)

    def on_trial_recover(self, trial: Any, **_: Any) -> None:
        """Hand on that a trial has lost its worker."""
        with self._halt.on_error():
            self._recorder.on_trial_recover(trial)

    def on_trial_complete(self, trial: Any, **_: Any) -> None:
        """Hand on that a trial has ended; one that has only stopped goes on with the next command."""
        why_left = trial.last_result.get(LEFT)
        with self._halt.on_error():
            if why_left is None:
                self._recorder.on_trial_complete(trial)
                return
            self._recorder.view.state.running.pop(folder_of(trial).trial_id, None)
            if why_left:
                raise GoemoError(why_left)

    def on_trial_error(self, trial: Any, **_: Any) -> None:
        """Hand on that a trial has lost its worker once too often.

        It has not where it got on in between: a long trial on a busy machine may lose many workers. And Ray
        counts a worker twice, and gives its trial up, where it dies while it is handed over from one
        trial to the next (`TuneController._actor_failed`, then `_trial_task_failure` of the reset).
        """
        folder = folder_of(trial)
        with self._halt.on_error():
            got_on = folder.checkpoint_time > self._first_checkpoints.get(folder.trial_id, 0)
            if trial.num_failures > LOST_WORKERS and not got_on:
                self._recorder.on_trial_error(trial)
                return
            view = self._recorder.view
            view.state.running.pop(folder.trial_id, None)
            view.say(f"{folder.trial_id}  lost its worker again, and restarts once the others have ended")
            self.again.append(folder.trial_id)


class SecretsFilter(OutOfSnapshots, ray_tune.Callback):  # type: ignore[misc]  # Ray ships no types
    """Keeps the keys of a cloud from Ray Tune while it describes the trials' workers.

    It would write AWS's into their runtime environment, which stands in a worker's command line and in logs.
    Workers need none; they find what the Ray of their node was started with. Tune describes workers once, in
    the first turn of its loop, where the first trial is started.
    """

    def __init__(self) -> None:
        self._aside: dict[str, str] = {}

    def on_step_begin(self, iteration: int, **_: Any) -> None:
        """Take them out of the environment, in the first turn."""
        if iteration == 0:
            self._aside = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}

    def on_step_end(self, **_: Any) -> None:
        """Put them back."""
        self.put_back()

    def put_back(self) -> None:
        """Put them back, also where the first turn has failed."""
        os.environ.update(self._aside)
        self._aside = {}


@dataclass
class _TrialSupply:
    """Gives Ray one trial after the other, as far as the budget goes."""

    spec: SearchSpec
    search: SearchFolder
    suggestions: Suggestions | Confirmations
    spending: BudgetUse
    stop_request: StopRequest
    task: Mapping[str, Any]
    again: deque[str] = field(default_factory=deque)  # first

    def next(self) -> dict[str, Any] | None:
        """Return what an actor has to know of the next trial; None where there is none to start."""
        with self.stop_request.on_error():
            if self.stop_request.kind is None and self.again:
                return self._task(self.again.popleft())
            if self.stop_request.kind is None and self.spending.trials_left != 0:
                asked = self.suggestions.ask()
                if asked is not None:
                    trial_id, varied = asked
                    folder = self.search.trial(trial_id)
                    if not folder.is_begun:  # else it goes on as it was asked for
                        folder.write_config(configuration(self.spec, varied).to_dict(), varied)
                    self.spending.begin_trial()
                    return self._task(trial_id)
        return None

    def _task(self, trial_id: str) -> dict[str, Any]:
        return {**self.task, "folder": str(self.search.trial(trial_id).path)}


def run_trials(
    spec: SearchSpec,
    search: SearchFolder,
    *,
    prepared: Mapping[str, Path],
    per_trial: Mapping[str, float],
    suggestions: Suggestions | Confirmations,
    spending: BudgetUse,
    stop_request: StopRequest,
    view: ProgressView,
    notice: Callable[[str], None],
) -> None:
    """Run the trials that remain; return when all have ended, or when the search is asked to stop.

    Args:
        spec: The search.
        search: Its records, written as the trials go.
        prepared: For each checkpoint the folder of what its trials share.
        per_trial: CPUs and GPUs of a trial, ``cpu`` and ``gpu``.
        suggestions: The configurations that remain, of the search or of what confirms its leaders.
        spending: Says when the budget is over.
        stop_request: Set by this function or others where the search is to end before its trials have; its
            ``kind`` tells how this function has returned.
        view: Shows the progress.
        notice: Called with a trial's id whenever its record has changed.

    Raises:
        Exception: What went wrong outside of the trials; those that ran have saved what it takes to go on,
            as far as that was possible.
    """
    recorder = Recorder(spec, search, suggestions, view, notice)
    task = {
        "prepared": {checkpoint: str(folder) for checkpoint, folder in prepared.items()},
        "here": str(Path.cwd()),
        "threads": threads_per_trial(spec),
        "device": None if per_trial["gpu"] else "cpu",
        "gpus": per_trial["gpu"],
        "checkpoint_every_s": spec.checkpoint_every_s,
        "timeout_s": spec.trial_timeout_s,
        "with_test": spec.objective.test == "every_trial",
        "with_predictions": spec.scheduler.spares_ties,
    }
    supply = _TrialSupply(spec, search, suggestions, spending, stop_request, task)
    folder = search.path / "ray"
    secrets = SecretsFilter()
    try:
        while True:
            shutil.rmtree(folder, ignore_errors=True)
            listener = Listener(recorder, stop_request)
            nodes = NodeWatch(search, per_trial, view, stop_request)
            ray_tune.Tuner(
                ray_tune.with_resources(TrialActor, dict(per_trial)),
                tune_config=ray_tune.TuneConfig(
                    search_alg=SuggestionSearcher(supply.next, nodes.slots),
                    scheduler=build_scheduler(spec, search.snapshot().trials, Ties(search)),
                    num_samples=view.state.total - len(view.state.ended),
                    reuse_actors=True,
                ),
                run_config=ray_tune.RunConfig(
                    name="ray",
                    storage_path=str(search.path),
                    stop=StopWatcher(stop_request, spending, view),
                    callbacks=[secrets, ServerWatch(), nodes, listener],
                    failure_config=ray_tune.FailureConfig(max_failures=LOST_WORKERS),
                    # A trial that has ended needs no checkpoint, and saves one itself where it will go on.
                    checkpoint_config=ray_tune.CheckpointConfig(checkpoint_at_end=False),
                    verbose=0,
                ),
            ).fit()
            supply.again = listener.again
            if stop_request.kind is not None or not supply.again:
                break
        if spending.trials_left == 0 and len(view.state.ended) < view.state.total:
            stop_request.end_budget("the number of trials that --trials asked for have run")
    except RayDiedError as error:
        stop_request.fail(GoemoError(f"{error}; continue with: goemo resume {search.name}"))
    except Exception as error:  # noqa: BLE001 - raised below, unless what has stopped the search came before
        stop_request.fail(error)
    finally:
        secrets.put_back()
        take_down(search.path)
        shutil.rmtree(folder, ignore_errors=True)
    if stop_request.error is not None:
        raise stop_request.error
