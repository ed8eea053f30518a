"""A text a line, whatever the bytes: none lost, none added, in order, with bounded memory."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goemo.data.text_lines import chunks, count_texts, texts_of


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\nb\n\n", ["a", "", "b", ""]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\rb\n", ["a\rb"]),
        ("a\u2028b\x0cc\x85d\x1ce\x0bf\n".encode(), ["a\u2028b\x0cc\x85d\x1ce\x0bf"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", ["a", "\ufeffb"]),
        (b"a\xff\xfeb\n\xed\xa0\xbd\n", ["a\ufffd\ufffdb", "\ufffd" * 3]),
        (b"x" * 10_000 + b"\ny", ["x" * 10_000, "y"]),
    ],
)
def test_a_line_is_a_text(content, texts):
    """Only a line feed ends a text; what is no UTF-8 is replaced; a byte order mark opens no text."""
    assert list(texts_of(io.BytesIO(content))) == texts
    assert count_texts(io.BytesIO(content)) == len(texts)


def test_lines_that_are_no_utf_8_are_told_by_number():
    """Those alone: a line that holds U+FFFD itself is as it should be."""
    told: list[int] = []
    content = b"\xef\xbb\xbfa\n\xff\n" + "\ufffd\n".encode() + b"b\n\xe4"
    assert list(texts_of(io.BytesIO(content), told.append)) == ["a", "\ufffd", "\ufffd", "b", "\ufffd"]
    assert told == [2, 5]


@given(st.binary(max_size=60))
def test_any_bytes_give_as_many_texts_as_lines(content):
    """Reading never fails, and gives as many texts as counting and as splitting at line feeds."""
    found = list(texts_of(io.BytesIO(content)))
    lines = content.split(b"\n")
    assert len(found) == count_texts(io.BytesIO(content)) == len(lines) - (lines[-1] == b"")
    assert not any("\n" in text for text in found)
    assert all(text.encode() is not None for text in found)


@given(st.lists(st.text(max_size=8), max_size=30), st.integers(1, 5), st.integers(1, 12))
def test_chunks_hold_all_texts_in_order_and_no_more_than_asked(texts, most, characters):
    """Joined, the chunks are the texts; none is empty; without its last text, none is full."""
    found = list(chunks(texts, most=most, characters=characters))
    assert [text for chunk in found for text in chunk] == texts
    assert all(1 <= len(chunk) <= most for chunk in found)
    assert all(sum(map(len, chunk[:-1])) < characters for chunk in found)


def test_texts_are_read_when_they_are_needed():
    """The first chunk comes before the second is read, so that a pipe gives results as it goes."""
    taken = []
    source = (taken.append(number) or str(number) for number in range(100))
    assert next(chunks(source, most=10)) == [str(number) for number in range(10)]
    assert len(taken) == 10
