"""Grid of the labels that are predicted instead of those that are missed."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import numpy.typing as npt

from goemo.report import confusion
from goemo.report.charts.drawing import Chart, Row, few_digits, finish, named, names_of
from goemo.report.charts.rows import shown_of

CELL, NAMES = 22, 190  # pixels
LEAST_EXAMPLES = 3  # a share of one or two misses says nothing
LEAST_SHARE = 0.145  # which reads 15 %
DARKEST = 0.6  # the share from which a cell is as dark as it gets
PAIRS = 6
MOST = 40  # labels
TITLE = "Wrongly predicted where another label is missed"


def confusions(
    targets: npt.NDArray[np.bool_],
    predictions: npt.NDArray[np.bool_],
    labels: Sequence[str],
) -> Chart:
    """Draw, for every label that is missed, which other labels are wrongly predicted on the same examples.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions: True where the label is predicted, same shape.
        labels: Names, in the order of the columns; of many, the `MOST` with the most errors are drawn.

    Returns:
        Row i, column j: the share of the misses of label i on which label j is wrongly predicted, in words
        from 15 % on. The first column is the share on which no label is wrongly predicted. A row can add up
        to more than 100 %, and is empty where nothing is missed. The notes name the strongest pairs, of at
        least three examples each.

    Raises:
        ValueError: Shapes differ, or names that are not one a label.
    """
    found = confusion.confusions(targets, predictions)
    if len(labels) != len(found.misses):
        raise ValueError(f"labels must name all {len(found.misses)} labels, got {len(labels)} names")
    errors = found.misses + np.count_nonzero(predictions & ~targets, axis=0)
    kept = np.sort(np.argsort(-errors, kind="stable")[:MOST]).tolist()
    names = names_of(labels)
    shares, alone = found.shares, found.alone / np.maximum(found.misses, 1)
    columns = [(-1, "no other label"), *((j, names[j]) for j in kept)]
    cells: list[Row] = []
    for i in kept:
        for j, instead in columns:
            share = float(alone[i] if j < 0 else shares[i, j])
            if share and i != j:
                examples = int(found.alone[i] if j < 0 else found.together[i, j])
                known = {"missed": f"{names[i]} ({found.misses[i]:,})", "predicted": instead}
                cells.append({**known, "share": few_digits(share), "examples": examples})
    pairs = found.strongest(PAIRS, least=LEAST_EXAMPLES)
    strongest = [f"{names[i]}: {names[j]} ({100 * shares[i, j]:.0f} %)" for i, j in pairs]
    notes = (
        "rows: the missed label (how often); cells: per cent of its misses on which the column is predicted",
        *shown_of(len(kept), len(labels), "those with the most errors"),
        *(["strongest, missed: predicted"] if pairs else ["no pair on three examples"]),
        *strongest,
    )
    missed = [f"{names[i]} ({found.misses[i]:,})" for i in kept]
    across = (
        alt.X("predicted:N", title=None)
        .scale(domain=[name for _, name in columns])
        .axis(orient="top", labelAngle=-90, grid=False, domain=False, ticks=False, labelLimit=150)
    )
    down = (
        alt.Y("missed:N", title=None)
        .scale(domain=missed)
        .axis(grid=False, domain=False, ticks=False, labelLimit=NAMES - 10)
    )
    tooltip = [
        alt.Tooltip("missed:N"),
        alt.Tooltip("predicted:N", title="wrongly predicted"),
        alt.Tooltip("share:Q", title="share of the misses", format=".0%"),
        alt.Tooltip("examples:Q"),
    ]
    base = alt.Chart(named("cells")).encode(x=across, y=down, tooltip=tooltip)
    boxes = base.mark_rect(stroke="white").encode(
        color=alt.Color("share:Q", legend=None).scale(scheme="blues", domain=[0, DARKEST], clamp=True)
    )
    numbers = (
        base.transform_filter(f"datum.share >= {LEAST_SHARE}")
        .mark_text(fontSize=9)
        .encode(
            text="percent:N",
            color=alt.when("datum.share > 0.32").then(alt.value("white")).otherwise(alt.value("black")),
        )
        .transform_calculate(percent="format(100 * datum.share, '.0f')")
    )
    spec = finish(alt.layer(boxes, numbers).properties(height=CELL * max(len(kept), 1)), TITLE, cells=cells)
    width = CELL * len(columns) + NAMES
    return Chart(TITLE, {**spec, "usermeta": {"min_width": width}}, width=width, notes=notes)
