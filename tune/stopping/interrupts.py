"""Ctrl-C and SIGTERM: the first stops a search cleanly, the second at once."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import psutil

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SearchInterrupted(KeyboardInterrupt):
    """A search was interrupted; the message says what has become of it and how to go on."""


class Interrupts:
    """What has been asked for by signals.

    The first raises KeyboardInterrupt where the main thread is, or, in the block of `deferred`, calls a
    function instead. All others raise KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self._count = 0
        self._instead: Callable[[], None] | None = None

    @property
    def are_urgent(self) -> bool:
        """Whether there was more than one: nothing is worth waiting for."""
        return self._count > 1

    def take_back(self) -> None:
        """Handle the signals again, where a library has put its own handlers in place, as Ray does."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self.take)

    @contextmanager
    def deferred(self, instead: Callable[[], None]) -> Iterator[None]:
        """Have the first signal call a function, which lets the block end in order."""
        self._instead = instead
        try:
            yield
        finally:
            self._instead = None

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        del number, frame
        self._count += 1
        if self._instead is not None and self._count == 1:
            self._instead()
            return
        raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Handle SIGINT and SIGTERM in the block; in a thread that is not the main one, Python cannot."""
    handled = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield handled
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handled.take_back()
    try:
        yield handled
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def second_ends_at_once(say: str) -> Iterator[None]:
    """End the process, and all that it has started, at the second SIGINT or SIGTERM in the block.

    For a command, not for a notebook. A thread does it, so that it works while the main thread is in a
    library that does not come back to Python.

    Args:
        say: The last line on stderr.
    """
    told, tells = socket.socketpair()
    tells.setblocking(False)
    before = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        seen = 0
        while numbers := told.recv(16):
            seen += sum(number in _SIGNALS for number in numbers)
            if seen > 1:
                end_at_once(say)

    thread = threading.Thread(target=watch, name="second-signal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        tells.close()
        thread.join()
        told.close()


def end_at_once(say: str) -> NoReturn:
    """End this process with exit code 1, and before it all that it has started."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()
    cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""  # the live view had hidden it
    with suppress(OSError):
        os.write(2, f"{cursor}goemo: {say}\n".encode())
    os._exit(1)
