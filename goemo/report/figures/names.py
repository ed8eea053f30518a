"""Names of labels in figures: any script, any length, and beside their points without overlaps."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

from goemo.report.figures.drawing import INK
from goemo.report.figures.texts import table_text, text_size

FAMILY = "DejaVu Sans"  # comes with matplotlib, so its letters are always there
LONGEST_NAME = 26


def drawable(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what to write for each label and the font families to write it in.

    Matplotlib warns at, and draws a box for, characters that no given font has. So characters come from
    any installed outline font; those that none has are left out, and a name of which no letter is left
    reads "label 7", by its position.
    """
    families = [FAMILY]
    names = []
    for position, label in enumerate(labels, start=1):
        kept = []
        for character in unicodedata.normalize("NFC", label):
            if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"} or "︀" <= character <= "️":
                continue
            family = FAMILY if character.isspace() else _family_with(character)
            if family is None:
                continue
            if family not in families:
                families.append(family)
            kept.append(" " if character.isspace() else character)
        name = " ".join("".join(kept).split())
        has_letter = any(not unicodedata.category(c).startswith(("P", "Z", "M")) for c in name)
        names.append(shorten(name, LONGEST_NAME) if has_letter else f"label {position}")
    return names, families


def shorten(name: str, longest: int) -> str:
    """Cut a name to ``longest`` characters, the last an ellipsis."""
    return name if len(name) <= longest else name[: longest - 1].rstrip() + "…"


def widest(texts: Sequence[str], families: Sequence[str], size: float) -> float:
    """Return the width of the widest text, in inches."""
    return max((text_size(text, families, size)[0] for text in texts), default=0.0) / 72


@cache
def _family_with(character: str) -> str | None:
    """Return a family that can draw the character, DejaVu Sans before all others; None if there is none."""
    if ord(character) in _characters(findfont(FontProperties(family=[FAMILY]))):
        return FAMILY
    regular = [
        f for f in fontManager.ttflist if f.style == "normal" and f.weight in {400, "normal", "regular"}
    ]
    # Last Resort has a picture frame for every character there is, and draws none of them.
    candidates = sorted({(f.name, f.fname) for f in regular if "Last Resort" not in f.name})
    return next((name for name, path in candidates if ord(character) in _characters(path)), None)


@cache
def _characters(path: str) -> frozenset[int]:
    """Return the code points that matplotlib can draw from a font file: none from bitmap and colour fonts."""
    font = get_font(path)
    is_outline = font.scalable if hasattr(font, "scalable") else True
    if not is_outline or "Emoji" in font.family_name:
        return frozenset()
    return frozenset(font.get_charmap())


def annotate_points(
    axes: Axes,
    *,
    x: npt.NDArray[np.float64],
    half: npt.NDArray[np.float64],
    tuned: npt.NDArray[np.float64],
    names: Sequence[str],
    families: Sequence[str],
) -> int:
    """Write names beside their points where nothing is in the way; return how many found no room.

    Greedy: rare labels first, each at the nearest of some forty places that is free. A name stands clear
    of other labels' points, or a thin line leads from it to its own.
    """
    size = 7.6
    scale = axes.figure.dpi / 72  # points to pixels
    upper = axes.transData.transform(np.column_stack([x, np.maximum(half, tuned)]))
    lower = axes.transData.transform(np.column_stack([x, np.minimum(half, tuned)]))
    points = np.column_stack([lower, upper])  # (n, 4): left, bottom, right, top
    bounds = axes.get_window_extent()
    written = np.empty((0, 4))
    unnamed = 0
    sizes = [text_size(name, families, size) for name in names]
    placed: dict[int, npt.NDArray[np.float64]] = {}
    leaders = []
    for i in np.argsort(x, kind="stable"):
        width, height = (scale * length for length in sizes[i])
        others = np.delete(points, i, axis=0)
        for clearance, is_led in ((12, False), (12, True), (5, True)):
            inflated = others + clearance * scale * np.array([-1, -1, 1, 1])
            own = points[i] + 4 * scale * np.array([-1, -1, 1, 1])
            place = _free_place(
                upper=upper[i],
                lower=lower[i],
                width=width,
                height=height,
                taken=np.vstack([inflated, own, written]),
                bounds=bounds,
                scale=scale,
                is_led=is_led,
            )
            if place is not None:
                break
        else:
            unnamed += 1
            continue
        left, bottom, anchor = place
        written = np.vstack([written, [left - 2, bottom - 1, left + width + 2, bottom + height + 1]])
        placed[i] = middle = np.array([left + width / 2, bottom + height / 2])
        if is_led:
            leaders += _between(anchor, middle, width=width, height=height, gap=3 * scale)
    to_data = axes.transData.inverted()  # a viewer that crops the figure moves its axes, and not pixels
    look: dict[str, Any] = {"ha": "center", "va": "center", "color": INK, "parse_math": False}
    for i, (x_data, y_data) in zip(
        placed, to_data.transform(np.reshape([*placed.values()], (-1, 2))), strict=True
    ):
        table_text(axes, x_data, y_data, names[i], fontsize=size, fontfamily=families, zorder=6, **look)
    ends = list(to_data.transform(np.reshape(leaders, (-1, 2))).reshape(-1, 2, 2))
    axes.add_collection(LineCollection(ends, colors=INK, lw=0.6, alpha=0.6, zorder=5), autolim=False)
    return unnamed


def _between(
    point: npt.NDArray[np.float64],
    middle: npt.NDArray[np.float64],
    *,
    width: float,
    height: float,
    gap: float,
) -> list[npt.NDArray[np.float64]]:
    """Return both ends of the line from beside a point to the edge of a box around a middle, in pixels."""
    way = middle - point
    length = math.hypot(*way)
    reach = min(
        half / abs(step) if step else math.inf
        for half, step in zip((width / 2 + 2, height / 2), way, strict=True)
    )
    return [point + way * min(gap / length, 1.0), middle - way * min(reach, 1.0)]


def _free_place(
    *,
    upper: npt.NDArray[np.float64],
    lower: npt.NDArray[np.float64],
    width: float,
    height: float,
    taken: npt.NDArray[np.float64],
    bounds: Any,
    scale: float,
    is_led: bool,
) -> tuple[float, float, npt.NDArray[np.float64]] | None:
    """Return left, bottom and the point named, of the first place that no box of ``taken`` overlaps."""
    for distance in (12, 20, 30, 42, 56) if is_led else (6,):
        near = distance * scale
        for anchor, sign in ((upper, 1), (lower, -1)):
            x, y = anchor
            base = 0 if sign > 0 else height
            for left, bottom in (
                (x + near, y - height / 2),
                (x - near - width, y - height / 2),
                (x - width / 2, y + sign * near - base),
                (x + 0.7 * near, y + sign * 0.8 * near - base),
                (x - 0.7 * near - width, y + sign * 0.8 * near - base),
                (x + 0.95 * near, y + sign * 0.4 * near - height / 2),
                (x - 0.95 * near - width, y + sign * 0.4 * near - height / 2),
            ):
                right, top = left + width, bottom + height
                if left < bounds.x0 or right > bounds.x1 or bottom < bounds.y0 or top > bounds.y1:
                    continue
                overlaps = (
                    (taken[:, 0] < right)
                    & (taken[:, 2] > left)
                    & (taken[:, 1] < top)
                    & (taken[:, 3] > bottom)
                )
                if not overlaps.any():
                    return float(left), float(bottom), anchor
    return None
