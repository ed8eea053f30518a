"""What runs in a fork that is to call a function: calls it, tells of it, and ends.

Standard input and output are both a connection to the caller, `tune/forks/calling.py`; everything that is
printed goes to standard error.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

from goemo.errors import GoemoError

_PATIENCE_S = 10.0  # for what is under way to be cleaned up, once the caller is gone


def main() -> None:
    """Take a call, and answer it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    connection = Connection(os.dup(0))
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        function, args, options, heard = connection.recv()
        threading.Thread(target=_watch, args=[connection], daemon=True).start()
        told = {name: partial(_tell, connection, "call", name) for name in heard}
        with suppress(BrokenPipeError):
            connection.send(_answer(connection, partial(function, *args, **options, **told)))
    except (EOFError, KeyboardInterrupt):  # the caller is gone
        pass
    sys.stderr.flush()
    os._exit(0)  # nothing is left to be done, and torch takes its time to say goodbye


def _answer(connection: Connection, call: Callable[[], Any]) -> tuple[str, Any]:
    """Return what the call returns or raises, with what it logs told on the way."""
    root = logging.getLogger()
    root.handlers = [_Told(connection)]
    logging.captureWarnings(capture=True)
    try:
        return "returned", call()
    except Exception as error:  # noqa: BLE001 - the caller raises it
        return "raised", apart(error)


class _Told(logging.handlers.QueueHandler):
    """Tells the caller of records, over a connection in place of a queue."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(queue.SimpleQueue())
        self._connection = connection

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record, whose message is whole."""
        _tell(self._connection, "log", record)


def _tell(connection: Connection, kind: str, *content: Any) -> None:
    """Send a message from a fork, whose caller may be gone.

    Raises:
        KeyboardInterrupt: It is.
    """
    try:
        connection.send((kind, *content))
    except ConnectionError:
        raise KeyboardInterrupt from None


def _watch(connection: Connection) -> None:
    """Interrupt the main thread once the caller is gone; end the process where that does not help."""
    with suppress(EOFError, OSError):
        connection.recv()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    time.sleep(_PATIENCE_S)
    os._exit(1)


def apart(error: BaseException) -> list[BaseException]:
    """Return an error and those that have led to it, the last one first, each such that it can be pickled."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and len(links) < 100:
        links.append(_portable(link))
        link = link.__cause__ or link.__context__
    return links


def joined(links: Sequence[BaseException]) -> BaseException:
    """Return the error that `apart` took apart."""
    for error, reason in pairwise(links):
        error.__cause__ = reason
    return links[0]


def _portable(error: BaseException) -> BaseException:
    """Return an error that can be pickled and remembers its traceback in a note."""
    where = "".join(traceback.format_tb(error.__traceback__))
    try:
        copy: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - whatever keeps it from being pickled
        copy = GoemoError(f"{type(error).__name__}: {error}")
    copy.add_note(f"in another process:\n{where}")
    return copy


if __name__ == "__main__":
    main()
