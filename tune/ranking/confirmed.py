"""Confirmed leaders: trained with several seeds each, ranked by their means, from the records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goemo.significance import Bootstrap, bootstrap, seed_difference, seed_mean
from goemo.thresholds import Targets
from tune.ranking.crossfit import cross_fitted
from tune.records import Confirming, Snapshot, TrialRecord, confirmation_id


@dataclass(frozen=True)
class FailedSeed:
    """A training of a leader that gave no score.

    Attributes:
        trial_id: The trial that should have confirmed it.
        seed: Its seed.
        stop_reason: ``failed``, ``diverged``, ``out_of_memory``, or ``stopped_early`` by a budget.
        message: Why, in a line.
    """

    trial_id: str
    seed: int
    stop_reason: str
    message: str


@dataclass(frozen=True)
class Confirmed:
    """One leader with what its seeds gave.

    Attributes:
        rank: From 1, by the mean; one whose other seeds all failed comes after those that have several.
        trial_id: The leader's own trial, whose seed is the search's.
        varied: The hyperparameters that the space varies.
        config: Its whole configuration.
        seeds: Those that have completed, its own first.
        values: The objective of each.
        mean: Of the values.
        low: Lower end of the mean's 95 % interval, over seeds and examples; None of one seed.
        high: Upper end.
        deviation: Standard deviation between the seeds; None of one.
        tied_with_best: Whether it is statistically tied with the first.
        lost: The seeds that gave no score.
        waiting: How many seeds have not ended.
    """

    rank: int
    trial_id: str
    varied: dict[str, Any]
    config: dict[str, Any]
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float
    low: float | None
    high: float | None
    deviation: float | None
    tied_with_best: bool
    lost: tuple[FailedSeed, ...]
    waiting: int


@dataclass(frozen=True)
class _Group:
    """The trainings of one leader.

    Attributes:
        leader: The trial of the search.
        completed: All that have a score of a whole training, the leader first.
        lost: Those that ended otherwise.
        waiting: How many have not ended.
    """

    leader: TrialRecord
    completed: tuple[TrialRecord, ...]
    lost: tuple[FailedSeed, ...]
    waiting: int

    @property
    def place(self) -> tuple[bool, float, str]:
        """What the ranking sorts by: one seed confirms nothing, and equal means rank by trial id."""
        values = [record.objective or 0.0 for record in self.completed]
        return len(values) == 1, -sum(values) / len(values), self.leader.trial_id


def with_interval(leader: Confirmed) -> str:
    """Return the mean with its interval, as people read it: ``0.4512 [0.4402, 0.4621]``."""
    if leader.low is None or leader.high is None:
        return f"{leader.mean:.4f}"
    return f"{leader.mean:.4f} [{leader.low:.4f}, {leader.high:.4f}]"


def rank_confirmed(search: Snapshot, targets: Targets) -> tuple[Confirmed, ...]:
    """Rank the leaders of a search by their means over seeds.

    Args:
        search: The search.
        targets: Of the validation split, shape (n_examples, n_labels).

    Returns:
        Best first; nothing where no leader is to be confirmed, or where the search has got more trials since,
        so that other ones may lead now.
    """
    groups = _groups(search)
    if not groups:
        return ()
    trained = _resampled(groups, targets)
    metric = groups[0].leader.config["metric"]
    return tuple(
        _confirmed(rank, group, of_group, trained[0], metric)
        for rank, (group, of_group) in enumerate(zip(groups, trained, strict=True), start=1)
    )


def confirmed_best(search: Snapshot) -> TrialRecord | None:
    """Return the leader with the highest mean; None until all seeds of all leaders have ended.

    It is the first of `rank_confirmed`, without the intervals.
    """
    groups = _groups(search)
    return groups[0].leader if groups and not any(group.waiting for group in groups) else None


def is_current(decision: Confirming, search: Snapshot) -> bool:
    """Whether the leaders were chosen among all trials that the search has now."""
    return decision.trials == search.asked_for


def _groups(search: Snapshot) -> list[_Group]:
    """Return the leaders in the order of their means."""
    decision = search.confirming
    if decision is None or not is_current(decision, search):
        return []
    known = {record.trial_id: record for record in search.everyone}
    leaders = [known[trial_id] for trial_id in decision.leaders if trial_id in known]
    return sorted((_group(leader, decision.seeds, known) for leader in leaders), key=lambda g: g.place)


def _group(leader: TrialRecord, seeds: int, known: Mapping[str, TrialRecord]) -> _Group:
    wanted = [confirmation_id(leader.trial_id, seed) for seed in further_seeds(leader, seeds)]
    found = [known[trial_id] for trial_id in wanted if trial_id in known]
    ended = [(record, record.outcome) for record in found if record.outcome is not None]
    return _Group(
        leader=leader,
        completed=(leader, *(record for record, outcome in ended if outcome.stop_reason == "completed")),
        lost=tuple(
            FailedSeed(record.trial_id, record.seed, outcome.stop_reason, outcome.message)
            for record, outcome in ended
            if outcome.stop_reason != "completed"
        ),
        waiting=len(wanted) - len(ended),
    )


def further_seeds(leader: TrialRecord, seeds: int) -> range:
    """Return the seeds with which a leader is trained again, so that it has as many as this in all."""
    own = leader.seed
    return range(own + 1, own + seeds)


def _resampled(groups: Sequence[_Group], targets: Targets) -> list[list[Bootstrap]]:
    """Return one for each seed of each leader, all on the same resamples."""
    predictions = [cross_fitted(record, targets) for group in groups for record in group.completed]
    resampled = iter(bootstrap(targets, *predictions))
    return [[next(resampled) for _ in group.completed] for group in groups]


def _confirmed(
    rank: int, group: _Group, trained: Sequence[Bootstrap], best: Sequence[Bootstrap], metric: str
) -> Confirmed:
    leader, values = group.leader, tuple(record.objective or 0.0 for record in group.completed)
    summary, behind = seed_mean(trained, metric), seed_difference(best, trained, metric)
    return Confirmed(
        rank=rank,
        trial_id=leader.trial_id,
        varied=leader.varied,
        config=leader.config,
        seeds=tuple(record.seed for record in group.completed),
        values=values,
        mean=sum(values) / len(values),  # of the numbers that are shown, to the last digit
        low=summary.low,
        high=summary.high,
        deviation=summary.deviation,
        tied_with_best=rank == 1 or behind.low <= 0 <= behind.high,
        lost=group.lost,
        waiting=group.waiting,
    )
