"""Learning curves: the objective of every trial against its progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import altair as alt

from goemo.report.charts.drawing import (
    GREY,
    INK,
    SOFT,
    Chart,
    Row,
    by_name,
    few_digits,
    finish,
    metric_name,
    named,
    nearest,
)
from goemo.report.charts.trials import Trial, legend, settings

TITLE = "Learning curves of all trials"


def learning_curves(
    trials: Sequence[Trial], *, objective: str, best: str, ends: Mapping[str, str] | None = None
) -> Chart:
    """Draw the objective of every trial against its progress; hovering names the trial.

    Above every progress at which trials were stopped early stands how many.

    Args:
        trials: All trials of a search; those without a report have no curve, and a note counts them.
        objective: The key of the histories that ranks.
        best: Trial to highlight.
        ends: How a trial ended, in words, where more is known than its stop reason.
    """
    heard = [trial for trial in trials if trial.history]
    looks, entries = legend(heard, best)
    reports: list[Row] = []
    for trial in heard:
        rows = sorted(trial.history, key=lambda row: row["progress"])
        reports += [
            {
                "trial": trial.trial_id,
                "settings": settings(trial.varied),
                "kind": entries[trial.trial_id],
                "is_best": trial.trial_id == best,
                "progress": row["progress"],
                "value": few_digits(row[objective]),
                "ended": (ends or {}).get(trial.trial_id) or trial.kind,
                "is_last": row is rows[-1],
            }
            for row in rows
        ]
    stops = Counter(
        max(row["progress"] for row in trial.history)
        for trial in heard
        if trial.stop_reason == "stopped_early"
    )
    stopped_at = [{"progress": at, "text": f"{stopped} stopped"} for at, stopped in sorted(stops.items())]
    hover = nearest("trial")
    progress = (
        alt.X("progress:Q", title="progress: per cent of each trial's own training")
        .scale(domain=[0, 100], nice=False)
        .axis(values=[0, 20, 40, 60, 80, 100])
    )
    value = alt.Y("value:Q", title=metric_name(objective)).scale(zero=False)
    base = alt.Chart(named("reports")).encode(x=progress, y=value, detail="trial:N")
    lines = base.mark_line().encode(
        color=by_name(alt.Color("kind:N"), looks, 0),
        strokeDash=by_name(alt.StrokeDash("kind:N"), looks, 1),
        strokeWidth=alt.when(alt.datum.is_best).then(alt.value(3)).otherwise(alt.value(1.3)),
        opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.18)),
    )
    ends_of_lines = (
        base.transform_filter("datum.is_last || datum.is_best")
        .mark_point(filled=True, size=45)
        .encode(
            color=by_name(alt.Color("kind:N"), looks, 0),
            shape=by_name(alt.Shape("kind:N"), looks, 2),
            opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.18)),
        )
    )
    reached = (
        base.mark_point(size=90, color=INK, strokeWidth=1.5)
        .encode(
            opacity=alt.when(hover, empty=False).then(alt.value(0.9)).otherwise(alt.value(0)),
            tooltip=[
                "trial:N",
                "settings:N",
                alt.Tooltip("progress:Q", title="progress, %"),
                alt.Tooltip("value:Q", title=metric_name(objective), format=".4f"),
                "ended:N",
            ],
        )
        .add_params(hover)
    )
    of_stops = alt.Chart(named("stops"))
    rungs = of_stops.mark_rule(color=GREY, strokeDash=[1, 2]).encode(x=progress)
    counts = of_stops.mark_text(align="left", baseline="top", dx=3, fontSize=10, color=SOFT).encode(
        x=progress, y=alt.value(1), text="text:N"
    )
    chart = alt.layer(rungs, counts, lines, ends_of_lines, reached).properties(height=340)
    silent = len(trials) - len(heard)
    notes = (f"no report yet: {silent}",) if silent else ()
    return Chart(TITLE, finish(chart, TITLE, reports=reports, stops=stopped_at), width=760, notes=notes)
