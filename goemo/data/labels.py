"""From labels as written to names and targets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goemo.data.rows import MULTI_HOT_HINT
from goemo.data.tables import PUBLISHED, ROWS, Label, Read, Table, nearest
from goemo.data.taxonomy import GOEMOTIONS


def label_names(found: Read) -> tuple[tuple[str, ...], str]:
    """Return the names of the labels and what they come from; reject rows that name none."""
    if found.labels is not None:
        return found.labels, found.named_by
    distinct = {label for table in found.tables for labels in table.labels for label in labels}
    indices = {int(label) for label in distinct if _is_index(label)}
    names = {str(label) for label in distinct if not _is_index(label)}
    if names:
        _reject_likely_misspellings(found.tables, names)
        return (GOEMOTIONS if names == set(GOEMOTIONS) else tuple(sorted(names))), ROWS
    last = len(GOEMOTIONS) - 1
    are_published = min(indices, default=-1) >= 0 and max(indices, default=-1) <= last
    if are_published and (max(indices) == last or all(t.name.endswith(".tsv") for t in found.tables)):
        return GOEMOTIONS, PUBLISHED
    if any(table.texts for table in found.tables):
        reason = (
            "has no row with a label"
            if not distinct
            else f"has label indices up to {max(indices)} and no names"
        )
        found.tables[0].reject(
            0, f"{reason}; put labels.txt beside it, one name a line in the order of the indices"
        )
    for table in found.tables:
        # Without names no label can be read; one message is enough.
        table.labels = [()] * len(table.labels)
    return (), ROWS


def _reject_likely_misspellings(tables: Sequence[Table], names: set[str]) -> None:
    """Reject a name outside train that is almost one of train's: with labels.txt it would be unknown."""
    known = sorted(names & {str(label) for labels in tables[0].labels for label in labels})
    for table in tables[1:]:
        for line, labels in zip(table.lines, table.labels, strict=True):
            for label in labels:
                if str(label) not in known and (
                    near := difflib.get_close_matches(str(label), known, 1, 0.85)
                ):
                    hint = f"did you mean {near[0]}? If not, add labels.txt"
                    table.reject(line, f"unknown label name {label!r}, not in {tables[0].name}; {hint}")


def label_targets(table: Table, names: Sequence[str], named_by: str) -> NDArray[np.bool_]:
    """Return the targets of a table's rows, shape (n_rows, n_names); reject rows with unknown labels."""
    column: dict[Label, int] = {}
    if named_by != ROWS:  # names that were found in the rows have no indices that anyone wrote
        column |= {label: index for index in range(len(names)) for label in (index, str(index))}
    column |= {name: index for index, name in enumerate(names)}  # last: a name wins over an index
    rows: list[int] = []
    columns: list[int] = []
    for row, labels in enumerate(table.labels):
        for label in labels:
            index = column.get(label)
            if index is None:
                table.reject(table.lines[row], _unknown_label(label, names, named_by))
                continue
            rows.append(row)
            columns.append(index)
    targets = np.zeros((len(table.labels), len(names)), dtype=np.bool_)
    targets[rows, columns] = True
    return targets


def reject_multi_hot(table: Table, labels: int) -> None:
    """Reject a table whose every row is as long as there are labels, and of 0 and 1 alone.

    Longer rows repeat a label and have been rejected one by one; two labels are left to catch here.
    """
    if labels < 2 or not table.labels:
        return
    if all(len(row) == labels and {str(label) for label in row} <= {"0", "1"} for row in table.labels):
        table.reject(0, f"every row has {labels} labels of 0 and 1{MULTI_HOT_HINT}")


def _unknown_label(label: Label, names: Sequence[str], named_by: str) -> str:
    if named_by == ROWS:
        return f"label index {label}, but other rows have names and there is no labels.txt to number them"
    if _is_index(label):
        return f"label index {label}, must be 0 to {len(names) - 1} ({named_by} has {len(names)} names)"
    return f"unknown label name {label!r}, not in {named_by}{nearest(str(label), names)}"


def _is_index(label: Label) -> bool:
    return isinstance(label, int) or re.fullmatch(r"[+-]?[0-9]+", label) is not None
