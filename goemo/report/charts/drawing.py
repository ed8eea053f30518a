"""What all charts share: their look, numbers of few digits, and finished Vega-Lite specifications."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from goemo.report.figures import Trial
from goemo.report.figures.drawing import BLUE, GREEN, INK, VERMILION
from goemo.report.rendering import short

Spec = dict[str, Any]  # one Vega-Lite specification, its data within
Row = dict[str, Any]

SOFT, LINE = "#5b6470", "#e4e6ea"
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
COMPLETED, STOPPED, FAILED, RUNNING = "completed", "stopped early", "failed or diverged", "running"
# Colour, dash and shape say the same thing three times, for greyscale prints and the colour-blind.
LOOKS: dict[str, tuple[str, list[int], str]] = {
    COMPLETED: ("#5b6470", [1, 0], "circle"),
    STOPPED: ("#a3a8b0", [4, 2], "cross"),
    FAILED: (VERMILION, [1, 2], "triangle-down"),
    RUNNING: (GREEN, [1, 0], "triangle-right"),
}
BEST_LOOK = (BLUE, [1, 0], "diamond")
SIGNIFICANT_DIGITS = 4


def finish(chart: alt.LayerChart | alt.FacetChart, description: str, **data: Sequence[Row]) -> Spec:
    """Return a chart as a specification that is as wide as its place and needs nothing from elsewhere.

    Args:
        chart: Its data sources are named ones.
        description: What a screen reader says of it.
        **data: The rows of each data source, by name; added after the check against Vega-Lite's schema, which
            takes long over many rows.

    Raises:
        altair.SchemaValidationError: The chart is no valid Vega-Lite.
    """
    axis = alt.AxisConfig(
        domainColor="#b6bac2",
        gridColor=LINE,
        tickColor="#b6bac2",
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
    finished: Spec = (
        chart.properties(
            width="container",
            description=description,
            background="white",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            padding=2,
        )
        .configure(font=FONT, axis=axis, legend=legend)
        .configure_view(stroke=None)
        .to_dict()
    )
    del finished["$schema"]  # an address on the web; the page says what this is
    return {**finished, "datasets": {name: list(rows) for name, rows in data.items()}}


def named(name: str) -> alt.NamedData:
    """Return a data source whose rows `finish` adds."""
    return alt.NamedData(name=name)


def few_digits(value: float | None) -> float | None:
    """Return a number as it is worth drawing; None where there is none, because JSON has no NaN."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def kind_of(trial: Trial) -> str:
    """Return how a trial ended, in the words of the legends."""
    return {"completed": COMPLETED, "stopped_early": STOPPED, None: RUNNING, "running": RUNNING}.get(
        trial.stop_reason, FAILED
    )


def settings(varied: Mapping[str, Any]) -> str:
    """Return the hyperparameters that vary, in a line."""
    return ", ".join(f"{name} {short(value)}" for name, value in varied.items()) or "the one configuration"


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether all values can stand on an axis of numbers."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
