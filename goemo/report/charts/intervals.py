"""The leaderboard as a chart: each trial with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from goemo.report.charts.drawing import BLUE, GREY, ROW, Chart, Row, few_digits, finish, metric_name, named
from goemo.report.charts.trials import settings

TIED, APART = "best or statistically tied with it", "behind the best"
LOOKS = {TIED: (BLUE, "diamond"), APART: (GREY, "circle")}
MOST = 100  # trials
TITLE = "The trials in order, each with its interval"


def leaderboard_intervals(board: Sequence[Mapping[str, Any]], *, objective: str) -> Chart:
    """Draw the objective of every ranked trial with its interval; the best one's interval runs through.

    Args:
        board: Ranked trials, best first, in the shape of ``goemo leaderboard --format json``. Of many, the
            `MOST` best are drawn.
        objective: The metric that ranks, such as ``macro_f1``.
    """
    name = metric_name(f"val/{objective}")
    rows: list[Row] = []
    for place, trial in enumerate(board[:MOST]):
        is_tied = place == 0 or bool(trial.get("tied_with_best"))
        ended = f"{trial['stop_reason'] or 'running'} at {trial['progress']:.0f} %".replace("_", " ")
        rows.append(
            {
                "trial": trial["trial_id"],
                "rank": trial["rank"],
                "settings": settings(trial["varied"]),
                "value": few_digits(trial[f"val_{objective}"]),
                "low": few_digits(trial["low"]),
                "high": few_digits(trial["high"]),
                "told": TIED if is_tied else APART,
                "ended": ended,
            }
        )
    looks = {told: look for told, look in LOOKS.items() if any(row["told"] == told for row in rows)}
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
        .encode(x="low:Q", x2="high:Q")
    )
    colour = alt.Color("told:N").scale(domain=list(looks), range=[look[0] for look in looks.values()])
    shape = alt.Shape("told:N").scale(domain=list(looks), range=[look[1] for look in looks.values()])
    reach = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", color=colour)
    point = base.mark_point(filled=True, size=75, opacity=1).encode(x=across, color=colour, shape=shape)
    # The whole row answers to the pointer, not its thin marks alone.
    ends = [value for row in rows for value in (row["low"], row["high"])]
    strip = base.mark_rule(strokeWidth=ROW, opacity=0).encode(
        x=alt.X(datum=min(ends, default=0.0)), x2=alt.X2(datum=max(ends, default=1.0))
    )
    chart = alt.layer(band, reach, point, strip).properties(height=ROW * max(len(rows), 1))
    notes = (f"the {MOST} best of {len(board):,} trials",) if len(board) > MOST else ()
    return Chart(TITLE, finish(chart, TITLE, trials=rows), notes=notes)
