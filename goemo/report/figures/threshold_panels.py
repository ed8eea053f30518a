"""Precision, recall and F1 of single labels against the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D

from goemo.metrics import count
from goemo.report.figures.drawing import (
    BAND,
    BLUE,
    FRAME,
    GREEN,
    GRID,
    INK,
    ORANGE,
    cut_text,
    heading,
    new_figure,
)
from goemo.report.figures.names import FAMILY, drawable
from goemo.report.figures.texts import table_text
from goemo.significance.threshold_stability import threshold_band, threshold_draws

Scores = npt.NDArray[np.floating[Any]]
Targets = npt.NDArray[np.bool_]

# Inches: one small plot, from those beside it, and from the heading.
WIDTH, HEIGHT, LEFT, TOP = 2.48, 1.35, 0.42, 1.19
STEP_X, STEP_Y = 2.9, 2.2
LEAST_WIDTH = 7.72  # what the legend needs
BOTTOM, CEILING = -0.03, 1.03  # of the vertical scale
TEXT: dict[str, Any] = {"color": INK, "va": "center", "fontfamily": FAMILY}
STYLES: dict[str, Any] = {  # of precision, recall and F1
    "colors": [ORANGE, GREEN, BLUE],
    "linestyles": [(0, (5, 2)), ":", "-"],
    "linewidths": [1.4, 1.8, 2],
}


def threshold_curves(
    scores: Scores,
    targets: Targets,
    thresholds: npt.NDArray[np.floating[Any]],
    labels: Sequence[str],
    *,
    shown: Sequence[str] | None = None,
    most: int = 8,
    draws: int = 200,
) -> Figure:
    """Draw precision, recall and F1 against the threshold, with the chosen cut and how firm it is.

    The band holds the middle 95 % of the cuts with the best F1 over resampled examples, whatever method has
    chosen the cut that is marked.

    Args:
        scores: Sigmoid outputs in [0, 1], shape (n_examples, n_labels).
        targets: True where a label applies, same shape.
        thresholds: One a label; ``inf`` never predicts it.
        labels: Names, in the order of the columns.
        shown: Names of the labels to show, in this order; without it, some are chosen.
        most: How many are chosen: the rarest and those that gained most from 0.5, in turn, then drawn the
            rarest first. At least 1.
        draws: Resamples for the band; 0 draws none.

    Returns:
        One small plot a label, each over the range of its own scores, all in one `Axes` in inches: that costs
        a tenth of as many `Axes`. What belongs to a label carries its name, and its data are thresholds and
        values.

    Raises:
        ValueError: Shapes do not fit together, or a name in ``shown`` is none of the labels.
    """
    if scores.shape != targets.shape or scores.shape[1:] != (len(labels),) or len(thresholds) != len(labels):
        raise ValueError(
            "scores and targets must be (n_examples, n_labels), with a threshold and a name a label, but got "
            f"{scores.shape}, {targets.shape}, {len(thresholds)} thresholds and {len(labels)} names"
        )
    positives = targets.sum(axis=0)
    at_half = count(targets, scores >= 0.5).f1
    tuned = count(targets, scores >= np.asarray(thresholds)).f1
    chosen = (
        _rarest_and_most_gained(positives, tuned - at_half, most)
        if shown is None
        else _positions(shown, labels)
    )
    low, high = np.full((2, len(chosen)), math.inf)
    if draws:
        low, high = threshold_band(threshold_draws(scores[:, chosen], targets[:, chosen], draws=draws))
    names, families = drawable(labels)
    columns = min(len(chosen), 4)
    width = max(columns * STEP_X + 0.12, LEAST_WIDTH)
    height = 0.62 + math.ceil(len(chosen) / columns) * STEP_Y
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    for i, (label, band) in enumerate(zip(chosen, zip(low, high, strict=True), strict=True)):
        cut = float(thresholds[label])
        left, top = LEFT + i % columns * STEP_X, TOP + i // columns * STEP_Y
        _draw_panel(
            axes, (left, top), labels[label], scores[:, label], targets[:, label], threshold=cut, band=band
        )
        facts = f"threshold {cut_text(cut)}" if math.isfinite(cut) else "never predicted"
        if math.isfinite(band[0]):
            facts += f", band {cut_text(band[0])} to {cut_text(band[1])}"
        counted = f"{positives[label]:,} positive, F1 {at_half[label]:.2f} → {tuned[label]:.2f}"
        table_text(axes, left, top - 0.42, names[label], fontsize=9, **{**TEXT, "fontfamily": families})
        table_text(axes, left, top - 0.24, counted, fontsize=7.8, **TEXT)
        table_text(axes, left, top - 0.1, facts, fontsize=7.8, **TEXT)
    handles: list[Line2D | Rectangle] = [
        Line2D([], [], color=ORANGE, ls=(0, (5, 2)), lw=1.4, label="precision"),
        Line2D([], [], color=GREEN, ls=":", lw=1.8, label="recall"),
        Line2D([], [], color=BLUE, ls="-", lw=2, label="F1"),
        Line2D([], [], color=INK, ls="-", lw=1, marker="D", ms=4, label="chosen threshold"),
    ]
    if draws:
        handles.append(Rectangle((0, 0), 0, 0, color=BAND, lw=0, label="best threshold of 95 % of resamples"))
    heading(figure, "Precision, recall and F1 against the threshold", handles)
    return figure


def _draw_panel(
    axes: Axes,
    corner: tuple[float, float],
    name: str,
    scores: Scores,
    targets: Targets,
    *,
    threshold: float,
    band: tuple[float, float],
) -> None:
    """Draw one label's curves into axes in inches, its upper left corner at ``corner``."""
    left, top = corner
    everything = np.sort(scores.astype(np.float64))
    of_positives = np.sort(scores[targets].astype(np.float64))
    high = max(float(everything[-1]) if len(everything) else 1.0, threshold if threshold < 1 else 0.0, 0.02)
    high = min(1.0, high * 1.08)
    to_inches = Affine2D().translate(0, -CEILING).scale(WIDTH / high, HEIGHT / (BOTTOM - CEILING))
    to_inches.translate(left, top)
    place: dict[str, Any] = {"transform": to_inches + axes.transData, "label": name}
    _draw_frame(axes, to_inches, high)
    if not len(of_positives):
        middle = (left + WIDTH / 2, top + HEIGHT / 2)
        table_text(axes, *middle, "no positive example", fontsize=8.5, ha="center", **TEXT)
        return
    if math.isfinite(band[0]):
        # A band of one value still gets a width that can be seen; an infinite end is drawn to the edge.
        end = max(min(band[1], high), band[0] + 0.004 * high)
        size = (end - band[0], CEILING - BOTTOM)
        axes.add_artist(Rectangle((band[0], BOTTOM), *size, color=BAND, lw=0, zorder=0, **place))
    cuts = np.linspace(0, high, 160)
    predicted = len(everything) - np.searchsorted(everything, cuts, side="left")
    hits = len(of_positives) - np.searchsorted(of_positives, cuts, side="left")
    curves = [
        np.column_stack([cuts, hits / np.maximum(predicted, 1)])[predicted > 0],
        np.column_stack([cuts, hits / len(of_positives)]),
        np.column_stack([cuts, 2 * hits / (predicted + len(of_positives))]),
    ]
    axes.add_collection(LineCollection(curves, zorder=2, **STYLES, **place), autolim=False)
    if threshold > high:
        return
    hits_at = np.count_nonzero(of_positives >= threshold)
    f1 = 2 * hits_at / (np.count_nonzero(everything >= threshold) + len(of_positives))
    cut = Line2D(
        [threshold] * 3, [BOTTOM, f1, CEILING], color=INK, lw=1, marker="D", ms=4, markevery=[1], **place
    )
    axes.add_artist(cut)


def _draw_frame(axes: Axes, to_inches: Affine2D, high: float) -> None:
    """Draw two sides of a frame, a light grid, and the numbers beside them, with a tick at each."""
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(0, high)
    x = to_inches.transform([(tick, BOTTOM) for tick in ticks if tick <= high])
    y = to_inches.transform([(0, tick) for tick in (0, 0.5, 1)])
    (left, bottom), (right, top) = to_inches.transform([(0, BOTTOM), (high, CEILING)])
    grid = [[(at, bottom), (at, top)] for at in x[:, 0]] + [[(left, at), (right, at)] for at in y[:, 1]]
    frame = [[(left, top), (left, bottom), (right, bottom)]]
    frame += [[(at, bottom), (at, bottom + 0.04)] for at in x[:, 0]]
    frame += [[(left, at), (left - 0.04, at)] for at in y[:, 1]]
    axes.add_collection(LineCollection(grid, colors=GRID, lw=0.7, zorder=0.5), autolim=False)
    axes.add_collection(LineCollection(frame, colors=FRAME, lw=0.8, zorder=1), autolim=False)
    for at, tick in zip(x[:, 0], ticks, strict=False):
        table_text(axes, at, bottom + 0.14, f"{tick:.3g}", fontsize=8, ha="center", **TEXT)
    for at, text in zip(y[:, 1], ("0", "0.5", "1"), strict=True):
        table_text(axes, left - 0.08, at, text, fontsize=8, ha="right", **TEXT)


def _positions(shown: Sequence[str], labels: Sequence[str]) -> list[int]:
    unknown = [name for name in shown if name not in labels]
    if unknown or not shown:
        got = ", ".join(map(repr, unknown)) or "no name"
        raise ValueError(f"shown must name labels among {', '.join(labels)}, got {got}")
    return [list(labels).index(name) for name in shown]


def _rarest_and_most_gained(
    positives: npt.NDArray[np.integer[Any]], gains: npt.NDArray[np.float64], most: int
) -> list[int]:
    """Return up to ``most`` labels, taken in turn from the rarest and the most gained, the rarest first."""
    by_rarity = np.argsort(positives, kind="stable")
    by_gain = np.argsort(-gains, kind="stable")
    in_turn = dict.fromkeys(int(i) for pair in zip(by_rarity, by_gain, strict=True) for i in pair)
    return sorted(list(in_turn)[:most], key=lambda i: (positives[i], i))
