"""Texts from a file of any size, one per line, in chunks that bound the memory.

A line ends with a line feed, before which a carriage return may stand, and with nothing else: the further
characters at which ``str.splitlines`` breaks (form feed, U+2028 and others) occur inside texts. So the number
of texts is the number of lines that ``wc -l`` counts, and one more where the last has no line feed.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from goemo.data.tables import MOST_TEXT_CHARACTERS

_BLOCK_BYTES = 1 << 20
# A text of as many characters, and the end of its line; none takes more than four bytes.
_MOST_BYTES = 4 * MOST_TEXT_CHARACTERS + 2

# Enough texts that those of similar length fill whole passes, few enough that results appear soon.
CHUNK_TEXTS = 4096

# About as many characters as so many comments of 500; long texts make smaller chunks.
CHUNK_CHARACTERS = 2_000_000


def texts_of(
    file: BinaryIO,
    on_replaced: Callable[[int], None] | None = None,
    on_cut: Callable[[int], None] | None = None,
) -> Iterator[str]:
    """Yield the text of each line, as the file is read; an empty line is an empty text.

    Bytes that are no UTF-8 are read as U+FFFD, a byte order mark at the start as nothing. A text is cut after
    ``MOST_TEXT_CHARACTERS``: no line is in memory as a whole, however long it is.

    Args:
        file: Stands where the first line begins.
        on_replaced: Called with the number of each line, from 1, that holds bytes that are no UTF-8.
        on_cut: Called with the number of each line that is cut.
    """
    for number, (line, is_whole) in enumerate(_bounded_lines(file), start=1):
        content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        content = content.removesuffix(b"\n").removesuffix(b"\r")
        try:
            # A cut may go through a character, whose first bytes are then left out.
            text = codecs.getincrementaldecoder("utf-8")().decode(content, final=is_whole)
        except UnicodeDecodeError:
            text = content.decode("utf-8", errors="replace")
            if on_replaced is not None:
                on_replaced(number)
        if (not is_whole or len(text) > MOST_TEXT_CHARACTERS) and on_cut is not None:
            on_cut(number)
        yield text[:MOST_TEXT_CHARACTERS]


def _bounded_lines(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield the bytes of each line, the first of a long one alone, and whether these are all."""
    while line := file.readline(_MOST_BYTES):
        is_whole, rest = True, line
        while not rest.endswith(b"\n") and (rest := file.readline(_BLOCK_BYTES)):
            is_whole = False
        yield line, is_whole


def count_texts(file: BinaryIO) -> int:
    """Return how many texts a file holds from where it stands; it then stands at its end."""
    count, last = 0, b"\n"
    while block := file.read(_BLOCK_BYTES):
        count += block.count(b"\n")
        last = block[-1:]
    return count + (last != b"\n")


def chunks(
    texts: Iterable[str], *, most: int = CHUNK_TEXTS, characters: int = CHUNK_CHARACTERS
) -> Iterator[list[str]]:
    """Yield the texts in order, in lists of at most ``most``; a list ends with the text that fills it.

    Args:
        texts: Taken one by one, when they are needed.
        most: Texts a list at most.
        characters: A list is full with so many characters, too.
    """
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if len(chunk) == most or size >= characters:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
