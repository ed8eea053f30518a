"""Plain text for terminals and logs: nothing in a label, a text or a name is obeyed, all of it is shown.

Texts, labels, names and messages come from files that others wrote. Consoles, `echo` and the log of a search
pass everything through `printable`.
"""

from __future__ import annotations

import re
import sys

import click

# Control characters but the tab and the end of a line: C0, DEL, C1 (which has a second escape), the marks
# that turn the direction of writing, which hide what a line says, and halves of surrogate pairs.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text without the characters that a terminal obeys; tabs and ends of lines stay.

    What follows an escape character stays as well, and is shown as the plain text that it is.
    """
    return _OBEYED.sub("", text)


def echo(text: object, *, err: bool = False, nl: bool = True, is_data: bool = False) -> None:
    """Print a line for the user, without what a terminal would obey.

    Args:
        text: What to print.
        err: To stderr.
        nl: End the line.
        is_data: JSON or CSV: what is read by a program, in a pipe or a file, gets it as it is.
    """
    stream = sys.stderr if err else sys.stdout
    shown = str(text)
    click.echo(shown if is_data and not stream.isatty() else printable(shown), err=err, nl=nl)
