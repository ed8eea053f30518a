"""Roles of columns (text, labels, id, split): as configured, by name, or by content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.layouts.base import is_missing, is_nothing
from goemo.data.layouts.shares import share
from goemo.data.tables import Table, listed, nearest
from goemo.data.words import (
    ID_NAMES,
    LABEL_NAMES,
    SPLIT_NAMES,
    TEXT_NAMES,
    is_about_rows,
    plain_word,
    split_of,
)

_SAMPLED_ROWS = 2_000
_LONG_TEXT = 15  # characters; names of labels and ids are shorter on average


@dataclass
class Roles:
    """Which columns are taken for what.

    Attributes:
        text: One column, or several to be joined.
        labels: One column that holds the labels, or one column a label; empty where there are none.
        is_one_a_label: Which of the two.
        id: The rows' own ids.
        split: The split that each row belongs to.
        unclear: What marks rows that raters found unclear.
        left_out: Columns that are not used, each with why.
        notes: What is not evident of the choice.
        problems: Why a choice could not be made.
    """

    text: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    is_one_a_label: bool = False
    id: str | None = None
    split: str | None = None
    unclear: str | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def used(self) -> tuple[str, ...]:
        """Return all columns that are taken."""
        others = (self.id, self.split, self.unclear)
        return (*self.text, *self.labels, *(name for name in others if name is not None))


def find_roles(
    tables: Sequence[Table],
    options: DataOptions,
    *,
    needs_labels: bool,
    is_split: bool,
    usual_text: Sequence[str] = (),
) -> Roles:
    """Return which columns are what in tables that have the same ones.

    Args:
        tables: Of all splits; the first with rows decides.
        options: What is asked for wins over what is found.
        needs_labels: False where texts are enough: labels, splits and marks of raters are then of no account.
        is_split: True where the tables are splits already.
        usual_text: Columns that are the text where all of them are there and nothing else is asked for.
    """
    roles, asked = Roles(), options.columns
    names = list(next((table.columns for table in tables if len(table)), tables[0].columns))
    if asked.text is None and usual_text and set(usual_text) <= set(names):
        options = replace(options, columns=replace(asked, text=tuple(usual_text)))
    roles.id = _asked("id", asked.id, names, roles) or _named(names, ID_NAMES)
    if needs_labels:
        roles.unclear = _asked("unclear", asked.unclear, names, roles) or _unclear(tables, names)
        if asked.split is not None:
            roles.split = _asked("split", asked.split, names, roles)
        elif not is_split:
            roles.split = _split_column(tables, names, roles)
    _find_labels(tables, names, options, roles, needs_labels=needs_labels)
    _find_text(tables, names, options, roles, needs_labels=needs_labels)
    if not needs_labels:
        roles.labels, roles.is_one_a_label, roles.left_out = (), False, {}
        return roles
    for name in names:
        if name not in roles.used:
            roles.left_out.setdefault(name, "not needed")
    if roles.is_one_a_label:
        left = f"; left out: {listed(list(roles.left_out), 12)}" if roles.left_out else ""
        roles.notes.append(f"labels are the columns {listed(roles.labels)}{left}")
        roles.notes += _further_labels(tables, names)
    return roles


def _further_labels(tables: Sequence[Table], names: Sequence[str]) -> list[str]:
    """Name the columns of 0 and 1 that other tables have and the first lacks: no model can learn them."""
    further = {
        name: table
        for table in tables
        for name in table.columns
        if name not in names and _kind([table], name) is not None and not is_about_rows(name)
    }
    if not further:
        return []
    files = listed(list(dict.fromkeys(table.name for table in further.values())), 6)
    what = f"{'column' if len(further) == 1 else 'columns'} {listed(list(further), 12)} of {files}"
    return [f"{tables[0].name} lacks the {what}: left out"]


def _asked(role: str, name: str | None, names: Sequence[str], roles: Roles) -> str | None:
    if name is None:
        return None
    found = _match(name, names)
    if found is None:
        hint = nearest(name, names) or "."
        roles.problems.append(f"data.columns.{role}: no column {name}{hint} Columns are {listed(names)}")
    return found


def _match(name: str, names: Sequence[str]) -> str | None:
    """Return the column of a name, however its letters are written."""
    if name in names:
        return name
    alike = [other for other in names if plain_word(other) == plain_word(name)]
    return alike[0] if len(alike) == 1 else None


def _named(names: Sequence[str], known: Sequence[str]) -> str | None:
    by_word = {plain_word(name): name for name in reversed(names)}
    return next((by_word[word] for word in known if word in by_word), None)


def _find_labels(
    tables: Sequence[Table], names: Sequence[str], options: DataOptions, roles: Roles, *, needs_labels: bool
) -> None:
    asked = options.columns.labels
    if isinstance(asked, tuple):
        found = [_asked("labels", name, names, roles) for name in asked]
        roles.labels, roles.is_one_a_label = tuple(name for name in found if name is not None), True
        return
    if asked is not None:
        name = _asked("labels", asked, names, roles)
        roles.labels = () if name is None else (name,)
        return
    free = [name for name in names if name not in (roles.id, roles.split, roles.unclear)]
    text = options.columns.text
    taken = (text,) if isinstance(text, str) else text or ("text",)
    name = _named([name for name in free if name not in taken], LABEL_NAMES)
    if name is not None:
        roles.labels = (name,)
        if needs_labels and plain_word(name) != "labels":
            roles.notes.append(f"labels are read from the column {name}")
            beside = [other for other in free if _kind(tables, other) == "zeros and ones"]
            beside = [other for other in beside if other != name and not is_about_rows(other)]
            if len(beside) > 1:
                way_out = "data.columns.labels takes them instead"
                roles.notes.append(f"{listed(beside, 12)} hold 0 and 1 and are left out; {way_out}")
        return
    columns, soft, left = [], [], {}
    for name in free:
        kind = _kind(tables, name)
        if kind is not None and is_about_rows(name):
            left[name] = "about the row, by its name"
        elif kind == "zeros and ones":
            columns.append(name)
        elif kind == "shares":
            soft.append(name)
    if len(columns) + len(soft) >= 2 and (len(columns) >= 2 or len(soft) >= 2):
        roles.labels = tuple(
            columns if len(columns) >= 2 and not soft else sorted([*columns, *soft], key=free.index)
        )
        roles.is_one_a_label = True
        roles.left_out |= left
    elif needs_labels:
        hint = nearest("labels", names) or "."
        aside = f" (of 0 and 1 are {listed([*columns, *left])})" if [*columns, *left] else ""
        way_out = "data.columns.labels names the column, or a list of columns of 0 and 1"
        if tables[0].is_text and any(name.count(" ") > 2 for name in names):
            way_out += "; if the first line is a row, write a line of the columns' names above it"
        roles.problems.append(f"no column labels{hint} Columns are {listed(names)}{aside}; {way_out}")


def _kind(tables: Sequence[Table], name: str) -> str | None:
    """Return whether a column holds nothing but 0, 1 and -1 (``zeros and ones``), or shares between too."""
    values: set[Any] = set()
    for table in tables:
        column = table.columns.get(name, ())
        if any(isinstance(value, list | dict) for value in column[:50]):
            return None
        if any(share(value) is None and not is_nothing(value) for value in column[:50]):
            return None
        try:
            values |= set(column)
        except TypeError:
            return None
    sure = [share(value) for value in values if not is_nothing(value)]
    numbers = {number for number in sure if number is not None}
    if None in sure or not numbers or numbers == {-1}:
        return None
    return "zeros and ones" if numbers <= {0, 1, -1} else "shares"


def _find_text(
    tables: Sequence[Table], names: Sequence[str], options: DataOptions, roles: Roles, *, needs_labels: bool
) -> None:
    asked = options.columns.text
    if asked is not None:
        wanted = (asked,) if isinstance(asked, str) else asked
        found = [_asked("text", name, names, roles) for name in wanted]
        roles.text = tuple(name for name in found if name is not None)
        if len(roles.text) > 1:
            roles.notes.append(f"texts are {' and '.join(roles.text)}, joined by the tokenizer's separator")
        return
    free = [name for name in names if name not in roles.used]
    if (name := _match("text", free)) is not None:
        roles.text = (name,)
        return
    named = [name for name in free if plain_word(name) in TEXT_NAMES and _is_of_texts(tables, name)]
    long = [name for name in free if _mean_length(tables, name) >= _LONG_TEXT]
    if len(named or long) == 1:
        roles.text = tuple(named or long)
        why = "by its name" if named else "the only column of long texts"
        roles.notes.append(f"texts are read from the column {roles.text[0]}, {why}")
        return
    of_texts = [name for name in free if _is_of_texts(tables, name)]
    if not named and not long and len(of_texts) == 1 and (roles.labels or not needs_labels):
        roles.text = (of_texts[0],)
        roles.notes.append(f"texts are read from the column {of_texts[0]}, the only one of texts")
        return
    several = f"several may be: {listed(named or long, 8)}; " if named or long else ""
    hint = "." if several else nearest("text", names) or "."
    roles.problems.append(
        f"no column text{hint} Columns are {listed(names)}; {several}data.columns.text names it"
        + (", or a list of columns to join" if several else "")
    )


def _sample(tables: Sequence[Table], name: str) -> Sequence[Any]:
    return tables[0].columns.get(name, ())[:_SAMPLED_ROWS]


def _is_of_texts(tables: Sequence[Table], name: str) -> bool:
    values = [value for value in _sample(tables, name) if not is_missing(value)]
    return bool(values) and all(isinstance(value, str) for value in values) and _kind(tables, name) is None


def _mean_length(tables: Sequence[Table], name: str) -> float:
    values = [value for value in _sample(tables, name) if isinstance(value, str)]
    spaced = sum(" " in value.strip() for value in values)
    if not values or spaced * 2 < len(values):
        return 0.0
    return sum(map(len, values)) / len(values)


def _unclear(tables: Sequence[Table], names: Sequence[str]) -> str | None:
    found = [name for name in names if "unclear" in plain_word(name).split("_")]
    return found[0] if len(found) == 1 and _kind(tables, found[0]) == "zeros and ones" else None


def _split_column(tables: Sequence[Table], names: Sequence[str], roles: Roles) -> str | None:
    """Return the column of splits; one that names train and something else is a problem, others are noted."""
    name = _named(names, SPLIT_NAMES)
    if name is None:
        return None
    values = {str(value): None for table in tables for value in table.columns.get(name, ())}
    unknown = [value for value in values if split_of(value) is None]
    if not unknown and "train" in map(split_of, values):
        return name
    shown = listed([repr(value[:40]) for value in values], 6)
    way_out = f"data.columns.split: {name} and data.splits say which are train, validation and test"
    if "train" in map(split_of, values):
        roles.problems.append(f"{name} holds {shown}; {way_out}")
    else:
        roles.notes.append(f"the column {name} ({shown}) is not taken for splits; {way_out}")
    return None
