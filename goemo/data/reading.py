"""Reading of a source into checked rows, with splits or without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.configuration.data import DataOptions
from goemo.data.labels.checks import joined_in_lists, likeness_warnings, name_problems
from goemo.data.labels.names import (
    NUMBERED,
    ROWS,
    LabelNames,
    label_names,
    label_targets,
    reject_multi_hot,
    reject_names,
)
from goemo.data.layouts import LAYOUTS, from_tools
from goemo.data.layouts.base import LabelColumns, LabelRows
from goemo.data.roles import Roles, find_roles
from goemo.data.sources import open_source
from goemo.data.table_rows import TableRows, has_columns, take
from goemo.data.tables import SourceContent, Table, counted, listed, refuse
from goemo.data.taxonomy import GOEMOTIONS, PUBLISHED
from goemo.data.words import SPLIT_FILES

_NAMING = "name them in labels.txt, one per line, or in data.label_names"


@dataclass
class Part:
    """Rows of one split, or of data without splits."""

    texts: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    targets: list[NDArray[np.bool_]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def extend(self, file: str, texts: list[str], ids: list[str], targets: NDArray[np.bool_]) -> None:
        """Take the rows of a file."""
        self.files.append(file)
        self.targets.append(targets)
        if self.texts:
            self.texts += texts
            self.ids += ids
        else:  # the usual case, without a copy
            self.texts, self.ids = texts, ids

    def stacked(self) -> NDArray[np.bool_]:
        """Return the targets of all rows, shape (n_rows, n_labels)."""
        return self.targets[0] if len(self.targets) == 1 else np.concatenate(self.targets)


@dataclass
class Reading:
    """What a source holds, checked, before splits that it lacks are made.

    Attributes:
        parts: Rows by split; None for those without.
        columns: All columns of the rows, where labels were not needed.
        names: The labels, and what named them.
        roles: Which column is what.
        layout: How the labels are written.
        left_out: Rows left out, by reason.
        notes: How it was read.
        warnings: What is likely wrong with it.
        splitting: Who made the splits.
        unreadable: Rows that were left out because they cannot be read, each with place and reason.
    """

    parts: dict[str | None, Part]
    columns: dict[str, list[Any]]
    names: LabelNames
    roles: Roles
    layout: str
    left_out: Counter[str]
    notes: list[str]
    warnings: list[str]
    splitting: str
    unreadable: list[str] = field(default_factory=list)


def read_source(
    source: str,
    seed: int,
    options: DataOptions,
    *,
    needs_labels: bool = True,
    leaves_out_unreadable: bool = False,
    usual_text: Sequence[str] = (),
) -> Reading:
    """Read a source, and refuse it with a single unreadable row.

    Args:
        source: As in a search space.
        seed: Of the built-in corpus.
        options: How to read it.
        needs_labels: False where texts are enough: labels are then not read, empty texts are rows too, and
            all columns are kept.
        leaves_out_unreadable: True to leave unreadable rows out and tell of them: to look at data.
        usual_text: Columns that are the text where all of them are there and ``options`` names none.

    Raises:
        InputError: The source or its data is wrong: all problems at once, the first 20 in full.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    found = open_source(source, seed, options)
    tables = [(split, from_tools(table, needs_labels=needs_labels)) for split, table in found.tables]
    roles = _roles(source, found, tables, options, needs_labels=needs_labels, usual_text=usual_text)
    usable = [(split, table) for split, table in tables if table.columns and has_columns(table, roles)]
    labelled = [table for _, table in usable] if needs_labels else []
    read, layout, columns = _labels(labelled, roles, found, options)
    by_table = {id(table): labels for table, labels in read}
    taken = [
        take(table, split, roles, by_table.get(id(table)), options, may_be_empty=not needs_labels)
        for split, table in usable
    ]
    kept = {} if needs_labels else _kept_columns(taken)
    twice = [] if needs_labels else [note for _, table in usable for note in _repeated(table)]
    names = LabelNames((), "")
    problems: list[str] = []
    warnings: list[str] = []
    if needs_labels and columns is not None:
        if found.problems:  # which label an index or a name means is unknown until labels.txt is right
            _refuse(source, found, tables)
        problems, warnings = name_problems(read, columns.meant, options)
        names = label_names(read, found.names, found.named_by, options, columns.names[0])
        reject_names(tables[0][1], names.names)
        if names.named_by == ROWS and not any(labels.written for _, labels in read):
            warnings += joined_in_lists(names.names)
    leaves_out_unreadable |= options.unreadable == "leave_out"
    parts = _parts(taken, names, leaves_out_unreadable=leaves_out_unreadable)
    unreadable: list[str] = []
    if leaves_out_unreadable:
        unreadable = [message for _, table in tables for message in table.take_row_messages()]
    if options.unreadable == "leave_out" and unreadable:
        warnings.append(f"{counted(len(unreadable), 'row')} left out: {listed(unreadable, 3)}")
    _refuse(source, found, tables, problems, remedy=_REMEDY if needs_labels else "")
    warnings += [*likeness_warnings(names.names), *_published_warnings(names, parts)]
    return Reading(
        parts,
        kept,
        names,
        roles,
        layout,
        sum((each.left_out for each in taken), Counter()),
        [*_notes(found, tables, roles, names.named_by), *_counts(roles, taken, read, options), *twice],
        warnings,
        found.splitting,
        unreadable,
    )


_REMEDY = "data.unreadable: leave_out in the search space leaves such rows out"


def _refuse(
    source: str,
    found: SourceContent,
    tables: Sequence[tuple[str | None, Table]],
    others: Sequence[str] = (),
    remedy: str = "",
) -> None:
    """Refuse what has problems, with a remedy where all of them are rows that cannot be read."""
    messages = [message for _, table in tables for message in table.messages()]
    problems = [*found.problems, *others]
    rows = sum(line > 0 for _, table in tables for line, _ in table.problems)
    refuse(source, [*problems, *messages], remedy if rows == len(messages) and not problems else "")


def _roles(
    source: str,
    found: SourceContent,
    tables: Sequence[tuple[str | None, Table]],
    options: DataOptions,
    *,
    needs_labels: bool,
    usual_text: Sequence[str],
) -> Roles:
    readable = [table for _, table in tables if table.columns]
    if not readable:
        _refuse(source, found, tables)
    is_split = any(split is not None for split, _ in found.tables)
    roles = find_roles(readable, options, needs_labels=needs_labels, is_split=is_split, usual_text=usual_text)
    if roles.problems:
        first = next((table for table in readable if len(table)), readable[0])
        _refuse(source, found, tables, [f"{first.name}: {problem}" for problem in roles.problems])
    return roles


def _labels(
    tables: Sequence[Table], roles: Roles, found: SourceContent, options: DataOptions
) -> tuple[list[tuple[Table, LabelRows]], str, LabelColumns | None]:
    """Return the labels of each table as its layout reads them, the layout's name, and the columns."""
    if not tables:
        return [], "", None
    given = options.label_names if isinstance(options.label_names, tuple) else ()
    meant = frozenset([*given, *(found.names or ())])
    columns = LabelColumns(tables, roles.labels, roles.is_one_a_label, options, meant)
    layout = next(layout for layout in LAYOUTS if layout.claims(columns))
    return [(table, layout.read(table, columns)) for table in tables], layout.name, columns


def _parts(
    taken: Sequence[TableRows], names: LabelNames, *, leaves_out_unreadable: bool
) -> dict[str | None, Part]:
    parts: dict[str | None, Part] = {}
    for each in taken:
        targets = np.zeros((len(each.texts), 0), dtype=np.bool_)
        if names.names:
            reject_multi_hot(each.table, each.labels, len(names.names))
            targets = label_targets(each.table, each.lines, each.labels, names)
        if leaves_out_unreadable:
            targets = targets[each.leave_out_unreadable()]
        if not each.splits:
            parts.setdefault(each.split, Part()).extend(each.table.name, each.texts, each.ids, targets)
            continue
        for split in SPLIT_FILES:
            rows = [row for row, of in enumerate(each.splits) if of == split]
            if rows:
                texts, ids = [each.texts[row] for row in rows], [each.ids[row] for row in rows]
                parts.setdefault(split, Part()).extend(each.table.name, texts, ids, targets[rows])
    return parts


def _kept_columns(taken: Sequence[TableRows]) -> dict[str, list[Any]]:
    names = list(dict.fromkeys(name for each in taken for name in each.table.columns))
    return {
        name: [
            each.table.columns[name][row] if name in each.table.columns else None
            for each in taken
            for row in each.rows
        ]
        for name in names
    }


def _repeated(table: Table) -> list[str]:
    return [
        f"{table.name} has {times} columns called {name}; the first is kept"
        for name, times in table.repeated.items()
    ]


def _published_warnings(names: LabelNames, parts: dict[str | None, Part]) -> list[str]:
    """Warn where indices were given GoEmotions' names and do not look like its own."""
    if names.named_by != PUBLISHED:
        return []
    seen = np.any([targets.any(axis=0) for part in parts.values() for targets in part.targets], axis=0)
    absent = len(GOEMOTIONS) - int(seen.sum())
    if seen[0] and absent <= len(GOEMOTIONS) // 2:
        return []
    which = f"{absent} of the {len(GOEMOTIONS)} indices" if absent > len(GOEMOTIONS) // 2 else "index 0"
    return [
        f"{which} never occur{'' if absent > 1 else 's'}: are these GoEmotions' labels? If not, {_NAMING}"
    ]


def _notes(
    found: SourceContent, tables: Sequence[tuple[str | None, Table]], roles: Roles, named_by: str
) -> list[str]:
    by_note: dict[str, list[str]] = {}
    for _, table in tables:
        for note in table.notes:
            by_note.setdefault(note, []).append(table.name)
    notes = [*found.notes, *(f"{listed(files, 6)}: {note}" for note, files in by_note.items()), *roles.notes]
    if named_by == PUBLISHED:
        notes.append(f"labels.txt is missing: the indices are read as {PUBLISHED}")
    if named_by == NUMBERED:
        notes.append(f"labels have no names but label_0, label_1, ...: {_NAMING} (goemotions for its 28)")
    return notes


def _counts(
    roles: Roles, taken: Sequence[TableRows], read: Sequence[tuple[Table, LabelRows]], options: DataOptions
) -> list[str]:
    notes = []
    if unclear := sum(each.unclear for each in taken):
        rows = f"{counted(unclear, 'row')} marked unclear in {roles.unclear}"
        notes.append(f"{rows} kept; data.unclear: leave_out drops them")
    if options.binarize is not None:
        emptied = counted(sum(labels.emptied for _, labels in read), "row")
        notes.append(
            f"shares are labels from {options.binarize:g} on; {emptied} with shares lose every label"
        )
    return notes
