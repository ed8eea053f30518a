"""Charts over all trials of a search."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import altair as alt
import numpy as np

from goemo.report.charts.drawing import (
    BEST_LOOK,
    LOOKS,
    STOPPED,
    Row,
    Spec,
    are_numbers,
    few_digits,
    finish,
    kind_of,
    named,
    settings,
)
from goemo.report.figures import Trial
from goemo.report.figures.drawing import BLUE, INK, ORANGE, metric_name
from goemo.report.figures.names import shorten
from goemo.report.figures.scales import MOST_CATEGORIES, is_spread_by_ratio, round_powers
from goemo.report.figures.trials import varied_names
from goemo.report.rendering import metric_words, short

TIED, APART = "best or tied with it", "behind the best"
LONGEST_TICK = 14  # characters
PANEL_HEIGHT = 190
ROW = 17  # pixels, and so are these
AXIS_WIDTH = 92  # at least, of a parallel coordinate with its names


def learning_curves(
    trials: Sequence[Trial], *, objective: str, best: str, ends: Mapping[str, str] | None = None
) -> Spec:
    """Return the objective of every trial against its progress; hovering names the trial.

    Args:
        trials: All trials of a search; those without a report have no curve.
        objective: The key of the histories that ranks.
        best: Trial to highlight.
        ends: How a trial ended, in words, where more is known than its stop reason.
    """
    looks = _looks([trial for trial in trials if trial.history], best)
    reports = [
        {
            "trial": trial.trial_id,
            "settings": settings(trial.varied),
            "kind": _legend_name(trial, best, trials),
            "is_best": trial.trial_id == best,
            "progress": report["progress"],
            "value": few_digits(report[objective]),
            "ended": (ends or {}).get(trial.trial_id) or kind_of(trial),
            "is_last": report["progress"] == max(row["progress"] for row in trial.history),
        }
        for trial in trials
        for report in sorted(trial.history, key=lambda row: row["progress"])
    ]
    hover = _hover("trial")
    progress = (
        alt.X("progress:Q", title="progress: per cent of each trial's own training")
        .scale(domain=[0, 100], nice=False)
        .axis(values=[0, 20, 40, 60, 80, 100])
    )
    value = alt.Y("value:Q", title=metric_name(objective)).scale(zero=False)
    base = alt.Chart(named("reports")).encode(x=progress, y=value, detail="trial:N")
    lines = base.mark_line().encode(
        color=_by_kind(alt.Color("kind:N"), looks, 0),
        strokeDash=_by_kind(alt.StrokeDash("kind:N"), looks, 1),
        strokeWidth=alt.when(alt.datum.is_best).then(alt.value(3)).otherwise(alt.value(1.3)),
        opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.18)),
    )
    ends_of_lines = (
        base.transform_filter("datum.is_last || datum.is_best")
        .mark_point(filled=True, size=45)
        .encode(
            color=_by_kind(alt.Color("kind:N"), looks, 0),
            shape=_by_kind(alt.Shape("kind:N"), looks, 2),
            opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.18)),
        )
    )
    reached = (
        base.mark_point(size=90, color=INK, strokeWidth=1.5)
        .encode(
            opacity=alt.when(hover, empty=False).then(alt.value(0.9)).otherwise(alt.value(0)),
            tooltip=[
                alt.Tooltip("trial:N"),
                alt.Tooltip("settings:N"),
                alt.Tooltip("progress:Q", title="progress, %"),
                alt.Tooltip("value:Q", title=metric_name(objective), format=".4f"),
                alt.Tooltip("ended:N"),
            ],
        )
        .add_params(hover)
    )
    chart = alt.layer(lines, ends_of_lines, reached).properties(height=340)
    return finish(chart, "Learning curves of all trials", reports=reports)


def leaderboard_intervals(board: Sequence[Mapping[str, Any]], *, objective: str) -> Spec:
    """Return the objective of every ranked trial with its interval; the best one's interval runs through.

    Args:
        board: Ranked trials, best first, in the shape of ``goemo leaderboard --format json``.
        objective: The metric that ranks, such as ``macro_f1``.
    """
    name = metric_name(f"val/{objective}")
    rows: list[Row] = []
    for place, trial in enumerate(board):
        value = trial[f"val_{objective}"]
        is_tied = place == 0 or bool(trial.get("tied_with_best"))
        rows.append(
            {
                "trial": trial["trial_id"],
                "rank": trial["rank"],
                "settings": settings(trial.get("varied", {})),
                "value": few_digits(value),
                "low": few_digits(trial["low"] if trial.get("low") is not None else value),
                "high": few_digits(trial["high"] if trial.get("high") is not None else value),
                "told": TIED if is_tied else APART,
                "ended": f"{trial['stop_reason'] or 'running'} at {trial['progress']:.0f} %".replace(
                    "_", " "
                ),
            }
        )
    told = [name for name in (TIED, APART) if any(row["told"] == name for row in rows)]
    tooltip = [
        alt.Tooltip("rank:Q"),
        alt.Tooltip("trial:N"),
        alt.Tooltip("settings:N"),
        alt.Tooltip("value:Q", title=name, format=".4f"),
        alt.Tooltip("low:Q", title="interval from", format=".4f"),
        alt.Tooltip("high:Q", title="to", format=".4f"),
        alt.Tooltip("told:N", title="against the best"),
        alt.Tooltip("ended:N"),
    ]
    base = alt.Chart(named("trials")).encode(
        y=alt.Y("trial:N", title=None, sort=None).axis(grid=False, ticks=False, domain=False, labelPadding=8),
        tooltip=tooltip,
    )
    across = (
        alt.X("value:Q", title=f"{name}, with its 95 % interval")
        .scale(zero=False, nice=True)
        .axis(tickCount=8)
    )
    band = (
        alt.Chart(named("trials"))
        .transform_filter("datum.rank == 1")
        .mark_rect(color=BLUE, opacity=0.1)
        .encode(x=alt.X("low:Q"), x2="high:Q")
    )
    look = {TIED: (BLUE, "diamond"), APART: ("#8a8f98", "circle")}
    reach = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q"),
        x2="high:Q",
        color=alt.Color("told:N").scale(domain=told, range=[look[name][0] for name in told]),
    )
    point = base.mark_point(filled=True, size=75, opacity=1).encode(
        x=across,
        color=alt.Color("told:N").scale(domain=told, range=[look[name][0] for name in told]),
        shape=alt.Shape("told:N").scale(domain=told, range=[look[name][1] for name in told]),
    )
    # The whole row answers to the pointer, not its thin marks alone.
    ends = [value for row in rows for value in (row["low"], row["high"])]
    strip = base.mark_rule(strokeWidth=ROW, opacity=0).encode(
        x=alt.X(datum=min(ends, default=0.0)), x2=alt.X2(datum=max(ends, default=1.0))
    )
    chart = alt.layer(band, reach, point, strip).properties(height=ROW * len(rows))
    return finish(chart, "The trials in order, each with its interval", trials=rows)


def objective_by_hyperparameter(trials: Sequence[Trial], *, objective: str, best: str) -> list[Spec]:
    """Return one chart for each hyperparameter that differs between trials: where each value led.

    Few values stand side by side; many numbers stand on an axis, logarithmic where that spreads them. Bars
    are medians: per value, or per fifth of the trials.

    Args:
        trials: All trials of a search; those that are not ranked are left out.
        objective: The key of the histories that ranks.
        best: Trial to highlight.
    """
    ranked = [trial for trial in trials if trial.is_ranked]
    looks = _looks(ranked, best)
    return [
        _against_one(name, ranked, objective=objective, best=best, looks=looks)
        for name in varied_names(ranked)
    ]


def _against_one(
    name: str, trials: Sequence[Trial], *, objective: str, best: str, looks: Mapping[str, Any]
) -> Spec:
    values = [trial.varied.get(name) for trial in trials]
    heights = [trial.best(objective) or 0.0 for trial in trials]
    places, medians, axis, scale = _places(values, heights)
    rows: list[Row] = [
        {
            "trial": trial.trial_id,
            "settings": settings(trial.varied),
            "kind": _legend_name(trial, best, trials),
            "is_best": trial.trial_id == best,
            "place": place,
            "value": few_digits(height),
        }
        for trial, place, height in zip(trials, places, heights, strict=True)
    ]
    rows.sort(key=lambda row: bool(row["is_best"]))  # drawn last, so on top
    across = alt.X("place:Q", title=name, axis=axis, scale=scale)
    up = alt.Y("value:Q", title=metric_name(objective)).scale(zero=False)
    bars = (
        alt.Chart(named("medians"))
        .mark_rule(color=ORANGE, strokeWidth=4)
        .encode(
            x=alt.X("start:Q"),
            x2="end:Q",
            y=alt.Y("value:Q"),
            tooltip=[alt.Tooltip("value:Q", title="median", format=".4f"), alt.Tooltip("trials:Q")],
        )
    )
    hollow = alt.datum.kind == next((kind for kind in looks if kind.startswith(STOPPED)), "")
    points = (
        alt.Chart(named("trials"))
        .mark_point(strokeWidth=1.4, opacity=0.95)
        .encode(
            x=across,
            y=up,
            color=_by_kind(alt.Color("kind:N"), looks, 0).legend(None),
            fill=alt.when(hollow)
            .then(alt.value("white"))
            .otherwise(_by_kind(alt.Fill("kind:N"), looks, 0).legend(None)),
            shape=_by_kind(alt.Shape("kind:N"), looks, 2).legend(None),
            size=alt.when(alt.datum.is_best).then(alt.value(130)).otherwise(alt.value(38)),
            tooltip=[
                alt.Tooltip("trial:N"),
                alt.Tooltip("settings:N"),
                alt.Tooltip("value:Q", title=metric_name(objective), format=".4f"),
                alt.Tooltip("kind:N", title="ended"),
            ],
        )
        .add_params(_hover("trial"))
    )
    chart = alt.layer(bars, points).properties(height=PANEL_HEIGHT)
    return finish(chart, f"The objective against {name}", trials=rows, medians=medians)


def _places(
    values: Sequence[Any], heights: Sequence[float]
) -> tuple[list[float], list[Row], alt.Axis, alt.Scale]:
    """Return where each trial stands, the medians, and the axis and scale for it."""
    distinct = sorted(set(values)) if are_numbers(values) else sorted({str(value) for value in values})
    if are_numbers(values) and len(distinct) > MOST_CATEGORIES:
        order = sorted(range(len(values)), key=lambda i: values[i])
        edges = [round(k * len(order) / 5) for k in range(6)]
        groups = [order[a:b] for a, b in pairwise(edges) if b > a]
        bars = [_median(g, heights, values[g[0]], values[g[-1]]) for g in groups]
        is_log = is_spread_by_ratio(np.array(values, dtype=float))
        axis = alt.Axis(format="~g", grid=True, tickCount=5)
        if is_log:
            axis = alt.Axis(values=round_powers(min(values), max(values)), format="~e", grid=True)
        scale = alt.Scale(type="log", nice=False, padding=8) if is_log else alt.Scale(zero=False, padding=8)
        return [float(value) for value in values], bars, axis, scale
    known = {str(value): i for i, value in enumerate(distinct)}
    columns = [known[str(value)] for value in values]
    places = [float(column) for column in columns]
    bars = []
    for column in range(len(distinct)):
        members = sorted((i for i, c in enumerate(columns) if c == column), key=lambda i: heights[i])
        for rank, i in enumerate(members):  # neighbours in height stand apart, so that equals can be counted
            places[i] += 0.11 * (rank % 5 - 2) if len(members) > 2 else 0
        bars.append(_median(members, heights, column - 0.34, column + 0.34))
    names = [shorten(short(value), LONGEST_TICK) for value in distinct]
    axis = alt.Axis(
        values=list(range(len(distinct))), labelExpr=f"{json.dumps(names)}[datum.value]", grid=False
    )
    return places, bars, axis, alt.Scale(domain=[-0.6, len(distinct) - 0.4], nice=False)


def _median(members: Sequence[int], heights: Sequence[float], start: float, end: float) -> Row:
    return {
        "start": start,
        "end": end,
        "value": few_digits(median(heights[i] for i in members)),
        "trials": len(members),
    }


def parallel_coordinates(trials: Sequence[Trial], *, objective: str, best: str) -> Spec | None:
    """Return every ranked trial as a line through its settings to its objective; None for a single setting.

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
            "ended": kind_of(trial),
            "is_best": trial.trial_id == best,
            "value": few_digits(height),
            "axis": axis,
            "place": few_digits(positions[column][rank - 1]),
        }
        for rank, (trial, height) in reversed(list(enumerate(zip(ranked, heights, strict=True), start=1)))
        for column, axis in enumerate(columns)
    ]
    hover = _hover("trial")
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
    kinds = [kind for kind in LOOKS if any(row["ended"] == kind for row in rows)]
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
            strokeDash=alt.StrokeDash("ended:N").scale(
                domain=kinds, range=[LOOKS[kind][1] for kind in kinds]
            ),
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
                alt.Tooltip("rank:Q"),
                alt.Tooltip("trial:N"),
                alt.Tooltip("settings:N"),
                alt.Tooltip("value:Q", title=target, format=".4f"),
                alt.Tooltip("ended:N"),
            ],
        )
        .add_params(hover)
    )
    rules = (
        alt.Chart(named("axes"))
        .mark_rule(color="#b6bac2")
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
    finished = finish(chart, "Each trial as a line through its settings", trials=rows, ticks=ticks, axes=axes)
    return {**finished, "usermeta": {"min_width": AXIS_WIDTH * len(columns)}}


def _axis(
    values: Sequence[Any], *, most_categories: int = MOST_CATEGORIES
) -> tuple[list[float], list[tuple[float, str]]]:
    """Return where each value stands on an axis from 0 to 1, and its marks as (place, text)."""
    distinct = sorted(set(values)) if are_numbers(values) else sorted({str(value) for value in values})
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
    return [known[str(value)] for value in values], [(known[str(v)], short(v)) for v in distinct]


def _looks(trials: Sequence[Trial], best: str) -> dict[str, tuple[str, list[int], str]]:
    """Return the looks of the legend's entries that occur: best first."""
    looks = {}
    for kind, look in {"best": BEST_LOOK, **LOOKS}.items():
        for trial in trials:
            name = _legend_name(trial, best, trials)
            if (trial.trial_id == best) == (kind == "best") and (kind in ("best", kind_of(trial))):
                looks[name] = look
    return looks


def _legend_name(trial: Trial, best: str, trials: Sequence[Trial]) -> str:
    if trial.trial_id == best:
        return f"best: {best}"
    kind = kind_of(trial)
    count = sum(kind_of(other) == kind and bool(other.history) and other.trial_id != best for other in trials)
    return f"{kind} ({count})"


def _by_kind(channel: Any, looks: Mapping[str, tuple[str, list[int], str]], part: int) -> Any:
    """Return a channel in which each kind of trial has its own look."""
    return channel.scale(domain=list(looks), range=[look[part] for look in looks.values()]).title(None)


def _hover(field: str) -> alt.Parameter:
    """Return the selection of what lies nearest to the pointer, or under the finger."""
    return alt.selection_point(
        name="hover", fields=[field], on="pointerover", nearest=True, clear="pointerout"
    )
