"""Rendering of values as HTML: templates, escaping, readable numbers."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from goemo.metrics import averages
from goemo.report.scripts import script_json

if TYPE_CHECKING:
    import pandas as pd

LONGEST_TEXT = 400
NOTHING = "\N{EN DASH}"
HEADING = re.compile(r'<h2 id="([\w-]+)">(.*?)</h2>')
MINUS = "\N{MINUS SIGN}"  # as wide as the plus


def render(template: str, **values: Any) -> str:
    """Fill a template of this folder; every value is escaped, a missing one is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        short=short,
        png_width=png_width,
        headings=headings,
        number=number,
        plain=plain,
        threshold=threshold,
        signed=signed,
        data_uri=data_uri,
        shortened=shortened,
        words=words,
        script_json=script_json,
    )
    return environment


def number(value: float | None, digits: int = 3) -> str:
    """Return a score with fixed digits; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    rounded = round(value, digits) + 0.0  # no "-0.000"
    return f"{rounded:+.{digits}f}".replace("-", MINUS) if rounded else f"{0:.{digits}f}"


def threshold(value: float | None) -> str:
    """Return a threshold; None and ``inf`` are labels that are never predicted."""
    if value is None or not math.isfinite(value):
        return "never"
    return f"{value:.3f}"


def plain(value: Any) -> str:
    """Return a hyperparameter or a fact as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(part)}" for key, part in value.items()) or NOTHING
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(plain(part) for part in value) or NOTHING
    return NOTHING if value is None else str(value)


def short(value: Any) -> str:
    """Return a hyperparameter with three digits, for a table; the configuration shows it in full."""
    return f"{value:.3g}" if isinstance(value, float) else plain(value)


def words(stop_reason: str | None) -> str:
    """Return a stop reason as words: ``out_of_memory`` is "out of memory"."""
    return "running" if stop_reason is None else stop_reason.replace("_", " ")


def shortened(text: str) -> str:
    """Return a text of readable length."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def data_uri(image: bytes) -> str:
    """Return a PNG as an address that carries it whole."""
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")


def headings(html: str) -> list[tuple[str, Markup]]:
    """Return the anchor and the title of each ``h2`` of a page that has an anchor, in their order."""
    return [(anchor, Markup(title)) for anchor, title in HEADING.findall(str(html))]  # noqa: S704


def png_width(image: bytes) -> int:
    """Return the width in pixels that a PNG's header gives."""
    return int.from_bytes(image[16:20], "big")


def metric_words(metric: str) -> str:
    """Return ``macro_f1`` as "macro-F1"."""
    return metric.removeprefix("val/").replace("_f1", "-F1").replace("_", " ")


def label_rows(table_at_half: pd.DataFrame, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one mapping a label, the most frequent first: the tuned columns, and F1 at 0.5.

    Raises:
        ValueError: The two tables are not about the same labels.
    """
    if list(table_at_half["label"]) != list(table["label"]):
        raise ValueError(
            "the tables at 0.5 and at tuned thresholds must have the same labels in the same order"
        )
    rows: list[dict[Any, Any]] = table.to_dict(orient="records")
    for row, at_half in zip(rows, table_at_half["f1"], strict=True):
        row["f1_at_half"] = float(at_half)
        row["gain"] = row["f1"] - row["f1_at_half"]
    return sorted(rows, key=lambda row: -row["support"])


def mean_rows(table_at_half: pd.DataFrame, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the simple and the weighted means of both tables, one mapping a line."""
    lines = []
    for thresholds, of_table in (("0.5 for all labels", table_at_half), ("tuned per label", table)):
        means = averages(of_table)
        for kind, name in (("macro", "simple mean"), ("weighted", "weighted by support")):
            lines.append({"thresholds": thresholds, "mean": name, **means[kind]})
    return lines
