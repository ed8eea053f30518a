"""One column with the labels that apply: a list, a set, one label, or text that separates several."""

from __future__ import annotations

from typing import Any

from goemo.data.labels.cells import Label, parse_labels
from goemo.data.layouts.base import LabelColumns, LabelRows, is_missing
from goemo.data.layouts.shares import NO_LABELS, NOT_JUDGED
from goemo.data.tables import ABSENT, Table

_Labels = tuple[Label, ...]


class AppliedLabels:
    """Names or indices; what is left when no other layout claims a column."""

    name = "a list of labels"

    def claims(self, columns: LabelColumns) -> bool:
        """Tell whether one column holds the labels."""
        return not columns.is_one_a_label

    def read(self, table: Table, columns: LabelColumns) -> LabelRows:
        """Read each cell; equal text cells are read once."""
        found = LabelRows([])
        name, options = columns.names[0], columns.options
        known: dict[str, _Labels | str | None] = {}
        has_class_names = name in table.class_names
        for line, cell, written in zip(table.lines, columns.cells(table), table.columns[name], strict=True):
            if has_class_names and cell == -1 and isinstance(cell, int):
                found.left_out[NOT_JUDGED] += 1
                found.rows.append(None)
            elif isinstance(written, str):
                if written not in known:
                    known[written] = _parsed(cell, options.label_separator, written.strip() in columns.meant)
                    _note_names(found, known[written], cell, line)
                found.rows.append(
                    self._settled(table, found, columns, line=line, cell=written, labels=known[written])
                )
            elif cell is ABSENT:
                table.reject(line, f"no {name}")
                found.rows.append(None)
            else:
                labels = _parsed(cell, options.label_separator, is_meant=False)
                found.rows.append(self._settled(table, found, columns, line=line, cell=cell, labels=labels))
        return found

    def _settled(
        self,
        table: Table,
        found: LabelRows,
        columns: LabelColumns,
        *,
        line: int,
        cell: Any,
        labels: _Labels | str | None,
    ) -> _Labels | None:
        """Return labels; of a problem, or of nothing where labels should stand, do what was asked for."""
        if isinstance(labels, tuple):
            return labels
        policy = columns.options.missing_labels
        if labels is not None or policy == "refuse":
            table.reject(line, labels or missing_labels(cell))
            return None
        if policy == "leave_out":
            found.left_out[NO_LABELS] += 1
            return None
        return ()


def missing_labels(cell: Any) -> str:
    """Return what is wrong with a null, or a word for it, in the place of labels."""
    ways_out = "data.missing_labels: leave_out skips such rows, no_labels reads them as having none"
    if isinstance(cell, str):
        return f"{cell!r} is a word for a missing value; {ways_out}; if it is a label, labels.txt names it"
    return f"labels must be indices or names, or a list of them, got {cell!r}; {ways_out}"


def _parsed(cell: Any, separator: str | None, is_meant: bool) -> _Labels | str | None:
    """Return labels, what is wrong with them, or None where the cell stands for nothing."""
    if is_missing(cell) and not is_meant:
        return None
    try:
        return parse_labels(cell, separator)
    except ValueError as error:
        return str(error)


def _note_names(found: LabelRows, labels: _Labels | str | None, cell: Any, line: int) -> None:
    if isinstance(labels, tuple) and not isinstance(cell, list | dict):
        for label in labels:
            if isinstance(label, str):
                found.written.setdefault(label, line)
