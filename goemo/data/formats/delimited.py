"""Text files with columns: CSV with any separator, TSV with a header or as GoEmotions is published."""

from __future__ import annotations

import csv
import io
import itertools
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from goemo.configuration.data import DataOptions
from goemo.data.formats.texts import numbered_lines
from goemo.data.tables import MOST_LINE_BYTES, Table
from goemo.data.words import ID_NAMES, LABEL_NAMES, TEXT_NAMES, plain_word

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
_PUBLISHED = ("text", "labels", "id")
_SAMPLED_LINES = 200
_FEWEST_TEXTS = 10  # that show what the cells of a header are not
_CHUNK_ROWS = 4096


def read_csv(file: Path, table: Table, options: DataOptions) -> None:
    """Read a headed file of quoted columns; where its header has one column alone, its separator is found."""
    lines = (line for _, line in numbered_lines(file, table, options))
    head = list(itertools.islice(lines, _SAMPLED_LINES))
    with _long_fields():
        separator = options.separator or _separator(head)
        if options.separator is None and separator != ",":
            table.notes.append(f"columns are separated by {_SEPARATORS[separator]}")
        _read_quoted(itertools.chain(head, lines), table, separator)


def read_tsv(file: Path, table: Table, options: DataOptions) -> None:
    """Read columns separated by tabs, with a header or in the published layout, which has none."""
    numbered = numbered_lines(file, table, options)
    head = list(itertools.islice(numbered, _SAMPLED_LINES))
    separator = options.separator or "\t"
    fields = [line.split(separator) for _, line in head]
    if not fields or not is_header(fields[0], fields[1:], options):
        _read_published(itertools.chain(head, numbered), table, separator)
        return
    whole = [*head, *numbered]
    with _long_fields():
        is_quoted = _is_quoted([line for _, line in whole], separator)
        if is_quoted:
            _read_quoted((line for _, line in whole), table, separator)
    table.is_published = _is_published_header(next(iter(csv.reader([whole[0][1]], delimiter=separator)), []))
    if is_quoted:
        return
    columns = _Columns(table, fields[0], separator)
    for number, line in whole[1:]:
        if line:
            columns.add(number, line.split(separator))
    columns.close()


def is_header(first: Sequence[str], following: Sequence[Sequence[str]], options: DataOptions) -> bool:
    """Tell whether the first row of a file names its columns.

    It does where it holds a name that is asked for, or more columns than the published layout has; else
    where it names a column of texts and one of labels, or names one or has words alone and does not look like
    the rows below.
    """
    cells = [plain_word(cell) for cell in first]
    columns = options.columns
    asked = [columns.id, columns.split, columns.unclear]
    for names in (columns.text, columns.labels):
        asked += [names] if isinstance(names, str) else list(names or ())
    if {plain_word(name) for name in asked if name} & set(cells) or len(first) > len(_PUBLISHED):
        return True
    if len(first) < 2:
        return cells[0] in TEXT_NAMES
    if any(re.fullmatch(r"[\d,. ]+", cell) for cell in first):
        return False
    known = [cell in TEXT_NAMES or cell in LABEL_NAMES or cell in ID_NAMES for cell in cells]
    if sum(known) >= 2:
        return True
    others = [row[1].strip() for row in following if len(row) == len(first)]
    is_odd = bool(others) and all(re.fullmatch(r"\d+(\.0)?(\s*,\s*\d+)*", cell) for cell in others)
    is_word = " " not in first[0].strip() and first[1].strip() not in others
    are_texts = len(others) >= _FEWEST_TEXTS and all(" " in row[0].strip() for row in following)
    return is_odd or (is_word and (sum(known) == 1 or are_texts))


def _is_published_header(header: Sequence[str]) -> bool:
    known = (TEXT_NAMES, LABEL_NAMES, ID_NAMES)
    return len(header) == len(known) and all(plain_word(h) in k for h, k in zip(header, known, strict=True))


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let fields be as long as lines, where Python's csv module has a lower limit for the whole process."""
    before = csv.field_size_limit(MOST_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


class _Columns:
    """Rows taken into a table's columns."""

    def __init__(self, table: Table, header: Sequence[str], separator: str) -> None:
        names = [name.strip() for name in header]
        self.table = table
        self.width = len(names)
        self.rule = f"must be {self.width} (quote cells that contain a {_name(separator)})"
        table.repeated = {name: times for name, times in Counter(names).items() if times > 1}
        table.is_text = table.is_headed = True
        self.values: list[list[str]] = [[] for _ in names]
        self.lines = array("q")
        self.rows: list[Sequence[str]] = []
        # Of columns of the same name the first counts; where one is needed, it is refused later.
        table.columns = dict(zip(reversed(names), reversed(self.values), strict=True))
        table.columns = {name: table.columns[name] for name in dict.fromkeys(names)}
        table.lines = self.lines

    def add(self, line: int, row: Sequence[str]) -> None:
        """Take a row, or reject it for its number of columns."""
        if len(row) != self.width:
            self.table.reject(line, f"{_columns(len(row))}, {self.rule}")
            return
        self.rows.append(row)
        self.lines.append(line)
        if len(self.rows) == _CHUNK_ROWS:
            self.close()

    def close(self) -> None:
        """Take what was kept back for speed."""
        for values, part in zip(self.values, zip(*self.rows, strict=True), strict=False):
            values.extend(part)
        self.rows.clear()


def _read_quoted(lines: Iterable[str], table: Table, separator: str) -> None:
    reader = csv.reader(_ended(lines), delimiter=separator, strict=True)
    columns, start = None, 1
    try:
        for row in reader:
            if columns is None:
                if row:
                    columns = _Columns(table, row, separator)
            elif row:
                columns.add(start, row)
            start = reader.line_num + 1
    except csv.Error as error:
        table.reject(start, f"not readable as CSV ({error})")
    if columns is not None:
        columns.close()
    if any("UTF-8" in why for _, why in table.problems):
        # Quoted line breaks make rows after a broken line unsafe to read.
        table.columns, table.lines = {name: [] for name in table.columns}, ()
        table.problems = [problem for problem in table.problems if "UTF-8" in problem[1] or not problem[0]]


def _ended(lines: Iterable[str]) -> Iterator[str]:
    """Give lines their ends back; a lone carriage return, as old spreadsheets write, ends one too."""
    for line in lines:
        if "\r" in line:
            yield from io.StringIO(line + "\n", newline="")
        else:
            yield line + "\n"


def _separator(head: Sequence[str]) -> str:
    """Return a comma, unless the header has none and another separator gives all lines the same columns."""
    widths = {separator: _widths(head, separator) for separator in _SEPARATORS}
    if max(widths[","], default=1) > 1 and len(_first(head, ",")) > 1:
        return ","
    for separator, counts in widths.items():
        if len(_first(head, separator)) > 1 and len(counts) == 1:
            return separator
    return ","


def _first(head: Sequence[str], separator: str) -> list[str]:
    return next(csv.reader(_ended(head[:1]), delimiter=separator), [])


def _widths(head: Sequence[str], separator: str) -> set[int]:
    # The last sampled line may open a text that goes on below.
    return {len(row) for row in csv.reader(_ended(head[:-1] or head), delimiter=separator) if row}


def _is_quoted(lines: Sequence[str], separator: str) -> bool:
    r"""Tell whether ``"`` around a field is a program's, and not part of people's texts.

    A program quotes every field, or those that hold a separator, a quote or a line break; then quotes inside
    are doubled. Where a single field that begins with a quote is not of this kind, quotes are text.
    """
    if all(cell[:1] == cell[-1:] == '"' for cell in lines[0].split(separator)):
        return True
    opened = [line for line in lines if line.startswith('"') or f'{separator}"' in line]
    if not opened:
        return False
    width = lines[0].count(separator) + 1
    try:
        rows = [row for row in csv.reader(_ended(lines), delimiter=separator, strict=True) if row]
    except csv.Error:
        return False
    if any(len(row) != width for row in rows):
        return False
    quoted = re.compile(rf'(?:^|{re.escape(separator)})("(?:[^"]|"")*")(?={re.escape(separator)}|$)')
    fields = [field for line in opened for field in quoted.findall(line)]
    return all(separator in field or '""' in field for field in fields)


def _read_published(numbered: Iterable[tuple[int, str]], table: Table, separator: str) -> None:
    """Read texts, labels and ids that are separated by tabs and never quoted, without a header."""
    texts: list[str] = []
    labels: list[str] = []
    ids: list[str] = []
    lines = array("q")
    widths = set()
    for number, line in numbered:
        fields = line.split(separator)
        if len(fields) not in (2, 3):
            if line or number > 1:  # one empty line is an empty file
                rule = "must be 3: text, labels, id, separated by tabs"
                table.reject(number, f"{_columns(len(fields))}, {rule}")
        elif not fields[0].strip():
            table.reject(number, "empty text")
        elif not fields[1].strip():
            table.reject(number, "no label; the second column must hold at least one")
        else:
            texts.append(fields[0])
            labels.append(fields[1])
            ids.append("".join(fields[2:]))
            lines.append(number)
            widths.add(len(fields))
    table.columns = dict(zip(_PUBLISHED, (texts, labels, ids), strict=True))
    table.lines = lines
    table.is_text = True
    table.is_published = widths == {3}


def _columns(number: int) -> str:
    return "1 column" if number == 1 else f"{number} columns"


def _name(separator: str) -> str:
    return {"\t": "tab", ",": "comma", ";": "semicolon"}.get(separator, repr(separator))
