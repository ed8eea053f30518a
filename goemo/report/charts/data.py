"""Charts of data: how frequent labels are, and what maximum lengths truncate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from goemo.report.charts.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    ROW,
    Chart,
    by_name,
    finish,
    named,
    names_of,
)
from goemo.report.charts.rows import shown_of

MOST = 60  # labels
LOOKS: dict[str, Any] = {
    "train": (BLUE, [1, 0], "circle"),
    "validation": (ORANGE, [1, 0], "diamond"),
    "test": (GREEN, [1, 0], "square"),
}
LABELS, TRUNCATED = "Positives of each label", "Share of the texts that a maximum length truncates"


def label_counts(labels: Sequence[Mapping[str, Any]], splits: Sequence[str]) -> Chart:
    """Draw the positives of every label by split on a logarithmic axis; where there are none, no mark.

    Args:
        labels: The most frequent first, each with ``label`` and its positives by split; of many, the rarest.
        splits: Names of the splits, of ``train``, ``validation`` and ``test``.
    """
    names = names_of(row["label"] for row in labels)
    kept = list(zip(names, labels, strict=True))[-MOST:]
    rows = [
        {"label": name, "split": split, "positives": row[split]}
        for name, row in kept
        for split in splits
        if row[split]
    ]
    chart = (
        alt.Chart(named("labels"))
        .mark_point(filled=True, size=60, opacity=0.9)
        .encode(
            y=alt.Y("label:N", title=None, sort=[name for name, _ in kept]).axis(grid=True, ticks=False),
            x=alt.X("positives:Q", title="positives")
            .scale(type="log", nice=True)
            .axis(format=",d", tickCount=5),
            color=by_name(alt.Color("split:N"), LOOKS, 0),
            shape=by_name(alt.Shape("split:N"), LOOKS, 2),
            tooltip=["label:N", "split:N", alt.Tooltip("positives:Q", format=",")],
        )
    )
    spec = finish(alt.layer(chart).properties(height=ROW * max(len(kept), 1)), LABELS, labels=rows)
    return Chart(LABELS, spec, notes=shown_of(len(kept), len(labels), "the rarest"))


def truncated_by_length(truncated: Mapping[int, float]) -> Chart:
    """Draw the share of texts that each maximum length truncates.

    Args:
        truncated: Share in [0, 1] by maximum length.
    """
    rows = [{"maximum": str(maximum), "share": share} for maximum, share in truncated.items()]
    order = [str(maximum) for maximum in truncated]
    across = alt.X("maximum:O", title="maximum length in tokens", sort=order).axis(labelAngle=0)
    bars = (
        alt.Chart(named("lengths"))
        .mark_bar(color=GREY)
        .encode(
            x=across,
            y=alt.Y("share:Q", title="truncated").axis(format=".0%"),
            tooltip=["maximum:O", alt.Tooltip("share:Q", format=".2%")],
        )
    )
    written = (
        alt.Chart(named("lengths"))
        .mark_text(dy=-7, fontSize=10, color=INK)
        .encode(x=across, y="share:Q", text=alt.Text("share:Q", format=".1%"))
    )
    return Chart(TRUNCATED, finish(alt.layer(bars, written).properties(height=220), TRUNCATED, lengths=rows))
