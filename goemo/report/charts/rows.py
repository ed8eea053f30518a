"""One row per label, for the charts that are drawn from two per-label tables."""

from __future__ import annotations

import altair as alt
import pandas as pd

from goemo.report.charts.drawing import Row, few_digits, names_of
from goemo.report.rendering import label_rows, threshold


def points(table_at_half: pd.DataFrame, table: pd.DataFrame) -> list[Row]:
    """Return what is drawn of each label, the most frequent first; an undefined F1 counts as 0.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    names = dict(zip(table["label"], names_of(table["label"]), strict=True))
    rows: list[Row] = []
    for row in label_rows(table_at_half, table):
        values = {name: few_digits(row[name]) for name in ("f1_at_half", "f1", "gain", "precision", "recall")}
        drawn = {name: values[name] or 0.0 for name in ("f1_at_half", "f1")}
        known = {"label": names[row["label"]], "support": int(row["support"])}
        rows.append({**known, "threshold": threshold(row["threshold"]), **values, **drawn})
    return rows


def tooltip() -> list[alt.Tooltip]:
    """Return what the pointer tells of a label."""
    return [
        alt.Tooltip("label:N"),
        alt.Tooltip("support:Q", format=","),
        alt.Tooltip("threshold:N"),
        alt.Tooltip("f1_at_half:Q", title="F1 at 0.5", format=".3f"),
        alt.Tooltip("f1:Q", title="F1 tuned", format=".3f"),
        alt.Tooltip("gain:Q", title="gain", format="+.3f"),
        alt.Tooltip("precision:Q", title="precision tuned", format=".3f"),
        alt.Tooltip("recall:Q", title="recall tuned", format=".3f"),
    ]


def shown_of(shown: int, labels: int, which: str) -> tuple[str, ...]:
    """Return the note that a chart shows some of the labels; nothing where it shows them all."""
    return () if shown == labels else (f"{shown:,} of {labels:,} labels: {which}",)
