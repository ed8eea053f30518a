"""Gain of each label from its own threshold."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from goemo.report.charts.drawing import (
    BLUE,
    INK,
    ORANGE,
    ROW,
    VERMILION,
    Chart,
    Spec,
    by_name,
    finish,
    named,
    with_data,
)
from goemo.report.charts.rows import points, shown_of, tooltip

AT_HALF, TUNED = "at 0.5", "at the label's own threshold"
THRESHOLD_LOOKS: dict[str, Any] = {AT_HALF: (ORANGE, [1, 0], "circle"), TUNED: (BLUE, [1, 0], "diamond")}
MOST = 60  # labels
TITLE = "What each label gains in F1 from its own threshold"


def gain_per_label(table_at_half: pd.DataFrame, table: pd.DataFrame) -> Chart:
    """Draw how much F1 every label gains or loses from 0.5 to its tuned threshold.

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at thresholds of 0.5.
        table: The same labels in the same order, at tuned thresholds.

    Returns:
        One row a label, the largest gain first, of equals the more frequent one; losses are dashed. Of many
        labels, those whose F1 changes most.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    rows = points(table_at_half, table)
    gains = np.array([row["f1"] - row["f1_at_half"] for row in rows])
    kept = set(np.argsort(-np.abs(gains), kind="stable")[:MOST].tolist())
    order = [int(i) for i in np.argsort(-gains, kind="stable") if i in kept]
    half, tuned = (np.mean([row[name] for row in rows] or [0.0]) for name in ("f1_at_half", "f1"))
    notes = (
        f"mean over labels: {half:.3f} to {tuned:.3f}; {(gains > 0).sum()} better, {(gains < 0).sum()} worse",
        *shown_of(len(order), len(rows), "those whose F1 changes most"),
    )
    return Chart(TITLE, with_data(_template(len(order)), labels=[rows[i] for i in order]), notes=notes)


def both_points() -> Any:
    """Return the points of all labels, F1 at 0.5 and at the label's own threshold, without their places."""
    return (
        alt.Chart(named("labels"))
        .transform_fold(["f1_at_half", "f1"], as_=["which", "value"])
        .transform_calculate(thresholds=f'datum.which === \'f1\' ? "{TUNED}" : "{AT_HALF}"')
        .mark_point(filled=True, size=60)
        .encode(
            color=by_name(alt.Color("thresholds:N"), THRESHOLD_LOOKS, 0),
            shape=by_name(alt.Shape("thresholds:N"), THRESHOLD_LOOKS, 2),
        )
    )


@cache
def _template(rows: int) -> Spec:
    """Return the chart without its data."""
    hover = alt.selection_point(name="hover", fields=["label"], on="pointerover", clear="pointerout")
    down = alt.Y("label:N", title=None, sort=None).axis(grid=False, domain=False, ticks=False, labelPadding=9)
    opacity = alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.3))
    lost = alt.datum.f1 < alt.datum.f1_at_half
    joined = (
        alt.Chart(named("labels"))
        .mark_rule(strokeWidth=3)
        .encode(
            y=down,
            x="f1_at_half:Q",
            x2="f1:Q",
            color=alt.when(lost).then(alt.value(VERMILION)).otherwise(alt.value("#a9cbe2")),
            strokeDash=alt.when(lost).then(alt.value([3, 2])).otherwise(alt.value([1, 0])),
            opacity=opacity,
        )
    )
    marks = both_points().encode(y=down, x=alt.X("value:Q", title="F1").scale(domain=[0, 1]), opacity=opacity)
    written = (
        alt.Chart(named("labels"))
        .transform_calculate(
            end="max(datum.f1, datum.f1_at_half)",
            change="datum.f1 === datum.f1_at_half ? '' : format(datum.f1 - datum.f1_at_half, '+.2f')",
        )
        .mark_text(align="left", dx=9, fontSize=10, color=INK)
        .encode(y=down, x="end:Q", text="change:N")
    )
    # The whole row answers to the pointer, not its thin marks alone.
    strip = (
        alt.Chart(named("labels"))
        .mark_rule(strokeWidth=ROW, opacity=0)
        .encode(y=down, x=alt.X(datum=0), x2=alt.X2(datum=1), tooltip=tooltip())
        .add_params(hover)
    )
    return finish(alt.layer(joined, marks, written, strip).properties(height=ROW * max(rows, 1)), TITLE)
