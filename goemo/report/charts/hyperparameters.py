"""The objective against each hyperparameter, and how much each of them mattered."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import altair as alt
import numpy as np

from goemo.report.charts.drawing import (
    BLUE,
    INK,
    ORANGE,
    Chart,
    Row,
    by_name,
    few_digits,
    finish,
    metric_name,
    named,
    nearest,
    one_line,
    shorten,
)
from goemo.report.charts.scales import (
    MOST_CATEGORIES,
    are_numbers,
    distinct_values,
    is_spread_by_ratio,
    round_powers,
)
from goemo.report.charts.trials import COMPLETED, STOPPED, Trial, legend, settings, varied_names
from goemo.report.rendering import short

LONGEST_TICK = 14  # characters
LONGEST_NAME = 30
PANEL, PANEL_HEIGHT, COLUMNS = 215, 190, 3  # pixels, and panels a row at most
BAR, NOTE = 30, 110  # pixels; characters of a line


def objective_by_hyperparameter(trials: Sequence[Trial], *, objective: str, best: str) -> Chart | None:
    """Draw where each value led, one panel a hyperparameter that differs between trials; None if none does.

    Few values stand side by side; many numbers stand on an axis, logarithmic where that spreads them. Bars
    are medians of the completed trials, per value or per fifth of these trials: a trial that was stopped or
    still runs was measured before its end, and would speak against values that need longer.

    Args:
        trials: All trials of a search; those that are not ranked are left out.
        objective: The key of the histories that ranks.
        best: Trial to highlight.
    """
    ranked = [trial for trial in trials if trial.is_ranked]
    names = varied_names(ranked)
    if not names:
        return None
    data: dict[str, list[Row]] = {}
    panels = []
    for i, name in enumerate(names):
        rows, medians, across = _against(name, ranked, objective=objective, best=best)
        data |= {f"trials_{i}": rows, f"medians_{i}": medians}
        panels.append(_panel(i, across, ranked, objective=objective, best=best))
    title = f"Each hyperparameter against the {metric_name(objective)}"
    chart = alt.concat(*panels, columns=COLUMNS)
    spec = {**finish(chart, title, **data), "usermeta": {"panel_width": PANEL + 70}}
    return Chart(
        title,
        spec,
        notes=(
            "diamond: the best; hollow: stopped early; bars: medians of the trials that ran to their end",
        ),
    )


def _panel(
    place: int,
    across: alt.X,
    ranked: Sequence[Trial],
    *,
    objective: str,
    best: str,
) -> Any:
    """Return the panel of one hyperparameter, whose rows are named by its place."""
    hover = nearest("trial", name=f"hover_{place}")
    looks, _ = legend(ranked, best)
    up = alt.Y("value:Q", title=metric_name(objective) if place % COLUMNS == 0 else None).scale(zero=False)
    bars = (
        alt.Chart(named(f"medians_{place}"))
        .mark_rule(color=ORANGE, strokeWidth=4)
        .encode(
            x="start:Q",
            x2="end:Q",
            y="value:Q",
            tooltip=[
                alt.Tooltip("value:Q", title="median of completed trials", format=".4f"),
                "trials:Q",
            ],
        )
    )
    hollow = alt.datum.kind == next((entry for entry in looks if entry.startswith(STOPPED)), "")
    marks = (
        alt.Chart(named(f"trials_{place}"))
        .mark_point(strokeWidth=1.4)
        .encode(
            x=across,
            y=up,
            color=by_name(alt.Color("kind:N"), looks, 0),
            fill=alt.when(hollow)
            .then(alt.value("white"))
            .otherwise(by_name(alt.Fill("kind:N"), looks, 0).legend(None)),
            shape=by_name(alt.Shape("kind:N"), looks, 2),
            size=alt.when(alt.datum.is_best).then(alt.value(130)).otherwise(alt.value(38)),
            opacity=alt.when(hover).then(alt.value(0.95)).otherwise(alt.value(0.2)),
            tooltip=[
                "trial:N",
                "settings:N",
                alt.Tooltip("value:Q", title=metric_name(objective), format=".4f"),
                alt.Tooltip("kind:N", title="ended"),
            ],
        )
        .add_params(hover)
    )
    return alt.layer(bars, marks).properties(width=PANEL, height=PANEL_HEIGHT)


def _against(
    name: str, trials: Sequence[Trial], *, objective: str, best: str
) -> tuple[list[Row], list[Row], alt.X]:
    """Return the rows of one hyperparameter's trials, its medians, and its axis."""
    _, entries = legend(trials, best)
    values = [trial.varied.get(name) for trial in trials]
    heights = [trial.best(objective) or 0.0 for trial in trials]
    whole = [i for i, trial in enumerate(trials) if trial.kind == COMPLETED]
    distinct = distinct_values(values)
    if are_numbers(values) and len(distinct) > MOST_CATEGORIES:
        places, axis, scale = _on_a_scale(values)
        groups = _fifths(whole, places)
        spans = [(places[group[0]], places[group[-1]]) for group in groups]
    else:
        columns = [distinct.index(v if are_numbers(values) else str(v)) for v in values]
        places = _side_by_side(columns, heights)
        ticks = [shorten(one_line(short(value)), LONGEST_TICK) for value in distinct]
        written = f"{json.dumps(ticks)}[datum.value]"
        axis = alt.Axis(values=list(range(len(distinct))), labelExpr=written, grid=False)
        scale = alt.Scale(domain=[-0.6, len(distinct) - 0.4], nice=False)
        of_columns = {c: [i for i in whole if columns[i] == c] for c in range(len(distinct))}
        groups = [group for group in of_columns.values() if group]
        spans = [(c - 0.34, c + 0.34) for c, group in of_columns.items() if group]
    medians = [
        {"start": a, "end": b, "value": few_digits(median(heights[i] for i in g)), "trials": len(g)}
        for g, (a, b) in zip(groups, spans, strict=True)
    ]
    rows: list[Row] = [
        {
            "trial": trial.trial_id,
            "settings": settings(trial.varied),
            "kind": entries[trial.trial_id],
            "is_best": trial.trial_id == best,
            "place": place,
            "value": few_digits(height),
        }
        for trial, place, height in zip(trials, places, heights, strict=True)
    ]
    rows.sort(key=lambda row: bool(row["is_best"]))  # drawn last, so on top
    title = shorten(one_line(name), LONGEST_NAME)
    return rows, medians, alt.X("place:Q", title=title, axis=axis, scale=scale)


def _on_a_scale(values: Sequence[Any]) -> tuple[list[float], alt.Axis, alt.Scale]:
    """Return the places of many numbers, and their axis and scale."""
    places = [float(value) for value in values]
    if not is_spread_by_ratio(np.array(places)):
        axis = alt.Axis(format="~g", grid=True, tickCount=5)
        return places, axis, alt.Scale(zero=False, padding=8)
    axis = alt.Axis(values=round_powers(min(places), max(places)), format="~e", grid=True)
    return places, axis, alt.Scale(type="log", nice=False, padding=8)


def _fifths(members: Sequence[int], places: Sequence[float]) -> list[list[int]]:
    """Return the trials in up to five groups of about equal size, by where they stand."""
    order = sorted(members, key=lambda i: places[i])
    edges = [round(k * len(order) / 5) for k in range(6)]
    return [order[a:b] for a, b in pairwise(edges) if b > a]


def _side_by_side(columns: Sequence[int], heights: Sequence[float]) -> list[float]:
    """Return places in columns, neighbours in height apart, so that equals can be counted."""
    places = [float(column) for column in columns]
    for column in set(columns):
        members = sorted((i for i, c in enumerate(columns) if c == column), key=lambda i: heights[i])
        for rank, i in enumerate(members):
            places[i] += 0.11 * (rank % 5 - 2) if len(members) > 2 else 0
    return places


def importance(shares: Mapping[str, float], *, note: str = "") -> Chart:
    """Draw the shares of hyperparameters as bars.

    Args:
        shares: Hyperparameter to share, in [0, 1], in the order in which they are drawn.
        note: What the shares rest on.
    """
    title = "Importance of the hyperparameters"
    rows = [{"name": one_line(name), "share": few_digits(share)} for name, share in shares.items()]
    base = alt.Chart(named("shares")).encode(
        y=alt.Y("name:N", title=None, sort=None).axis(grid=False, domain=False, ticks=False, labelPadding=8),
        x=alt.X("share:Q", title=None).scale(domain=[0, 1]).axis(format=".0%", tickCount=5),
    )
    bars = base.mark_bar(color=BLUE, height=16)
    numbers = base.mark_text(align="left", dx=6, fontSize=11, color=INK).encode(
        text=alt.Text("share:Q", format=".0%")
    )
    chart = alt.layer(bars, numbers).properties(height=BAR * max(len(rows), 1))
    return Chart(title, finish(chart, title, shares=rows), notes=tuple(textwrap.wrap(note, NOTE)))
