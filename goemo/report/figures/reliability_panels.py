"""Whether scores mean what they say: the share of positives among examples of about the same score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from goemo import calibration
from goemo.report.figures.drawing import BAND, BLUE, GREY, INK, heading, new_panels, panel_title, tidy
from goemo.report.figures.names import FAMILY, drawable
from goemo.significance.intervals import wilson

TALLEST = 0.22  # of a panel: the bar of a bin that holds all examples


def reliability(
    scores: npt.NDArray[np.floating[Any]],
    targets: npt.NDArray[np.bool_],
    labels: Sequence[str],
    *,
    most: int = 7,
    bins: int = 10,
) -> Figure:
    """Draw the share of positives against the mean score, bin by bin.

    Args:
        scores: Sigmoid outputs in [0, 1], shape (n_examples, n_labels), at least one example.
        targets: True where a label applies, same shape.
        labels: Names, in the order of the columns.
        most: Labels shown beside the panel of all decisions: those with the largest expected calibration
            error, the largest first.
        bins: Equally wide bins of the scores.

    Returns:
        Points on the diagonal mean what they say; below it, scores are too high. A vertical line is the
        95 % interval of the share (Wilson 1927). The bars at the foot are examples in the bin, on a
        logarithmic scale. ECE is the expected calibration error.

    Raises:
        ValueError: Arrays as in `goemo.calibration.reliability`, or names that are not one a label.
    """
    table = calibration.reliability(scores, targets, bins=bins)
    errors = calibration.expected_calibration_error(scores, targets, bins=bins)
    if len(labels) != len(errors):
        raise ValueError(f"labels must name all {len(errors)} labels, got {len(labels)} names")
    together = (np.reshape(scores, (-1, 1)), np.reshape(targets, (-1, 1)))
    chosen = np.argsort(-errors, kind="stable")[:most]
    names, families = drawable(labels)
    positives = np.count_nonzero(targets, axis=0)
    figure, panels = new_panels(
        1 + len(chosen), width=2.9, height=2.75, bottom=0.42, above=0.5, least_width=7.6
    )
    pooled = calibration.reliability(*together, bins=bins)
    error = float(calibration.expected_calibration_error(*together, bins=bins)[0])
    _draw_panel(panels[0], pooled)
    panel_title(panels[0], "all labels together", [FAMILY], f"{positives.sum():,} positive, ECE {error:.3f}")
    for axes, label in zip(panels[1:], chosen, strict=True):
        _draw_panel(axes, table[table["label"] == label])
        facts = f"{positives[label]:,} positive, ECE {errors[label]:.3f}"
        panel_title(axes, names[label], families, facts)
    handles: list[Line2D | Rectangle] = [
        Line2D([], [], color=BLUE, lw=1.2, marker="o", ms=4.5, label="share of positives, 95 % interval"),
        Line2D([], [], color=GREY, ls=(0, (4, 2)), lw=1.2, label="a score that means what it says"),
        Rectangle((0, 0), 0, 0, color=BAND, lw=0, label="number of examples (log scale)"),
    ]
    heading(figure, "Reliability: the share of positives against the score", handles)
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw one label's rows of `goemo.calibration.reliability`."""
    tidy(axes)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.03, 1.05))
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_xlabel("mean score", fontsize=8, color=INK, labelpad=1)
    examples = rows["examples"].to_numpy(dtype=float)
    x, share = rows["mean_score"].to_numpy(dtype=float), rows["positive_share"].to_numpy(dtype=float)
    low, high = wilson(share * examples, examples, level=0.95)
    tall = TALLEST * np.log1p(examples) / max(math.log1p(examples.sum()), 1e-9)
    left, right, foot = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float), 0 * tall
    corners = np.stack([left, foot, left, tall, right, tall, right, foot], axis=1).reshape(-1, 4, 2)
    axes.add_collection(PolyCollection(list(corners), facecolors=BAND, lw=0, zorder=0))
    axes.plot([0, 1], [0, 1], color=GREY, ls=(0, (4, 2)), lw=1.2, zorder=1)
    ends = np.stack([x, low, x, high], axis=1).reshape(-1, 2, 2)
    axes.add_collection(LineCollection(list(ends), colors=BLUE, lw=1.1, alpha=0.65, zorder=2))
    axes.plot(x, share, color=BLUE, lw=1.2, marker="o", ms=4.5, zorder=3)
