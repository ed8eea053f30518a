"""One trial, label by label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from goemo.figures.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    cut_text,
    heading,
    new_figure,
    new_panels,
    panel_title,
    tidy,
)
from goemo.figures.names import annotate_points, drawable, widest
from goemo.metrics import count

Scores = npt.NDArray[np.floating[Any]]
Targets = npt.NDArray[np.bool_]
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
    _same_labels(table_at_half, table)
    order = _by_support(table)
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
        axes.text(x + cell_width, top - 0.38, heading, ha="center", **{**small, "fontsize": 9.5})
        for column, side in enumerate(("at 0.5", "tuned")):
            centre = x + (column + 0.5) * cell_width
            axes.text(centre, top - 0.14, side, ha="center", **small)
            for y, value in zip(middles, pair[:, column], strict=True):
                if math.isfinite(value):
                    # On cividis, black has the better contrast from here on, by WCAG's formula.
                    ink = "white" if value < 0.46 else "black"
                    axes.text(centre, y, f"{value:.2f}", ha="center", **{**small, "color": ink})
    axes.text(start - 0.1, top - 0.14, "support", ha="right", **small)
    axes.text(width - 0.12, top - 0.14, "threshold", ha="right", **small)
    for y, name, support, cut in zip(middles, names, tuned["support"], tuned["threshold"], strict=True):
        axes.text(left - 0.08, y, name, ha="right", fontfamily=families, **small)
        axes.text(start - 0.1, y, f"{int(support):,}", ha="right", **small)
        axes.text(width - 0.12, y, cut_text(cut), ha="right", **small)
    axes.text(0.12, 0.24, "Per label, at 0.5 and at the tuned threshold", **{**small, "fontsize": 11})
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
    _same_labels(table_at_half, table)
    support = table["support"].to_numpy(dtype=float)
    half = np.nan_to_num(table_at_half["f1"].to_numpy(dtype=float))
    tuned = np.nan_to_num(table["f1"].to_numpy(dtype=float))
    figure = new_figure(8.6, 5.6)
    axes = figure.add_axes((0.07, 0.1, 0.915, 0.8))
    tidy(axes)
    x = _support_axis(axes, support)
    axes.set_ylim(-0.06, 1.04)
    axes.set_ylabel("F1", fontsize=9)
    axes.add_collection(
        LineCollection(
            [[(a, b), (a, c)] for a, b, c in zip(x, half, tuned, strict=True)], colors=GREY, lw=1.1, zorder=2
        )
    )
    axes.plot(x, half, "o", ms=4.5, mfc="white", mec=ORANGE, mew=1.4, label="at 0.5", zorder=3)
    axes.plot(x, tuned, "D", ms=4.5, color=BLUE, label="tuned threshold", zorder=4)
    names, families = drawable([str(label) for label in table["label"]])
    unnamed = annotate_points(axes, x=x, half=half, tuned=tuned, names=names, families=families)
    title = "F1 by support of the label"
    if unnamed:
        title += f"   ({unnamed} of {len(names)} labels not named, for want of room)"
    axes.set_title(title, fontsize=11, loc="left", color=INK)
    figure.legend(loc="upper right", ncols=2, fontsize=8.5, frameon=False, bbox_to_anchor=(0.99, 0.985))
    return figure


def threshold_curves(
    scores: Scores,
    targets: Targets,
    thresholds: npt.NDArray[np.floating[Any]],
    labels: Sequence[str],
    *,
    most: int = 8,
) -> Figure:
    """Draw precision, recall and F1 against the threshold, with the chosen cut marked.

    Args:
        scores: Sigmoid outputs in [0, 1], shape (n_examples, n_labels).
        targets: True where a label applies, same shape.
        thresholds: One a label; ``inf`` never predicts it.
        labels: Names, in the order of the columns.
        most: Labels shown: the rarest and those that gained most from 0.5, in turn. At least 1.

    Returns:
        One panel a label, rarest first, each over the range of its own scores.

    Raises:
        ValueError: Shapes do not fit together.
    """
    if scores.shape != targets.shape or scores.shape[1:] != (len(labels),) or len(thresholds) != len(labels):
        raise ValueError(
            "scores and targets must be (n_examples, n_labels), with a threshold and a name a label, but got "
            f"{scores.shape}, {targets.shape}, {len(thresholds)} thresholds and {len(labels)} names"
        )
    positives = targets.sum(axis=0)
    at_half = count(targets, scores >= 0.5).f1
    tuned = count(targets, scores >= np.asarray(thresholds)).f1
    chosen = _rarest_and_most_gained(positives, tuned - at_half, most)
    names, families = drawable(labels)
    figure, panels = new_panels(len(chosen), width=2.9, height=2.05)
    handles = [
        Line2D([], [], color=ORANGE, ls=(0, (5, 2)), lw=1.4, label="precision"),
        Line2D([], [], color=GREEN, ls=":", lw=1.8, label="recall"),
        Line2D([], [], color=BLUE, ls="-", lw=2, label="F1"),
        Line2D([], [], color=INK, ls="-", lw=1, marker="D", ms=4, label="chosen threshold"),
    ]
    for axes, label in zip(panels, chosen, strict=True):
        _threshold_panel(axes, scores[:, label], targets[:, label], float(thresholds[label]))
        panel_title(
            axes,
            names[label],
            families,
            f"{positives[label]:,} positive, threshold {cut_text(thresholds[label])}, "
            f"F1 {at_half[label]:.2f} → {tuned[label]:.2f}",
        )
    heading(figure, "Precision, recall and F1 against the threshold", handles)
    return figure


def _threshold_panel(axes: Axes, scores: Scores, targets: Targets, threshold: float) -> None:
    tidy(axes)
    everything = np.sort(scores.astype(np.float64))
    of_positives = np.sort(scores[targets].astype(np.float64))
    high = max(float(everything[-1]) if len(everything) else 1.0, threshold if threshold < 1 else 0.0, 0.02)
    high = min(1.0, high * 1.08)
    axes.set(xlim=(0, high), ylim=(-0.03, 1.03))
    axes.set_yticks([0, 0.5, 1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    if not len(of_positives):
        axes.text(high / 2, 0.5, "no positive example", ha="center", va="center", fontsize=8.5, color=INK)
        return
    cuts = np.linspace(0, high, 160)
    predicted = len(everything) - np.searchsorted(everything, cuts, side="left")
    hits = len(of_positives) - np.searchsorted(of_positives, cuts, side="left")
    precision = np.where(predicted > 0, hits / np.maximum(predicted, 1), np.nan)
    axes.plot(cuts, precision, color=ORANGE, ls=(0, (5, 2)), lw=1.4)
    axes.plot(cuts, hits / len(of_positives), color=GREEN, ls=":", lw=1.8)
    axes.plot(cuts, 2 * hits / (predicted + len(of_positives)), color=BLUE, lw=2)
    if not math.isfinite(threshold):
        axes.text(high * 0.97, 0.95, "never predicted", ha="right", va="top", fontsize=8, color=INK)
        return
    hits_at = np.count_nonzero(of_positives >= threshold)
    f1 = 2 * hits_at / (np.count_nonzero(everything >= threshold) + len(of_positives))
    axes.axvline(threshold, color=INK, lw=1)
    axes.plot([threshold], [f1], "D", ms=4, color=INK)


def _support_axis(axes: Axes, support: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Set up the logarithmic axis, with 0 one step left of its smallest tick; return the positions."""
    present = support[support > 0]
    low, high = (present.min(), present.max()) if len(present) else (1.0, 1.0)
    zero = low / 2.5
    x = np.where(support > 0, support, zero)
    axes.set_xscale("log")
    axes.set_xlim(min(x.min(), low) / 1.4, high * 1.7)
    ticks = [
        step * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for step in (1, 2, 5)
    ]
    ticks = [tick for tick in ticks if low / 1.4 <= tick <= high * 1.7]
    names = [f"{tick:,.0f}" for tick in ticks]
    if len(present) < len(support):
        ticks, names = [zero, *ticks], ["0", *names]
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    # Plain numbers: the default's powers of ten start the parser of mathematics, which is slow.
    axes.xaxis.set_major_formatter(FixedFormatter(names))
    axes.set_xlabel("support: examples that carry the label", fontsize=9)
    return x


def _same_labels(table_at_half: pd.DataFrame, table: pd.DataFrame) -> None:
    if list(table_at_half["label"]) != list(table["label"]):
        raise ValueError(
            "the tables at 0.5 and at tuned thresholds must have the same labels in the same order"
        )


def _by_support(table: pd.DataFrame) -> npt.NDArray[np.intp]:
    return np.argsort(-table["support"].to_numpy(dtype=float), kind="stable")


def _rarest_and_most_gained(
    positives: npt.NDArray[np.integer[Any]], gains: npt.NDArray[np.float64], most: int
) -> list[int]:
    """Return up to ``most`` labels, taken in turn from the rarest and the most gained, the rarest first."""
    by_rarity = np.argsort(positives, kind="stable")
    by_gain = np.argsort(-gains, kind="stable")
    in_turn = dict.fromkeys(int(i) for pair in zip(by_rarity, by_gain, strict=True) for i in pair)
    return sorted(list(in_turn)[:most], key=lambda i: (positives[i], i))
