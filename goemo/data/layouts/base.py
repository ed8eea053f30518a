"""The interface of a layout of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from goemo.configuration.data import WHOLE_NAMES, DataOptions
from goemo.data.labels.cells import Label, choices, decoded
from goemo.data.tables import ABSENT, Table
from goemo.data.words import MISSING


@dataclass(frozen=True)
class LabelColumns:
    """The columns that hold the labels of some tables.

    Attributes:
        tables: All that is read, of all splits.
        names: The columns.
        is_one_a_label: True where each column is a label; False where one column holds them all.
        options: As asked for.
        meant: Names that were given for the labels, which a word such as ``none`` may be one of.
    """

    tables: Sequence[Table]
    names: tuple[str, ...]
    is_one_a_label: bool
    options: DataOptions
    meant: frozenset[str] = frozenset()
    _cells: dict[int, list[Any]] = field(default_factory=dict)

    def cells(self, table: Table) -> list[Any]:
        """Return the values of the one column, lists and mappings in text cells as such."""
        if id(table) not in self._cells:
            values = table.columns[self.names[0]]
            distinct = {value for value in values if isinstance(value, str)}
            if self.options.label_separator == WHOLE_NAMES:
                known: dict[str, Any] = {value: value for value in distinct}
            else:
                known = {value: decoded(value) for value in distinct}
            self._cells[id(table)] = [
                known[value] if isinstance(value, str) else choices(value) for value in values
            ]
        return self._cells[id(table)]

    def sure_cells(self, table: Table) -> Iterator[Any]:
        """Yield the cells that are not missing."""
        return (cell for cell in self.cells(table) if not is_nothing(cell))


@dataclass
class LabelRows:
    """The labels of a table's rows, as they are written.

    Attributes:
        rows: Labels of each row; None where the row is left out or refused.
        names: Names of all labels in order, where the layout has them; None where they are found in the rows.
        count: How many labels there are, where the layout tells; else 0.
        left_out: Rows that were left out, by reason.
        emptied: Rows that had a share of some label, and have none after ``data.binarize``.
        written: Names and indices that stand in text cells, with the line in which each stands first.
    """

    rows: list[tuple[Label, ...] | None]
    names: tuple[str, ...] | None = None
    count: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    emptied: int = 0
    written: dict[str, int] = field(default_factory=dict)


class Layout(Protocol):
    """A way in which people write labels."""

    name: str

    def claims(self, columns: LabelColumns) -> bool:
        """Tell whether the labels are written in this way."""
        ...

    def read(self, table: Table, columns: LabelColumns) -> LabelRows:
        """Read a table's labels; what is wrong with its lines goes into the table's problems."""
        ...


def is_missing(value: Any) -> bool:
    """Tell whether a value stands for none: null, NaN, an absent key, or a word for these."""
    if value is None or value is ABSENT:
        return True
    if isinstance(value, str):
        return value.strip().casefold() in MISSING
    return isinstance(value, float) and value != value  # noqa: PLR0124 - NaN alone differs from itself


def is_nothing(value: Any) -> bool:
    """Tell whether a value is an empty text or stands for none."""
    return (isinstance(value, str) and not value) or is_missing(value)
