"""What all figures share: size, colours, panels, headings, files."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import Affine2D

from goemo.report.figures.palette import reduced
from goemo.report.figures.texts import DPI, table_text, text_size

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
GREY, DARK, INK = "#8a8f98", "#3d4450", "#22262e"
BAND = "#d9dce3"  # behind lines
GRID, FRAME = "#e4e6ea", "#b6bac2"
SAMPLE = 0.28  # inches: a line or an area in a legend


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, in 256 colours; equal figures give equal bytes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    buffer = io.BytesIO()
    reduced(np.asarray(canvas.buffer_rgba())).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def save(figure: Figure, path: Path | str) -> None:
    """Write the figure as PNG, with the folder it stands in."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(figure))


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of a size in inches; it has a canvas of its own, so that text can be measured."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def new_panels(
    count: int,
    *,
    width: float,
    height: float,
    bottom: float = 0.28,
    above: float = 0.42,
    least_width: float = 6.4,
) -> tuple[Figure, list[Axes]]:
    """Make small multiples, at most four a row.

    ``bottom`` and ``above`` are inches kept for texts; ``least_width`` is what the heading needs.
    """
    columns = min(count, 4)
    rows = -(-count // columns)
    left, top = 0.42, 0.62
    total_width = max(columns * width, least_width) + 0.12
    total_height = top + rows * height
    figure = new_figure(total_width, total_height)
    step = (total_width - 0.12) / columns
    panels = []
    for i in range(count):
        row, column = divmod(i, columns)
        x = column * step + left
        y = total_height - top - (row + 1) * height + bottom
        inches = (x, y, step - left, height - bottom - above)
        panels.append(
            figure.add_axes(
                (
                    inches[0] / total_width,
                    inches[1] / total_height,
                    inches[2] / total_width,
                    inches[3] / total_height,
                )
            )
        )
    return figure, panels


def panel_title(axes: Axes, name: str, families: Sequence[str], facts: str) -> None:
    """Write a name above a panel, and lines of facts under the name."""
    lines = facts.count("\n") + 1
    pad = 4 + 11.5 * lines
    axes.set_title(name, fontsize=9, loc="left", pad=pad, color=INK, fontfamily=families, parse_math=False)
    axes.annotate(
        facts,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=7.8,
        color=INK,
        linespacing=1.15,
    )


def heading(figure: Figure, title: str, handles: Sequence[Line2D | Rectangle]) -> None:
    """Write the title of a figure and, under it, its legend in one line.

    Lines and rectangles become the samples of the legend, beside the text of their label.
    """
    # Inches in terms of the figure, which a viewer may crop.
    inches = Affine2D().scale(*(1 / figure.get_size_inches())) + figure.transFigure
    height = figure.get_figheight()
    look: dict[str, Any] = {"va": "center", "color": INK, "parse_math": False, "transform": inches}
    x, y = 0.14, height - 0.44
    table_text(figure, x, height - 0.185, title, fontsize=11, **look)
    for handle in handles:
        if isinstance(handle, Line2D):
            handle.set(data=([x, x + SAMPLE / 2, x + SAMPLE], [y, y, y]), markevery=[1])
        else:
            handle.set_bounds(x, y - 0.04, SAMPLE, 0.08)
        handle.set_transform(inches)
        figure.add_artist(handle)
        x += SAMPLE + 0.09
        text = str(handle.get_label())
        table_text(figure, x, y, text, fontsize=8.5, **look)
        x += text_size(text, ["sans-serif"], 8.5)[0] / 72 + 0.17


def tidy(axes: Axes) -> None:
    """Leave of the frame what is read: two quiet axes and a light grid."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FRAME)
    axes.grid(visible=True, color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, color=FRAME, length=3)


def cut_text(threshold: float) -> str:
    """Return a threshold as read by people; ``inf`` is "never"."""
    if not math.isfinite(threshold):
        return "never"
    return f"{threshold:.2f}" if threshold >= 0.1 else f"{threshold:.2g}"


def metric_name(objective: str) -> str:
    """Return ``val/macro_f1`` as "validation macro-F1"."""
    name = objective.removeprefix("val/").replace("_f1", "-F1").replace("_", " ")
    return f"validation {name}" if objective.startswith("val/") else name
