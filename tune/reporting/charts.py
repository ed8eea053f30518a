"""The charts of a search's page; the pictures in `report` stand in where scripts do not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from goemo.report import Picture, charts
from goemo.report.figures import Trial
from goemo.report.savings import duration, seconds_saved
from goemo.thresholds import Targets
from tune.ranking.leaderboard import Leaderboard
from tune.reporting.artifacts import TrialTables

# By the file name of the picture that each stands in for.
CHART_CAPTIONS = {
    "learning_curves.png": "The objective of every trial against its progress; curves that end early were "
    "stopped. Point at a curve to see its trial",
    "parallel_coordinates.png": "Each trial as a line through its settings to its objective. Point at a line "
    "to see its trial; the slider leaves the best",
    "objective_by_hyperparameter.png": "The objective against each hyperparameter; bars are medians. Point "
    "at a trial to see its other settings",
    "f1_by_support.png": "F1 against the number of examples: what per-label thresholds give the rare labels. "
    "Point at a label to see its numbers",
    "gain_per_label.png": "What each label gains from its own threshold, the largest gain first; on "
    "validation rows that did not choose the threshold. Point at a label to see its numbers",
    "threshold_curves.png": "Precision, recall and F1 against the threshold on the validation rows that "
    "chose it, for any label. The line is the chosen threshold; in the band lies the best F1 in 95 % of "
    "resamples of these rows",
}
INTERVALS_CAPTION = (
    "The trials in order, each with its 95 % interval; shaded is that of the best. Point at a trial to see "
    "its settings"
)
Band = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def interval_picture(board: Leaderboard) -> Picture:
    """Return the leaderboard as a chart; without scripts, the table draws its intervals itself."""
    rows = board.to_dict()["trials"]
    chart = charts.leaderboard_intervals(rows, objective=board.objective)
    return Picture(INTERVALS_CAPTION, charts=[chart])


def search_pictures(
    images: Mapping[str, bytes], captions: Mapping[str, str], board: Leaderboard, trials: Sequence[Trial]
) -> list[Picture]:
    """Return the pictures of a search, with charts for those that can have one.

    Args:
        images: PNG files by name, in the order to show.
        captions: Theirs, by the same names.
        board: The leaderboard.
        trials: All trials of the search.
    """
    names = {"objective": f"val/{board.objective}", "best": board.best.trial_id}
    made: dict[str, list[charts.Spec]] = {
        "learning_curves.png": [charts.learning_curves(trials, ends=_ends(board), **names)],
        "objective_by_hyperparameter.png": charts.objective_by_hyperparameter(trials, **names),
    }
    lines = charts.parallel_coordinates(trials, **names)
    if lines is not None:
        made["parallel_coordinates.png"] = [lines]
    return [_picture(name, captions[name], png, made.get(name, ())) for name, png in images.items()]


def trial_pictures(
    images: Mapping[str, bytes],
    captions: Mapping[str, str],
    tables: TrialTables,
    targets: Targets,
    labels: Sequence[str],
    *,
    band: Band,
) -> list[Picture]:
    """Return the pictures of the chosen trial, with charts for those that can have one.

    Args:
        images: PNG files by name, in the order to show.
        captions: Theirs, by the same names.
        tables: Of the trial.
        targets: Of the validation split, shape (n_examples, n_labels).
        labels: Names, in the order of the columns.
        band: Where each threshold lies in 95 % of the resamples, lower and upper ends, both (n_labels,).
    """
    values = tables.thresholds.values
    made = {
        "f1_by_support.png": charts.f1_by_support(tables.table_at_half, tables.table),
        "gain_per_label.png": charts.gain_per_label(tables.table_at_half, tables.table),
        "threshold_curves.png": charts.threshold_explorer(tables.scores, targets, values, labels, band=band),
    }
    facts = charts.explorer_facts(tables.table_at_half, tables.table, values, band=band)
    pictures = []
    for name, png in images.items():
        extra: dict[str, Any] = {}
        if name == "threshold_curves.png":
            extra = {"choices": labels, "facts": facts}
        pictures.append(_picture(name, captions[name], png, [made[name]] if name in made else (), **extra))
    return pictures


def _picture(name: str, caption: str, png: bytes, made: Sequence[charts.Spec], **extra: Any) -> Picture:
    of_chart = CHART_CAPTIONS[name] if made else ""
    return Picture(caption, png, charts=made, chart_caption=of_chart, **extra)


def _ends(board: Leaderboard) -> dict[str, str]:
    """Return how the trials ended that were stopped early, with what that saved."""
    ends = {}
    for row in board.to_dict()["trials"]:
        saved = seconds_saved(row)
        if saved is not None:
            ends[row["trial_id"]] = f"stopped at {row['progress']} %, saved about {duration(saved)}"
    return ends
