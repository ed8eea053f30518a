"""Whole configurations side by side: one line a trial, one axis a hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from goemo.report.figures.drawing import BLUE, DARK, GREY, INK, heading, metric_name, new_figure
from goemo.report.figures.names import drawable, shorten
from goemo.report.figures.scales import MOST_CATEGORIES, is_spread_by_ratio, round_powers
from goemo.report.figures.trials import Trial, best_trial, varied_names

FAN = 0.09  # how far lines through the same value spread, as a share of the axis
# Light for the worst, dark for the best; the palest part of the map could not be seen on white.
COLOURS = ListedColormap(mpl.colormaps["cividis_r"](np.linspace(0.1, 1, 128)))


@dataclass(frozen=True)
class _Scale:
    """One axis: where each trial crosses it, 0 to 1, and its ticks by position."""

    places: npt.NDArray[np.float64]
    ticks: dict[float, str]


def parallel_coordinates(
    trials: Sequence[Trial], *, objective: str = "val/macro_f1", best: str | None = None
) -> Figure:
    """Draw every trial as a line through its hyperparameters to its objective.

    Args:
        trials: All trials of a search; those that are not ranked are left out.
        objective: The key of the histories that ranks.
        best: Trial to emphasise; by default the ranked one with the highest objective, the earlier of equals.

    Returns:
        One axis a hyperparameter that differs between trials, and the objective at the right. The darker a
        line, the higher its objective. Trials that were stopped early are dashed and end in a cross: they
        were measured before their end. Lines through the same listed value are spread a little, the better
        ones higher, so that they can be counted.
    """
    ranked = [trial for trial in trials if trial.is_ranked]
    names = varied_names(ranked)
    title = f"Configurations and their {metric_name(objective)}"
    if not names:
        figure = new_figure(6, 1.6)
        message = "No hyperparameter differs between the trials." if ranked else "No trial has reported."
        figure.text(0.5, 0.4, message, ha="center", fontsize=10, color=INK)
        heading(figure, title, [])
        return figure
    champion = best_trial(ranked, objective, best)
    values = np.array([trial.best(objective) for trial in ranked], dtype=float)
    scales = [_scale([trial.varied.get(name) for trial in ranked], values) for name in names]
    scales.append(_numbers(values))
    figure = new_figure(max(6.8, 1.0 + 1.55 * len(scales)), 4.6)
    axes = figure.add_axes((0.045, 0.05, 0.91, 0.72))
    axes.set(xlim=(-0.12, len(scales) - 1 + 0.42), ylim=(-0.06, 1.06))
    axes.axis("off")
    _draw_axes(axes, [*names, metric_name(objective).removeprefix("validation ")], scales)

    places = np.column_stack([scale.places for scale in scales])  # (trials, axes)
    x = np.arange(len(scales))
    span = float(values.max() - values.min())
    shade = (values - values.min()) / span if span else np.ones(len(values))
    is_cut = np.array([trial.stop_reason == "stopped_early" for trial in ranked])
    is_best = np.array([trial is champion for trial in ranked])
    for dashed in (True, False):
        # The better a trial, the later it is drawn, and so the less it is hidden.
        shown = [i for i in np.argsort(values, kind="stable") if is_cut[i] == dashed and not is_best[i]]
        lines = [np.column_stack([x, places[i]]) for i in shown]
        style = {"ls": (0, (4, 2)), "lw": 0.9} if dashed else {"ls": "-", "lw": 1.4}
        axes.add_collection(LineCollection(lines, colors=COLOURS(shade[shown]), zorder=2, **style))
    axes.plot(np.full(is_cut.sum(), x[-1]), places[is_cut, -1], "x", ms=5, mec=DARK, mew=1.1, ls="", zorder=4)
    handles = []
    if not (is_cut | is_best).all():
        handles.append(Line2D([], [], color=DARK, lw=1.4, label="completed"))
    if is_cut.any():
        dashes = (0, (4, 2))
        handles.append(Line2D([], [], color=DARK, lw=0.9, ls=dashes, marker="x", ms=5, label="stopped early"))
    if champion is not None:
        line = places[is_best][0]
        axes.plot(x, line, color="white", lw=5, zorder=5)
        axes.plot(x, line, color=BLUE, lw=2.8, marker="o", ms=5.5, zorder=6)
        axes.plot(x[-1], line[-1], "*", ms=15, color=BLUE, mec="white", mew=0.9, zorder=7)
        handles.append(
            Line2D([], [], color=BLUE, lw=2.8, marker="o", ms=5.5, label=f"best: {champion.trial_id}")
        )
    _draw_colours(axes, x[-1] + 0.33)
    heading(figure, title, handles)
    return figure


def _draw_axes(axes: Axes, names: Sequence[str], scales: Sequence[_Scale]) -> None:
    """Draw an upright line with its ticks for each scale, and its name above it."""
    shown, families = drawable([shorten(name, 18) for name in names])
    text: dict[str, Any] = {"color": INK, "parse_math": False, "fontfamily": families}
    for x, (name, scale) in enumerate(zip(shown, scales, strict=True)):
        axes.plot([x, x], [-0.03, 1.03], color=GREY, lw=1, zorder=1)
        axes.text(x, 1.075, name, ha="center", va="bottom", fontsize=9, **text)
        labels, families_of_ticks = drawable(list(scale.ticks.values()))
        for place, label in zip(scale.ticks, labels, strict=True):
            axes.plot([x - 0.02, x + 0.02], [place, place], color=GREY, lw=1, zorder=1)
            axes.text(
                x + 0.045,
                place,
                label,
                va="center",
                fontsize=8,
                color=INK,
                fontfamily=families_of_ticks,
                parse_math=False,
                zorder=8,
                bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.8},
            )


def _draw_colours(axes: Axes, x: float) -> None:
    """Draw the colours of the objective beside its axis."""
    strip = np.linspace(0, 1, 64)[:, None]
    axes.imshow(strip, cmap=COLOURS, extent=(x, x + 0.06, 0, 1), origin="lower", aspect="auto", zorder=1)


def _scale(values: Sequence[Any], objective: npt.NDArray[np.float64]) -> _Scale:
    """Place the values of one hyperparameter: listed values evenly, many numbers on a scale."""
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if is_number and len(set(values)) > MOST_CATEGORIES:
        return _numbers(np.array(values, dtype=float))
    keys = list(values) if is_number else [str(value) for value in values]
    distinct = sorted(set(keys))
    even = np.linspace(0, 1, len(distinct)) if len(distinct) > 1 else np.array([0.5])
    group = np.array([distinct.index(key) for key in keys])
    places = even[group]
    for members in (np.flatnonzero(group == i) for i in range(len(distinct))):
        ranks = np.argsort(np.argsort(objective[members], kind="stable"), kind="stable")
        width = min(FAN, 0.35 / len(distinct))
        places[members] += width * (ranks / max(len(members) - 1, 1) - 0.5) if len(members) > 1 else 0
    names = [f"{key:g}" if is_number else shorten(key, 14) for key in distinct]
    return _Scale(places, dict(zip(even.tolist(), names, strict=True)))


def _numbers(values: npt.NDArray[np.float64]) -> _Scale:
    """Place numbers by their size, or by their logarithm where that spreads them more evenly."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return _Scale(np.full(len(values), 0.5), {0.5: f"{low:.3g}"})
    if is_spread_by_ratio(values):
        ticks = [tick for tick in round_powers(low, high) if low <= tick <= high]
        width = math.log(high / low)
        places = np.log(values / low) / width
        return _Scale(places, {math.log(tick / low) / width: f"{tick:g}" for tick in ticks})
    ticks = [float(t) for t in MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(low, high)]
    width = high - low
    return _Scale(
        (values - low) / width, {(tick - low) / width: f"{tick:g}" for tick in ticks if low <= tick <= high}
    )
