"""Wording of messages: how values are shown, and the nearest known name."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80
_REPR.maxlist = _REPR.maxdict = 8


def short(value: Any) -> str:
    """Return Python's form of a value, never long."""
    try:
        return _REPR.repr(value)
    except ValueError:  # a whole number of more digits than Python prints
        return "a number of thousands of digits"


def show(value: Any) -> str:
    """Return a value as the user would recognise it, never long."""
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else short(value)


def nearest(value: Any, names: Iterable[str]) -> str:
    """Return the end of a message, ``; did you mean macro_f1?``; empty where no name is near."""
    near = difflib.get_close_matches(value[:200], list(names), n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""
