"""Consoles: results on stdout, progress on stderr, as long as somebody reads them.

What the terminal would obey is taken out on the way, see `tune.live.plain`.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from goemo.escaping import printable

WIDE = 1000  # characters: wider than any table that we print, and a table takes no more than it needs


class CommandConsole(Console):
    """A console whose reader may go away, and to which every word is plain text.

    Rich by itself would end the process, with 1 and no word; and take ``[b]`` for a style, ``:joy:`` for a
    picture.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield the segments of what is printed, without characters that the terminal would obey.

        Styles are added later, by rich itself, so that none of them is taken out here.
        """
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Stop printing progress, which is no reason to stop the work; with results, end the command.

        Raises:
            BrokenPipeError: Nobody reads the results any more; `tune.cli.Command` knows what to do.
        """
        if not self.stderr:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        self.quiet = True
        discard(sys.stderr)


def results_console() -> Console:
    """Return the console for results; in a pipe or a file it is as wide as they are and crops nothing."""
    return CommandConsole(width=None if sys.stdout.isatty() else WIDE)


def progress_console() -> Console:
    """Return the console for progress."""
    return CommandConsole(stderr=True)


def discard(stream: TextIO) -> None:
    """Throw away what is still to be written to a stream that nobody reads, whoever writes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
