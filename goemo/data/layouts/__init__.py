"""Layouts of labels: each is one file with a class, and is registered here.

The first that claims the columns of labels reads them, so that the most particular ones stand first. Records
of annotation tools are put into columns before, each by one function of ``TOOLS``.
"""

from __future__ import annotations

from collections.abc import Callable

from goemo.data.layouts.base import Layout
from goemo.data.layouts.label_studio import label_studio_columns, task_columns
from goemo.data.layouts.lists import AppliedLabels
from goemo.data.layouts.mappings import LabelMappings
from goemo.data.layouts.one_hot import OneHotColumns
from goemo.data.layouts.prodigy import prodigy_columns
from goemo.data.layouts.vectors import LabelVectors
from goemo.data.tables import Table

LAYOUTS: tuple[Layout, ...] = (OneHotColumns(), LabelMappings(), LabelVectors(), AppliedLabels())

# Each returns the columns of a table that its tool wrote, or None for any other table.
TOOLS: tuple[Callable[[Table], Table | None], ...] = (label_studio_columns, prodigy_columns)


def from_tools(table: Table, *, needs_labels: bool) -> Table:
    """Return the columns of what an annotation tool wrote, or the table as it is.

    Args:
        table: As it was read.
        needs_labels: True for text and labels of each annotation; False for every text, once.
    """
    if not needs_labels:
        return task_columns(table) or table
    for columns_of in TOOLS:
        if (found := columns_of(table)) is not None:
            return found
    return table
