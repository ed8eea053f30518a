"""The charts of a search, and those of its chosen trial, as its page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from goemo.report import Picture, charts
from goemo.report.charts import Chart, Trial
from goemo.report.savings import duration, seconds_saved
from tune.ranking.insight import Importance
from tune.ranking.leaderboard import Leaderboard
from tune.records import Snapshot, TrialRecord
from tune.reporting.artifacts import CAPTIONS, TrialTables

SEARCH_CAPTIONS = {
    "learning_curves": "The objective of every trial against its progress; those that end early were stopped",
    "objective_by_hyperparameter": "The objective against each hyperparameter. Trials that were stopped "
    "early were measured before their end, so only completed ones count in the medians",
    "parallel_coordinates": "Each trial as a line through its settings to its objective",
    "importance": "How much each hyperparameter mattered by itself, with all trials measured at the same "
    "share of their training",
}
INTERVALS_CAPTION = "The trials in order, each with its 95 % interval; shaded is that of the best"
EXPLORER_CAPTION = (
    "Precision, recall and F1 against the threshold on the validation rows that chose it, for any label. The "
    "line is the chosen threshold; in the band lies the best F1 in 95 % of resamples of these rows"
)
MOST_CHOICES = 300  # labels to choose from; a page of thousands would not open
Band = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def search_charts(now: Snapshot, board: Leaderboard, importance: Importance) -> dict[str, Chart]:
    """Return the charts of a search, by name; each shows itself in a notebook.

    Args:
        now: The records of the search.
        board: Their leaderboard.
        importance: Of the hyperparameters.
    """
    trials = _trials(now.trials)
    names = {"objective": f"val/{board.objective}", "best": board.best.trial_id}
    made: dict[str, Chart | None] = {
        "learning_curves": charts.learning_curves(trials, ends=_ends(board), **names),
        "objective_by_hyperparameter": charts.objective_by_hyperparameter(trials, **names),
        "parallel_coordinates": charts.parallel_coordinates(trials, **names),
    }
    if importance.shares is not None:
        made["importance"] = charts.importance(importance.shares, note=importance.basis)
    return {name: chart for name, chart in made.items() if chart is not None}


def interval_picture(board: Leaderboard) -> Picture:
    """Return the leaderboard as a chart; without scripts, the table draws its intervals itself."""
    chart = charts.leaderboard_intervals(board.to_dict()["trials"], objective=board.objective)
    return Picture(INTERVALS_CAPTION, chart=chart.spec, notes=chart.notes)


def search_pictures(made: Mapping[str, Chart], images: Mapping[str, bytes]) -> list[Picture]:
    """Return the pictures of a search: its charts, and their PNG by the same names."""
    return [_picture(SEARCH_CAPTIONS[name], chart, images[name]) for name, chart in made.items()]


def trial_pictures(
    made: Mapping[str, Chart],
    images: Mapping[str, bytes],
    tables: TrialTables,
    *,
    band: Band,
) -> list[Picture]:
    """Return the pictures of the chosen trial.

    Args:
        made: Its charts, by name.
        images: Their PNG, by the same names.
        tables: Of the trial.
        band: Where each threshold lies in 95 % of the resamples, lower and upper ends, both (n_labels,).
    """
    explorer = _explorer(tables, band, images["threshold_curves"])
    return [
        explorer if name == "threshold_curves" else _picture(CAPTIONS[name], chart, images[name])
        for name, chart in made.items()
    ]


def _explorer(tables: TrialTables, band: Band, png: bytes) -> Picture:
    """Return the curves of any label to choose; where scripts do not run, those of a few."""
    targets, labels = tables.targets, tables.labels
    support = tables.table["support"].to_numpy(dtype=float)
    kept = np.sort(np.argsort(-support, kind="stable")[:MOST_CHOICES])
    names, values = [labels[i] for i in kept], tables.thresholds.values[kept]
    ends = (band[0][kept], band[1][kept])
    chart = charts.threshold_explorer(tables.scores[:, kept], targets[:, kept], values, names, band=ends)
    half, tuned = tables.table_at_half.iloc[kept], tables.table.iloc[kept]
    left_out = len(labels) - len(kept)
    notes = (f"{len(kept)} of {len(labels):,} labels to choose from: the most frequent",) if left_out else ()
    return Picture(
        EXPLORER_CAPTION,
        png,
        chart.spec,
        notes=notes,
        choices=names,
        facts=charts.explorer_facts(half, tuned, values, band=ends),
        still_caption=CAPTIONS["threshold_curves"],
    )


def _picture(caption: str, chart: Chart, png: bytes) -> Picture:
    return Picture(caption, png, chart.spec, notes=chart.notes)


def _trials(records: Sequence[TrialRecord]) -> list[Trial]:
    """Return what charts need; a hyperparameter that a trial was not asked for has its default."""
    names = dict.fromkeys(name for record in records for name in record.varied)
    return [
        Trial(
            trial_id=record.trial_id,
            varied={name: record.varied.get(name, record.config.get(name)) for name in names},
            history=record.history,
            stop_reason=record.outcome.stop_reason if record.outcome else None,
        )
        for record in records
    ]


def _ends(board: Leaderboard) -> dict[str, str]:
    """Return how the trials ended that were stopped early, with what that saved."""
    ends: dict[str, Any] = {}
    for row in board.to_dict()["trials"]:
        saved = seconds_saved(row)
        if saved is not None:
            ends[row["trial_id"]] = f"stopped at {row['progress']} %, saved about {duration(saved)}"
    return ends
