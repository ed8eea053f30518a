"""Precision, recall and F1 of single labels against the threshold: one label to choose, or several panels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from goemo.arrays import Scores, Targets, Values
from goemo.metrics import count
from goemo.report.charts.drawing import (
    BLUE,
    GREEN,
    INK,
    LONGEST_HEADING,
    ORANGE,
    SOFT,
    Chart,
    Row,
    Spec,
    by_name,
    few_digits,
    finish,
    in_panels,
    named,
    names_of,
    nearest,
    panelled,
    shorten,
    with_data,
)
from goemo.report.rendering import number, threshold
from goemo.significance.threshold_stability import threshold_band, threshold_draws

CURVES: dict[str, Any] = {"precision": (ORANGE, [5, 2]), "recall": (GREEN, [2, 2]), "F1": (BLUE, [1, 0])}
POINTS_A_LABEL = 100
MOST_POINTS = 12_000  # of all labels together, so that a page of 500 labels stays small
TITLE = "Precision, recall and F1 against the threshold"


def threshold_explorer(
    scores: Scores,
    targets: Targets,
    thresholds: Values,
    labels: Sequence[str],
    *,
    band: tuple[Values, Values] | None = None,
) -> Chart:
    """Draw precision, recall and F1 against the threshold for the label that the reader chooses.

    The parameter ``label`` of the chart is the position of the label that it shows.

    Args:
        scores: Sigmoid outputs in [0, 1], shape (n_examples, n_labels).
        targets: True where a label applies, same shape.
        thresholds: The chosen threshold of each label; ``inf`` never predicts it.
        labels: Names, in the order of the columns.
        band: Where the chosen threshold lies when examples are drawn anew: lower and upper ends, one a label.

    Raises:
        ValueError: Shapes do not fit together.
    """
    _check(scores, targets, thresholds, labels)
    most = max(20, min(POINTS_A_LABEL, MOST_POINTS // max(len(labels), 1)))
    rows: list[Row] = []
    for i, name in enumerate(names_of(labels)):
        ends = None if band is None else (float(band[0][i]), float(band[1][i]))
        of_label = _rows(scores[:, i], targets[:, i], float(thresholds[i]), most, ends)
        rows += [{"l": i, **row} for row in of_label]
        if of_label and "chosen" in of_label[-1]:
            rows[-1]["label"] = name
    return Chart(TITLE, with_data(_explorer(any("low" in row for row in rows)), curves=rows))


def threshold_curves(
    scores: Scores,
    targets: Targets,
    thresholds: Values,
    labels: Sequence[str],
    *,
    most: int = 8,
    draws: int = 200,
) -> Chart:
    """Draw precision, recall and F1 of several labels against the threshold, with the chosen threshold.

    Args:
        scores: Sigmoid outputs in [0, 1], shape (n_examples, n_labels).
        targets: True where a label applies, same shape.
        thresholds: The chosen threshold of each label; ``inf`` never predicts it.
        labels: Names, in the order of the columns.
        most: How many labels are drawn: the rarest and those that gained most from 0.5, in turn, the rarest
            first. At least 1.
        draws: Resamples for the band in which 95 % of the best thresholds lie; 0 draws none.

    Returns:
        One small plot a label, each over the range of its own scores.

    Raises:
        ValueError: Shapes do not fit together.
    """
    _check(scores, targets, thresholds, labels)
    positives = targets.sum(axis=0)
    at_half = count(targets, scores >= 0.5).f1
    tuned = count(targets, scores >= np.asarray(thresholds)).f1
    chosen = _rarest_and_most_gained(positives, tuned - at_half, most)
    low, high = np.full((2, len(chosen)), math.inf)
    if draws:
        low, high = threshold_band(threshold_draws(scores[:, chosen], targets[:, chosen], draws=draws))
    names = names_of(labels)
    rows: list[Row] = []
    for place, label in enumerate(chosen):
        value, ends = float(thresholds[label]), (float(low[place]), float(high[place]))
        facts = f"threshold {as_text(value)}" if math.isfinite(value) else "never predicted"
        if math.isfinite(ends[0]):
            facts += f", band {as_text(ends[0])} to {as_text(ends[1])}"
        counted = f"{positives[label]:,} positive, F1 {at_half[label]:.2f} to {tuned[label]:.2f}"
        if not positives[label]:
            counted = "no positive example"
        panel = f"{shorten(names[label], LONGEST_HEADING)}\n{counted}\n{facts}"
        of_label = _rows(scores[:, label], targets[:, label], value, POINTS_A_LABEL // 2, ends)
        rows += [{"place": place, "panel": panel, **row} for row in of_label]
    notes = (
        "across: the threshold; diamond: the chosen one; shaded: the best threshold of 95 % of resamples",
    )
    spec = with_data(_panels(any("low" in row for row in rows)), curves=rows)
    return Chart(TITLE, panelled(spec), notes=notes)


def explorer_facts(
    table_at_half: pd.DataFrame,
    table: pd.DataFrame,
    thresholds: Values,
    *,
    band: tuple[Values, Values] | None = None,
) -> list[str]:
    """Return a sentence about each label and its threshold, in the order of the table.

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at 0.5.
        table: The same labels in the same order, at tuned thresholds.
        thresholds: The chosen thresholds.
        band: As in `threshold_explorer`.
    """
    facts = []
    for i, (half, tuned) in enumerate(zip(table_at_half["f1"], table["f1"], strict=True)):
        value = float(thresholds[i])
        support = int(table["support"].iloc[i])
        examples = f"{support:,} {'example has' if support == 1 else 'examples have'} it"
        where = f"threshold {threshold(value)}" if math.isfinite(value) else "never predicted"
        if band is not None and math.isfinite(value) and math.isfinite(band[0][i]):
            ends = f"{threshold(float(band[0][i]))} to {threshold(float(band[1][i]))}"
            where += f" (95 % band {ends})"
        facts.append(f"{examples}; {where}; F1 {number(half)} at 0.5, {number(tuned)} at its own threshold.")
    return facts


def curve_thresholds(scores: Scores, chosen: float, most: int) -> Values:
    """Return at most ``most`` thresholds that show the course of a label's curves, ascending.

    Half are spread evenly over the scores' range. Half are scores of ranks 1, 2, 3, 5, 8, ...: where few
    examples are predicted, one more of them changes much. The chosen threshold is among them.

    Args:
        scores: Of one label, shape (n_examples,).
        chosen: The label's threshold; ``inf`` never predicts it.
        most: At least 4.
    """
    ordered = np.sort(scores.astype(np.float64))[::-1]
    top = float(ordered[0]) if len(ordered) else 1.0
    high = min(1.0, 1.05 * max(top, chosen if math.isfinite(chosen) else 0.0, 0.02))
    even = np.linspace(0, high, (most - 1) // 2)
    ranks = np.unique(np.geomspace(1, max(len(ordered), 1), most // 2).astype(int)) - 1
    values = [even, ordered[ranks] if len(ordered) else ordered]
    if math.isfinite(chosen):
        values.append(np.array([chosen]))
    return np.unique(np.concatenate(values))


def as_text(value: float) -> str:
    """Return a threshold with two digits; ``inf`` is "never"."""
    if not math.isfinite(value):
        return "never"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _rows(
    scores: Scores, targets: Targets, value: float, most: int, ends: tuple[float, float] | None
) -> list[Row]:
    """Return the points of a label's curves, and last the chosen threshold with its band, if there is one."""
    values = curve_thresholds(scores, value, most)
    counts = _counts(scores, targets, values)
    rows: list[Row] = [{"t": few_digits(t), **row} for t, row in zip(values, counts, strict=True)]
    if math.isfinite(value):
        chosen: Row = {"chosen": 1, "t": few_digits(value), **_counts(scores, targets, np.array([value]))[0]}
        if ends is not None and math.isfinite(ends[0]):
            chosen |= {"low": few_digits(ends[0]), "high": few_digits(min(ends[1], 1.0))}
        rows.append(chosen)
    return rows


def _counts(scores: Scores, targets: Targets, values: Values) -> list[Row]:
    """Return precision, recall and F1 of one label at each threshold; None where undefined."""
    everything = np.sort(scores.astype(np.float64))
    positives = np.sort(scores[targets].astype(np.float64))
    predicted = len(everything) - np.searchsorted(everything, values, side="left")
    hits = len(positives) - np.searchsorted(positives, values, side="left")
    return [
        {
            "precision": few_digits(found / said) if said else None,
            "recall": few_digits(found / len(positives)) if len(positives) else None,
            "F1": few_digits(2 * found / (said + len(positives))) if len(positives) else None,
        }
        for found, said in zip(hits.tolist(), predicted.tolist(), strict=True)
    ]


def _layers(base: alt.Chart, *, title: str | None, ticks: int, has_band: bool) -> list[alt.Chart]:
    """Return band, where there is one, curves and threshold of the rows of one label."""
    across = alt.X("t:Q", title=title).scale(zero=False, nice=False).axis(tickCount=ticks)
    up = alt.Y("value:Q", title=None).scale(domain=[0, 1]).axis(tickCount=ticks)
    curves = base.transform_filter("!isValid(datum.chosen)")
    lines = (
        curves.transform_fold(list(CURVES), as_=["curve", "value"])
        .transform_filter("isValid(datum.value)")
        .mark_line(strokeWidth=2)
        .encode(
            x=across,
            y=up,
            color=by_name(alt.Color("curve:N"), CURVES, 0).legend(
                symbolType="stroke", symbolSize=400, symbolStrokeWidth=2.2
            ),
            strokeDash=by_name(alt.StrokeDash("curve:N"), CURVES, 1),
        )
    )
    line = base.transform_filter("isValid(datum.chosen)")
    told = [
        alt.Tooltip("label:N", title="label"),
        alt.Tooltip("t:Q", title="chosen threshold"),
        alt.Tooltip("low:Q", title="its band from"),
        alt.Tooltip("high:Q", title="to"),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in CURVES),
    ]
    shade = (
        line.transform_filter("isValid(datum.low)")
        .mark_rect(color=INK, opacity=0.1)
        .encode(x="low:Q", x2="high:Q", tooltip=told)
    )
    rule = line.mark_rule(color=INK, strokeWidth=1.2).encode(x=across)
    mark = (
        line.transform_filter("isValid(datum.F1)")
        .mark_point(shape="diamond", filled=True, size=80, color=INK, opacity=1)
        .encode(x=across, y="F1:Q", tooltip=told)
    )
    return [*([shade] if has_band else []), lines, rule, mark]


@cache
def _explorer(has_band: bool) -> Spec:
    """Return the chart of one label to choose, without its data."""
    label = alt.param(name="label", value=0)
    base = alt.Chart(named("curves")).transform_filter("datum.l === label")
    near = nearest("t", name="near")
    pointer = (
        base.transform_filter("!isValid(datum.chosen)")
        .mark_rule(color=SOFT)
        .encode(
            x="t:Q",
            opacity=alt.when(near, empty=False).then(alt.value(0.7)).otherwise(alt.value(0)),
            tooltip=[
                alt.Tooltip("t:Q", title="threshold"),
                *(alt.Tooltip(f"{name}:Q", format=".3f") for name in CURVES),
            ],
        )
        .add_params(near)
    )
    layers = _layers(base, title="threshold", ticks=8, has_band=has_band)
    chart = alt.layer(*layers, pointer).add_params(label).properties(height=300)
    return finish(chart, TITLE)


@cache
def _panels(has_band: bool) -> Spec:
    """Return the chart of several labels, one for each value of ``panel``, without its data."""
    # Texts are what a picture costs most: few ticks, no title under each panel.
    layers = _layers(alt.Chart(), title=None, ticks=3, has_band=has_band)
    chart = in_panels(layers, height=120, data="curves").resolve_scale(x="independent")
    return finish(chart, TITLE)


def _check(scores: Scores, targets: Targets, thresholds: Values, labels: Sequence[str]) -> None:
    if scores.shape != targets.shape or scores.shape[1:] != (len(labels),) or len(thresholds) != len(labels):
        raise ValueError(
            "scores and targets must be (n_examples, n_labels), with a threshold and a name a label, but got "
            f"{scores.shape}, {targets.shape}, {len(thresholds)} thresholds and {len(labels)} names"
        )


def _rarest_and_most_gained(positives: NDArray[np.int64], gains: Values, most: int) -> list[int]:
    """Return up to ``most`` labels, taken in turn from the rarest and the most gained, the rarest first."""
    by_rarity = np.argsort(positives, kind="stable")
    by_gain = np.argsort(-gains, kind="stable")
    in_turn = dict.fromkeys(int(i) for pair in zip(by_rarity, by_gain, strict=True) for i in pair)
    return sorted(list(in_turn)[:most], key=lambda i: (positives[i], i))
