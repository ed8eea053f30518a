"""Many short texts, drawn from pictures of texts that were drawn before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

DPI = 110
PAD = 2  # pixels around a text, for letters that reach out of their box
# How much of its length a text lies left of its anchor.
ALIGNED = {"left": 0.0, "center": 0.5, "right": 1.0}


class TableText(Text):
    """One line in a table of hundreds, which matplotlib would set glyph by glyph.

    Tables repeat their texts: numbers of two digits, the same labels in each trial. Each text is set once in
    a process, by matplotlib itself, and its picture is put where it is needed, at whole pixels. It stands
    upright, centred on its anchor by the height of letters that reach up and down. It has no mathematics.
    """

    def set_clip_path(self, path: Any, transform: Any = None) -> None:
        """Do nothing: the picture is put down whole, and a path for each of hundreds takes its time."""

    def draw(self, renderer: Any) -> None:
        """Put the picture of the text in its place."""
        text = self.get_text()
        if not text:
            return
        figure = self.get_figure(root=True)
        assert figure is not None
        families = tuple(self.get_fontfamily())
        colour = to_rgb(self.get_color())
        pixels, width, baseline = _picture(text, families, self.get_fontsize(), figure.dpi, colour)
        x, y = self.get_transform().transform(self.get_unitless_position())
        left = round(x - ALIGNED[self.get_horizontalalignment()] * width)
        bottom = round(y - _middle(families, self.get_fontsize(), figure.dpi))
        gc = renderer.new_gc()
        renderer.draw_image(gc, left - PAD, bottom - baseline, pixels)
        gc.restore()
        self.stale = False


def table_text(parent: Axes | Figure, x: float, y: float, text: str, **look: Any) -> Artist:
    """Write one line at a place, of axes in data coordinates; ``look`` is that of `TableText`."""
    return parent.add_artist(TableText(x, y, text, **look))


def text_size(text: str, families: Sequence[str], size: float) -> tuple[float, float]:
    """Return width and height of a line in points; the height is at least that of the font."""
    width, height, _ = _measure(text, tuple(families), size, DPI)
    return width * 72 / DPI, max(height * 72 / DPI, size)


@lru_cache(4096)
def _picture(
    text: str,
    families: tuple[str, ...],
    size: float,
    dpi: float,
    colour: tuple[float, float, float],
) -> tuple[npt.NDArray[np.uint8], float, int]:
    """Return red, green, blue and ink of each pixel, the lowest row first; the width; the baseline's row."""
    font = FontProperties(family=list(families), size=size)
    width, height, descent = _measure(text, families, size, dpi)
    baseline = int(np.ceil(descent)) + PAD
    rows = baseline + int(np.ceil(height - descent)) + PAD
    renderer = RendererAgg(int(np.ceil(width)) + 2 * PAD, rows, dpi)
    renderer.draw_text(renderer.new_gc(), PAD, rows - baseline, text, font, 0, ismath=False)
    pixels = np.asarray(renderer.buffer_rgba())[::-1].copy()
    pixels[..., :3] = np.multiply(colour, 255).round()
    return pixels, width, baseline


@lru_cache(64)
def _middle(families: tuple[str, ...], size: float, dpi: float) -> float:
    """Return how far the middle of a line lies above its baseline, in pixels."""
    _, height, descent = _measure("lp", families, size, dpi)
    return height / 2 - descent


@lru_cache(4096)
def _measure(text: str, families: tuple[str, ...], size: float, dpi: float) -> tuple[float, float, float]:
    """Return width, height and descent in pixels."""
    font = FontProperties(family=list(families), size=size)
    width, height, descent = RendererAgg(1, 1, dpi).get_text_width_height_descent(text, font, ismath=False)
    return float(width), float(height), float(descent)
