"""F1 of every label against the number of its examples."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from goemo.report.charts.drawing import (
    GREY,
    INK,
    Chart,
    Row,
    Spec,
    finish,
    named,
    nearest,
    shorten,
    with_data,
)
from goemo.report.charts.gain import both_points
from goemo.report.charts.rows import points, shown_of, tooltip

HEIGHT = 360
MOST = 1000  # labels
NARROWEST_NAMED = 540  # below this width, in pixels, names would lie on each other
NAMED_WHERE_WIDE = f"width >= {NARROWEST_NAMED} ? 1 : 0"
LONGEST_NAME = 18
# Where a name stands: how it is set, pixels right and down of its point, and which of its two points.
SIDES: dict[str, tuple[Literal["left", "center", "right"], int, int, str]] = {
    "right": ("left", 8, 0, "top"),
    "left": ("right", -8, 0, "top"),
    "above": ("center", 0, -11, "top"),
    "below": ("center", 0, 12, "bottom"),
}
TITLE = "F1 by support of the label"


def f1_by_support(table_at_half: pd.DataFrame, table: pd.DataFrame) -> Chart:
    """Draw every label's F1 against its support, tuned joined with 0.5.

    Labels are named where there is room, the rare ones first. Those without a positive stand at the left end
    of the logarithmic axis, over "0".

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at 0.5.
        table: The same labels in the same order, at tuned thresholds.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    every = points(table_at_half, table)
    rows = every
    if len(every) > MOST:
        rows = [every[i] for i in np.linspace(0, len(every) - 1, MOST).astype(int)]
    present = [row["support"] for row in rows if row["support"] > 0] or [1]
    zero = min(present) / 2.5
    for row in rows:
        row["place"] = row["support"] or zero
        row["top"], row["bottom"] = max(row["f1"], row["f1_at_half"]), min(row["f1"], row["f1_at_half"])
    place_names(rows)
    unnamed = sum("side" not in row for row in rows)
    notes = [f"{unnamed} of {len(rows)} labels not named, for lack of space"] if unnamed else []
    notes += shown_of(len(rows), len(every), "at even steps from the most to the least frequent")
    spec = _template(min(present), max(present), len(present) < len(rows))
    return Chart(TITLE, with_data(spec, labels=rows), width=760, notes=tuple(notes))


@cache
def _template(least: int, most: int, has_zero: bool) -> Spec:
    """Return the chart without its data, for supports from ``least`` to ``most``."""
    zero = least / 2.5
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if least / 1.4 <= tick <= most * 1.5]
    across = (
        alt.X("place:Q", title="support: examples with the label")
        .scale(type="log", nice=False, domain=[(zero if has_zero else least) / 1.25, most * 1.25])
        .axis(
            values=[zero, *ticks] if has_zero else ticks,
            labelExpr=f"datum.value <= {zero} ? '0' : format(datum.value, ',')",
        )
    )
    hover = nearest("label")
    opacity = alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.25))
    joined = (
        alt.Chart(named("labels"))
        .mark_rule(color=GREY, strokeWidth=1.3)
        .encode(x=across, y=alt.Y("f1_at_half:Q", title="F1"), y2="f1:Q", opacity=opacity)
    )
    marks = (
        both_points()
        .encode(
            x=across,
            y=alt.Y("value:Q", title="F1").scale(domain=[0, 1]),
            opacity=opacity,
            tooltip=tooltip(),
        )
        .add_params(hover)
    )
    names = [
        alt.Chart(named("labels"))
        .transform_filter(alt.datum.side == side)
        .mark_text(fontSize=10.5, color=INK, align=align, dx=dx, dy=dy, opacity=alt.expr(NAMED_WHERE_WIDE))
        .encode(x=across, y=f"{end}:Q", text="name:N")
        for side, (align, dx, dy, end) in SIDES.items()
    ]
    return finish(alt.layer(joined, *names, marks).properties(height=HEIGHT), TITLE)


def place_names(rows: Sequence[Row]) -> None:
    """Give each label the ``side`` on which its ``name`` stands, the rarest first; none where none is free.

    Reckoned for the narrowest plot that shows names; in a wider one they stand further apart.

    Args:
        rows: With ``label``, ``place`` on the logarithmic axis, ``top`` and ``bottom`` in [0, 1]; changed.
    """
    logs = np.log([row["place"] for row in rows])
    low, reach = logs.min(initial=math.inf), np.ptp(logs) or 1.0
    margin = 14
    across = margin + (logs - low) / reach * (NARROWEST_NAMED - 2 * margin)
    tops = HEIGHT * (1 - np.array([row["top"] for row in rows]))
    bottoms = HEIGHT * (1 - np.array([row["bottom"] for row in rows]))
    taken = np.column_stack([across - 6, tops - 6, across + 6, bottoms + 6])  # left, upper, right, lower
    for i in np.argsort(logs, kind="stable").tolist():
        name = shorten(str(rows[i]["label"]), LONGEST_NAME)
        wide = sum(11.5 if unicodedata.east_asian_width(sign) in "WF" else 6.2 for sign in name)
        others = taken[np.arange(len(taken)) != i]
        for side, (align, dx, dy, end) in SIDES.items():
            left = across[i] + dx - {"left": 0.0, "right": wide, "center": wide / 2}[align]
            upper = HEIGHT * (1 - rows[i][end]) + dy - 6
            right, lower = left + wide, upper + 12
            is_inside = left >= 0 and right <= NARROWEST_NAMED and upper >= 0 and lower <= HEIGHT
            a, b, c, d = others.T
            if is_inside and not ((left < c) & (a < right) & (upper < d) & (b < lower)).any():
                rows[i].update(side=side, name=name)
                taken = np.vstack([taken, [left, upper, right, lower]])
                break
