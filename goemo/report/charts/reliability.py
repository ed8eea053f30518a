"""Reliability diagram: the share of positives among examples of about the same score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from goemo import calibration
from goemo.report.charts.drawing import (
    BLUE,
    GREY,
    LONGEST_HEADING,
    Chart,
    Row,
    few_digits,
    finish,
    in_panels,
    names_of,
    panelled,
    shorten,
)
from goemo.significance.intervals import wilson

TALLEST = 0.22  # of a panel: the bar of a bin that holds all examples
TITLE = "Reliability: the share of positives against the score"


def reliability(
    scores: npt.NDArray[np.floating[Any]],
    targets: npt.NDArray[np.bool_],
    labels: Sequence[str],
    *,
    most: int = 7,
    bins: int = 10,
) -> Chart:
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
    pooled = calibration.reliability(*together, bins=bins)
    error = float(calibration.expected_calibration_error(*together, bins=bins)[0])
    positives = np.count_nonzero(targets, axis=0)
    names = names_of(labels)
    rows = _rows(0, "all labels together", int(positives.sum()), error, pooled)
    for place, label in enumerate(np.argsort(-errors, kind="stable")[:most].tolist(), start=1):
        of_label = table[table["label"] == label]
        rows += _rows(place, names[label], int(positives[label]), float(errors[label]), of_label)
    notes = (
        "points: share of positives with its 95 % interval; dashed: perfect calibration",
        "bars: number of examples (log scale)",
    )
    return Chart(TITLE, panelled(finish(_panels(), TITLE, bins=rows)), notes=notes)


def _rows(place: int, name: str, positives: int, error: float, table: pd.DataFrame) -> list[Row]:
    """Return the bins of one panel, from the rows of `goemo.calibration.reliability`."""
    panel = f"{shorten(name, LONGEST_HEADING)}\n{positives:,} positive, ECE {error:.3f}"
    examples = table["examples"].to_numpy(dtype=float)
    share = table["positive_share"].to_numpy(dtype=float)
    low, high = wilson(share * examples, examples, level=0.95)
    tall = TALLEST * np.log1p(examples) / max(math.log1p(examples.sum()), 1e-9)
    values = {
        "score": table["mean_score"],
        "share": share,
        "low": low,
        "high": high,
        "from": table["low"],
        "to": table["high"],
        "foot": 0 * tall,
        "tall": tall,
        "examples": examples,
    }
    of_bins = zip(*(np.asarray(of, dtype=float).tolist() for of in values.values()), strict=True)
    return [
        {"place": place, "panel": panel, **dict(zip(values, map(few_digits, of_bin), strict=True))}
        for of_bin in of_bins
    ]


def _panels() -> alt.FacetChart:
    """Return the panels, one for each value of ``panel``."""
    base = alt.Chart()
    ticks = alt.Axis(values=[0, 0.5, 1])
    across = alt.X("score:Q", title="mean score", axis=ticks).scale(domain=[0, 1])
    up = alt.Y("share:Q", title=None, axis=ticks).scale(domain=[0, 1])
    tooltip = [
        alt.Tooltip("score:Q", title="mean score", format=".3f"),
        alt.Tooltip("share:Q", title="share of positives", format=".3f"),
        alt.Tooltip("low:Q", title="95 % interval from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
        alt.Tooltip("examples:Q", format=","),
    ]
    bars = base.mark_rect(color="#d9dce3").encode(
        x=alt.X("from:Q", axis=ticks), x2="to:Q", y="foot:Q", y2="tall:Q"
    )
    diagonal = base.mark_rule(color=GREY, strokeDash=[4, 2]).encode(
        x=alt.datum(0), x2=alt.X2(datum=1), y=alt.datum(0), y2=alt.Y2(datum=1)
    )
    ends = base.mark_rule(color=BLUE, opacity=0.65).encode(x=across, y="low:Q", y2="high:Q")
    line = base.mark_line(color=BLUE, strokeWidth=1.3).encode(x=across, y=up)
    marks = base.mark_point(color=BLUE, filled=True, size=32, opacity=1).encode(
        x=across, y=up, tooltip=tooltip
    )
    return in_panels([bars, diagonal, ends, line, marks], height=140, data="bins")
