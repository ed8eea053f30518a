"""A finished chart, and the common look of all charts: style, colours, short numbers."""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
from PIL import Image

from goemo.report.rendering import metric_words
from goemo.report.scripts import VEGA_LITE

Spec = dict[str, Any]  # one Vega-Lite specification
Row = dict[str, Any]

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
GREY, INK, SOFT, LINE, FRAME = "#8a8f98", "#22262e", "#5b6470", "#e4e6ea", "#b6bac2"
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
# Comes with vl-convert, which measures and sets its letters in a quarter of the time that DejaVu Sans takes.
PICTURE_FONT = "Liberation Sans"
ROW = 17  # pixels
PANEL, COLUMNS = 165, 4  # pixels; panels a row, at most
LONGEST_HEADING = 26  # characters of a label's name over its panel
SIGNIFICANT_DIGITS = 4
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode's categories of signs that are not to be seen
SCALE = 1.5  # pixels of a PNG for one of a page


@dataclass(frozen=True)
class Chart:
    """A finished chart: it shows itself in a notebook, becomes a picture, and stands live on a page.

    Attributes:
        title: What it shows, in a line; also what a screen reader says of it.
        spec: A Vega-Lite specification with its data. One plot is as wide as its place.
        width: Pixels of that plot in a picture.
        notes: What else is to be said, a line each.
    """

    title: str
    spec: Spec
    width: int = 640
    notes: tuple[str, ...] = ()

    def png(self) -> bytes:
        """Return the chart as PNG of 256 colours, with its title; equal charts give equal bytes.

        Vega runs inside vl-convert, without a browser or a network. Letters come from the fonts that are
        installed, and from those of vl-convert: Latin, Greek, Cyrillic and Hebrew are always there.
        """
        import vl_convert

        spec = self.alone()
        spec["config"] = {**spec["config"], "font": PICTURE_FONT}
        png = vl_convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=SCALE, allowed_base_urls=[])
        smaller = io.BytesIO()
        with Image.open(io.BytesIO(png)) as image:
            few = image.convert("RGB").quantize(
                256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
            )
        few.save(smaller, format="PNG", compress_level=6)
        return smaller.getvalue()

    def save(self, path: Path | str) -> None:
        """Write the chart as PNG, with the folder it stands in."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.png())

    def alone(self) -> Spec:
        """Return the specification of a picture: of a fixed width, with title and notes above."""
        heading: Spec = {"text": self.title, "anchor": "start", "frame": "bounds"}
        if self.notes:
            heading["subtitle"] = list(self.notes)
        fixed = {"width": self.width} if self.spec.get("width") == "container" else {}
        return {**self.spec, **fixed, "title": heading, "padding": 8}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Show itself in a notebook: live where it can, else as a picture."""
        del include, exclude
        return {"application/vnd.vegalite.v6+json": self.alone(), "image/png": self.png()}


def finish(chart: alt.TopLevelMixin, description: str, **data: Sequence[Row]) -> Spec:
    """Return a chart as a specification that needs nothing from elsewhere.

    Altair has checked its parts as they were made; a test checks the whole, which takes as long again.

    Args:
        chart: Its data sources are named ones. One with a single plot becomes as wide as its place.
        description: What a screen reader says of it.
        **data: The rows of each data source, by name.
    """
    axis = alt.AxisConfig(
        domainColor=FRAME,
        gridColor=LINE,
        tickColor=FRAME,
        labelColor=INK,
        labelFontSize=11,
        labelLimit=170,
        titleColor=INK,
        titleFontSize=12,
        titleFontWeight="normal",
    )
    legend = alt.LegendConfig(
        orient="top", title=None, labelColor=INK, labelFontSize=11.5, labelLimit=260, symbolSize=70, offset=6
    )
    header = alt.HeaderConfig(
        title=None, labelColor=INK, labelFontSize=11, labelAnchor="start", labelLimit=200, labelPadding=4
    )
    title = alt.TitleConfig(
        color=INK, fontSize=15, fontWeight="normal", subtitleColor=SOFT, subtitleFontSize=11, offset=8
    )
    if isinstance(chart, alt.LayerChart):
        fit = alt.AutoSizeParams(type="fit-x", contains="padding")
        chart = chart.properties(width="container", autosize=fit)
    finished: Spec = (
        chart.properties(description=description, background="white", padding=2)
        .configure(font=FONT, axis=axis, legend=legend, header=header, title=title)
        .configure_view(stroke=None)
        .to_dict(validate=False)
    )
    del finished["$schema"]  # an address on the web; the page says what this is
    return with_data(finished, **data)


def with_data(spec: Spec, **data: Sequence[Row]) -> Spec:
    """Return a specification with the rows of its data sources.

    A chart takes Altair longer to put together than to draw: one that has the same parts for every trial is
    made once and gets its rows here.
    """
    return {**spec, "datasets": {name: list(rows) for name, rows in data.items()}}


def in_panels(layers: Sequence[alt.Chart], *, height: int, data: str) -> alt.FacetChart:
    """Return a plot as panels, one for each heading in ``panel`` of the rows, in the order of ``place``."""
    heading = alt.Header(labelExpr="split(datum.value, '\\n')")
    return (
        alt.layer(*layers)
        .properties(width=PANEL, height=height)
        .facet(
            facet=alt.Facet("panel:N", sort=alt.EncodingSortField("place", op="min"), header=heading),
            columns=COLUMNS,
            data=named(data),
        )
    )


def panelled(spec: Spec) -> Spec:
    """Return what `in_panels` has made with the width that a page reckons with for each panel."""
    return {**spec, "usermeta": {"panel_width": PANEL + 45}}


def named(name: str) -> alt.NamedData:
    """Return a data source whose rows `finish` adds."""
    return alt.NamedData(name=name)


def by_name(channel: Any, looks: Mapping[str, Any], part: int) -> Any:
    """Return a channel in which each name has its own look: part 0 is a colour, 1 dashes, 2 a shape."""
    return channel.scale(domain=list(looks), range=[look[part] for look in looks.values()]).title(None)


def nearest(*fields: str, name: str = "hover") -> alt.Parameter:
    """Return the selection of what lies nearest to the pointer, or under the finger."""
    return alt.selection_point(
        name=name, fields=list(fields), on="pointerover", nearest=True, clear="pointerout"
    )


def few_digits(value: float | None) -> float | None:
    """Return a number as it is worth drawing; None where there is none, because JSON has no NaN."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def shorten(name: str, longest: int) -> str:
    """Shorten a name to ``longest`` characters, the last an ellipsis."""
    return name if len(name) <= longest else name[: longest - 1].rstrip() + "…"


def one_line(name: str) -> str:
    """Return a name without line breaks, and without signs that cannot be seen but move others about."""
    kept = (" " if unicodedata.category(c) in HIDDEN else c for c in name)
    return " ".join("".join(kept).split())


def names_of(labels: Iterable[Any]) -> list[str]:
    """Return what is written for each label: one line, never empty, never the same for two."""
    names: dict[str, None] = {}
    for position, label in enumerate(labels, start=1):
        name = plain = one_line(str(label)) or f"label {position}"
        number = position
        while name in names:
            name, number = f"{plain} ({number})", number + 1
        names[name] = None
    return list(names)


def metric_name(objective: str) -> str:
    """Return ``val/macro_f1`` as "validation macro-F1"."""
    words = metric_words(objective)
    return f"validation {words}" if objective.startswith("val/") else words
