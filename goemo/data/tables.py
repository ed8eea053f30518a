"""What every reader of a source fills: rows with labels as written, and what is wrong with the others."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from goemo.errors import InputError

SPLIT_FILES: dict[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("dev", "validation", "valid", "val"),
    "test": ("test",),
}
PROBLEMS_SHOWN = 20
# What gave the labels their names, where it is neither labels.txt nor the features of a data set.
PUBLISHED = "the 28 GoEmotions labels"
ROWS = "the rows"
SOURCES = "sources are sample:, sample:ROWS, dir:PATH, file:PATH and hub:ID"
Label = int | str  # as it stands in the data: an index, or a name (or an index as text)


@dataclass
class Table:
    """The rows of one file, labels still as written, and what is wrong with the others."""

    name: str
    texts: list[str] = field(default_factory=list)
    labels: list[tuple[Label, ...]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)  # (line, what); line 0: the whole file

    def add(self, line: int, text: str, labels: tuple[Label, ...], row_id: str | None) -> None:
        """Take a row; without an id it is known by file and line."""
        self.texts.append(text)
        self.labels.append(labels)
        self.ids.append(row_id or f"{self.name}:{line}")
        self.lines.append(line)

    def reject(self, line: int, why: str) -> None:
        """Note what is wrong with a line; line 0 is the whole file."""
        self.problems.append((line, why))

    def messages(self) -> list[str]:
        """Return what is wrong, in the order of the lines."""
        ordered = sorted(self.problems, key=lambda problem: problem[0])
        return [f"{self.name}:{line}: {why}" if line else f"{self.name}: {why}" for line, why in ordered]


@dataclass(frozen=True)
class Read:
    """What a source holds: three tables, or one that is still to be split."""

    tables: Sequence[Table]
    labels: tuple[str, ...] | None  # None: to be found in the rows
    named_by: str  # what gave the labels, for messages
    problems: Sequence[str] = ()
    splitting: str = "official"


def refuse(where: str, problems: Sequence[str]) -> None:
    """Raise ``InputError`` with the first 20 problems and the number of others, where there are any."""
    if not problems:
        return
    shown = list(problems[:PROBLEMS_SHOWN])
    if len(problems) > PROBLEMS_SHOWN:
        shown.append(f"and {len(problems) - PROBLEMS_SHOWN} more")
    raise InputError(where, shown)


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a hint at the word that may have been meant, or nothing."""
    near = difflib.get_close_matches(word, list(words), 1)
    return f"; did you mean {near[0]}?" if near else ""
