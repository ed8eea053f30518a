"""The pictures of a page: a chart where scripts run, and a PNG where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """One figure of a page.

    Attributes:
        caption: What the PNG shows, in a line.
        chart_caption: What the charts show, where that is something else.
        png: Shown where scripts do not run, or where there is no chart; None leaves the place empty there.
        charts: Vega-Lite specifications of `goemo.report.charts`; several stand side by side.
        choices: What the charts' parameter ``label`` chooses from, shown as a list; its value is a position.
        facts: A sentence about each choice, shown with it.
    """

    caption: str
    png: bytes | None = None
    charts: Sequence[Mapping[str, Any]] = ()
    choices: Sequence[str] = ()
    facts: Sequence[str] = ()
    chart_caption: str = ""

    def __post_init__(self) -> None:
        """Check that every choice has its fact.

        Raises:
            ValueError: There are facts, and not as many as choices.
        """
        if self.facts and len(self.facts) != len(self.choices):
            counts = f"{len(self.facts)} facts for {len(self.choices)} choices"
            raise ValueError(f"there must be one fact a choice, got {counts}")


def pictures_of(images: Mapping[str, bytes]) -> list[Picture]:
    """Return PNG files by caption as pictures without charts."""
    return [Picture(caption, png) for caption, png in images.items()]
