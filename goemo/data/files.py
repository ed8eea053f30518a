"""Read a folder or a file: .tsv in the published layout, .csv, .jsonl, .parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from goemo.data.rows import add_columns, add_row, has_columns, has_control_characters
from goemo.data.tables import SOURCES, SPLIT_FILES, Read, Table, nearest, refuse
from goemo.errors import InputError


def read_path(path: str, _seed: int) -> Read:
    """Read the files of a folder, or one file.

    Raises:
        InputError: There is no such path, or a split has no file or two.
    """
    place = Path(path).expanduser()
    if not path or not place.exists():
        raise InputError(path or "data source", [f"no such file or folder; {SOURCES}"])
    files = _split_files(place) if place.is_dir() else [place]
    label_file = (place if place.is_dir() else place.parent) / "labels.txt"
    labels, problems = _read_label_file(label_file) if label_file.is_file() else (None, [])
    tables = [_read_table(file) for file in files]
    if problems:
        for table in tables:
            # Which label an index or a name means is unknown until labels.txt is right.
            table.labels = [()] * len(table.labels)
        labels = ()
    return Read(tables, labels, label_file.name, problems)


def _split_files(folder: Path) -> list[Path]:
    """Return the files of train, validation and test, or the only file of a folder without splits."""
    there = sorted(file for file in folder.iterdir() if file.suffix in _READERS and file.is_file())
    held_out = (*SPLIT_FILES["validation"], *SPLIT_FILES["test"])
    if len(there) == 1 and there[0].suffix != ".tsv" and there[0].stem not in held_out:
        return there
    files, problems = [], []
    for name, stems in SPLIT_FILES.items():
        candidates = [file for file in there if file.stem in stems]
        if len(candidates) == 1:
            files.append(candidates[0])
        elif candidates:
            problems.append(f"{name} has {' and '.join(file.name for file in candidates)}; keep one")
        else:
            wanted = ", ".join(f"{stem}.tsv" for stem in stems)
            others = ", ".join(suffix for suffix in _READERS if suffix != ".tsv")
            problems.append(f"no {name} file: looked for {wanted}, and the same as {others}")
    refuse(str(folder), problems)
    return files


def _read_label_file(file: Path) -> tuple[tuple[str, ...], list[str]]:
    table = Table(file.name)
    names = [line.strip() for _, line in _lines(file, table)]
    while names and not names[-1]:
        names.pop()
    first = {name: line for line, name in reversed(list(enumerate(names, start=1)))}
    for line, name in enumerate(names, start=1):
        if not name:
            table.reject(line, "empty line; every line names one label")
        elif has_control_characters(name):
            table.reject(line, f"label {name!r} holds a control character, which no name may")
        elif first[name] != line:
            table.reject(line, f"label {name!r} stands in line {first[name]} already")
    if not names and not table.problems:
        table.reject(0, "is empty; must name one label a line")
    return tuple(names), table.messages()


def _read_table(file: Path) -> Table:
    table = Table(file.name)
    read = _READERS.get(file.suffix)
    if read is None:
        table.reject(0, f"must end in {', '.join(_READERS)}, got {file.suffix or 'no ending'}")
        return table
    try:
        read(file, table)
    except OSError as error:
        table.reject(0, f"cannot be read ({error.strerror or error})")
    if not table.texts and not table.problems:
        table.reject(0, "has no rows")
    return table


def _lines(file: Path, table: Table) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a text file; reject those that are not UTF-8.

    Only a line feed ends a line: other separators of Unicode are part of people's texts.
    """
    offset = 0
    for number, raw in enumerate(file.read_bytes().removesuffix(b"\n").split(b"\n"), start=1):
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            bad = offset + error.start
            table.reject(number, f"not UTF-8: byte 0x{raw[error.start]:02x} at offset {bad} of the file")
        offset += len(raw) + 1


def _read_tsv(file: Path, table: Table) -> None:
    for number, line in _lines(file, table):
        fields = line.split("\t")
        if len(fields) not in (2, 3):
            if line or number > 1:  # one empty line is an empty file
                table.reject(
                    number, f"{_columns(len(fields))}, must be 3: text, labels, id, separated by tabs"
                )
        elif not fields[0].strip():
            table.reject(number, "empty text")
        elif not fields[1].strip():
            table.reject(number, "no label; the second column must hold at least one")
        else:
            add_row(table, number, {"text": fields[0], "labels": fields[1], "id": "".join(fields[2:])})


def _columns(number: int) -> str:
    return "1 column" if number == 1 else f"{number} columns"


def _read_csv(file: Path, table: Table) -> None:
    text = "\n".join(line for _, line in _lines(file, table))
    if table.problems:  # quoted line breaks make rows after a broken line unsafe to read
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header, start = None, 1
    limit = csv.field_size_limit(len(text) + 1)  # a long text is no error; the file is in memory anyway
    try:
        for values in reader:
            if header is None:
                header = values
                if not has_columns(table, header):
                    return
            elif values and len(values) != len(header):
                why = f"{_columns(len(values))}, must be {len(header)} (quote what holds a comma)"
                table.reject(start, why)
            elif values:
                add_row(table, start, dict(zip(header, values, strict=True)))
            start = reader.line_num + 1
    except csv.Error as error:
        table.reject(start, f"not readable as CSV ({error})")
    finally:
        csv.field_size_limit(limit)


def _read_jsonl(file: Path, table: Table) -> None:
    for number, line in _lines(file, table):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            table.reject(number, f"not JSON ({error})")
            continue
        if not isinstance(row, dict):
            table.reject(number, f"must be an object with text and labels, got {line[:40]}")
        elif missing := [name for name in ("text", "labels") if name not in row]:
            hints = "".join(nearest(name, map(str, row)) for name in missing)
            table.reject(number, f"no {' and no '.join(missing)}{hints}")
        else:
            add_row(table, number, row)


def _read_parquet(file: Path, table: Table) -> None:
    import pandas as pd  # half a second that only parquet needs

    try:
        frame = pd.read_parquet(file)
    except (ValueError, OSError) as error:  # pyarrow's own errors are of these two kinds
        table.reject(0, f"not readable as parquet ({error})")
        return
    if has_columns(table, [str(name) for name in frame.columns]):
        add_columns(table, {name: frame[name].tolist() for name in frame.columns})


_READERS: dict[str, Callable[[Path, Table], None]] = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}
