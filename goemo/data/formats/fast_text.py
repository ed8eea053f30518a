"""Lines as fastText reads them: ``__label__joy __label__love some text``."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path

from goemo.configuration.data import DataOptions
from goemo.data.formats.texts import numbered_lines
from goemo.data.tables import Table

PREFIX = "__label__"


def read_fast_text(file: Path, table: Table, options: DataOptions) -> None:
    """Read a file of one text a line, with its labels before it."""
    take_lines(numbered_lines(file, table, options), table)


def take_lines(numbered: Iterable[tuple[int, str]], table: Table) -> None:
    """Take numbered lines into the columns ``text`` and ``labels``."""
    texts: list[str] = []
    labels: list[list[str]] = []
    lines = array("q")
    for number, line in numbered:
        if not line.strip():
            continue
        names, text = [], line
        while (text := text.lstrip()).startswith(PREFIX):
            name, _, text = text.partition(" ") if " " in text else (text, "", "")
            names.append(name.removeprefix(PREFIX))
        if any(PREFIX in name for name in names):
            rule = f"labels must be separated by spaces, each after {PREFIX}"
            table.reject(number, f"{rule}, got {line[:60]!r}")
            continue
        if not all(names):
            table.reject(number, f"{PREFIX} must be followed by a name")
            continue
        texts.append(text)
        labels.append(names)
        lines.append(number)
    table.columns = {"text": texts, "labels": labels}
    table.lines = lines
    table.notes.append("read as fastText's lines")
