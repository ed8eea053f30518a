"""The page of a data set: its labels, lengths, duplicates and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goemo.looking.lines import unmeasured
from goemo.report.charts.data import label_counts, truncated_by_length
from goemo.report.pictures import Picture
from goemo.report.rendering import render
from goemo.report.scripts import vega_bundle


def data_page(looked: Mapping[str, Any], *, cache: Path | None = None) -> str:
    """Return data as a self-contained HTML page with its charts.

    Args:
        looked: Output of `goemo.looking.look`.
        cache: Where the scripts of charts are kept once they are made.
    """
    charts = [label_counts(looked["labels"], list(looked["splits"]))]
    if looked["lengths"] is not None:
        charts.append(truncated_by_length(looked["lengths"]["truncated"]))
    labels, *others = [Picture(chart.title, chart=chart.spec, notes=chart.notes) for chart in charts]
    return render(
        "data.html",
        looked=looked,
        labels=labels,
        lengths=others,
        unmeasured=unmeasured(looked),
        bundle=vega_bundle(cache),
        commands=[],
        environment={},
    )
