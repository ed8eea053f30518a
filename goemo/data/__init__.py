"""Load labelled splits from a hub id, a folder, a file or the built-in sample, and check every row."""

from goemo.data.hub import HUB_CONFIGURATIONS, HUB_TIMEOUT_S
from goemo.data.splits import LEAST_ROWS_TO_SPLIT, LEAST_VALIDATION_ROWS, SCHEMES, Split, Splits, load_splits
from goemo.data.tables import PROBLEMS_SHOWN, SPLIT_FILES

__all__ = [
    "HUB_CONFIGURATIONS",
    "HUB_TIMEOUT_S",
    "LEAST_ROWS_TO_SPLIT",
    "LEAST_VALIDATION_ROWS",
    "PROBLEMS_SHOWN",
    "SCHEMES",
    "SPLIT_FILES",
    "Split",
    "Splits",
    "load_splits",
]
