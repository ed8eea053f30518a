"""A table that fits its terminal: identifying and ranking columns stay whole, settings move below the row."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

GAP = 2  # spaces between columns
INDENT = 4  # of settings beneath their row


@dataclass(frozen=True)
class Column:
    """A column of a `Listing`.

    Attributes:
        name: Its heading.
        is_number: Whether it is aligned to the right.
        spare: 0 where it always stays; of the others, the highest are left out first where room is short.
    """

    name: str
    is_number: bool = False
    spare: int = 0


@dataclass(frozen=True)
class Listing:
    """A table for the terminal; no cell is ever shortened or broken.

    Where a line would be longer than the terminal, the settings stand beneath their row instead of in columns
    of their own, and spare columns are left out; a line under the table says so.

    Attributes:
        title: Above the table.
        columns: All columns but the settings.
        rows: Cells as text, one sequence a row, in the order of ``columns``.
        settings: Of each row, hyperparameters by short name; empty where there are none to show.
        at: How many columns stand before the settings.
        caption: Lines below the table.
        elsewhere: Where what is left out can be read, ``--format csv`` say.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    settings: Sequence[Mapping[str, str]] = ()
    at: int = 0
    caption: Sequence[str] = ()
    elsewhere: str = "a wider terminal"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines; `Text` throughout, so that brackets in a cell are no markup."""
        yield from (Text(line, style, overflow="fold") for line, style in self._lines(options.max_width))

    def _lines(self, width: int) -> Iterator[tuple[str, str]]:
        names = list(dict.fromkeys(name for row in self.settings for name in row))
        notes = list(self.caption)
        columns, rows = self._with_settings(names)
        beneath = bool(names) and _width(columns, rows) > width
        if beneath:
            columns, rows = list(self.columns), [list(row) for row in self.rows]
            notes.append("settings are shown under each row: the terminal is too narrow for one column each")
        columns, rows, left_out = _narrowed(columns, rows, width)
        if left_out:
            notes.append(f"left out for lack of space: {', '.join(left_out)}; {self.elsewhere} shows them")
        widths = _widths(columns, rows)
        yield from ((line, "bold") for line in textwrap.wrap(self.title, max(20, width)))
        yield _joined([column.name for column in columns], columns, widths), "bold"
        yield "─" * min(width, sum(widths) + GAP * (len(widths) - 1)), "dim"
        for number, row in enumerate(rows):
            yield _joined(row, columns, widths), ""
            if beneath:
                yield from ((line, "dim") for line in _beneath(self.settings[number], width))
        for note in notes:
            yield from ((line, "italic dim") for line in textwrap.wrap(note, max(20, width)))

    def _with_settings(self, names: Sequence[str]) -> tuple[list[Column], list[list[str]]]:
        """Return columns and rows with a column for each setting."""
        own = [Column(name, is_number=True) for name in names]
        columns = [*self.columns[: self.at], *own, *self.columns[self.at :]]
        rows = [list(row) for row in self.rows]
        for row, given in zip(rows, self.settings, strict=False):
            row[self.at : self.at] = [given.get(name, "") for name in names]
        return columns, rows


def first_words(words: Sequence[str], room: int) -> str:
    """Return as many words as fit into some columns, and how many more there are: ``bs16 lr2e-05 +3 more``.

    Args:
        words: In order; none is broken.
        room: Columns of the terminal.

    Returns:
        All of them where they fit; nothing where there is no room even for the first.
    """
    for shown in range(len(words), 0, -1):
        rest = len(words) - shown
        line = " ".join(words[:shown]) + (f" +{rest} more" if rest else "")
        if cell_len(line) <= room:
            return line
    return ""


def _narrowed(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> tuple[list[Column], list[list[str]], list[str]]:
    """Leave out spare columns until a line fits; return what is left and the names of those left out."""
    kept = list(range(len(columns)))
    left_out = []
    while _width([columns[i] for i in kept], [[row[i] for i in kept] for row in rows]) > width:
        spare = max(kept, key=lambda i: (columns[i].spare, i))
        if not columns[spare].spare:
            break
        kept.remove(spare)
        left_out.append(columns[spare].name)
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in rows], left_out


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(cell_len(column.name), *(cell_len(row[i]) for row in rows), 0) for i, column in enumerate(columns)
    ]


def _width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    return sum(_widths(columns, rows)) + GAP * (len(columns) - 1)


def _joined(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if column.is_number else cell + space)
    return (" " * GAP).join(padded).rstrip()


def _beneath(settings: Mapping[str, str], width: int) -> Iterator[str]:
    """Yield the lines of a row's settings; a name and its value stay together."""
    line = ""
    for word in (f"{name}={value}" for name, value in settings.items() if value != ""):
        longer = f"{line}  {word}" if line else " " * INDENT + word
        if line and cell_len(longer) > width:
            yield line
            longer = " " * INDENT + word
        line = longer
    if line:
        yield line
