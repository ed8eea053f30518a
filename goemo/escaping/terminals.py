"""Escaping for terminals: text without control sequences."""

from __future__ import annotations

import re

# Control characters but the tab and the end of a line: C0, DEL, C1 (which has a second escape), the marks
# that turn the direction of writing, which hide what a line says, and halves of surrogate pairs.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text without the characters that a terminal obeys; tabs and ends of lines stay.

    What follows an escape character stays as well, and is shown as the plain text that it is.
    """
    return _OBEYED.sub("", text)
