"""Keeps Ray's output off stdout, where results go."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import IO, Any

_log = logging.getLogger(__name__)

# Of the threads of Ray's in a driver, as its documentation of a driver's stacks shows them.
_THREADS = "ray_"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@contextmanager
def words_of_ray_logged() -> Iterator[None]:
    """Log what Ray's threads print in the block: of nodes that were lost, and of workers that died.

    What other threads print goes where it would.
    """
    with redirect_stdout(_WithoutRay(sys.stdout)):
        yield


class _WithoutRay:
    """A stream that logs what Ray's threads write to it.

    Args:
        stream: What it stands for.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        """Write a text, or log the lines that it ends."""
        if not threading.current_thread().name.startswith(_THREADS):
            return self._stream.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if words := " ".join(_COLOURS.sub("", line).split()):
                _log.warning("Ray: %s", words)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Do all else as the stream does."""
        return getattr(self._stream, name)
