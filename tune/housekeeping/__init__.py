"""Housekeeping of the searches on this machine: list, delete, rename, and clean the caches."""

from tune.housekeeping.cleaning import Removable, clean, find_waste
from tune.housekeeping.deleting import Deleted, delete_search
from tune.housekeeping.listing import Best, Summary, summaries, summary
from tune.housekeeping.renaming import rename_search

__all__ = [
    "Best",
    "Deleted",
    "Removable",
    "Summary",
    "clean",
    "delete_search",
    "find_waste",
    "rename_search",
    "summaries",
    "summary",
]
