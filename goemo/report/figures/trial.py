"""One trial, label by label."""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from goemo.report.figures.drawing import BLUE, FRAME, GREY, GRID, INK, ORANGE, cut_text, heading, new_figure
from goemo.report.figures.label_tables import by_support, same_labels
from goemo.report.figures.names import annotate_points, drawable, widest
from goemo.report.figures.texts import table_text

TABLE_METRICS = ("precision", "recall", "f1", "mcc")


def per_label_heatmap(table_at_half: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw precision, recall, F1 and MCC of every label, at 0.5 and at the tuned thresholds.

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at thresholds of 0.5.
        table: The same labels in the same order, at tuned thresholds; ``inf`` reads "never".

    Returns:
        One row a label, the most frequent first; one cell a number. Undefined values are blank.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    same_labels(table_at_half, table)
    order = by_support(table)
    half, tuned = table_at_half.iloc[order], table.iloc[order]
    names, families = drawable([str(label) for label in table["label"]])
    names = [names[i] for i in order]
    values = np.empty((len(order), 2 * len(TABLE_METRICS)))
    values[:, 0::2] = half[list(TABLE_METRICS)].to_numpy(dtype=float)
    values[:, 1::2] = tuned[list(TABLE_METRICS)].to_numpy(dtype=float)

    row_height, cell_width, gap = 0.235, 0.56, 0.14
    left = 0.2 + widest(names, families, 8.5)
    pairs = len(TABLE_METRICS) * 2 * cell_width + (len(TABLE_METRICS) - 1) * gap
    counts_width, threshold_width = 0.62, 0.85
    top, bottom = 0.95, 0.15
    width = left + counts_width + pairs + threshold_width + 0.1
    height = top + row_height * len(order) + bottom
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")

    edges = top + row_height * np.arange(len(order) + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    colours = mpl.colormaps["cividis"]
    start = left + counts_width
    small: dict[str, Any] = {"fontsize": 8.5, "color": INK, "va": "center", "parse_math": False}
    for metric, name in enumerate(TABLE_METRICS):
        x = start + metric * (2 * cell_width + gap)
        pair = values[:, 2 * metric : 2 * metric + 2]
        axes.pcolormesh(
            x + cell_width * np.arange(3),
            edges,
            pair,
            cmap=colours,
            vmin=0,
            vmax=1,
            edgecolors="white",
            lw=0.6,
        )
        heading = {"f1": "F1", "mcc": "MCC"}.get(name, name)
        table_text(axes, x + cell_width, top - 0.38, heading, ha="center", **{**small, "fontsize": 9.5})
        for column, side in enumerate(("at 0.5", "tuned")):
            centre = x + (column + 0.5) * cell_width
            table_text(axes, centre, top - 0.14, side, ha="center", **small)
            for y, value in zip(middles, pair[:, column], strict=True):
                if math.isfinite(value):
                    # On cividis, black has the better contrast from here on, by WCAG's formula.
                    ink = "white" if value < 0.46 else "black"
                    table_text(axes, centre, y, f"{value:z.2f}", ha="center", **{**small, "color": ink})
    table_text(axes, start - 0.1, top - 0.14, "support", ha="right", **small)
    table_text(axes, width - 0.12, top - 0.14, "threshold", ha="right", **small)
    for y, name, support, cut in zip(middles, names, tuned["support"], tuned["threshold"], strict=True):
        table_text(axes, left - 0.08, y, name, ha="right", fontfamily=families, **small)
        table_text(axes, start - 0.1, y, f"{int(support):,}", ha="right", **small)
        table_text(axes, width - 0.12, y, cut_text(cut), ha="right", **small)
    table_text(axes, 0.12, 0.24, "Per label, at 0.5 and at the tuned threshold", **{**small, "fontsize": 11})
    return figure


def f1_by_support(table_at_half: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw every label's F1 against its support, tuned joined with 0.5.

    Labels are named where there is room, the rare ones first; the figure says how many are not.

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at thresholds of 0.5.
        table: The same labels in the same order, at tuned thresholds.

    Returns:
        Support on a logarithmic axis; labels without a positive stand at its left end, over "0".

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    same_labels(table_at_half, table)
    support = table["support"].to_numpy(dtype=float)
    half = np.nan_to_num(table_at_half["f1"].to_numpy(dtype=float))
    tuned = np.nan_to_num(table["f1"].to_numpy(dtype=float))
    figure = new_figure(8.6, 5.6)
    axes = figure.add_axes((0.07, 0.1, 0.915, 0.77))
    axes.axis("off")
    axes.set_ylim(-0.06, 1.04)
    x = _support_axis(axes, support)
    axes.add_collection(
        LineCollection(
            [[(a, b), (a, c)] for a, b, c in zip(x, half, tuned, strict=True)], colors=GREY, lw=1.1, zorder=2
        ),
        autolim=False,
    )
    axes.plot(x, half, "o", ms=4.5, mfc="white", mec=ORANGE, mew=1.4, zorder=3)
    axes.plot(x, tuned, "D", ms=4.5, color=BLUE, zorder=4)
    names, families = drawable([str(label) for label in table["label"]])
    unnamed = annotate_points(axes, x=x, half=half, tuned=tuned, names=names, families=families)
    title = "F1 by support of the label"
    if unnamed:
        title += f"   ({unnamed} of {len(names)} labels not named, for want of room)"
    handles = [
        Line2D([], [], ls="", marker="o", ms=4.5, mfc="white", mec=ORANGE, mew=1.4, label="at 0.5"),
        Line2D([], [], ls="", marker="D", ms=4.5, color=BLUE, label="tuned threshold"),
    ]
    heading(figure, title, handles)
    return figure


def _support_axis(axes: Axes, support: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Set up and draw the logarithmic axis, with 0 one step left of its smallest tick; return the positions.

    The axes of matplotlib set each number several times over to find out how much room it takes.
    """
    present = support[support > 0]
    low, high = (present.min(), present.max()) if len(present) else (1.0, 1.0)
    zero = low / 2.5
    x = np.where(support > 0, support, zero)
    left, right = min(x.min(), low) / 1.4, high * 1.7
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    ticks = [
        step * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for step in (1, 2, 5)
    ]
    ticks = [tick for tick in ticks if low / 1.4 <= tick <= high * 1.7]
    names = [f"{tick:,.0f}" for tick in ticks]
    if len(present) < len(support):
        ticks, names = [zero, *ticks], ["0", *names]
    bottom, top = axes.get_ylim()
    levels = [0, 0.2, 0.4, 0.6, 0.8, 1]
    grid = [[(tick, bottom), (tick, top)] for tick in ticks]
    grid += [[(left, level), (right, level)] for level in levels]
    frame = [[(left, top), (left, bottom), (right, bottom)]]
    axes.add_collection(LineCollection(grid, colors=GRID, lw=0.7, zorder=0.5), autolim=False)
    axes.add_collection(LineCollection(frame, colors=FRAME, lw=1.2, zorder=1), autolim=False)
    text: dict[str, Any] = {"va": "center", "color": INK}
    beside, below = axes.get_yaxis_transform(), axes.get_xaxis_transform()
    for level in levels:
        number = f"{level:.1f}"
        table_text(axes, -0.008, level, number, ha="right", fontsize=8, transform=beside, **text)
    for tick, name in zip(ticks, names, strict=True):
        table_text(axes, tick, -0.028, name, ha="center", fontsize=8, transform=below, **text)
    table_text(axes, -0.055, 0.5, "F1", ha="center", fontsize=9, transform=axes.transAxes, **text)
    caption = "support: examples that carry the label"
    table_text(axes, 0.5, -0.075, caption, ha="center", fontsize=9, transform=axes.transAxes, **text)
    return x
