"""Rows of a leaderboard, and the Pareto front of quality and cost among them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goemo.escaping import guarded_row

SAME_SPEED = 0.1  # timings of like models differ by as much: only what is faster by more counts as faster


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
        ms_per_text: Milliseconds that its model takes for a text in use, the least that any trial with this
            encoder, pooling and maximum length has measured; None where that was not measured.
        megabytes: Of its model's weights; likewise.
        is_on_front: Whether no trial of a higher objective is as fast and as small in use: see `front`.
        steps: Optimizer steps that it has reported; None where the size of the data is not known.
        total_steps: Of its whole training; likewise.
        message: Why it was stopped early, where that was not the scheduler's doing; else empty.
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
    ms_per_text: float | None = None
    megabytes: float | None = None
    is_on_front: bool = False
    steps: int | None = None
    total_steps: int | None = None
    message: str = ""


@dataclass(frozen=True)
class Unranked:
    """One trial that has ended without a rank.

    Attributes:
        trial_id: The trial.
        config: Its whole configuration.
        varied: The hyperparameters that the space varies.
        stop_reason: ``failed``, ``diverged``, ``out_of_memory``, or ``stopped_early`` before any report.
        progress: Per cent of its training that it has reported.
        seconds: That it took.
        message: Why, in a line.
    """

    trial_id: str
    config: dict[str, Any]
    varied: dict[str, Any]
    stop_reason: str
    progress: int
    seconds: float
    message: str


def front(rows: Sequence[Row]) -> list[Row]:
    """Return the trials that no other beats in both quality and cost in use.

    Each is faster by more than `SAME_SPEED`, or smaller, than every one on the front with a higher objective.
    What it took to train does not count: it depends on when a trial was stopped, and on what ran beside it.

    Args:
        rows: The ranking, best first; those whose cost was not measured are left out.
    """
    kept: list[Row] = []
    for row in rows:
        if row.ms_per_text is not None and all(_is_cheaper(row, other) for other in kept):
            kept.append(row)
    return kept


def csv_text(rows: Sequence[Mapping[str, Any]], first: Sequence[str] = ()) -> str:
    """Return rows as CSV, a value a column, safe to open in a spreadsheet.

    Args:
        rows: All with the same names.
        first: The columns that there are even without a row.
    """
    sink = io.StringIO()
    guarded = [guarded_row(row) for row in rows]
    columns = dict.fromkeys([*first, *(name for row in guarded[:1] for name in row)])
    writer = csv.DictWriter(sink, fieldnames=list(columns))
    writer.writeheader()
    writer.writerows(guarded)
    return sink.getvalue()


def model_in_use(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what decides how fast the model of a configuration is in use."""
    return tuple(config.get(name) for name in ("checkpoint", "pooling", "max_length"))


def _is_cheaper(row: Row, other: Row) -> bool:
    ms, mb, other_ms, other_mb = row.ms_per_text, row.megabytes, other.ms_per_text, other.megabytes
    if ms is None or mb is None or other_ms is None or other_mb is None:
        return False
    return ms < (1 - SAME_SPEED) * other_ms or mb < other_mb
