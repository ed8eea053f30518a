"""Confirmation: the leaders of a search trained again with further seeds, as trials that only rank."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from tune.ranking.confirmed import confirmed_best, further_seeds, is_current
from tune.ranking.leaderboard import in_order
from tune.records import Confirming, SearchFolder, Snapshot, confirmation_id
from tune.spec import SearchSpec

Trial = TypeVar("Trial")


class Confirmations:
    """Asked for the next confirmation, as `tune.space.Suggestions` is for the next trial.

    A confirmation has the configuration of its leader, but for the seed. All leaders get their second seed
    before any gets its third, so that what is there after an interrupt is about all of them. What was begun
    for one that leads no more, because the search was extended, is given up.

    Attributes:
        leaders: The trials that are confirmed, best first.
        total: How many confirmations there are, those of earlier leaders included that have ended.
    """

    def __init__(self, spec: SearchSpec, search: SearchFolder, now: Snapshot) -> None:
        self._search = search
        self.leaders: list[str] = _decided(spec, search, now)
        known = {record.trial_id: record for record in now.trials}
        records = [known[trial_id] for trial_id in self.leaders if trial_id in known]
        seeds = [[(record, seed) for seed in further_seeds(record, spec.confirm.seeds)] for record in records]
        tasks = {
            confirmation_id(record.trial_id, seed): (record, seed)
            for turn in zip(*seeds, strict=True)
            for record, seed in turn
        }
        ended = ended_ids(now)
        self.total = len({*tasks, *ended})
        for record in now.confirmations:
            if record.trial_id not in {*tasks, *ended}:
                search.trial(record.trial_id).drop_leftovers()
        self._waiting = deque((trial_id, *task) for trial_id, task in tasks.items() if trial_id not in ended)

    @property
    def remaining(self) -> int:
        """How many are still to be asked for."""
        return len(self._waiting)

    def words(self) -> str:
        """Return what will be trained, in a line."""
        trainings = "1 training" if self.remaining == 1 else f"{self.remaining} trainings"
        return f"confirming {', '.join(self.leaders)}: {trainings} with further seeds"

    def ask(self) -> tuple[str, dict[str, Any]] | None:
        """Return the id of the next confirmation and what varies, or None when there is none.

        Its configuration is written down, for it is that of its leader and not of the space.
        """
        if not self._waiting:
            return None
        trial_id, leader, seed = self._waiting.popleft()
        varied = {**leader.varied, "seed": seed}
        folder = self._search.trial(trial_id)
        if not folder.is_begun:
            folder.write_config({**leader.config, "seed": seed}, varied, confirms=leader.trial_id)
        return trial_id, varied

    def tell(self, trial_id: str, objective: float | None, stop_reason: str, *, progress: int = 100) -> None:
        """Learn nothing: what is confirmed was decided before."""


def confirmations(spec: SearchSpec, search: SearchFolder) -> Confirmations | None:
    """Return the confirmations of a search; None where it asks for none, or has trials that have not ended.

    Which trials are confirmed is decided by the first call, and written down: a resumed search never changes
    its mind. It is decided anew where the search has got more trials since.
    """
    now = search.snapshot()
    is_due = spec.confirm.top and now.ended >= spec.total
    return Confirmations(spec, search, now) if is_due else None


def remaining(spec: SearchSpec, search: Snapshot) -> int:
    """Return how many confirmations have not ended; before their leaders are known, the most there may be."""
    if not spec.confirm.top:
        return 0
    leaders = _known_leaders(spec, search)
    if leaders is None:
        return spec.confirm.most_trials(spec.total)
    ended = ended_ids(search)
    wanted = [
        confirmation_id(record.trial_id, seed)
        for record in search.trials
        if record.trial_id in leaders
        for seed in further_seeds(record, spec.confirm.seeds)
    ]
    return sum(trial_id not in ended for trial_id in wanted)


def ended_ids(search: Snapshot) -> set[str]:
    """Return the ids of all confirmations that have ended, those of earlier leaders included."""
    return {record.trial_id for record in search.confirmations if record.outcome is not None}


def first_distinct(ranked: Iterable[tuple[Trial, Mapping[str, Any]]], most: int) -> list[Trial]:
    """Return the first trials that differ in what varies: of those trained to their end, the leaders.

    Random draws and TPE may come to a configuration again, which with the same seed is the same training: to
    confirm it twice would tell nothing, and take the place of another one.

    Args:
        ranked: Trials, each with what varies, best first.
        most: How many are wanted.
    """
    found: list[Trial] = []
    seen: list[Mapping[str, Any]] = []
    for trial, varied in ranked:
        if len(found) == most:
            break
        if varied not in seen:
            found.append(trial)
            seen.append(varied)
    return found


def drop_weights(spec: SearchSpec, search: Snapshot) -> None:
    """Once all leaders are confirmed, keep the weights of as many as asked for: the confirmed ones first."""
    best = confirmed_best(search)
    if best is None:
        return
    ordered = [best, *(record for record in in_order(search.trials) if record.trial_id != best.trial_id)]
    for record in ordered[spec.keep_models :]:
        shutil.rmtree(record.folder / "model", ignore_errors=True)


def _decided(spec: SearchSpec, search: SearchFolder, now: Snapshot) -> list[str]:
    """Return the leaders, the best first: trials that were trained to their end. Decide where nobody has."""
    leaders = _known_leaders(spec, now)
    if leaders is None:
        ranked = in_order(now.trials)
        completed = [one for one in ranked if one.outcome and one.outcome.stop_reason == "completed"]
        leaders = first_distinct(((one.trial_id, one.varied) for one in completed), spec.confirm.top)
        search.write_confirming(
            Confirming(top=spec.confirm.top, seeds=spec.confirm.seeds, trials=now.asked_for, leaders=leaders)
        )
    return leaders


def _known_leaders(spec: SearchSpec, search: Snapshot) -> list[str] | None:
    """Return the leaders that were decided on, for what the search is now; None where there are none."""
    decision = search.confirming
    if decision is None or not is_current(decision, search):
        return None
    asked = (spec.confirm.top, spec.confirm.seeds)
    return list(decision.leaders) if (decision.top, decision.seeds) == asked else None
