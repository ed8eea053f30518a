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
            elif cell is ABSENT:
                table.reject(line, f"no {name}")
                found.rows.append(None)
            else:
                if not isinstance(written, str):
                    labels = _parsed(cell, options.label_separator, is_meant=False)
                elif written in known:
                    labels = known[written]
                else:
                    labels = _parsed(cell, options.label_separator, written.strip() in columns.meant)
                    known[written] = labels
                    _note_names(found, labels, cell, line)
                if labels is None and options.missing_labels == "no_labels":
                    labels = ()
                if labels is None and options.missing_labels == "leave_out":
                    found.left_out[NO_LABELS] += 1
                elif not isinstance(labels, tuple):
                    table.reject(line, labels or _missing_labels(written))
                found.rows.append(labels if isinstance(labels, tuple) else None)
        return found


def _missing_labels(cell: Any) -> str:
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
