"""What the tuned thresholds give each label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from goemo.report.figures.drawing import BLUE, GREY, INK, VERMILION, new_figure
from goemo.report.figures.label_tables import same_labels
from goemo.report.figures.names import drawable, widest
from goemo.report.figures.texts import table_text


def gain_per_label(table_at_half: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw how much F1 every label gains or loses from 0.5 to its tuned threshold.

    Args:
        table_at_half: Output of `goemo.metrics.per_label_table` at thresholds of 0.5.
        table: The same labels in the same order, at tuned thresholds.

    Returns:
        One row a label, the largest gain first, of equals the label that comes first; a bar to the right is
        a gain, a hatched one to the left a loss. The line above gives the mean over all labels.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    same_labels(table_at_half, table)
    half = np.nan_to_num(table_at_half["f1"].to_numpy(dtype=float))
    tuned = np.nan_to_num(table["f1"].to_numpy(dtype=float))
    support = table["support"].to_numpy(dtype=float)
    gain = tuned - half
    order = np.argsort(-gain, kind="stable")
    names, families = drawable([str(label) for label in table["label"]])

    row_height, top, bottom = 0.235, 0.98, 0.16
    left = 0.2 + widest(names, families, 8.5)
    counts_width, bars_width, numbers_width = 0.62, 3.9, 1.35
    start = left + counts_width + 0.1
    width = start + bars_width + numbers_width + 0.1
    height = top + row_height * len(order) + bottom
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")

    # Room for the number at the end of the longest bar, on both sides where there are losses.
    low, high = min(0.0, float(gain.min(initial=0))), max(0.0, float(gain.max(initial=0)))
    room = 0.45
    losses = room if low < 0 else 0.0
    inches = (bars_width - room - losses) / ((high - low) or 1.0)
    zero = start + losses - low * inches
    small: dict[str, Any] = {"fontsize": 8.5, "color": INK, "va": "center", "parse_math": False}
    middles = top + row_height * (np.arange(len(order)) + 0.5)
    for y, label in zip(middles, order, strict=True):
        is_loss = gain[label] < 0
        if gain[label]:
            axes.barh(
                y,
                gain[label] * inches,
                left=zero,
                height=0.62 * row_height,
                color="white" if is_loss else BLUE,
                edgecolor=VERMILION if is_loss else BLUE,
                hatch="//////" if is_loss else None,
                lw=1,
            )
        end = zero + gain[label] * inches
        side = -1 if is_loss else 1
        align = "right" if is_loss else "left"
        table_text(
            axes, end + 0.06 * side, y, f"{gain[label]:+z.2f}".replace("+0.00", "0"), ha=align, **small
        )
        table_text(axes, left - 0.08, y, names[label], ha="right", fontfamily=families, **small)
        table_text(axes, start - 0.1, y, f"{int(support[label]):,}", ha="right", **small)
        table_text(axes, width - 0.12, y, f"{half[label]:.2f} → {tuned[label]:.2f}", ha="right", **small)
    axes.plot([zero, zero], [top - 0.04, top + row_height * len(order) + 0.04], color=GREY, lw=1, zorder=0)
    header = top - 0.14
    axes.text(start - 0.1, header, "support", ha="right", **small)
    axes.text(zero + 0.04, header, "gain in F1", ha="left", **small)
    axes.text(width - 0.12, header, "F1 at 0.5 → tuned", ha="right", **small)
    axes.text(0.12, 0.24, "Gain in F1 per label, from 0.5 to tuned", **{**small, "fontsize": 11})
    mean = f"mean over labels: {half.mean():.3f} → {tuned.mean():.3f}" if len(order) else "no label"
    better, worse = np.count_nonzero(gain > 0), np.count_nonzero(gain < 0)
    axes.text(0.12, 0.5, f"{mean}; better: {better}, worse: {worse}", **small)
    return figure
