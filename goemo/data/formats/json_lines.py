"""JSON records: one per line, an array of them, or an object that holds them by split or by column."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.formats.texts import UnreadableFileError, numbered_lines, open_bytes
from goemo.data.tables import ABSENT, Table
from goemo.data.words import split_of

_MOST_DOCUMENT_BYTES = 2 * 2**30


def read_json_lines(file: Path, table: Table, options: DataOptions) -> None:
    """Read one record a line; empty lines are passed over."""
    _take_records(table, _parsed(table, numbered_lines(file, table, options)))


def read_json(file: Path, table: Table, options: DataOptions) -> None:
    """Read a ``.json``: an array of records, an object of them by split or column, or one record a line."""
    with closing(open_bytes(file)) as stream:
        first = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first == b"{" and _is_a_record_a_line(file, options):
        read_json_lines(file, table, options)
        return
    parts, size = [], 0
    for _, line in numbered_lines(file, table, options):
        parts.append(line)
        size += len(line)
        if size > _MOST_DOCUMENT_BYTES:
            rule = f"one document must have at most {_MOST_DOCUMENT_BYTES >> 30} GB"
            raise UnreadableFileError(f"{rule}; write one record a line (.jsonl)")
    if table.problems:
        return
    try:
        document = json.loads("\n".join(parts))
    except json.JSONDecodeError as error:
        table.reject(error.lineno, f"not JSON ({error})")
        return
    except (ValueError, RecursionError) as error:
        table.reject(0, f"not JSON ({error})")
        return
    records = _records(document)
    if records is None:
        table.reject(0, "must be an array of objects, or an object that holds one")
        return
    table.unit = "record"
    _take_records(table, enumerate(records, start=1))


def _is_a_record_a_line(file: Path, options: DataOptions) -> bool:
    sample = Table(file.name)
    first = next((line for _, line in numbered_lines(file, sample, options) if line.strip()), "")
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and _records(record) is None


def _records(document: Any) -> Sequence[Any] | None:
    """Return the records of a document: those of all splits with their split, or those of its columns."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict) or not document:
        return None
    lists = {key: part for key, part in document.items() if _is_records(part)}
    if lists and len(lists) == len(document) and all(map(split_of, lists)):
        return [
            {**record, "split": key} if isinstance(record, dict) else record
            for key, part in lists.items()
            for record in part
        ]
    if len(lists) == 1:
        return list(next(iter(lists.values())))
    columns = [part for part in document.values() if isinstance(part, dict | list)]
    if (
        len(columns) == len(document) > 1
        and len({len(part) for part in columns}) == 1
        and len(columns[0]) > 1
    ):
        values = [list(part.values()) if isinstance(part, dict) else part for part in columns]
        return [dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)]
    return None


def _is_records(part: Any) -> bool:
    return isinstance(part, list) and bool(part) and all(isinstance(record, dict) for record in part[:10])


def _parsed(table: Table, numbered: Iterable[tuple[int, str]]) -> Iterable[tuple[int, Any]]:
    for number, line in numbered:
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                table.reject(number, f"not JSON ({error})")


def _take_records(table: Table, numbered: Iterable[tuple[int, Any]]) -> None:
    columns: dict[str, list[Any]] = {}
    lines = array("q")
    for number, record in numbered:
        if not isinstance(record, dict):
            shown = json.dumps(record, ensure_ascii=False)[:40]
            table.reject(number, f"must be an object with text and labels, got {shown}")
            continue
        if record.keys() == columns.keys():
            for key, value in record.items():
                columns[key].append(value)
        else:
            for key in [key for key in record if key not in columns]:
                columns[key] = [ABSENT] * len(lines)
            for key, values in columns.items():
                values.append(record.get(key, ABSENT))
        lines.append(number)
    table.columns = columns
    table.lines = lines
