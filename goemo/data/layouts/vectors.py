"""A list of 0 and 1, or of shares, with one number per label."""

from __future__ import annotations

from typing import Any

from goemo.data.layouts.base import LabelColumns, LabelRows
from goemo.data.layouts.shares import read_shares, share
from goemo.data.tables import Table


class LabelVectors:
    """Lists of the same length, of numbers from 0 to 1; the position is the label's index."""

    name = "a list with one number per label"

    def claims(self, columns: LabelColumns) -> bool:
        """Tell whether the lists cannot be lists of indices.

        They cannot where a number is none, or stands twice; of two whole numbers a row, which never repeat,
        nobody can say.
        """
        if columns.is_one_a_label:
            return False
        length, cannot_be_indices = 0, False
        for table in columns.tables:
            for cell in columns.sure_cells(table):
                if not isinstance(cell, list | tuple) or len(cell) < 2 or (length and len(cell) != length):
                    return False
                length = len(cell)
                if not all(_is_share(value) for value in cell):
                    return False
                cannot_be_indices = cannot_be_indices or _cannot_be_indices(cell)
        return length > 0 and cannot_be_indices

    def read(self, table: Table, columns: LabelColumns) -> LabelRows:
        """Read each list's positions."""
        cells = columns.cells(table)
        length = next((len(cell) for cell in cells if isinstance(cell, list | tuple)), 0)
        rows = (cell if isinstance(cell, list | tuple) else None for cell in cells)
        found = read_shares(table, rows, range(length), columns)
        found.count = length
        return found


def _is_share(value: Any) -> bool:
    return not isinstance(value, str) and share(value) is not None


def _cannot_be_indices(cell: list[Any] | tuple[Any, ...]) -> bool:
    return len(set(cell)) < len(cell) or any(isinstance(value, bool | float) for value in cell)
