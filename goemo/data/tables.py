"""Tables: the content of a file or a source as it stands, and the problems of its lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from goemo.errors import InputError

SOURCES = "sources are sample:, sample:ROWS, dir:PATH, file:PATH and hub:ID"

# Stands between the columns of a text that has several; tokenizers put their own separator there.
TEXT_SEPARATOR = "\x1e"

# Limits with a reason: beyond them a file is broken or hostile, and reading it would end the machine.
MOST_LINE_BYTES = 16 * 2**20  # a line of a text file; an encyclopedia's longest article has 1 MB
MOST_TEXT_CHARACTERS = 2_000_000  # a text; a long novel
MOST_FILE_BYTES = 16 * 2**30  # of a file, unpacked
MOST_LABELS = 5_000  # more than that are texts, ids or numbers
MOST_LABEL_CHARACTERS = 500  # of a name; longer ones are texts, and no key of a JSON file may be much longer


class _Absent:
    """The value of a column that a record does not have."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


@dataclass
class Table:
    """The rows of one file: columns of values as they stand, before anyone asks what they mean.

    Attributes:
        name: The file, as messages name it.
        columns: Values by column, all of the same length.
        lines: Line, row or record number of each row, from 1.
        unit: What the numbers count where it is not lines: ``record``.
        problems: What is wrong, as (line, what); line 0 is the whole file.
        class_names: Names of the labels by column, where the file's own metadata has them.
        is_text: True where values are text without types (CSV, TSV).
        is_headed: True where the columns' names stand in the file.
        is_published: True for the layout in which GoEmotions is published: text, indices, id, by tabs.
        notes: How it was read, where that is not evident.
    """

    name: str
    columns: dict[str, list[Any]] = field(default_factory=dict)
    lines: Sequence[int] = ()
    unit: str = ""
    problems: list[tuple[int, str]] = field(default_factory=list)
    class_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)
    is_text: bool = False
    is_headed: bool = False
    is_published: bool = False
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def reject(self, line: int, why: str) -> None:
        """Note what is wrong with a line; line 0 is the whole file."""
        self.problems.append((line, why))

    def place(self, line: int) -> str:
        """Return how messages name a line."""
        if not line:
            return self.name
        return f"{self.name}, {self.unit} {line}" if self.unit else f"{self.name}:{line}"

    def messages(self) -> list[str]:
        """Return what is wrong, in the order of the lines."""
        ordered = sorted(self.problems, key=lambda problem: problem[0])
        return [f"{self.place(line)}: {why}" for line, why in ordered]

    def take_row_messages(self) -> list[str]:
        """Return what is wrong with single rows, and forget that; what is wrong with the file stays."""
        rows = sorted((problem for problem in self.problems if problem[0]), key=lambda problem: problem[0])
        self.problems = [problem for problem in self.problems if not problem[0]]
        return [f"{self.place(line)}: {why}" for line, why in rows]


@dataclass(frozen=True)
class SourceContent:
    """What a source holds: tables, and the split that each belongs to.

    Attributes:
        tables: Each with its split; None where the source has no splits.
        names: Names of the labels in the order of their indices, where the source itself has them.
        named_by: What gave the names, for messages.
        problems: What is wrong with the source as a whole.
        notes: How it was found, where that is not evident.
        splitting: Who made the splits, where that is not ``official``.
    """

    tables: Sequence[tuple[str | None, Table]]
    names: tuple[str, ...] | None = None
    named_by: str = ""
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
    splitting: str = "official"


def refuse(where: str, problems: Sequence[str], remedy: str = "") -> None:
    """Raise ``InputError`` where there are any problems."""
    if problems:
        raise InputError(where, problems, remedy)


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a hint at the word that may have been meant, or nothing."""
    near = difflib.get_close_matches(word, list(words), 1)
    return f"; did you mean {near[0]}?" if near else ""


def listed(words: Sequence[object], most: int = 40, separator: str = ", ") -> str:
    """Return the words in one line, shortened in the middle where there are more than ``most``."""
    if len(words) <= most:
        return separator.join(map(str, words))
    half = most // 2
    shown = [*map(str, words[:half]), f"... {len(words) - 2 * half} more ...", *map(str, words[-half:])]
    return separator.join(shown)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
