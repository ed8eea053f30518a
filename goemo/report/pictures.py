"""Pictures of a page: a chart if scripts run, and a PNG otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """One figure of a page.

    Attributes:
        caption: What it shows, in a line.
        png: Shown where scripts do not run, or where there is no chart; None leaves the place empty there.
        chart: A Vega-Lite specification of `goemo.report.charts`.
        notes: What else is to be said of the chart, a line each; a PNG says it itself.
        choices: What the chart's parameter ``label`` chooses from, shown as a list; its value is a position.
        facts: A sentence about each choice, shown with it.
        still_caption: What the PNG shows, where that is something else.
    """

    caption: str
    png: bytes | None = None
    chart: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()
    choices: Sequence[str] = ()
    facts: Sequence[str] = ()
    still_caption: str = ""

    def __post_init__(self) -> None:
        """Check that every choice has its fact.

        Raises:
            ValueError: There are facts, and not as many as choices.
        """
        if self.facts and len(self.facts) != len(self.choices):
            counts = f"{len(self.facts)} facts for {len(self.choices)} choices"
            raise ValueError(f"there must be one fact per choice, got {counts}")
