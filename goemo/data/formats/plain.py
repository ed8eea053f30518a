"""Text files of an unknown format: columns separated by tabs, fastText's lines, or one text per line."""

from __future__ import annotations

import itertools
from array import array
from pathlib import Path

from goemo.configuration.data import DataOptions
from goemo.data.formats.delimited import read_csv, read_tsv
from goemo.data.formats.fast_text import PREFIX, take_lines
from goemo.data.formats.texts import numbered_lines
from goemo.data.tables import Table


def read_plain(file: Path, table: Table, options: DataOptions) -> None:
    """Read a ``.txt``; without tabs and without fastText's labels, each line is a text."""
    numbered = numbered_lines(file, table, options)
    head = list(itertools.islice(numbered, 50))
    if any(line.startswith(PREFIX) for _, line in head):
        take_lines(itertools.chain(head, numbered), table)
        return
    if options.separator not in (None, "\t"):
        read_csv(file, table, options)
        return
    if head and "\t" in head[0][1]:
        table.problems.clear()  # of the lines looked at, which are read again
        table.notes.clear()
        read_tsv(file, table, options)
        return
    texts: list[str] = []
    lines = array("q")
    for number, line in itertools.chain(head, numbered):
        texts.append(line)
        lines.append(number)
    table.columns = {"text": texts}
    table.lines = lines
    table.is_text = True
