"""Precision, recall, F1 and MCC of every label, at 0.5 and at its own threshold."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import altair as alt
import pandas as pd

from goemo.report.charts.drawing import INK, Chart, Row, Spec, few_digits, finish, named, names_of, with_data
from goemo.report.charts.rows import shown_of
from goemo.report.charts.thresholds import as_text
from goemo.report.rendering import label_rows

METRICS = {"precision": "precision", "recall": "recall", "f1": "F1", "mcc": "MCC"}
MOST = 60  # labels; a picture of thousands of rows cannot be read, nor opened
ROW = 20  # pixels
# In widths of a cell: the cells of a metric lie side by side, between the support and the threshold.
FIRST, STEP = 1.2, 2.2
SUPPORT, THRESHOLD = 0.95, FIRST + STEP * len(METRICS) + 0.95
TITLE = "Per label, at 0.5 and at the tuned threshold"


def per_label_heatmap(table_at_half: pd.DataFrame, table: pd.DataFrame) -> Chart:
    """Draw precision, recall, F1 and MCC of every label, at 0.5 and at the tuned thresholds.

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at thresholds of 0.5.
        table: The same labels in the same order, at tuned thresholds; ``inf`` reads "never".

    Returns:
        One row a label, the most frequent first, of many the `MOST` most frequent; one cell a number, which
        is written for F1 and told by the pointer for all. Undefined values are blank.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    tuned = label_rows(table_at_half, table)
    at_half = {row["label"]: row for row in label_rows(table_at_half, table_at_half)}
    names = dict(zip(table["label"], names_of(table["label"]), strict=True))
    rows: list[Row] = []
    cells: list[Row] = []
    for row in tuned[:MOST]:
        label, threshold = names[row["label"]], float(row["threshold"])
        rows.append({"label": label, "support": int(row["support"]), "threshold": as_text(threshold)})
        for i, (metric, name) in enumerate(METRICS.items()):
            for j, (words, of) in enumerate((("at 0.5", at_half[row["label"]]), ("tuned", row))):
                left = FIRST + STEP * i + j
                known = {"label": label, "metric": name, "thresholds": words, "x": left, "x2": left + 1}
                cells.append({**known, "value": few_digits(float(of[metric]))})
    spec = with_data(_template(len(rows)), labels=rows, cells=cells)
    spec["usermeta"] = {"min_width": 480}  # pixels: narrower, its numbers would lie on each other
    return Chart(TITLE, spec, notes=shown_of(len(rows), len(tuned), "the most frequent"))


@cache
def _template(rows: int) -> Spec:
    """Return the chart without its data."""
    right = THRESHOLD + 0.1
    centres = [FIRST + STEP * i + j + 0.5 for i in range(len(METRICS)) for j in (0, 1)]
    heads = {SUPPORT - 0.4: "support"}
    heads |= {FIRST + STEP * i + 1: name for i, name in enumerate(METRICS.values())}
    heads[THRESHOLD - 0.5] = "threshold"
    plain: dict[str, Any] = {
        "orient": "top",
        "domain": False,
        "ticks": False,
        "grid": False,
        "labelOverlap": False,
    }
    scale = alt.Scale(domain=[0, right], nice=False, zero=False)
    at_cells = alt.Axis(
        values=centres, labelExpr="round(datum.index * 7) % 2 ? 'tuned' : '0.5'", labelPadding=2, **plain
    )
    over_pairs = alt.Axis(
        values=list(heads),
        labelExpr=f"{json.dumps([*heads.values()])}[round(datum.index * {len(heads) - 1})]",
        labelPadding=16,
        labelFontSize=12,
        labelLimit=70,
        **plain,
    )
    down = alt.Y("label:N", title=None, sort=None).axis(
        grid=False, domain=False, ticks=False, labelPadding=6, labelLimit=170
    )
    valid = alt.Chart(named("cells")).transform_filter("isValid(datum.value)")
    tooltip = [
        alt.Tooltip("label:N"),
        alt.Tooltip("metric:N"),
        alt.Tooltip("thresholds:N"),
        alt.Tooltip("value:Q", format=".4f"),
    ]
    boxes = valid.mark_rect(stroke="white", strokeWidth=1).encode(
        x=alt.X("x:Q", title=None, scale=scale, axis=at_cells),
        x2="x2:Q",
        y=down,
        color=alt.Color("value:Q", legend=None).scale(scheme="cividis", domain=[0, 1]),
        tooltip=tooltip,
    )
    # Setting text is what takes the time of a picture, and there is one for every trial.
    numbers = (
        valid.transform_filter(alt.datum.metric == METRICS["f1"])
        .transform_calculate(middle="datum.x + 0.5")
        .mark_text(fontSize=10.5)
        .encode(
            x=alt.X("middle:Q", title=None, scale=scale, axis=over_pairs),
            y=down,
            text=alt.Text("value:Q", format=".2f"),
            # On cividis, black has the better contrast from here on, by WCAG's formula.
            color=alt.when("datum.value < 0.46").then(alt.value("white")).otherwise(alt.value("black")),
            tooltip=tooltip,
        )
    )
    beside = [
        alt.Chart(named("labels"))
        .mark_text(fontSize=10.5, color=INK, align="right")
        .encode(x=alt.X(datum=x, scale=scale, axis=None), y=down, text=text)
        for x, text in (
            (SUPPORT, alt.Text("support:Q", format=",")),
            (THRESHOLD, "threshold:N"),
        )
    ]
    chart = alt.layer(boxes, numbers, *beside).resolve_axis(x="independent")
    return finish(chart.properties(height=ROW * max(rows, 1)), TITLE)
