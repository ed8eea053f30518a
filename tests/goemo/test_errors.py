"""Messages about wrong input."""

from __future__ import annotations

import pytest

from goemo.errors import LONGEST, InputError


@pytest.mark.parametrize(
    ("where", "problems"),
    [("f", ["x" * 9000]), ("f", ["é" * 9000] * 3), ("w" * 9000, ["a", "b"]), ("f", ["\ud800" * 5000])],
)
def test_no_message_is_longer_than_four_kilobytes(where, problems):
    """Whatever is wrong, and however much of it."""
    assert len(str(InputError(where, problems)).encode(errors="replace")) <= LONGEST


def test_of_many_problems_the_first_are_shown_and_the_others_counted():
    """Each line that is shown is whole; shown and counted are all of them."""
    shown = str(InputError("f", [f"problem {number:05}" for number in range(1000)])).splitlines()
    assert shown[0] == "f: 1000 problems"
    assert shown[1] == "  problem 00000"
    assert shown[-1] == "  and 980 more"
    assert len(shown) == 22


def test_of_long_problems_fewer_are_shown():
    """So that the message stays short; what helps against all of them comes last, and is never left out."""
    shown = str(InputError("f", ["x" * 900 for _ in range(30)], "do this")).splitlines()
    assert shown[0] == "f: 30 problems"
    assert shown[-2:] == [f"  and {30 - (len(shown) - 3)} more", "  do this"]
    assert str(InputError("f", ["a"], "do this")) == "f: a; do this"
    for problems in (["x" * 148] * 30, ["x" * 9000], ["x" * 9000] * 2):
        told = str(InputError("w" * 9000, problems, "r" * 200))
        assert told.endswith("r" * 200)
        assert len(told.encode()) <= LONGEST


def test_few_problems_are_shown_whole():
    """Each has its line."""
    assert str(InputError("f", ["a", "b"])) == "f: 2 problems\n  a\n  b"
    assert str(InputError("f", ["a"])) == "f: a"
