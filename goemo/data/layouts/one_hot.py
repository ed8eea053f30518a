"""One column of 0 and 1 per label, named by the column."""

from __future__ import annotations

from goemo.data.layouts.base import LabelColumns, LabelRows
from goemo.data.layouts.shares import read_shares
from goemo.data.tables import Table


class OneHotColumns:
    """Jigsaw, SemEval, BRIGHTER, GoEmotions' raw ratings."""

    name = "one 0/1 column per label"

    def claims(self, columns: LabelColumns) -> bool:
        """Tell whether there is a column a label."""
        return columns.is_one_a_label

    def read(self, table: Table, columns: LabelColumns) -> LabelRows:
        """Read the columns side by side."""
        rows = zip(*(table.columns[name] for name in columns.names), strict=True)
        found = read_shares(table, rows, columns.names, columns)
        found.names = columns.names
        return found
