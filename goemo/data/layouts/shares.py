"""Rows with one number per label: 0 or 1, -1 where not judged, or the share of raters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from goemo.configuration.wording import short
from goemo.data.labels.cells import Label
from goemo.data.layouts.base import LabelColumns, LabelRows, is_nothing
from goemo.data.tables import Table

NOT_JUDGED = "not judged (-1)"
NO_LABELS = "without labels"
_WORDS = {"true": 1.0, "false": 0.0, "t": 1.0, "f": 0.0}
_SHOWN_ROWS = 3


def share(value: Any) -> float | None:
    """Return a number from 0 to 1, or -1; None for anything else."""
    if isinstance(value, str):
        word = value.strip().casefold()
        try:
            number = _WORDS[word] if word in _WORDS else float(word)
        except ValueError:
            return None
    elif isinstance(value, bool | int | float):
        number = float(value)
    else:
        return None
    return number if 0 <= number <= 1 or number == -1 else None


def read_shares(
    table: Table, rows: Iterable[Sequence[Any] | None], labels: Sequence[Label], columns: LabelColumns
) -> LabelRows:
    """Return the labels that apply in each row.

    Args:
        table: Gets the problems.
        rows: One value a label each; None where the row has none at all.
        labels: The labels, in the order of the values.
        columns: The options.
    """
    found = LabelRows([])
    reader = _Shares(table, labels, columns, found)
    for line, row in zip(table.lines, rows, strict=True):
        found.rows.append(reader.labels(line, row))
    reader.close()
    return found


class _Shares:
    """Reads rows of numbers; equal rows are read once."""

    def __init__(
        self, table: Table, labels: Sequence[Label], columns: LabelColumns, found: LabelRows
    ) -> None:
        self.table, self.names, self.found = table, labels, found
        self.binarize = columns.options.binarize
        self.missing = columns.options.missing_labels
        self.known: dict[tuple[Any, ...], tuple[Label, ...]] = {}
        self.seen: set[float] = set()
        self.soft: list[str] = []
        self.soft_rows = 0

    def labels(self, line: int, row: Sequence[Any] | None) -> tuple[Label, ...] | None:
        if row is None:
            return self._absent(line, "no labels")
        key = tuple(row)
        try:
            known = self.known.get(key)
        except TypeError:  # a list or a mapping stands where a number should: refused below
            known = None
        if known is not None:
            return known
        values: list[float] = []
        for label, value in zip(self.names, key, strict=True):
            number = share(value)
            if number is None and is_nothing(value):
                if self.missing != "no_labels":
                    return self._absent(line, f"no value for {label}")
                number = 0.0
            if number is None:
                self.table.reject(
                    line,
                    f"{label} must be 0 or 1, -1 where not judged, or a share between, got {short(value)}",
                )
                return None
            values.append(number)
        self.seen.update(values)
        if -1 in values:
            self.found.left_out[NOT_JUDGED] += 1
            return None
        return self._applying(line, key, values)

    def _applying(self, line: int, key: tuple[Any, ...], values: list[float]) -> tuple[Label, ...] | None:
        is_soft = any(0 < value < 1 for value in values)
        if is_soft and self.binarize is None:
            self.soft_rows += 1
            if len(self.soft) < _SHOWN_ROWS:
                shown = ", ".join(f"{value:g}" for value in values[:6])
                self.soft.append(f"{line} ({shown}{', ...' if len(values) > 6 else ''})")
            return None
        least = 1.0 if self.binarize is None else self.binarize
        applying = tuple(label for label, value in zip(self.names, values, strict=True) if value >= least)
        if is_soft:
            self.found.emptied += not applying
        else:
            self.known[key] = applying
        return applying

    def _absent(self, line: int, what: str) -> tuple[Label, ...] | None:
        if self.missing == "no_labels":
            return ()
        if self.missing == "leave_out":
            self.found.left_out[NO_LABELS] += 1
            return None
        way_out = "data.missing_labels: leave_out skips such rows, no_labels reads them as having no labels"
        self.table.reject(line, f"{what}; {way_out}")
        return None

    def close(self) -> None:
        """Refuse soft labels, with the first rows and the way out, and -1 in the place of 0."""
        if self.seen == {-1, 1}:
            rule = "holds 1 and -1 and no 0, but -1 says that nobody judged"
            self.table.reject(0, f"{rule}; write 0 where a label does not apply")
        if not self.soft_rows:
            return
        rows = f"{self.soft_rows:,} rows have" if self.soft_rows > 1 else "1 row has"
        way_out = "data.binarize: 0.5 applies labels from that share on"
        self.table.reject(0, f"{rows} shares between 0 and 1, as in line {', '.join(self.soft)}; {way_out}")
