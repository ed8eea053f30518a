"""Rows of a table: texts, ids and labels as written, from the roles of its columns."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.labels.cells import Label
from goemo.data.labels.checks import repeated_headers
from goemo.data.layouts.base import LabelRows
from goemo.data.layouts.shares import share
from goemo.data.roles import Roles
from goemo.data.tables import ABSENT, MOST_TEXT_CHARACTERS, TEXT_SEPARATOR, Table, listed, nearest
from goemo.data.words import split_of

UNCLEAR = "marked unclear"
NO_SPLIT = "of no split that data.splits names"


@dataclass
class TableRows:
    """The rows of a table that are read.

    Attributes:
        table: Where they stood.
        split: The table's split, None where it has none.
        texts: None empty, unless empty ones were allowed.
        ids: The rows' own, else file and line.
        labels: As written; empty where none were read.
        lines: Of each row.
        splits: Of each row, where a column says so.
        rows: Positions in the table.
        left_out: Rows that were left out, by reason.
        unclear: Rows that are marked unclear and were kept.
    """

    table: Table
    split: str | None
    texts: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labels: list[tuple[Label, ...]] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))
    splits: list[str] = field(default_factory=list)
    rows: array[int] = field(default_factory=lambda: array("q"))
    left_out: Counter[str] = field(default_factory=Counter)
    unclear: int = 0

    def leave_out(self, rows: int, why: str) -> None:
        """Count rows that are left out."""
        if rows:
            self.left_out[why] += rows

    def leave_out_unreadable(self) -> list[int]:
        """Leave out the rows that stand among the table's problems; return the positions of the others."""
        wrong = {line for line, _ in self.table.problems}
        kept = [position for position, line in enumerate(self.lines) if line not in wrong]
        if len(kept) < len(self.lines):
            self.texts = [self.texts[position] for position in kept]
            self.ids = [self.ids[position] for position in kept]
            self.labels = [self.labels[position] for position in kept] if self.labels else []
            self.splits = [self.splits[position] for position in kept] if self.splits else []
            self.lines = array("q", [self.lines[position] for position in kept])
            self.rows = array("q", [self.rows[position] for position in kept])
        return kept


def has_columns(table: Table, roles: Roles) -> bool:
    """Say whether the columns that are needed are there, once each; reject the table where they are not."""
    needed = [*roles.text, *roles.labels, *([roles.split] if roles.split else [])]
    missing = [name for name in needed if name not in table.columns]
    names = list(table.columns)
    if len(missing) > 1 and roles.is_one_a_label:
        way_out = "; data.splits that names train alone reads no file without labels"
        is_bare = not set(missing) & set(names) and set(missing) == set(roles.labels)
        rule = f"no columns {listed(missing, 8)}. Columns are {listed(names)}"
        table.reject(0, f"{rule}{way_out if is_bare else ''}")
    else:
        for name in missing:
            table.reject(0, f"no column {name}{nearest(name, names) or '.'} Columns are {listed(names)}")
    repeated = [name for name in roles.used if table.repeated.get(name, 1) > 1]
    for name in repeated:
        table.reject(0, f"has {table.repeated[name]} columns called {name}; keep one")
    return not missing and not repeated


def take(
    table: Table,
    split: str | None,
    roles: Roles,
    labels: LabelRows | None,
    options: DataOptions,
    *,
    may_be_empty: bool,
) -> TableRows:
    """Return the rows of a table; the others are left out, counted, or stand in its problems.

    Args:
        table: It has the columns that ``roles`` names.
        split: Of the table.
        roles: Which column is what.
        labels: Of each row of the table; None where they are not asked for.
        options: What happens to unclear rows.
        may_be_empty: True where an empty text is a row like any other.
    """
    found = TableRows(table, split)
    # One reason a row is enough, and these come before what its labels are.
    texts, instead = _texts(table, roles, may_be_empty=may_be_empty)
    if len(roles.labels) == 1:
        why = f"repeats the header ({roles.text[0]}, {roles.labels[0]}); remove the line"
        instead |= dict.fromkeys(repeated_headers(table, roles.text, roles.labels[0]), why)
    kept = [row for row, line in enumerate(table.lines) if line not in instead]
    if labels is not None:
        found.left_out += labels.left_out
        kept = [row for row in kept if labels.rows[row] is not None]
    if roles.split:
        column = table.columns[roles.split]
        of_rows = [(row, _row_split(table, table.lines[row], column[row], options)) for row in kept]
        kept = [row for row, of in of_rows if of is not None]
        found.splits = [of for _, of in of_rows if of is not None]
        found.leave_out(len(of_rows) - len(kept), NO_SPLIT)
    if roles.unclear and (unclear := table.columns.get(roles.unclear)) is not None:
        is_clear = [share(unclear[row]) != 1 for row in kept]
        if options.unclear == "leave_out":
            found.leave_out(is_clear.count(False), UNCLEAR)
            kept = list(compress(kept, is_clear))
            found.splits = list(compress(found.splits, is_clear))
        else:
            found.unclear = is_clear.count(False)
    found.texts = [texts[row] for row in kept]
    found.labels = [] if labels is None else [labels.rows[row] or () for row in kept]
    found.lines = array("q", [table.lines[row] for row in kept])
    found.rows = array("q", kept)
    ids = table.columns.get(roles.id) if roles.id else None
    found.ids = [
        f"{table.name}:{line}" if ids is None or ids[row] in (None, ABSENT, "") else str(ids[row])
        for row, line in zip(kept, found.lines, strict=True)
    ]
    table.problems = [problem for problem in table.problems if problem[0] not in instead]
    table.problems += instead.items()
    return found


def _texts(table: Table, roles: Roles, *, may_be_empty: bool) -> tuple[list[Any], dict[int, str]]:
    """Return the text of each row, and what is wrong with some, by line."""
    columns = [table.columns[name] for name in roles.text]
    texts = columns[0] if len(columns) == 1 else [_joined(parts) for parts in zip(*columns, strict=True)]
    if may_be_empty:
        texts = ["" if text is None or text is ABSENT else text for text in texts]
    # Most are plainly right, which is told in a third of the time.
    odd = [
        row
        for row, text in enumerate(texts)
        if not isinstance(text, str) or not text.isascii() or not text or text.isspace() or len(text) > 10_000
    ]
    problems = ((row, _text_problem(texts[row], roles.text[0], may_be_empty=may_be_empty)) for row in odd)
    return texts, {table.lines[row]: why for row, why in problems if why is not None}


def _joined(parts: Sequence[Any]) -> Any:
    """Join the columns of a text; one that is missing leaves the others."""
    there = ["" if part is None or part is ABSENT else part for part in parts]
    odd = next((part for part in there if not isinstance(part, str)), None)
    return odd if odd is not None else TEXT_SEPARATOR.join(part for part in there if part.strip())


def _text_problem(text: Any, column: str, *, may_be_empty: bool) -> str | None:
    why = None
    if text is ABSENT:
        why = f"no {column}"
    elif not isinstance(text, str):
        why = f"text must be a string, got {repr(text)[:60]}"
    elif not may_be_empty and not text.strip():
        why = "empty text"
    elif not text.isascii() and re.search("[\ud800-\udfff]", text):
        why = "text contains half a surrogate pair, which is not a character"
    elif len(text) > MOST_TEXT_CHARACTERS:
        why = f"text must have at most {MOST_TEXT_CHARACTERS:,} characters, got {len(text):,}; split it"
    return why


def _row_split(table: Table, line: int, value: Any, options: DataOptions) -> str | None:
    """Return the split of a row; None where ``data.splits`` names others alone."""
    if given := options.splits.given():
        return next((split for split, values in given.items() if str(value) in values), None)
    found = split_of(value) if isinstance(value, str) else None
    if found is None:
        way_out = "data.splits says which values are train, validation and test"
        table.reject(line, f"split must be train, validation or test, got {value!r}; {way_out}")
        return "train"
    return found
