"""Kills a process whose trial takes too long, even if Python itself cannot run any more."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tune.durations import duration

_FILE = "hang.txt"

# What a trial gets to end by itself, between two steps of its training.
_GRACE_S = 5.0


class TimeIsUpError(Exception):
    """A trial has run for longer than it may."""


def over_time(timeout_s: float | None) -> str:
    """Return how a trial ended that has run for longer than it may; None where no limit holds any more."""
    after = "when its time was up" if timeout_s is None else f"after {duration(timeout_s)}"
    return f"still running {after}; --trial-timeout gives trials more"


@contextmanager
def ended_when_it_hangs(folder: Path, seconds: float | None) -> Iterator[None]:
    """End this process, with the stack of each thread in a file, where the block takes much longer than this.

    The standard library's ``faulthandler`` does it from a thread that needs no interpreter lock, so that a
    library that never returns is ended too. `how_it_hung` tells the next process.

    Args:
        folder: Of the trial.
        seconds: None for as long as it takes.
    """
    if seconds is None:
        yield
        return
    path = folder / _FILE
    with path.open("w", encoding="utf-8") as file:
        faulthandler.dump_traceback_later(max(0.0, seconds) + _GRACE_S, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            path.unlink(missing_ok=True)


def how_it_hung(folder: Path) -> str | None:
    """Return the stacks that a process of this trial left when it was ended; None where none was."""
    path = folder / _FILE
    stacks = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return stacks or None
