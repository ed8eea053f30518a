"""Whole configurations side by side: one line per trial, one axis per hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from goemo.report.charts.drawing import (
    BLUE,
    FRAME,
    INK,
    Chart,
    Row,
    by_name,
    few_digits,
    finish,
    named,
    nearest,
    one_line,
    shorten,
)
from goemo.report.charts.scales import MOST_CATEGORIES, are_numbers, distinct_values, is_spread_by_ratio
from goemo.report.charts.trials import LOOKS, Trial, settings, varied_names
from goemo.report.rendering import metric_words, short

AXIS_WIDTH = 92  # pixels, at least, of an axis with its names
LONGEST_TICK = 14  # characters
TITLE = "Each trial as a line through its settings to its objective"


def parallel_coordinates(trials: Sequence[Trial], *, objective: str, best: str) -> Chart | None:
    """Draw every ranked trial as a line through its settings to its objective; None for a single setting.

    Lines that share a value are spread a little in the order of the objective, so that they can be followed.
    A slider leaves the best trials alone.

    Args:
        trials: All trials of a search; those that are not ranked are left out.
        objective: The key of the histories that ranks.
        best: Trial to highlight.
    """
    ranked = sorted(
        (t for t in trials if t.is_ranked), key=lambda t: (-(t.best(objective) or 0.0), t.trial_id)
    )
    names = varied_names(ranked)
    if not names:
        return None
    target = metric_words(objective)
    columns = [*names, target]
    heights = [trial.best(objective) or 0.0 for trial in ranked]
    positions: list[list[float]] = []
    ticks: list[Row] = []
    for name in names:
        placed, marks = _axis([trial.varied.get(name) for trial in ranked])
        spread = max(len(ranked) - 1, 1)
        positions.append([p + 0.07 * (0.5 - i / spread) for i, p in enumerate(placed)])
        ticks += [{"axis": name, "place": place, "text": text} for place, text in marks]
    placed, marks = _axis(heights, most_categories=0)
    positions.append(placed)
    ticks += [{"axis": target, "place": place, "text": text} for place, text in marks]
    rows: list[Row] = [
        {
            "trial": trial.trial_id,
            "rank": rank,
            "settings": settings(trial.varied),
            "ended": trial.kind,
            "is_best": trial.trial_id == best,
            "value": few_digits(height),
            "axis": axis,
            "place": few_digits(positions[column][rank - 1]),
        }
        for rank, (trial, height) in reversed(list(enumerate(zip(ranked, heights, strict=True), start=1)))
        for column, axis in enumerate(columns)
    ]
    hover = nearest("trial")
    shown = alt.param(
        name="shown",
        value=len(ranked),
        bind=alt.binding_range(min=1, max=len(ranked), step=1, name="show the best "),
    )
    x = (
        alt.X("axis:N", title=None, sort=columns)
        .scale(type="point", padding=0.5)
        .axis(
            orient="top",
            labelAngle=0,
            domain=False,
            ticks=False,
            labelFontWeight="bold",
            labelLimit=AXIS_WIDTH + 10,
        )
    )
    hidden = alt.Axis(title=None, labels=False, ticks=False, domain=False, grid=False)
    place = alt.Y("place:Q", axis=hidden).scale(domain=[-0.08, 1.08])
    looks = {kind: look for kind, look in LOOKS.items() if any(row["ended"] == kind for row in rows)}
    by_objective = (
        alt.Color("value:Q", title=target)
        .scale(scheme="cividis", reverse=True, domain=[min(heights), max(heights)])
        .legend(
            orient="top",
            direction="horizontal",
            title=target,
            titleFontWeight="normal",
            gradientLength=140,
            format=".2f",
        )
    )
    lines = (
        alt.Chart(named("trials"))
        .transform_filter("datum.rank <= shown")
        .mark_line(interpolate="linear")
        .encode(
            x=x,
            y=place,
            detail="trial:N",
            color=alt.when(hover, empty=False).then(alt.value(INK)).otherwise(by_objective),
            strokeDash=by_name(alt.StrokeDash("ended:N"), looks, 1),
            strokeWidth=alt.when(hover, empty=False).then(alt.value(2.6)).otherwise(alt.value(1.6)),
            opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.12)),
        )
    )
    best_line = (
        alt.Chart(named("trials"))
        .transform_filter("datum.is_best")
        .mark_line(color=BLUE, strokeWidth=4, point=alt.OverlayMarkDef(color=BLUE, size=60, filled=True))
        .encode(x=x, y=place, opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.3)))
    )
    reached = (
        alt.Chart(named("trials"))
        .transform_filter("datum.rank <= shown")
        .mark_point(size=60, opacity=0)
        .encode(
            x=x,
            y=place,
            tooltip=[
                "rank:Q",
                "trial:N",
                "settings:N",
                alt.Tooltip("value:Q", title=target, format=".4f"),
                "ended:N",
            ],
        )
        .add_params(hover)
    )
    rules = (
        alt.Chart(named("axes"))
        .mark_rule(color=FRAME)
        .encode(x=x, y=alt.Y("low:Q", axis=hidden), y2="high:Q")
    )
    marks_of_axes = (
        alt.Chart(named("ticks"))
        .mark_text(align="left", dx=6, fontSize=11, color=INK, limit=AXIS_WIDTH - 12)
        .encode(x=x, y=place, text="text:N")
    )
    plates = (
        alt.Chart(named("ticks"))
        .mark_text(
            align="left",
            dx=6,
            fontSize=11,
            color="white",
            stroke="white",
            strokeWidth=4,
            limit=AXIS_WIDTH - 12,
        )
        .encode(x=x, y=place, text="text:N")
    )
    chart = (
        alt.layer(rules, lines, best_line, reached, plates, marks_of_axes)
        .add_params(shown)
        .properties(height=320)
    )
    axes: list[Row] = [{"axis": name, "low": -0.05, "high": 1.05} for name in columns]
    spec = finish(chart, TITLE, trials=rows, ticks=ticks, axes=axes)
    width = AXIS_WIDTH * len(columns)
    notes = ("the darker, the better; dashed: stopped early, so measured before its end",)
    return Chart(TITLE, {**spec, "usermeta": {"min_width": width}}, width=max(width, 760), notes=notes)


def _axis(
    values: Sequence[Any], *, most_categories: int = MOST_CATEGORIES
) -> tuple[list[float], list[tuple[float, str]]]:
    """Return where each value stands on an axis from 0 to 1, and its marks as (place, text)."""
    distinct = distinct_values(values)
    if are_numbers(values) and len(distinct) > most_categories:
        numbers = [float(value) for value in values]
        is_log = is_spread_by_ratio(np.array(numbers))
        scaled = [math.log(number) if is_log else number for number in numbers]
        low, width = min(scaled), (max(scaled) - min(scaled)) or 1.0
        marks = []
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            at = low + share * width
            marks.append((share, short(math.exp(at) if is_log else at)))
        return [(value - low) / width for value in scaled], marks
    step = 1 / max(len(distinct) - 1, 1)
    known = {str(value): i * step if len(distinct) > 1 else 0.5 for i, value in enumerate(distinct)}
    return [known[str(value)] for value in values], [
        (known[str(v)], shorten(one_line(short(v)), LONGEST_TICK)) for v in distinct
    ]
