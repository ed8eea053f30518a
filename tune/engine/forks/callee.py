"""What runs in a fork that is to call a function: calls it, tells of it, and ends.

Standard input and output are both a connection to the caller, `calling.py`; everything that is
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

from goemo.errors import GoemoError, chain

_PATIENCE_S = 10.0  # for what is under way to be cleaned up, once the caller is gone


class Caller(logging.handlers.QueueHandler):
    """The other end of the connection: a handler of logging that tells it of records, and more."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(queue.SimpleQueue())  # which is not used: the connection takes its place
        self._connection = connection
        self._sending = threading.Lock()

    def enqueue(self, record: logging.LogRecord) -> None:
        """Tell of a record, whose message is whole."""
        self.tell("log", record)

    def tell(self, kind: str, *content: Any) -> None:
        """Send a message, from any thread.

        Raises:
            KeyboardInterrupt: The caller is gone.
        """
        try:
            with self._sending:
                self._connection.send((kind, *content))
        except ConnectionError:
            raise KeyboardInterrupt from None

    def watch(self) -> None:
        """Interrupt the main thread once the caller is gone; end the process where that does not help."""
        with suppress(EOFError, OSError):
            self._connection.recv()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(_PATIENCE_S)
        os._exit(1)


def main() -> None:
    """Take a call, and answer it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    connection = Connection(os.dup(0))
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with suppress(EOFError, KeyboardInterrupt):  # the caller is gone
        function, args, options, heard = connection.recv()
        caller = Caller(connection)
        threading.Thread(target=caller.watch, daemon=True).start()
        logging.getLogger().handlers = [caller]
        logging.captureWarnings(capture=True)
        told = {name: partial(caller.tell, "call", name) for name in heard}
        caller.tell(*_answer(partial(function, *args, **options, **told)))
    sys.stderr.flush()
    os._exit(0)  # nothing is left to be done, and torch takes its time to say goodbye


def _answer(call: Callable[[], Any]) -> tuple[str, Any]:
    """Return what a call returns or raises."""
    try:
        return "returned", call()
    except Exception as error:  # noqa: BLE001 - the caller raises it
        return "raised", apart(error)


def apart(error: BaseException) -> list[BaseException]:
    """Return an error and those that have led to it, the last one first, each such that it can be pickled."""
    return [_portable(link) for link in chain(error)]


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
