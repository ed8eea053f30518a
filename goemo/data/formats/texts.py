"""Lines of text files: unpacked, decoded and numbered, within bounds."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from goemo.configuration.data import DataOptions
from goemo.data.tables import MOST_FILE_BYTES, MOST_LINE_BYTES, Table

# Reads one file into a table; what is wrong with lines goes into its problems.
FormatReader = Callable[[Path, Table, DataOptions], None]


class UnreadableFileError(Exception):
    """A file cannot be read on from a line; the message says why."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.line = line


def _open_zstandard(file: Path) -> Any:
    import pyarrow as pa  # half a second that only this compression needs

    return pa.input_stream(str(file), compression="zstd")


COMPRESSIONS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zstandard,
}


def open_bytes(file: Path) -> BinaryIO:
    """Open a file, through its compression where its last ending names one."""
    opened = COMPRESSIONS.get(file.suffix.lower())
    stream = file.open("rb") if opened is None else opened(file)
    return stream if hasattr(stream, "peek") else io.BufferedReader(cast("Any", stream))


def numbered_lines(file: Path, table: Table, options: DataOptions) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a text file without their ends; reject those that are not its encoding.

    Only a line feed ends a line, and a carriage return before it: other separators of Unicode are part of
    people's texts. A byte order mark says the encoding where nothing else does.
    """
    with closing(open_bytes(file)) as stream:
        try:
            encoding = options.encoding or _marked_encoding(stream, table)
            if codecs.lookup(encoding).name == "utf-8":
                yield from _utf8_lines(stream, table, is_asked=options.encoding is not None)
            else:
                yield from _other_lines(stream, encoding)
        except (lzma.LZMAError, gzip.BadGzipFile) as error:
            raise UnreadableFileError(f"cannot be unpacked ({error})") from error


def _marked_encoding(stream: BinaryIO, table: Table) -> str:
    head = cast("io.BufferedReader", stream).peek(64)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        found = "utf-32"
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = "utf-16"
    else:
        sample = head[:64]
        if b"\x00" in sample and sample.count(b"\x00") >= len(sample) // 3:
            likely = "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
            raise UnreadableFileError(
                f"not UTF-8: every other byte is 0; it looks like UTF-16, which data.encoding: {likely} reads"
            )
        return "utf-8"
    table.notes.append(f"read as {found.upper()}, as its first bytes say")
    return found


def _raw_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    total = 0
    for number, raw in enumerate(iter(partial(stream.readline, MOST_LINE_BYTES + 1), b""), start=1):
        total += len(raw)
        if len(raw) > MOST_LINE_BYTES:
            raise UnreadableFileError(f"a line must have at most {MOST_LINE_BYTES >> 20} MB", number)
        if total > MOST_FILE_BYTES:
            raise UnreadableFileError(f"unpacks to more than {MOST_FILE_BYTES >> 30} GB", number)
        yield number, raw


def _utf8_lines(stream: BinaryIO, table: Table, *, is_asked: bool) -> Iterator[tuple[int, str]]:
    offset, damaged, is_utf8_elsewhere = 0, b"", False
    for number, raw in _raw_lines(stream):
        content = raw.removesuffix(b"\n")
        if number == 1:
            content = content.removeprefix(codecs.BOM_UTF8)
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            bad = offset + error.start + (len(raw.removesuffix(b"\n")) - len(content))
            table.reject(number, f"not UTF-8: byte 0x{content[error.start]:02x} at offset {bad} of the file")
            damaged = damaged or content
        else:
            is_utf8_elsewhere = is_utf8_elsewhere or not text.isascii()
            yield number, text.removesuffix("\r")
        offset += len(raw)
    if damaged and not is_utf8_elsewhere and not is_asked:
        likely, shown = _likely_encoding(damaged)
        reading = f"data.encoding: {likely} reads its first such line as {shown!r}"
        table.reject(0, f"the whole file looks like {likely}; {reading}")


def _likely_encoding(damaged: bytes) -> tuple[str, str]:
    """Return the likeliest 8-bit encoding of a line, and what the line says in it.

    Western text has a few letters with accents among plain ones; where most letters are beyond ASCII, the
    script is another one, Cyrillic most often.
    """
    beyond = sum(byte >= 0xC0 for byte in damaged)
    plain = sum(chr(byte).isalpha() for byte in damaged if byte < 0x80)
    candidates = ("windows-1251",) if beyond > plain else ("windows-1252", "latin-1")
    for encoding in (*candidates, "latin-1"):
        try:
            return encoding, damaged.decode(encoding)[:60]
        except UnicodeDecodeError:
            continue
    raise AssertionError("every byte is a character of latin-1")


def _other_lines(stream: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    decoded = io.TextIOWrapper(cast("Any", stream), encoding=encoding, newline="\n")
    number = total = 0
    try:
        while line := decoded.readline(MOST_LINE_BYTES):
            number += 1
            total += len(line)
            if len(line) >= MOST_LINE_BYTES or total > MOST_FILE_BYTES:
                raise UnreadableFileError(f"a line must have at most {MOST_LINE_BYTES >> 20} MB", number)
            content = line.removesuffix("\n").removesuffix("\r")
            yield number, content.removeprefix("\ufeff") if number == 1 else content
    except UnicodeError as error:
        why = f"not {encoding}, as data.encoding says ({error})"
        raise UnreadableFileError(why, number + 1) from error
    finally:
        decoded.detach()
