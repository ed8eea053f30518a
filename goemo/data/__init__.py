"""Load labelled splits from a hub id, a folder, a file or the built-in sample, and check every row."""

from goemo.data.loading import Rows, load_rows
from goemo.data.report import ReadReport, report_lines
from goemo.data.sources import SCHEMES, check_source
from goemo.data.sources.hub import HUB_CONFIGURATIONS, HUB_TIMEOUT_S
from goemo.data.splits import LEAST_ROWS_TO_SPLIT, LEAST_VALIDATION_ROWS, Split, Splits, load_splits
from goemo.data.tables import PROBLEMS_SHOWN
from goemo.data.words import SPLIT_FILES

__all__ = [
    "HUB_CONFIGURATIONS",
    "HUB_TIMEOUT_S",
    "LEAST_ROWS_TO_SPLIT",
    "LEAST_VALIDATION_ROWS",
    "PROBLEMS_SHOWN",
    "SCHEMES",
    "SPLIT_FILES",
    "ReadReport",
    "Rows",
    "Split",
    "Splits",
    "check_source",
    "load_rows",
    "load_splits",
    "report_lines",
]
