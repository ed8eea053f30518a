"""Precision, recall and F1 of single labels against the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from goemo.figures.drawing import (
    BAND,
    BLUE,
    GREEN,
    INK,
    ORANGE,
    cut_text,
    heading,
    new_panels,
    panel_title,
    tidy,
)
from goemo.figures.names import drawable
from goemo.metrics import count
from goemo.threshold_stability import threshold_band, threshold_draws

Scores = npt.NDArray[np.floating[Any]]
Targets = npt.NDArray[np.bool_]


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
        One panel a label, each over the range of its own scores.

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
    figure, panels = new_panels(len(chosen), width=2.9, height=2.2, above=0.57, least_width=7.6)
    for axes, label, band in zip(panels, chosen, zip(low, high, strict=True), strict=True):
        cut = float(thresholds[label])
        _draw_panel(axes, scores[:, label], targets[:, label], cut, band)
        facts = f"threshold {cut_text(cut)}" if math.isfinite(cut) else "never predicted"
        if math.isfinite(band[0]):
            facts += f", band {cut_text(band[0])} to {cut_text(band[1])}"
        counted = f"{positives[label]:,} positive, F1 {at_half[label]:.2f} → {tuned[label]:.2f}"
        panel_title(axes, names[label], families, f"{counted}\n{facts}")
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=ORANGE, ls=(0, (5, 2)), lw=1.4, label="precision"),
        Line2D([], [], color=GREEN, ls=":", lw=1.8, label="recall"),
        Line2D([], [], color=BLUE, ls="-", lw=2, label="F1"),
        Line2D([], [], color=INK, ls="-", lw=1, marker="D", ms=4, label="chosen threshold"),
    ]
    if draws:
        handles.append(Patch(color=BAND, lw=0, label="best threshold of 95 % of resamples"))
    heading(figure, "Precision, recall and F1 against the threshold", handles)
    return figure


def _draw_panel(
    axes: Axes, scores: Scores, targets: Targets, threshold: float, band: tuple[float, float]
) -> None:
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
    if math.isfinite(band[0]):
        # A band of one value still gets a width that can be seen; an infinite end is drawn to the edge.
        end = max(min(band[1], high), band[0] + 0.004 * high)
        axes.axvspan(band[0], end, color=BAND, lw=0, zorder=0)
    cuts = np.linspace(0, high, 160)
    predicted = len(everything) - np.searchsorted(everything, cuts, side="left")
    hits = len(of_positives) - np.searchsorted(of_positives, cuts, side="left")
    precision = np.where(predicted > 0, hits / np.maximum(predicted, 1), np.nan)
    axes.plot(cuts, precision, color=ORANGE, ls=(0, (5, 2)), lw=1.4)
    axes.plot(cuts, hits / len(of_positives), color=GREEN, ls=":", lw=1.8)
    axes.plot(cuts, 2 * hits / (predicted + len(of_positives)), color=BLUE, lw=2)
    if not math.isfinite(threshold):
        return
    hits_at = np.count_nonzero(of_positives >= threshold)
    f1 = 2 * hits_at / (np.count_nonzero(everything >= threshold) + len(of_positives))
    axes.axvline(threshold, color=INK, lw=1)
    axes.plot([threshold], [f1], "D", ms=4, color=INK)


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
