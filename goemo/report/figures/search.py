"""All trials of a search, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from goemo.report.figures.drawing import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    heading,
    metric_name,
    new_figure,
    new_panels,
    tidy,
)
from goemo.report.figures.names import drawable, shorten
from goemo.report.figures.scales import MOST_CATEGORIES, is_spread_by_ratio, round_powers
from goemo.report.figures.trials import Trial, best_trial, varied_names


def learning_curves(
    trials: Sequence[Trial], *, objective: str = "val/macro_f1", best: str | None = None
) -> Figure:
    """Draw the objective of all trials against their progress.

    Args:
        trials: All trials of a search, in any order; those without a report are counted in the legend.
        objective: The key of the histories that ranks.
        best: Trial to highlight; by default the ranked one with the highest objective, the earlier of equals.

    Returns:
        Completed trials solid, early-stopped ones dashed grey with a cross at the cut and their number above
        it, failed ones dotted with a triangle; the best stands out.
    """
    champion = best_trial(trials, objective, best)
    figure = new_figure(8.6, 4.9)
    axes = figure.add_axes((0.075, 0.11, 0.91, 0.735))
    tidy(axes)
    kinds: dict[str, dict[str, Any]] = {
        "completed": {
            "color": "#5b6470",
            "ls": "-",
            "lw": 1.0,
            "marker": "",
            "alpha": 0.75,
            "label": "completed",
        },
        "stopped": {
            "color": "#8a8f98",
            "ls": (0, (4, 2)),
            "lw": 1.0,
            "marker": "x",
            "mec": DARK,
            "mew": 1.2,
            "label": "stopped early",
        },
        "failed": {"color": VERMILION, "ls": ":", "lw": 1.3, "marker": "v", "label": "failed or diverged"},
        "running": {"color": GREEN, "ls": "-", "lw": 1.0, "marker": ">", "label": "running"},
    }
    counts = dict.fromkeys(kinds, 0)
    drawn = set()
    silent = 0
    for trial in trials:
        if not trial.history:
            silent += 1
            continue
        kind = {"completed": "completed", "stopped_early": "stopped", None: "running"}.get(
            trial.stop_reason, "failed"
        )
        counts[kind] += 1
        if champion is trial:
            continue
        drawn.add(kind)
        x, y = _curve(trial, objective)
        look = {key: value for key, value in kinds[kind].items() if key != "label"}
        # A single report has no line to see, so it gets a dot.
        look["marker"] = look["marker"] or ("." if len(x) == 1 else "")
        axes.plot(x, y, **look, markevery=[-1], ms=5, zorder=2)
    handles = [
        Line2D([], [], **{**look, "label": f"{look['label']} ({counts[kind]})"}, ms=5)
        for kind, look in kinds.items()
        if kind in drawn
    ]
    if champion is not None:
        x, y = _curve(champion, objective)
        axes.plot(x, y, color=BLUE, lw=2.6, marker="o", ms=5, zorder=4)
        peak = int(np.argmax(y))
        axes.plot(x[peak], y[peak], "*", ms=13, color=BLUE, mec="white", mew=0.8, zorder=5)
        handles.append(
            Line2D([], [], color=BLUE, lw=2.6, marker="o", ms=5, label=f"best: {champion.trial_id}")
        )
    if silent:
        handles.append(Line2D([], [], ls="", label=f"no report: {silent}"))
    axes.set_xlim(0, 103)
    _name_cuts(axes, trials)
    axes.set_xlabel("progress: per cent of each trial's own training", fontsize=9)
    axes.set_ylabel(metric_name(objective), fontsize=9)
    heading(figure, "Learning curves of all trials", handles)
    return figure


def objective_by_hyperparameter(
    trials: Sequence[Trial], *, objective: str = "val/macro_f1", best: str | None = None
) -> Figure:
    """Draw the objective of every trial against each hyperparameter that differs between trials.

    Args:
        trials: All trials of a search; those that are not ranked are left out.
        objective: The key of the histories that ranks.
        best: Trial to mark; by default the ranked one with the highest objective, the earlier of equals.

    Returns:
        One panel a hyperparameter. Bars are medians: per value where there are at most eight, else per
        fifth of the trials. Early-stopped trials are hollow: they were measured before their end.
    """
    ranked = [trial for trial in trials if trial.is_ranked]
    champion = best_trial(ranked, objective, best)
    varied = varied_names(ranked)
    if not varied:
        figure = new_figure(6, 1.6)
        message = "No hyperparameter differs between the trials." if ranked else "No trial has reported."
        figure.text(0.5, 0.4, message, ha="center", fontsize=10, color=INK)
        heading(figure, f"Each hyperparameter against the {metric_name(objective)}", [])
        return figure
    figure, panels = new_panels(len(varied), width=2.9, height=2.5, bottom=0.42, above=0.12)
    y = np.array([trial.best(objective) for trial in ranked], dtype=float)
    is_whole = np.array([trial.stop_reason != "stopped_early" for trial in ranked])
    low, high = float(y.min()), float(y.max())
    margin = 0.08 * (high - low) or 0.05
    for axes, name in zip(panels, varied, strict=True):
        tidy(axes)
        axes.set_ylim(low - margin, high + margin)
        x, medians = _positions(axes, [trial.varied.get(name) for trial in ranked], y)
        for a, b, middle in medians:
            axes.plot([a, b], [middle, middle], color=ORANGE, lw=3, solid_capstyle="butt", zorder=2)
        axes.plot(x[~is_whole], y[~is_whole], "o", ms=4.5, mfc="white", mec=GREY, mew=1.1, zorder=3)
        axes.plot(x[is_whole], y[is_whole], "o", ms=4.5, color=DARK, alpha=0.8, mew=0, zorder=3)
        if champion is not None:
            i = next(i for i, trial in enumerate(ranked) if trial is champion)
            axes.plot(x[i], y[i], "*", ms=14, color=BLUE, mec="white", mew=0.9, zorder=5)
        (shown,), families = drawable([name])
        axes.set_xlabel(shown, fontsize=9, fontfamily=families, parse_math=False)
    handles = [
        Line2D([], [], ls="", marker="o", ms=4.5, color=DARK, label="completed"),
        Line2D([], [], ls="", marker="o", ms=4.5, mfc="white", mec=GREY, label="stopped early"),
        Line2D([], [], color=ORANGE, lw=3, label="median"),
    ]
    if champion is not None:
        handles.append(
            Line2D([], [], ls="", marker="*", ms=11, color=BLUE, label=f"best: {champion.trial_id}")
        )
    heading(figure, f"Each hyperparameter against the {metric_name(objective)}", handles)
    return figure


def _name_cuts(axes: Axes, trials: Sequence[Trial]) -> None:
    """Write above each rung how many trials were stopped there."""
    cuts = Counter(
        row["progress"]
        for row in (
            trial.history[-1] for trial in trials if trial.history and trial.stop_reason == "stopped_early"
        )
    )
    for progress, stopped in sorted(cuts.items()):
        axes.axvline(progress, color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=1)
        axes.annotate(
            f"{stopped} stopped",
            (progress, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
            color=INK,
        )


def _curve(trial: Trial, objective: str) -> tuple[list[float], list[float]]:
    rows = sorted(trial.history, key=lambda row: row["progress"])
    return [row["progress"] for row in rows], [row[objective] for row in rows]


def _positions(
    axes: Axes, values: Sequence[Any], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], list[tuple[float, float, float]]]:
    """Set up the x axis; return where each trial stands, and the medians as (from, to, height)."""
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    distinct = sorted(set(values)) if is_number else sorted({str(value) for value in values})
    if is_number and len(distinct) > MOST_CATEGORIES:
        x = np.array(values, dtype=float)
        if is_spread_by_ratio(x):
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_locator(FixedLocator(round_powers(x.min(), x.max())))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        groups = np.array_split(np.argsort(x, kind="stable"), 5)
        return x, [(x[g[0]], x[g[-1]], float(np.median(y[g]))) for g in groups if len(g)]
    of_value = {value: i for i, value in enumerate(distinct)}
    group = np.array([of_value[value if is_number else str(value)] for value in values])
    x = group.astype(float)
    medians = []
    for i in range(len(distinct)):
        members = np.flatnonzero(group == i)
        # Neighbours in height stand apart sideways, so that equal results stay countable.
        ranks = np.argsort(np.argsort(y[members], kind="stable"), kind="stable")
        x[members] += 0.11 * (ranks % 5 - 2) if len(members) > 2 else 0
        medians.append((i - 0.34, i + 0.34, float(np.median(y[members]))))
    axes.set_xlim(-0.6, len(distinct) - 0.4)
    names = [f"{value:g}" if is_number else shorten(str(value), 14) for value in distinct]
    shown, families = drawable(names)
    axes.set_xticks(range(len(distinct)), shown, fontfamily=families, parse_math=False)
    if sum(len(name) for name in shown) > 30:
        axes.tick_params(axis="x", labelrotation=20)
    return x, medians
