"""How much each hyperparameter mattered."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from goemo.report.figures.drawing import BLUE, GREY, INK, new_figure
from goemo.report.figures.names import drawable, widest

WIDTH = 6.6
LINE = 0.19  # inches
CHARACTERS = 100  # of a line of the note


def importance(shares: Mapping[str, float], *, note: str = "") -> Figure:
    """Draw the shares of hyperparameters as bars.

    Args:
        shares: Hyperparameter to share, in [0, 1], in the order in which they are drawn.
        note: What the shares rest on, or why there are none; written under the title.

    Returns:
        One bar a hyperparameter, with the share in per cent. Without shares, the note alone.
    """
    lines = textwrap.wrap(note, CHARACTERS)
    names, families = drawable(list(shares))
    left = 0.2 + widest(names, families, 9)
    row_height = 0.32
    top = 0.48 + LINE * len(lines) + 0.1
    height = top + row_height * len(names) + 0.15
    figure = new_figure(WIDTH, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    small: dict[str, Any] = {"color": INK, "va": "center", "parse_math": False}
    axes.text(0.12, 0.24, "Importance of the hyperparameters", fontsize=11, **small)
    for i, line in enumerate(lines):
        axes.text(0.12, 0.5 + LINE * i, line, fontsize=8.5, **small)
    inches = WIDTH - left - 0.75  # of a share of 1
    for i, (name, share) in enumerate(zip(names, shares.values(), strict=True)):
        y = top + row_height * (i + 0.5)
        axes.barh(y, share * inches, left=left, height=0.6 * row_height, color=BLUE, lw=0)
        axes.text(left - 0.08, y, name, ha="right", fontsize=9, fontfamily=families, **small)
        axes.text(left + share * inches + 0.07, y, f"{100 * share:.0f} %", ha="left", fontsize=9, **small)
    if names:
        axes.plot([left, left], [top - 0.03, height - 0.12], color=GREY, lw=1)
    return figure
