"""Tree-structured Parzen estimators, by Optuna, kept in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tune.records import TrialRecord
from tune.space.ids import number_of
from tune.space.suggestions import Suggestions
from tune.spec import Domain, SearchSpec, case_of, conditions_first


@dataclass(frozen=True)
class EarlierTrial:
    """What one trial of another search found, in the terms of this search space.

    Attributes:
        search: The other search.
        trial_id: The trial of it.
        varied: The hyperparameters that this space varies, with the trial's values.
        objective: Of its best report.
        stop_reason: ``completed``, or ``stopped_early`` at ``progress`` per cent of its training.
        progress: How far it came, in per cent.
    """

    search: str
    trial_id: str
    varied: Mapping[str, Any]
    objective: float
    stop_reason: Literal["completed", "stopped_early"]
    progress: int


class Tpe(Suggestions):
    """Multivariate tree-structured Parzen estimators, by Optuna, kept in memory.

    A trial that a scheduler stopped is told as pruned, with its best objective at the progress it reached:
    Optuna ranks pruned trials below all completed ones, those that got further first, then by value
    (`optuna.samplers._tpe.sampler._split_pruned_trials`), so a low-fidelity score never passes for a
    full one. Trials that failed, diverged or ran out of memory are told as failed, which TPE leaves out.

    Each draw has a sampler of its own, seeded by the search's seed and the trial's number: an
    interrupted search then goes on as an undisturbed one, where one sampler's generator would start
    over and repeat its first draws.

    Hyperparameters with conditions are asked for define-by-run, after those they depend on. Optuna then
    decomposes the space into groups that are asked for together, and draws each group jointly
    (``group=True``).
    """

    def __init__(
        self, spec: SearchSpec, records: Sequence[TrialRecord], earlier: Sequence[EarlierTrial] = ()
    ) -> None:
        super().__init__(spec, records)
        import optuna  # half a second that grid and random searches do without

        self._optuna = optuna
        self._trials: dict[int, Any] = {}  # those that have not ended, by number
        self._names = conditions_first(spec.varying)
        self._has_conditions = any(domain.depends_on for domain in spec.varying.values())
        with quiet_optuna():
            # The sampler of trials that already have all their values.
            self._knows_values = optuna.samplers.RandomSampler(seed=0)
            self._study = optuna.create_study(direction="maximize", sampler=self._knows_values)
        for known in earlier:
            self._end(self._enter(known.varied), known.objective, known.stop_reason, known.progress)
        for record in records:
            self._trials[number_of(record.trial_id)] = self._enter(record.varied)
            if record.outcome is not None:
                reason = record.outcome.stop_reason
                self.tell(record.trial_id, record.objective, reason, progress=record.progress)

    def tell(self, trial_id: str, objective: float | None, stop_reason: str, *, progress: int = 100) -> None:
        """Hear how a trial ended; see `Suggestions.tell`."""
        super().tell(trial_id, objective, stop_reason, progress=progress)
        self._end(self._trials.pop(number_of(trial_id)), objective, stop_reason, progress)

    def _end(self, trial: Any, objective: float | None, stop_reason: str, progress: int) -> None:
        state = self._optuna.trial.TrialState
        with quiet_optuna():
            if stop_reason == "completed":
                self._study.tell(trial, objective)
            elif stop_reason == "stopped_early":
                if objective is not None:
                    trial.report(objective, progress)
                self._study.tell(trial, state=state.PRUNED)
            else:
                self._study.tell(trial, state=state.FAIL)

    def _draw(self, number: int) -> dict[str, Any]:
        """Draw in a trial that is then given up, and enter what was drawn.

        A trial in which was drawn also keeps what was drawn in groups whose conditions do not hold, until it
        ends; one that is told its values, as a record is, has nothing of this. So all trials are told theirs.
        """
        with quiet_optuna():
            if fixed := self._enqueued(number):
                self._study.enqueue_trial(self._labelled(fixed))
            trial, drawn = self._ask(self._sampler(number))
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        self._trials[number] = self._enter(drawn)
        return drawn

    def _enter(self, varied: Mapping[str, Any]) -> Any:
        """Let the study know a trial that starts, in this run or in an earlier one."""
        with quiet_optuna():
            self._study.enqueue_trial(self._labelled(varied))
            trial, _ = self._ask(self._knows_values)
        return trial

    def _ask(self, sampler: Any) -> tuple[Any, dict[str, Any]]:
        """Return Optuna's next trial and its values, in the order of the search space."""
        self._study.sampler = sampler
        trial, varying = self._study.ask(), self._spec.varying
        drawn: dict[str, Any] = {}
        for name in self._names:
            case = case_of(name, varying, drawn)
            if case is not None:
                drawn[name] = _suggest(trial, label(name, varying[name], case), case)
        return trial, {name: drawn[name] for name in varying if name in drawn}

    def _labelled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by what Optuna calls them, given the values that they depend on."""
        varying = self._spec.varying
        cases = {name: case_of(name, varying, values) or varying[name] for name in values}
        return {label(name, varying[name], cases[name]): value for name, value in values.items()}

    def _sampler(self, number: int) -> Any:
        seed = np.random.SeedSequence((self._spec.seed, number)).generate_state(1)[0]
        with warnings.catch_warnings():
            # "group is an experimental feature", since Optuna 2.8; without it, whatever depends on a
            # condition would be drawn by itself, as if it had nothing to do with the others.
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            return self._optuna.samplers.TPESampler(
                seed=int(seed),
                multivariate=True,
                group=self._has_conditions,
                n_startup_trials=self._spec.startup_trials,
            )


def label(name: str, domain: Domain, case: Domain) -> str:
    """Return what Optuna is to call a hyperparameter: one with several cases is as many to it."""
    return name if domain.kind != "cases" else f"{name} ({domain.cases.index(case) + 1})"


def _suggest(trial: Any, name: str, domain: Domain) -> Any:
    """Ask an Optuna trial for one hyperparameter; lists are categories, without an order."""
    if domain.is_listed:
        return trial.suggest_categorical(name, domain.values)
    low, high = domain.values
    if domain.kind == "int":
        return trial.suggest_int(name, low, high)
    return trial.suggest_float(name, low, high, log=domain.kind == "log_uniform")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna's log off the terminal for one call, and leave its settings as they were."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
