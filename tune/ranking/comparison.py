"""Comparison of several searches, or of the encoders of one, on the same validation rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from goemo.configuration import HYPERPARAMETER_DEFAULTS
from goemo.configuration.thresholds import words
from goemo.errors import GoemoError, InputError
from goemo.significance import PairedDifference
from tune.ranking import leaderboard
from tune.ranking.answers import BaselineRow, baseline_row
from tune.ranking.rows import Row, csv_text
from tune.records import BASELINE, Damaged, DamagedTrialError, Snapshot, TrialRecord


@dataclass(frozen=True)
class Contender:
    """The best trial of one group, a search or an encoder, against the best of all.

    Attributes:
        group: What its trials have in common and others do not: the name of the search, or a checkpoint.
        search: Its search.
        trial_id: The trial.
        model: The checkpoint and the part of it that trains.
        thresholds: How its thresholds are fitted, in words.
        varied: The hyperparameters that the search varies, with the trial's values.
        trials: How many trials of the group have a rank; the best of more of them is luckier.
        objective: On validation, thresholds cross-fitted.
        low: Lower end of the objective's 95 % interval.
        high: Upper end.
        behind: Objective of the best of all less this one's; 0 for the best itself.
        behind_low: Lower end of that difference's 95 % interval, paired on the same rows.
        behind_high: Upper end.
        probability_best_beats_it: Share of the resamples in which the best of all is ahead; None for itself.
        seconds: Training and evaluation took, as far as it came.
        ms_per_text: Milliseconds that its model takes for a text in use; None where that was not measured.
        megabytes: Of its model's weights; likewise.
    """

    group: str
    search: str
    trial_id: str
    model: str
    thresholds: str
    varied: dict[str, Any]
    trials: int
    objective: float
    low: float
    high: float
    behind: float
    behind_low: float
    behind_high: float
    probability_best_beats_it: float | None
    seconds: float
    ms_per_text: float | None
    megabytes: float | None

    @property
    def is_tied(self) -> bool:
        """Whether the paired bootstrap cannot tell it from the best of all."""
        return self.behind_low <= 0 <= self.behind_high


@dataclass(frozen=True)
class Comparison:
    """Groups of trials in the order of the best of each.

    Attributes:
        by: What makes a group: ``search``, or a key of the model such as ``checkpoint``.
        objective: The metric by which all of them rank.
        contenders: The best trial of each group, best first.
        rows: All ranked trials of all searches in one ranking.
        baseline: The bag of words against the best of all; None where no search has fitted it.
        damaged: What is left out because a file of it cannot be read.
    """

    by: str
    objective: str
    contenders: tuple[Contender, ...]
    rows: tuple[Row, ...]
    baseline: BaselineRow | None = None
    damaged: tuple[Damaged, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "searches": list(dict.fromkeys(contender.search for contender in self.contenders)),
            "by": self.by,
            "objective": self.objective,
            "baseline": None if self.baseline is None else asdict(self.baseline),
            "best_of_each": [asdict(contender) for contender in self.contenders],
            "trials": [asdict(row) for row in self.rows],
            "damaged": [asdict(trial) for trial in self.damaged],
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_csv(self) -> str:
        """Return one line a trial; what any of the searches varies is a column."""
        varied = list(dict.fromkeys(name for row in self.rows for name in row.varied))
        return csv_text([_flat(row, varied) for row in self.rows])


def compare(searches: Sequence[Snapshot], *, by: str = "search") -> Comparison:
    """Rank the trials of one or several searches together, and take the best of each group.

    What is damaged is left out and named.

    Args:
        searches: At least one.
        by: What makes a group: ``search``, or a key of a trial's configuration such as ``checkpoint``.

    Raises:
        InputError: Two have the same name, they rank by different metrics, or their validation rows differ;
            every difference is named.
        GoemoError: A search has no trial to rank yet.
    """
    try:
        return _compare(searches, by)
    except DamagedTrialError as error:
        whole = [one.without(error) if one.name == error.search else one for one in searches]
        return compare(whole, by=by)


def _compare(searches: Sequence[Snapshot], by: str) -> Comparison:
    check_same_rows(searches, "goemo leaderboard")
    ranked = [record for search in searches for record in search.trials if record.is_ranked]
    with_rank = {record.search for record in ranked}
    for search in searches:
        if search.name not in with_rank:
            raise GoemoError(f"{search.name}: no trial has a score to rank by")
    found = leaderboard.rank(
        ranked,
        searches[0].validation()[0],
        under_way={search.name: leaderboard.word_for_under_way(search) for search in searches},
    )
    trials = Counter(_group(row, by) for row, _ in found)
    best_of_each: dict[str, tuple[Row, PairedDifference]] = {}
    for row, behind in found:
        best_of_each.setdefault(_group(row, by), (row, behind))
    return Comparison(
        by=by,
        objective=searches[0].asked("objective")["metric"],
        contenders=tuple(
            _contender(row, behind, group, trials[group]) for group, (row, behind) in best_of_each.items()
        ),
        rows=tuple(row for row, _ in found),
        baseline=_baseline(searches, leaderboard.in_order(ranked)[0]),
        damaged=tuple(trial for search in searches for trial in search.damaged),
    )


def _baseline(searches: Sequence[Snapshot], best: TrialRecord) -> BaselineRow | None:
    """Return the baseline of the search that has the best trial, else that of any: the rows are the same."""
    for search in sorted(searches, key=lambda search: search.name != best.search):
        if BASELINE in search.answers:
            return baseline_row(search, best, search.validation()[0])
    return None


def check_same_rows(searches: Sequence[Snapshot], command: str) -> None:
    """Make sure that searches were measured on the same rows by the same metric.

    Raises:
        InputError: They were not, or one is named twice; every difference is named.
    """
    problems = _problems(searches)
    if problems:
        raise InputError(command, problems)


def _group(row: Row, by: str) -> str:
    return row.search if by == "search" else str(row.config.get(by, ""))


def _flat(row: Row, varied: Sequence[str]) -> dict[str, Any]:
    """Return a row with a value a column."""
    values = asdict(row)
    config = values.pop("config")
    del values["varied"]
    # Records of an earlier version lack what could not be varied then.
    settings = {name: config.get(name, HYPERPARAMETER_DEFAULTS.get(name)) for name in varied}
    head = {name: values.pop(name) for name in ("rank", "search", "trial_id")}
    return {**head, "checkpoint": config.get("checkpoint", ""), **settings, **values}


def _contender(row: Row, behind: PairedDifference, group: str, trials: int) -> Contender:
    return Contender(
        group=group,
        search=row.search,
        trial_id=row.trial_id,
        model=f"{row.config['checkpoint']} ({row.config['trainable']})",
        thresholds=words(row.config["thresholds"]),
        varied=row.varied,
        trials=trials,
        objective=row.objective,
        low=row.low,
        high=row.high,
        behind=behind.difference,
        behind_low=behind.low,
        behind_high=behind.high,
        probability_best_beats_it=None if row.rank == 1 else behind.probability_a_beats_b,
        seconds=row.seconds,
        ms_per_text=row.ms_per_text,
        megabytes=row.megabytes,
    )


def _problems(searches: Sequence[Snapshot]) -> list[str]:
    first, *others = searches
    problems = []
    seen = {first.name}
    for search in others:
        if search.name in seen:
            problems.append(f"{search.name} is named twice")
            continue
        seen.add(search.name)
        metric, expected = (s.asked("objective")["metric"] for s in (search, first))
        if metric != expected:
            problems.append(f"{search.name} ranks by {metric}, {first.name} by {expected}")
        (targets, labels), (expected_targets, expected_labels) = search.validation(), first.validation()
        if labels != expected_labels:
            problems.append(
                f"{search.name} has {len(labels)} labels, {first.name} has {len(expected_labels)}, "
                "and they are not the same"
            )
        elif _digest(search) != _digest(first) or not np.array_equal(targets, expected_targets):
            problems.append(
                f"{search.name} was measured on other validation rows than {first.name}: trials can "
                "only be compared on the same examples"
            )
    return problems


def _digest(search: Snapshot) -> str | None:
    """Return what identifies the validation rows, texts included."""
    splits = search.facts.get("data", {}).get("splits", {})
    digest: str | None = splits.get("validation", {}).get("digest")
    return digest


def summary(comparison: Comparison) -> str:
    """Return the answer in a sentence a group."""
    best, *others = comparison.contenders
    score = f"{best.objective:.4f} [{best.low:.4f}, {best.high:.4f}]"
    parts = [f"Best: {best.trial_id} of {best.group}, validation {comparison.objective} {score}."]
    for other in others:
        gap = f"{other.behind:.4f} [{other.behind_low:.4f}, {other.behind_high:.4f}]"
        if other.is_tied:
            parts.append(f"{other.group} ({other.trial_id}) is statistically tied with it: behind by {gap}.")
        else:
            parts.append(f"{other.group} ({other.trial_id}) is behind by {gap}.")
    methods = {contender.group: contender.thresholds for contender in comparison.contenders}
    if len(set(methods.values())) > 1:
        told = ", ".join(f"{group} by {method}" for group, method in methods.items())
        parts.append(f"Part of the difference may come from how thresholds are fitted: {told}.")
    if comparison.baseline is not None:
        parts.append(comparison.baseline.sentence)
    return " ".join(parts)
