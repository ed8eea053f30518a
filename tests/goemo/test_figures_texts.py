"""Texts of tables: they look as matplotlib's own, wherever they stand."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from goemo.report.figures.drawing import new_figure
from goemo.report.figures.names import drawable
from goemo.report.figures.texts import table_text

PLACES = {"left": 0.2, "center": 2.0, "right": 3.8}


def paper(text, align, *, is_table):
    """Return how dark each pixel is of a figure with one text."""
    figure = new_figure(4, 0.6)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 4), ylim=(0.6, 0))
    axes.axis("off")
    (shown,), families = drawable([text])
    look = {"ha": align, "va": "center", "fontsize": 9, "fontfamily": families, "color": "#22262e"}
    if is_table:
        table_text(axes, PLACES[align], 0.3, shown, **look)
    else:
        axes.text(PLACES[align], 0.3, shown, parse_math=False, **look)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return 255.0 - np.asarray(canvas.buffer_rgba())[..., :3].mean(axis=2)


@pytest.mark.parametrize("align", PLACES)
@pytest.mark.parametrize("text", ["0.42", "gratitude", "quyj $x^2$", "Ağaç", "1,766"])
def test_a_table_text_is_what_matplotlib_writes_but_for_a_pixel(text, align):
    """The same amount of ink, and its middle within a pixel in both directions."""
    ours, theirs = (paper(text, align, is_table=is_table) for is_table in (True, False))
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.03)
    for axis in (0, 1):
        middles = [np.average(np.arange(p.shape[axis]), weights=p.sum(axis=1 - axis)) for p in (ours, theirs)]
        assert abs(middles[0] - middles[1]) <= 1


def test_colours_differ_while_the_picture_is_shared():
    """The second text of the same letters is drawn in its own colour."""
    figure = new_figure(2, 1)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 2), ylim=(0, 1))
    axes.axis("off")
    for x, colour in ((0.5, "#ff0000"), (1.5, "#0000ff")):
        table_text(axes, x, 0.5, "mmm", ha="center", va="center", fontsize=12, color=colour)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    left, right = np.split(pixels, 2, axis=1)
    assert left[..., 0].min() == 255  # red takes none of the red light
    assert left[..., 2].min() < 80
    assert right[..., 2].min() == 255
    assert right[..., 0].min() < 80
