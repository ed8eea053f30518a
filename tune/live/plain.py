"""Plain text for terminals and logs: control sequences in labels, texts and names are never interpreted.

Texts, labels, names and messages come from files that others wrote. Consoles, `echo` and the log of a search
pass everything through `goemo.escaping.printable`.
"""

from __future__ import annotations

import sys

import click

from goemo.escaping import printable


def confirm(question: str) -> None:
    """Ask for a yes on the terminal, without what it would obey.

    Raises:
        click.Abort: The answer is no, or there is none.
    """
    click.confirm(printable(question), abort=True, err=True)


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
