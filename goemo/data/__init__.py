"""Load labelled splits from a hub id, a folder, a file or the built-in sample, and check every row.

What reads is imported when it is first asked for: whether a source exists is told without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from goemo.data.places import SCHEMES, check_source
from goemo.data.words import SPLIT_FILES

if TYPE_CHECKING:
    from goemo.data.loading import Judged, Rows, load_judged, load_rows
    from goemo.data.recorded import load_recorded
    from goemo.data.report import ReadReport, report_lines
    from goemo.data.sources.hub import HUB_CONFIGURATIONS, HUB_TIMEOUT_S
    from goemo.data.splits import LEAST_ROWS_TO_SPLIT, LEAST_VALIDATION_ROWS, Split, Splits, load_splits

__all__ = [
    "HUB_CONFIGURATIONS",
    "HUB_TIMEOUT_S",
    "LEAST_ROWS_TO_SPLIT",
    "LEAST_VALIDATION_ROWS",
    "SCHEMES",
    "SPLIT_FILES",
    "Judged",
    "ReadReport",
    "Rows",
    "Split",
    "Splits",
    "check_source",
    "load_judged",
    "load_recorded",
    "load_rows",
    "load_splits",
    "report_lines",
]

_MODULES = {
    "HUB_CONFIGURATIONS": "sources.hub",
    "HUB_TIMEOUT_S": "sources.hub",
    "Judged": "loading",
    "LEAST_ROWS_TO_SPLIT": "splits",
    "LEAST_VALIDATION_ROWS": "splits",
    "ReadReport": "report",
    "Rows": "loading",
    "Split": "splits",
    "Splits": "splits",
    "load_judged": "loading",
    "load_recorded": "recorded",
    "load_rows": "loading",
    "load_splits": "splits",
    "report_lines": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
