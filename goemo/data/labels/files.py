"""``labels.txt``: one name per line, in the order of the indices."""

from __future__ import annotations

from pathlib import Path

from goemo.configuration.data import DataOptions
from goemo.data.formats.texts import UnreadableFileError, numbered_lines
from goemo.data.labels.cells import has_control_characters
from goemo.data.tables import MOST_LABELS, Table


def read_label_file(file: Path) -> tuple[tuple[str, ...], list[str]]:
    """Return the names, and what is wrong with them; no names where anything is."""
    table = Table(file.name)
    try:
        names = [line.strip() for _, line in numbered_lines(file, table, DataOptions(encoding="utf-8"))]
    except UnreadableFileError as error:
        return (), [f"{file.name}: {error}"]
    while names and not names[-1]:
        names.pop()
    first = {name: line for line, name in reversed(list(enumerate(names, start=1)))}
    for line, name in enumerate(names, start=1):
        if not name:
            table.reject(line, "empty line; every line must name one label")
        elif has_control_characters(name):
            table.reject(line, f"label {name!r} contains a control character, which no name may have")
        elif first[name] != line:
            table.reject(line, f"label {name!r} is already in line {first[name]}")
    if not names and not table.problems:
        table.reject(0, "is empty; must name one label per line")
    if len(names) > MOST_LABELS:
        table.reject(0, f"must name at most {MOST_LABELS:,} labels, got {len(names):,}")
    problems = table.messages()
    return (() if problems else tuple(names)), problems
