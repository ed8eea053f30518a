"""The configurations of a search, one at a time: a shuffled grid, random draws, or TPE.

Everything here can be rebuilt from the records of a search, so nothing has to be saved: configuration
number i of a grid or a random search depends on the seed and i alone, and TPE is told the records again.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tune.records import STOP_REASONS, TrialRecord
from tune.spec import Domain, SearchSpec


class Suggestions(ABC):
    """Asked for the next trial, told how trials ended.

    Trials that a record shows unfinished come first, under their own ids and with their own values;
    those that have ended never come again.

    Attributes:
        total: How many trials the search has, those of the records included.
    """

    def __init__(self, spec: SearchSpec, records: Sequence[TrialRecord]) -> None:
        self.total = spec.total
        self._spec = spec
        self._unfinished = deque((r.trial_id, dict(r.varied)) for r in records if r.outcome is None)
        known = {_number_of(r.trial_id) for r in records}
        self._numbers: Iterator[int] = (number for number in self._order() if number not in known)

    def ask(self) -> tuple[str, dict[str, Any]] | None:
        """Return the id and the varied hyperparameters of the next trial, or None when there is none."""
        if self._unfinished:
            return self._unfinished.popleft()
        number = next(self._numbers, None)
        if number is None:
            return None
        trial_id = f"t{number:0{max(3, len(str(self.total)))}d}"
        return trial_id, self._draw(number)

    def tell(self, trial_id: str, objective: float | None, stop_reason: str, *, progress: int = 100) -> None:
        """Hear how a trial ended.

        Args:
            trial_id: As asked.
            objective: Of its best report; None before the first.
            stop_reason: One of `tune.records.STOP_REASONS`.
            progress: Per cent of its training at which it ended.

        Raises:
            ValueError: The stop reason is none of those, a completed trial has no finite objective, or
                the progress is not a per cent.
        """
        if stop_reason not in STOP_REASONS:
            raise ValueError(f"stop_reason must be one of {', '.join(STOP_REASONS)}, got {stop_reason!r}")
        if stop_reason == "completed" and (objective is None or not math.isfinite(objective)):
            raise ValueError(f"{trial_id}: a completed trial has a finite objective, got {objective}")
        if not 0 <= progress <= 100:
            raise ValueError(f"{trial_id}: progress is a per cent, got {progress}")

    def _order(self) -> Iterator[int]:
        """Yield the numbers of all trials, from 1, in the order in which they are asked for."""
        yield from range(1, self.total + 1)

    @abstractmethod
    def _draw(self, number: int) -> dict[str, Any]:
        """Return the varied hyperparameters of one new trial."""


def suggestions(spec: SearchSpec, records: Sequence[TrialRecord] = ()) -> Suggestions:
    """Return the configurations of a search, going on after ``records``.

    Args:
        spec: The search.
        records: What an earlier run of the same search left, in order of trial ids.
    """
    kinds: dict[str, type[_Grid | _Random | _Tpe]] = {"grid": _Grid, "random": _Random, "tpe": _Tpe}
    return kinds[spec.search.algorithm](spec, records)


def _number_of(trial_id: str) -> int:
    return int(trial_id.removeprefix("t"))


class _Grid(Suggestions):
    """The full product, in an order shuffled by the seed; an id is a place in the unshuffled product.

    The last hyperparameter of the file varies fastest.
    """

    def _order(self) -> Iterator[int]:
        order = np.random.default_rng(self._spec.seed).permutation(self.total)
        yield from (int(place) + 1 for place in order)

    def _draw(self, number: int) -> dict[str, Any]:
        varying = self._spec.varying
        shape = tuple(len(domain.values) for domain in varying.values())
        places = np.unravel_index(number - 1, shape) if shape else ()
        return {
            name: domain.values[int(place)]
            for (name, domain), place in zip(varying.items(), places, strict=True)
        }


class _Random(Suggestions):
    """Independent draws; each depends on the seed and its number, never on what came before."""

    def _draw(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng((self._spec.seed, number))
        return {name: _sample(domain, rng) for name, domain in self._spec.varying.items()}


def _sample(domain: Domain, rng: np.random.Generator) -> int | float | str:
    if domain.is_listed:
        chosen: int | float | str = domain.values[int(rng.integers(len(domain.values)))]
        return chosen
    low, high = _ends(domain)
    if domain.kind == "int":
        return int(rng.integers(int(low), int(high), endpoint=True))
    if domain.kind == "log_uniform":
        drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
        return min(max(drawn, low), high)  # exp(log(x)) may miss x by a rounding
    return float(rng.uniform(low, high))


def _ends(domain: Domain) -> tuple[float, float]:
    low, high = domain.values
    assert not isinstance(low, str)
    assert not isinstance(high, str)
    return low, high


class _Tpe(Suggestions):
    """Multivariate tree-structured Parzen estimators, by Optuna, kept in memory.

    A trial that ASHA stopped is told as pruned, with its best objective at the progress it reached:
    Optuna ranks pruned trials below all completed ones, those that got further first, then by value
    (`optuna.samplers._tpe.sampler._split_pruned_trials`), so a low-fidelity score never passes for a
    full one. Trials that failed, diverged or ran out of memory are told as failed, which TPE leaves out.

    Each draw has a sampler of its own, seeded by the search's seed and the trial's number: an
    interrupted search then goes on as an undisturbed one, where one sampler's generator would start
    over and repeat its first draws.
    """

    def __init__(self, spec: SearchSpec, records: Sequence[TrialRecord]) -> None:
        super().__init__(spec, records)
        import optuna  # half a second that grid and random searches do without

        self._optuna = optuna
        self._trials: dict[int, Any] = {}  # those that have not ended, by number
        self._distributions = {name: _distribution(optuna, domain) for name, domain in spec.varying.items()}
        with quiet_optuna():
            # The sampler of replayed trials, which already have their values.
            sampler = optuna.samplers.RandomSampler(seed=0)
            self._study = optuna.create_study(direction="maximize", sampler=sampler)
        for record in records:
            self._replay(record)

    def tell(self, trial_id: str, objective: float | None, stop_reason: str, *, progress: int = 100) -> None:
        """Hear how a trial ended; see `Suggestions.tell`."""
        super().tell(trial_id, objective, stop_reason, progress=progress)
        state = self._optuna.trial.TrialState
        trial = self._trials.pop(_number_of(trial_id))
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
        self._study.sampler = self._sampler(number)
        return self._ask(number)

    def _ask(self, number: int) -> dict[str, Any]:
        with quiet_optuna():
            trial = self._study.ask(self._distributions)
        self._trials[number] = trial
        return dict(trial.params)

    def _replay(self, record: TrialRecord) -> None:
        """Let the study know a trial of an earlier run, as it would have known it then."""
        with quiet_optuna():
            self._study.enqueue_trial(dict(record.varied))
        self._ask(_number_of(record.trial_id))
        if record.outcome is not None:
            self.tell(record.trial_id, record.objective, record.outcome.stop_reason, progress=record.progress)

    def _sampler(self, number: int) -> Any:
        seed = np.random.SeedSequence((self._spec.seed, number)).generate_state(1)[0]
        startup = min(10, max(4, self.total // 3))  # random first, but never most of a short search
        return self._optuna.samplers.TPESampler(seed=int(seed), multivariate=True, n_startup_trials=startup)


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


def _distribution(optuna: Any, domain: Domain) -> Any:
    """Return a domain as Optuna writes it; lists are categories, without an order."""
    if domain.is_listed:
        return optuna.distributions.CategoricalDistribution(domain.values)
    low, high = domain.values
    if domain.kind == "int":
        return optuna.distributions.IntDistribution(low, high)
    return optuna.distributions.FloatDistribution(low, high, log=domain.kind == "log_uniform")
