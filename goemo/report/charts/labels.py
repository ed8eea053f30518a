"""Charts of one trial, label by label."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from goemo.report.charts.drawing import SOFT, Row, Spec, few_digits, finish, named
from goemo.report.figures.drawing import BLUE, GREEN, GREY, INK, ORANGE
from goemo.report.figures.names import shorten
from goemo.report.rendering import label_rows, number, threshold

AT_HALF, TUNED = "at 0.5", "at the label's own threshold"
THRESHOLD_LOOKS = {AT_HALF: (ORANGE, "circle"), TUNED: (BLUE, "diamond")}
CURVES = {"precision": (ORANGE, [5, 2]), "recall": (GREEN, [2, 2]), "F1": (BLUE, [1, 0])}
HEIGHT = 360
ROW = 17  # pixels
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
POINTS_A_LABEL = 100
MOST_POINTS = 12_000  # of all labels together, so that a page of 500 labels stays small

Scores = npt.NDArray[np.floating[Any]]
Targets = npt.NDArray[np.bool_]
Cuts = npt.NDArray[np.floating[Any]]  # one a label; inf is never


def f1_by_support(table_at_half: pd.DataFrame, table: pd.DataFrame) -> Spec:
    """Return every label's F1 against its support, tuned joined with 0.5.

    Labels without a positive stand at the left end of the logarithmic axis, over "0".

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at 0.5.
        table: The same labels in the same order, at tuned thresholds.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    rows = _points(table_at_half, table)
    present = [row["support"] for row in rows if row["support"] > 0] or [1]
    zero = min(present) / 2.5
    for row in rows:
        row["place"] = row["support"] or zero
    places = [row["place"] for row in rows]
    place_names(rows)
    powers = range(math.floor(math.log10(min(present))), math.ceil(math.log10(max(present))) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if min(present) / 1.4 <= tick <= max(present) * 1.5]
    if len(present) < len(rows):
        ticks = [zero, *ticks]
    across = (
        alt.X("place:Q", title="support: examples that carry the label")
        .scale(type="log", nice=False, domain=[min(places) / 1.25, max(places) * 1.25])
        .axis(values=ticks, labelExpr=f"datum.value <= {zero} ? '0' : format(datum.value, ',')")
    )
    hover = alt.selection_point(
        name="hover", fields=["label"], on="pointerover", nearest=True, clear="pointerout"
    )
    joined = (
        alt.Chart(named("labels"))
        .mark_rule(color=GREY, strokeWidth=1.3)
        .encode(
            x=across,
            y=alt.Y("f1_at_half:Q", title="F1"),
            y2="f1:Q",
            opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.25)),
        )
    )
    points = (
        _both_points()
        .encode(
            x=across,
            y=alt.Y("value:Q", title="F1").scale(domain=[0, 1]),
            opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.25)),
            tooltip=_label_tooltip(),
        )
        .add_params(hover)
    )
    names = [
        alt.Chart(named("labels"))
        .transform_filter(alt.datum.side == side)
        .mark_text(fontSize=10.5, color=INK, align=align, dx=dx, dy=dy, opacity=alt.expr(NAMED_WHERE_WIDE))
        .encode(x=across, y=alt.Y(f"{end}:Q"), text="name:N")
        for side, (align, dx, dy, end) in SIDES.items()
    ]
    chart = alt.layer(joined, *names, points).properties(height=HEIGHT)
    return finish(chart, "F1 against support, at 0.5 and at the label's own threshold", labels=rows)


def gain_per_label(table_at_half: pd.DataFrame, table: pd.DataFrame) -> Spec:
    """Return what each label gains from its own threshold, the largest gain first.

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at 0.5.
        table: The same labels in the same order, at tuned thresholds.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    rows = sorted(_points(table_at_half, table), key=lambda row: -(row["gain"] or 0.0))
    # Names may repeat after they are cut, so a place is known by its number and written with its name.
    names = [str(row["label"]) for row in rows]
    for place, row in enumerate(rows):
        row["place"] = place
    hover = alt.selection_point(name="hover", fields=["place"], on="pointerover", clear="pointerout")
    down = alt.Y("place:O", title=None).axis(
        labelExpr=f"{json.dumps(names)}[datum.value]", grid=False, domain=False, ticks=False, labelPadding=9
    )
    opacity = alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.3))
    lost = alt.datum.gain < 0
    joined = (
        alt.Chart(named("labels"))
        .mark_rule(strokeWidth=3)
        .encode(
            y=down,
            x=alt.X("f1_at_half:Q"),
            x2="f1:Q",
            color=alt.when(lost).then(alt.value("#D55E00")).otherwise(alt.value("#a9cbe2")),
            strokeDash=alt.when(lost).then(alt.value([3, 2])).otherwise(alt.value([1, 0])),
            opacity=opacity,
        )
    )
    points = _both_points().encode(
        y=down, x=alt.X("value:Q", title="F1").scale(domain=[0, 1]), opacity=opacity
    )
    # The whole row answers to the pointer, not its thin marks alone.
    strip = (
        alt.Chart(named("labels"))
        .mark_rule(strokeWidth=ROW, opacity=0)
        .encode(y=down, x=alt.X(datum=0), x2=alt.X2(datum=1), tooltip=_label_tooltip())
        .add_params(hover)
    )
    chart = alt.layer(joined, points, strip).properties(height=ROW * max(len(rows), 1))
    return finish(chart, "What each label gains from its own threshold", labels=rows)


def threshold_explorer(
    scores: Scores,
    targets: Targets,
    thresholds: Cuts,
    labels: Sequence[str],
    *,
    band: tuple[Cuts, Cuts] | None = None,
) -> Spec:
    """Return precision, recall and F1 against the threshold for any label, with the chosen cut.

    The parameter ``label`` of the chart is the position of the label that it shows.

    Args:
        scores: Sigmoid outputs in [0, 1], shape (n_examples, n_labels).
        targets: True where a label applies, same shape.
        thresholds: The chosen cut of each label; ``inf`` never predicts it.
        labels: Names, in the order of the columns.
        band: Where the chosen cut lies when examples are drawn anew: lower and upper ends, one a label.

    Raises:
        ValueError: Shapes do not fit together.
    """
    if scores.shape != targets.shape or scores.shape[1:] != (len(labels),) or len(thresholds) != len(labels):
        raise ValueError(
            "scores and targets must be (n_examples, n_labels), with a threshold and a name a label, but got "
            f"{scores.shape}, {targets.shape}, {len(thresholds)} thresholds and {len(labels)} names"
        )
    most = max(20, min(POINTS_A_LABEL, MOST_POINTS // max(len(labels), 1)))
    curves: list[Row] = []
    chosen: list[Row] = []
    for i, (cut, name) in enumerate(zip(thresholds, labels, strict=True)):
        cuts = curve_cuts(scores[:, i], float(cut), most)
        counts = _counts(scores[:, i], targets[:, i], cuts)
        curves += [{"l": i, "t": few_digits(t), **row} for t, row in zip(cuts, counts, strict=True)]
        if math.isfinite(cut):
            at = _counts(scores[:, i], targets[:, i], np.array([float(cut)]))[0]
            low, high = (float(band[0][i]), float(band[1][i])) if band else (math.nan, math.nan)
            ends = {"low": few_digits(low), "high": few_digits(min(high, 1.0))} if math.isfinite(low) else {}
            chosen.append({"l": i, "label": name, "t": few_digits(float(cut)), **at, **ends})
    across = alt.X("t:Q", title="threshold").scale(zero=False, nice=False).axis(tickCount=8)
    up = alt.Y("value:Q", title=None).scale(domain=[0, 1])
    label = alt.param(name="label", value=0)
    base = alt.Chart(named("curves")).transform_filter("datum.l === label")
    folded = base.transform_fold(["precision", "recall", "F1"], as_=["curve", "value"])
    names = list(CURVES)
    near = alt.selection_point(name="near", fields=["t"], on="pointerover", nearest=True, clear="pointerout")
    lines = (
        folded.transform_filter("isValid(datum.value)")
        .mark_line(strokeWidth=2)
        .encode(
            x=across,
            y=up,
            color=alt.Color("curve:N")
            .scale(domain=names, range=[look[0] for look in CURVES.values()])
            .title(None)
            .legend(symbolType="stroke", symbolSize=400, symbolStrokeWidth=2.2),
            strokeDash=alt.StrokeDash("curve:N")
            .scale(domain=names, range=[look[1] for look in CURVES.values()])
            .title(None),
        )
    )
    of_label = alt.Chart(named("chosen")).transform_filter("datum.l === label")
    cut_tooltip = [
        alt.Tooltip("label:N"),
        alt.Tooltip("t:Q", title="chosen threshold"),
        alt.Tooltip("low:Q", title="its band from"),
        alt.Tooltip("high:Q", title="to"),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in CURVES),
    ]
    shade = (
        of_label.transform_filter("isValid(datum.low)")
        .mark_rect(color=INK, opacity=0.1)
        .encode(x=alt.X("low:Q"), x2="high:Q", tooltip=cut_tooltip)
    )
    rule = of_label.mark_rule(color=INK, strokeWidth=1.2).encode(x=across)
    mark = of_label.mark_point(shape="diamond", filled=True, size=80, color=INK, opacity=1).encode(
        x=across, y=alt.Y("F1:Q"), tooltip=cut_tooltip
    )
    pointer = (
        base.mark_rule(color=SOFT)
        .encode(
            x=across,
            opacity=alt.when(near, empty=False).then(alt.value(0.7)).otherwise(alt.value(0)),
            tooltip=[
                alt.Tooltip("t:Q", title="threshold"),
                *(alt.Tooltip(f"{name}:Q", format=".3f") for name in CURVES),
            ],
        )
        .add_params(near)
    )
    layers = [lines, pointer, rule, mark] if band is None else [shade, lines, pointer, rule, mark]
    chart = alt.layer(*layers).add_params(label).properties(height=300)
    return finish(chart, "Precision, recall and F1 against the threshold", curves=curves, chosen=chosen)


def curve_cuts(scores: npt.NDArray[np.floating[Any]], chosen: float, most: int) -> npt.NDArray[np.float64]:
    """Return at most ``most`` thresholds that show the course of a label's curves, ascending.

    Half are spread evenly over the scores' range. Half are scores of ranks 1, 2, 3, 5, 8, ...: where few
    examples are predicted, one more of them changes much. The chosen cut is among them.

    Args:
        scores: Of one label, shape (n_examples,).
        chosen: The label's cut; ``inf`` never predicts it.
        most: At least 4.
    """
    ordered = np.sort(scores.astype(np.float64))[::-1]
    top = float(ordered[0]) if len(ordered) else 1.0
    high = min(1.0, 1.05 * max(top, chosen if math.isfinite(chosen) else 0.0, 0.02))
    even = np.linspace(0, high, (most - 1) // 2)
    ranks = np.unique(np.geomspace(1, max(len(ordered), 1), most // 2).astype(int)) - 1
    cuts = [even, ordered[ranks] if len(ordered) else ordered]
    if math.isfinite(chosen):
        cuts.append(np.array([chosen]))
    return np.unique(np.concatenate(cuts))


def explorer_facts(
    table_at_half: pd.DataFrame,
    table: pd.DataFrame,
    thresholds: Cuts,
    *,
    band: tuple[Cuts, Cuts] | None = None,
) -> list[str]:
    """Return a sentence about each label and its cut, in the order of the table.

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at 0.5.
        table: The same labels in the same order, at tuned thresholds.
        thresholds: The chosen cuts.
        band: As in `threshold_explorer`.
    """
    facts = []
    for i, (half, tuned) in enumerate(zip(table_at_half["f1"], table["f1"], strict=True)):
        cut = float(thresholds[i])
        support = int(table["support"].iloc[i])
        examples = f"{support:,} {'example carries' if support == 1 else 'examples carry'} it"
        where = f"threshold {threshold(cut)}" if math.isfinite(cut) else "never predicted"
        if band is not None and math.isfinite(cut):
            ends = f"{threshold(float(band[0][i]))} to {threshold(float(band[1][i]))}"
            where += f" (95 % band {ends})"
        facts.append(f"{examples}; {where}; F1 {number(half)} at 0.5, {number(tuned)} at its own threshold.")
    return facts


def _counts(
    scores: npt.NDArray[np.floating[Any]], targets: Targets, cuts: npt.NDArray[np.float64]
) -> list[Row]:
    """Return precision, recall and F1 of one label at each cut; None where undefined."""
    everything = np.sort(scores.astype(np.float64))
    positives = np.sort(scores[targets].astype(np.float64))
    predicted = len(everything) - np.searchsorted(everything, cuts, side="left")
    hits = len(positives) - np.searchsorted(positives, cuts, side="left")
    rows = []
    for found, said in zip(hits.tolist(), predicted.tolist(), strict=True):
        rows.append(
            {
                "precision": few_digits(found / said) if said else None,
                "recall": few_digits(found / len(positives)) if len(positives) else None,
                "F1": few_digits(2 * found / (said + len(positives))) if len(positives) else None,
            }
        )
    return rows


def place_names(rows: Sequence[Row]) -> None:
    """Give each label the ``side`` on which its ``name`` stands, the rarest first; none where none is free.

    Reckoned for the narrowest plot that shows names; in a wider one they stand further apart.

    Args:
        rows: With ``label``, ``place`` on the logarithmic axis, ``top`` and ``bottom`` in [0, 1]; changed.
    """
    logs = [math.log(row["place"]) for row in rows]
    low, reach = min(logs, default=0.0), (max(logs, default=0.0) - min(logs, default=0.0)) or 1.0
    margin = 14
    across = [margin + (value - low) / reach * (NARROWEST_NAMED - 2 * margin) for value in logs]
    taken = [
        (x - 6, HEIGHT * (1 - row["top"]) - 6, x + 6, HEIGHT * (1 - row["bottom"]) + 6)
        for x, row in zip(across, rows, strict=True)
    ]
    for i in sorted(range(len(rows)), key=lambda i: rows[i]["place"]):
        name = shorten(str(rows[i]["label"]), LONGEST_NAME)
        wide = sum(11.5 if unicodedata.east_asian_width(sign) in "WF" else 6.2 for sign in name)
        for side, (align, dx, dy, end) in SIDES.items():
            left = across[i] + dx - {"left": 0.0, "right": wide, "center": wide / 2}[align]
            upper = HEIGHT * (1 - rows[i][end]) + dy - 6
            box = (left, upper, left + wide, upper + 12)
            is_inside = box[0] >= 0 and box[2] <= NARROWEST_NAMED and box[1] >= 0 and box[3] <= HEIGHT
            others = taken[:i] + taken[i + 1 :]
            if is_inside and not any(_overlap(box, other) for other in others):
                rows[i].update(side=side, name=name)
                taken.append(box)
                break


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _points(table_at_half: pd.DataFrame, table: pd.DataFrame) -> list[Row]:
    rows: list[Row] = []
    for row in label_rows(table_at_half, table):
        values = {name: few_digits(row[name]) for name in ("f1_at_half", "f1", "gain", "precision", "recall")}
        undrawn = {name: values[name] or 0.0 for name in ("f1_at_half", "f1")}  # undefined F1 counts as 0
        rows.append(
            {
                "label": str(row["label"]),
                "support": int(row["support"]),
                "threshold": threshold(row["threshold"]),
                **values,
                **undrawn,
                "top": max(undrawn.values()),
                "bottom": min(undrawn.values()),
            }
        )
    return rows


def _label_tooltip() -> list[alt.Tooltip]:
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


def _both_points() -> Any:
    """Return the points of all labels, F1 at 0.5 and at the label's own threshold, without their places."""
    return (
        alt.Chart(named("labels"))
        .transform_fold(["f1_at_half", "f1"], as_=["which", "value"])
        .transform_calculate(thresholds=f"datum.which === 'f1' ? {json.dumps(TUNED)} : {json.dumps(AT_HALF)}")
        .mark_point(filled=True, size=60)
        .encode(
            color=_by_threshold(alt.Color("thresholds:N"), 0),
            shape=_by_threshold(alt.Shape("thresholds:N"), 1),
        )
    )


def _by_threshold(channel: Any, part: int) -> Any:
    """Return a channel in which 0.5 and the label's own threshold have their looks."""
    looks = THRESHOLD_LOOKS
    return channel.scale(domain=list(looks), range=[look[part] for look in looks.values()]).title(None)
