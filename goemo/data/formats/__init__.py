"""File formats: each reads one kind of file into a table, and is registered here by its suffix."""

from __future__ import annotations

import lzma
import stat
import zlib
from contextlib import closing
from pathlib import Path

from goemo.configuration.data import DataOptions
from goemo.data.formats.arrow import read_arrow, read_parquet
from goemo.data.formats.delimited import read_csv, read_tsv
from goemo.data.formats.fast_text import PREFIX, read_fast_text
from goemo.data.formats.json_lines import read_json, read_json_lines
from goemo.data.formats.plain import read_plain
from goemo.data.formats.texts import COMPRESSIONS, FormatReader, UnreadableFileError, open_bytes
from goemo.data.tables import MOST_FILE_BYTES, Table
from goemo.data.words import TEXT_NAMES, plain_word

__all__ = ["FORMATS", "ending", "holds_columns", "open_bytes", "read_file", "stem"]

_MOST_HEADER_BYTES = 1 << 16

FORMATS: dict[str, FormatReader] = {
    ".tsv": read_tsv,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".txt": read_plain,
    ".arrow": read_arrow,
    ".feather": read_arrow,
    ".ft": read_fast_text,
}


def ending(file: Path) -> str:
    """Return the ending that says the format, in small letters; a compression's stands after it."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def stem(file: Path) -> str:
    """Return the name of a file without the endings that say format and compression."""
    name = file.name
    if file.suffix.lower() in COMPRESSIONS:
        name = name[: -len(file.suffix)]
    return name[: -len(Path(name).suffix)] if Path(name).suffix else name


def holds_columns(file: Path) -> bool:
    """Tell whether a file is a table, and not one text a line.

    Its ending says it. A ``.txt`` is one where fastText's labels begin the line, or where tabs separate
    columns of which one has the usual name of a text.
    """
    if ending(file) != ".txt":
        return ending(file) in FORMATS
    if not file.is_file():
        return False  # a pipe is read once
    with closing(open_bytes(file)) as stream:
        first = stream.readline(_MOST_HEADER_BYTES).decode("utf-8", "replace")
    cells = first.removeprefix("\ufeff").rstrip("\r\n").split("\t")
    return first.startswith(PREFIX) or (
        len(cells) > 1 and any(plain_word(cell) in TEXT_NAMES for cell in cells)
    )


def read_file(file: Path, options: DataOptions) -> Table:
    """Read one file; what is wrong with it stands in the table's problems."""
    table = Table(file.name)
    read = FORMATS.get(ending(file))
    if read is None:
        table.reject(0, f"must end in {', '.join(FORMATS)}, got {file.suffix or 'no ending'}")
        return table
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            table.reject(0, "must be a regular file; write a pipe or a device to a file first")
            return table
        if status.st_size > MOST_FILE_BYTES:
            table.reject(0, f"must be at most {MOST_FILE_BYTES >> 30} GB, the most that is read at once")
            return table
        read(file, table, options)
    except UnreadableFileError as error:
        # What was read of it is of no use, and columns may differ in length.
        table.columns, table.lines = {name: [] for name in table.columns}, ()
        table.reject(error.line, str(error))
    except OSError as error:
        table.reject(0, f"cannot be read ({error.strerror or error})")
    except (zlib.error, lzma.LZMAError) as error:
        table.reject(0, f"cannot be unpacked ({error})")
    except EOFError as error:
        table.reject(0, f"is truncated ({error})")
    if not (len(table) and table.columns) and not table.problems:
        table.reject(0, "has no columns" if len(table) else "has no rows")
    return table
