"""Label names and targets, from labels as they are written."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goemo.configuration.data import DataOptions
from goemo.data.labels.cells import MULTI_HOT_HINT, Label, has_control_characters, is_index
from goemo.data.labels.checks import folded
from goemo.data.layouts.base import LabelRows
from goemo.data.tables import MOST_LABEL_CHARACTERS, MOST_LABELS, Table, nearest
from goemo.data.taxonomy import GOEMOTIONS, PUBLISHED

ROWS = "the rows"
COLUMNS = "the columns' names"
FEATURES = "the data set's features"
OPTION = "data.label_names"
NUMBERED = "their indices"

Read = Sequence[tuple[Table, LabelRows]]


@dataclass(frozen=True)
class LabelNames:
    """The names of all labels, in order, and what gave them."""

    names: tuple[str, ...]
    named_by: str


def label_names(
    read: Read, given: tuple[str, ...] | None, given_by: str, options: DataOptions, column: str
) -> LabelNames:
    """Return the names of the labels; reject rows that name none.

    Args:
        read: The tables, train first, with their labels.
        given: Names that the source has: ``labels.txt``, or those of the built-in corpus.
        given_by: What they stand in.
        options: ``label_names`` wins over all others.
        column: The column of labels, whose names a file's metadata may have.
    """
    if options.label_names is not None:
        names = GOEMOTIONS if isinstance(options.label_names, str) else options.label_names
        _refuse_other_counts(read, names, OPTION)
        return LabelNames(names, OPTION)
    if given is not None:
        _refuse_other_counts(read, given, given_by)
        return LabelNames(given, given_by)
    of_features = {table.class_names[column] for table, _ in read if column in table.class_names}
    if len(of_features) == 1:
        return LabelNames(next(iter(of_features)), FEATURES)
    for table, _ in read[1:] if of_features else ():
        if table.class_names.get(column) != read[0][0].class_names.get(column):
            table.reject(0, f"names its labels differently from {read[0][0].name}; set data.label_names")
    declared = [labels.names for _, labels in read if labels.names is not None]
    if declared:
        names = tuple(dict.fromkeys(name for part in declared for name in part))
        return LabelNames(GOEMOTIONS if set(names) == set(GOEMOTIONS) else names, COLUMNS)
    return _found_names(read)


def _refuse_other_counts(read: Read, names: Sequence[str], named_by: str) -> None:
    for table, labels in read:
        if labels.count not in (0, len(names)):
            table.reject(0, f"has {labels.count} numbers per row, but {named_by} has {len(names)} names")


def _found_names(read: Read) -> LabelNames:
    distinct = {label for _, labels in read for row in labels.rows if row is not None for label in row}
    indices = {int(label) for label in distinct if is_index(label)}
    names = {str(label) for label in distinct if not is_index(label)}
    if names:
        _reject_likely_misspellings(read, names)
        return LabelNames(GOEMOTIONS if names == set(GOEMOTIONS) else tuple(sorted(names)), ROWS)
    count = max((labels.count for _, labels in read), default=0) or max(indices, default=-1) + 1
    if not count:
        if any(len(table) for table, _ in read) and not any(table.problems for table, _ in read):
            read[0][0].reject(0, "has no row with a label; list the labels in labels.txt, one name per line")
        return LabelNames((), ROWS)
    is_published = all(table.is_published for table, _ in read) and count <= len(GOEMOTIONS)
    if is_published and min(indices, default=0) >= 0:
        return LabelNames(GOEMOTIONS, PUBLISHED)
    if all(table.is_published for table, _ in read):
        reason = f"has label indices up to {count - 1} and no names"
        read[0][0].reject(
            0, f"{reason}; put labels.txt beside it, one name per line in the order of the indices"
        )
    if count > MOST_LABELS:
        rule = f"has label indices up to {count - 1}, must be below {MOST_LABELS:,}"
        read[0][0].reject(0, f"{rule}; these are probably ids or counts; set data.columns.labels")
        count = 0
    return LabelNames(tuple(f"label_{index}" for index in range(count)), NUMBERED)


def _reject_likely_misspellings(read: Read, names: set[str]) -> None:
    """Reject a name outside train that is almost one of train's: with labels.txt it would be unknown."""
    train = read[0][0].name
    known = sorted(names & {str(label) for row in read[0][1].rows if row is not None for label in row})
    alike = {folded(name) for name in known}  # of those that differ by case alone is warned
    for table, labels in read[1:]:
        near: dict[str, list[str]] = {}
        for line, row in zip(table.lines, labels.rows, strict=True):
            for label in map(str, row or ()):
                if label in known or folded(label) in alike:
                    continue
                if label not in near:
                    near[label] = difflib.get_close_matches(label, known, 1, 0.85)
                if near[label]:
                    hint = f"did you mean {near[label][0]}? If not, add labels.txt"
                    table.reject(line, f"unknown label name {label!r}, not in {train}; {hint}")


def label_targets(
    table: Table, lines: Sequence[int], rows: Sequence[tuple[Label, ...]], found: LabelNames
) -> NDArray[np.bool_]:
    """Return the targets of a table's rows, shape (n_rows, n_names); reject rows with unknown labels."""
    names = found.names
    column: dict[Label, int] = {}
    if found.named_by not in (ROWS, COLUMNS):  # names found in the data have no indices that anyone wrote
        column |= {label: index for index in range(len(names)) for label in (index, str(index))}
    column |= {name: index for index, name in enumerate(names)}  # last: a name wins over an index
    at: list[int] = []
    columns: list[int] = []
    for row, labels in enumerate(rows):
        for label in labels:
            index = column.get(label)
            if index is None:
                table.reject(lines[row], _unknown_label(label, found))
                continue
            at.append(row)
            columns.append(index)
    targets = np.zeros((len(rows), len(names)), dtype=np.bool_)
    targets[at, columns] = True
    return targets


def reject_multi_hot(table: Table, rows: Sequence[tuple[Label, ...]], labels: int) -> None:
    """Reject a table whose every row is as long as there are labels, and of 0 and 1 alone.

    A file that names its labels in its own metadata has said that they are indices. So has one of two labels
    whose every row is ``0, 1``: both apply to each.
    """
    if labels < 2 or len(rows) < 2 or table.class_names:
        return
    if not all(len(row) == labels and {str(label) for label in row} <= {"0", "1"} for row in rows):
        return
    if any(tuple(map(str, row)) != ("0", "1") for row in rows):
        table.reject(0, f"every row has {labels} labels of 0 and 1{MULTI_HOT_HINT}")


def reject_names(table: Table, names: Sequence[str]) -> None:
    """Reject names that no table, file or terminal can show, and more of them than there can be."""
    for name in names:
        if has_control_characters(name):
            rule = "contains a control character or line break, which no name may have"
            table.reject(0, f"label {name!r} {rule}")
        elif not name.strip():
            table.reject(0, "a label's name is empty")
        elif len(name) > MOST_LABEL_CHARACTERS:
            rule = f"must have at most {MOST_LABEL_CHARACTERS} characters, got {len(name):,}"
            table.reject(
                0, f"label '{name[:40]}...' {rule}; data.columns.labels names the column with the labels"
            )
    if len(names) > MOST_LABELS:
        rule = f"has {len(names):,} labels, must have at most {MOST_LABELS:,}"
        why = "these are probably texts or ids; data.columns.labels names the column with the labels"
        table.reject(0, f"{rule}; {why}")


def _unknown_label(label: Label, found: LabelNames) -> str:
    names = found.names
    if found.named_by == ROWS and is_index(label):
        return f"label index {label}, but other rows have names and there is no labels.txt to number them"
    if is_index(label):
        return f"label index {label}, must be 0 to {len(names) - 1} ({found.named_by} has {len(names)} names)"
    return f"unknown label name {label!r}, not in {found.named_by}{nearest(str(label), names)}"
