"""One mapping from names to 0 and 1 per row: ``{"joy": 1, "anger": 0}``, as spaCy and Prodigy write."""

from __future__ import annotations

from goemo.data.layouts.base import LabelColumns, LabelRows
from goemo.data.layouts.shares import read_shares
from goemo.data.tables import Table


class LabelMappings:
    """Nested records; a name that a row lacks does not apply there."""

    name = "a mapping from names to 0 and 1"

    def claims(self, columns: LabelColumns) -> bool:
        """Tell whether every cell is a mapping; an empty list is one without names."""
        if columns.is_one_a_label:
            return False
        is_any = False
        for table in columns.tables:
            for cell in columns.sure_cells(table):
                if not isinstance(cell, dict) and cell != []:
                    return False
                is_any = is_any or isinstance(cell, dict)
        return is_any

    def read(self, table: Table, columns: LabelColumns) -> LabelRows:
        """Read the mappings with the names of all tables, in the order in which they come first."""
        names = tuple(
            dict.fromkeys(
                str(name)
                for other in columns.tables
                for cell in columns.cells(other)
                if isinstance(cell, dict)
                for name in cell
            )
        )
        rows = (
            [0 if cell.get(name) is None else cell[name] for name in names]
            if isinstance(cell, dict)
            else [0] * len(names)
            if cell == []
            else None
            for cell in columns.cells(table)
        )
        found = read_shares(table, rows, names, columns)
        found.names = names
        return found
