"""The ranking of a search's trials, with intervals, computed from its records alone."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from goemo.errors import GoemoError, InputError
from goemo.outcomes import RANKED
from goemo.significance import PairedDifference, bootstrap, compare
from goemo.thresholds import Targets
from tune.crossfit import cross_fitted
from tune.records import SearchFolder, TrialRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Row:
    """One ranked trial.

    Attributes:
        rank: From 1; equal objectives rank by trial id.
        search: The search that it belongs to.
        trial_id: The trial.
        config: Its whole configuration.
        varied: The hyperparameters that the space varies.
        stop_reason: ``completed``, ``stopped_early``, ``running``, or ``unfinished`` in a search that was
            interrupted.
        progress: Per cent of its training that it has reported.
        best_progress: Where its best report stands.
        objective: The best report's objective: on validation, thresholds cross-fitted.
        val_macro_f1: Macro-F1 of the best report, likewise.
        val_weighted_f1: Mean of the labels' F1 weighted by support, likewise.
        val_micro_f1: Micro-F1, likewise.
        val_macro_f1_at_half: Macro-F1 of the best report with every threshold at 0.5.
        low: Lower end of the objective's 95 % bootstrap interval over examples.
        high: Upper end.
        tied_with_best: Whether the paired bootstrap cannot tell the trial from the best.
        seconds: From the trial's first to last report, training and evaluation.
    """

    rank: int
    search: str
    trial_id: str
    config: dict[str, Any]
    varied: dict[str, Any]
    stop_reason: str
    progress: int
    best_progress: int
    objective: float
    val_macro_f1: float
    val_weighted_f1: float
    val_micro_f1: float
    val_macro_f1_at_half: float
    low: float
    high: float
    tied_with_best: bool
    seconds: float


@dataclass(frozen=True)
class Leaderboard:
    """The trials of a search in order, and what became of those that cannot be ranked.

    Attributes:
        search: The search's name.
        objective: The metric that ranks.
        rows: Ranked trials, best first.
        reasons: How many trials ended for which reason, all trials counted.
    """

    search: str
    objective: str
    rows: tuple[Row, ...]
    reasons: dict[str, int]

    @property
    def best(self) -> Row:
        """The first row.

        Raises:
            GoemoError: No trial could be ranked.
        """
        if not self.rows:
            ended = ", ".join(f"{n} {reason}" for reason, n in self.reasons.items()) or "none has started"
            raise GoemoError(f"{self.search}: no trial has a score to rank by ({ended})")
        return self.rows[0]

    def row(self, trial_id: str) -> Row:
        """Return one trial's row.

        Raises:
            InputError: The trial is not ranked.
        """
        for row in self.rows:
            if row.trial_id == trial_id:
                return row
        known = ", ".join(row.trial_id for row in self.rows)
        raise InputError("--trial", [f"no ranked trial {trial_id!r} in {self.search}; there are: {known}"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "search": self.search,
            "objective": self.objective,
            "trials": [asdict(row) for row in self.rows],
            "reasons": self.reasons,
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_csv(self) -> str:
        """Return one line a trial; the varied hyperparameters are columns."""
        sink = io.StringIO()
        flat = [_flat(row) for row in self.rows]
        writer = csv.DictWriter(sink, fieldnames=list(flat[0]) if flat else ["rank", "trial_id"])
        writer.writeheader()
        writer.writerows(flat)
        return sink.getvalue()

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a frame; the varied hyperparameters are columns."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])


def build(search: SearchFolder) -> Leaderboard:
    """Rank a search's trials as their records stand now; works while the search runs.

    Ranking is by the best report's objective on validation, with thresholds that were fitted on other
    validation rows. The intervals hold the trained models fixed and vary the examples.
    """
    records = search.records()
    metric = search.spec["objective"]["metric"]
    under_way = word_for_under_way(search)
    reasons = Counter(r.outcome.stop_reason if r.outcome else under_way for r in records)
    ranked = [record for record in records if record.is_ranked]
    found = rank(ranked, search.validation()[0], under_way=under_way) if ranked else []
    return Leaderboard(search.name, metric, tuple(row for row, _ in found), dict(reasons))


def word_for_under_way(search: SearchFolder) -> str:
    """Return what to call a trial of this search that has not ended."""
    return "running" if search.facts.get("status") == "running" else "unfinished"


def rank(
    records: Sequence[TrialRecord], targets: Targets, *, under_way: str = "unfinished"
) -> list[tuple[Row, PairedDifference]]:
    """Rank trials that were measured on the same validation rows by the same metric.

    Args:
        records: At least one, each with a report; of one search or of several.
        targets: Of the validation split, shape (n_examples, n_labels).
        under_way: What to call a trial that has not ended.

    Returns:
        Best first, each with how far the best is ahead of it, paired on the same rows.
    """
    ranked = sorted(records, key=lambda r: (-(r.objective or 0.0), r.trial_id))
    metric = ranked[0].config["metric"]
    predictions = [cross_fitted(record, targets) for record in ranked]
    resampled = bootstrap(targets, *predictions)  # one a trial, all on the same resamples
    found = []
    for place, (record, drawn) in enumerate(zip(ranked, resampled, strict=True), start=1):
        best = record.best
        assert best is not None
        between = drawn.interval(metric)
        difference = compare(resampled[0], drawn, metric)
        row = Row(
            rank=place,
            search=record.search,
            trial_id=record.trial_id,
            config=record.config,
            varied=record.varied,
            stop_reason=record.outcome.stop_reason if record.outcome else under_way,
            progress=record.progress,
            best_progress=int(best["progress"]),
            objective=best[record.objective_name],
            val_macro_f1=best["val/macro_f1"],
            val_weighted_f1=best["val/weighted_f1"],
            val_micro_f1=best["val/micro_f1"],
            val_macro_f1_at_half=best["val/macro_f1_at_0.5"],
            low=between.low,
            high=between.high,
            tied_with_best=not difference.can_tell_apart,
            seconds=record.seconds,
        )
        found.append((row, difference))
    return found


def summary(board: Leaderboard) -> str:
    """Return the outcome of a search in a sentence or two."""
    best = board.best
    chosen = ", ".join(f"{key} {value}" for key, value in best.varied.items()) or "one configuration"
    tied = sum(row.tied_with_best for row in board.rows) - 1
    left_out = {r: n for r, n in board.reasons.items() if r not in (*RANKED, "running", "unfinished")}
    score = f"{best.objective:.4f} [{best.low:.4f}, {best.high:.4f}]"
    parts = [f"Best: {best.trial_id} ({chosen}), validation {board.objective} {score}."]
    if tied == 1:
        parts.append("One other trial cannot be told apart from it.")
    elif tied:
        parts.append(f"{tied} other trials cannot be told apart from it.")
    if board.reasons.get("stopped_early"):
        parts.append(f"{board.reasons['stopped_early']} trials were stopped early.")
    parts.extend(f"{n} ended as {reason}." for reason, n in left_out.items())
    return " ".join(parts)


def _flat(row: Row) -> dict[str, Any]:
    values = asdict(row)
    del values["config"], values["search"]
    varied = values.pop("varied")
    head = {key: values.pop(key) for key in ("rank", "trial_id")}
    return {**head, **varied, **values}
