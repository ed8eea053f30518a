"""Which labels are predicted instead of those that are missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from goemo.report import confusion
from goemo.report.figures.drawing import GREY, INK, new_figure
from goemo.report.figures.names import drawable, widest
from goemo.report.figures.texts import table_text

CELL, LINE = 0.235, 0.2  # inches
SIZE = 8.5  # of texts, in points
LEAST_EXAMPLES = 3  # a share of one or two misses says nothing
LEAST_SHARE = 0.145  # which reads 15 %
DARKEST = 0.6  # the share from which a cell is as dark as it gets


def confusions(
    targets: npt.NDArray[np.bool_],
    predictions: npt.NDArray[np.bool_],
    labels: Sequence[str],
    *,
    most: int = 40,
) -> Figure:
    """Draw, for every label that is missed, which other labels are wrongly predicted on the same examples.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions: True where the label is predicted, same shape.
        labels: Names, in the order of the columns.
        most: Labels shown: those with the most errors, in the order of the columns.

    Returns:
        Row i, column j: the share of the misses of label i on which label j is wrongly predicted, in words
        from 15 % on. The first column is the share on which no label is wrongly predicted. A row can add up
        to more than 100 %, and is empty where nothing is missed. Beside the grid, the strongest pairs, of at
        least three examples each.

    Raises:
        ValueError: Shapes differ, or names that are not one a label.
    """
    found = confusion.confusions(targets, predictions)
    if len(labels) != len(found.misses):
        raise ValueError(f"labels must name all {len(found.misses)} labels, got {len(labels)} names")
    errors = found.misses + np.count_nonzero(predictions & ~targets, axis=0)
    kept = np.sort(np.argsort(-errors, kind="stable")[:most])
    names, families = drawable(labels)
    shown = [names[i] for i in kept]
    count = len(kept)
    pairs = found.strongest(min(20, max(10, int(count * CELL / LINE) - 1)), least=LEAST_EXAMPLES)

    name_width = widest(shown, families, SIZE)
    left, top = 0.2 + name_width, 0.72 + max(name_width, 0.7)
    alone_at = left + 0.62
    grid_at = alone_at + CELL + 0.1
    pairs_at = grid_at + CELL * count + 0.3
    from_width, to_width = (widest([names[p[k]] for p in pairs], families, SIZE) for k in (0, 1))
    width = max(pairs_at + max(from_width + to_width + 0.95, 2.0), 6.2)
    height = top + max(CELL * count, LINE * (max(len(pairs), 1) + 0.5)) + 0.18
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")

    shares = found.shares[np.ix_(kept, kept)]
    missed = found.misses[kept]
    alone = found.alone[kept] / np.maximum(missed, 1)
    shares[np.arange(count), np.arange(count)] = np.nan
    shares[missed == 0], alone[missed == 0] = np.nan, np.nan
    _draw_cells(axes, alone[:, None], alone_at, top)
    _draw_cells(axes, shares, grid_at, top)
    end = CELL * count
    axes.plot([grid_at, grid_at + end], [top, top + end], color=GREY, lw=0.8)  # a label and itself

    text: dict[str, Any] = {"fontsize": SIZE, "color": INK, "parse_math": False}
    upright: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "bottom"}
    above = top - 0.06
    for i, name in enumerate(shown):
        y = top + CELL * (i + 0.5)
        table_text(axes, left - 0.08, y, name, ha="right", va="center", fontfamily=families, **text)
        table_text(axes, alone_at - 0.1, y, f"{missed[i]:,}", ha="right", va="center", **text)
        axes.text(grid_at + CELL * (i + 0.5), above, name, fontfamily=families, **upright, **text)
    axes.text(alone_at + CELL / 2, above, "no other", **upright, **text)
    axes.text(alone_at - 0.1, above, "missed", ha="right", va="bottom", **text)
    axes.text(pairs_at, above, "strongest: missed → predicted", ha="left", va="bottom", **text)
    if not pairs:
        axes.text(pairs_at, top + 0.5 * LINE, "no pair on three examples", va="center", **text)
    for k, (i, j) in enumerate(pairs):
        y = top + LINE * (k + 0.5)
        # Three texts: in one, a name that is written from right to left would turn the arrow around.
        line = {**text, "va": "center", "fontfamily": families}
        table_text(axes, pairs_at, y, names[i], ha="left", **line)
        table_text(axes, pairs_at + from_width + 0.17, y, "→", ha="center", **line)
        table_text(axes, pairs_at + from_width + 0.34, y, names[j], ha="left", **line)
        table_text(axes, width - 0.12, y, f"{100 * found.shares[i, j]:.0f} %", ha="right", **line)
    title = "Wrongly predicted where another label is missed"
    if count < len(labels):
        title += f"   ({count} of {len(labels)} labels, those with the most errors)"
    axes.text(0.12, 0.24, title, va="center", **{**text, "fontsize": 11})
    note = "rows: the missed label; cells: per cent of its misses on which the column is predicted"
    axes.text(0.12, 0.5, note, va="center", **text)
    return figure


def _draw_cells(axes: Axes, shares: npt.NDArray[np.float64], x: float, y: float) -> None:
    """Draw a grid of shares, shape (rows, columns), with its upper left corner at x and y; NaN is blank."""
    rows, columns = shares.shape
    axes.pcolormesh(
        x + CELL * np.arange(columns + 1),
        y + CELL * np.arange(rows + 1),
        np.ma.masked_invalid(shares),
        cmap=mpl.colormaps["Blues"],
        vmin=0,
        vmax=DARKEST,
        edgecolors="white",
        lw=0.6,
    )
    for i, j in np.argwhere(np.nan_to_num(shares) >= LEAST_SHARE):
        table_text(
            axes,
            x + CELL * (j + 0.5),
            y + CELL * (i + 0.52),
            f"{100 * shares[i, j]:.0f}",
            ha="center",
            va="center",
            fontsize=7 if shares[i, j] < 0.995 else 6,
            color="white" if shares[i, j] > 0.32 else INK,
            parse_math=False,
        )
