"""Calls of functions in a fork of the server: what they import is there, what they open ends with them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from goemo.errors import GoemoError
from tune.engine.forks import callee, client

SOCKET, SETUP_WORKER = "forks", "start_worker.py"  # in the folder of a server

P = ParamSpec("P")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Forks:
    """What a fork server can be asked for.

    Attributes:
        folder: Where its files are; None where there is no server, and all is done without.
    """

    folder: Path | None = None

    @property
    def are_there(self) -> bool:
        """Whether there is a server."""
        return self.folder is not None

    @property
    def socket(self) -> Path | None:
        """Where it listens."""
        return self.folder and self.folder / SOCKET

    @property
    def setup_worker(self) -> Path | None:
        """What Ray is to start its workers with; None for its own ``setup_worker.py``."""
        return self.folder and self.folder / SETUP_WORKER

    def call(self, function: Callable[P, Result], *args: P.args, **options: P.kwargs) -> Result:
        """Call a function in a fork; in this process where there is none.

        Args:
            function: Of a module, which the fork imports; what the function imports is not imported here.
            args: Its arguments, which can be pickled, like its result.
            options: Likewise; those that are functions are called in this process.

        Raises:
            GoemoError: The fork was killed.
            Exception: What the function raises.
        """
        with self.started(function, *args, **options) as result:
            return result()

    @contextmanager
    def started(
        self, function: Callable[P, Result], *args: P.args, **options: P.kwargs
    ) -> Iterator[Callable[[], Result]]:
        """Call a function as `call` does, while this process does something else.

        The fork ends with the block, and with this process however that ends: it is interrupted where it has
        not come to its end. It leads a process group of its own. What it logs is logged here.

        Yields:
            Waits for the function's result; calls it where there is no fork.
        """
        if self.socket is None:
            yield partial(function, *args, **options)
            return
        heard = {name: value for name, value in options.items() if callable(value)}
        given = {name: value for name, value in options.items() if name not in heard}
        ours, theirs = Pipe()
        with ours:
            with theirs:
                streams = [theirs.fileno(), theirs.fileno(), 2]
                is_forked = client.has_forked(
                    str(self.socket), [callee.__file__], env=dict(os.environ), streams=streams
                )
            if not is_forked:
                yield partial(function, *args, **options)
                return
            fork = _Fork(ours, function.__name__)
            fork.send((function, args, given, list(heard)))
            yield partial(fork.result, heard)


@dataclass(frozen=True)
class _Fork:
    """A fork that has a function to call.

    Attributes:
        connection: To `tune/engine/forks/callee.py`.
        function: The function's name.
    """

    connection: Connection
    function: str

    def send(self, call: tuple[Any, ...]) -> None:
        """Send the call."""
        with self._must_live():
            self.connection.send(call)

    def result(self, heard: Mapping[str, Callable[..., object]]) -> Any:
        """Hear what it has to tell until it has ended; return or raise what it ends with.

        Args:
            heard: What it may call here, by name.
        """
        kind, *content = self._told()
        while kind in {"log", "call"}:
            if kind == "log":
                logging.getLogger(content[0].name).handle(content[0])
            else:
                heard[content[0]](*content[1:])
            kind, *content = self._told()
        with suppress(EOFError, ConnectionError):
            self.connection.recv()  # until it has ended, and with it what it held of a GPU
        if kind == "raised":
            raise callee.joined(content[0])
        return content[0]

    def _told(self) -> Any:
        with self._must_live():
            return self.connection.recv()

    @contextmanager
    def _must_live(self) -> Iterator[None]:
        """Say of a connection that breaks that the fork was killed."""
        try:
            yield
        except (EOFError, ConnectionError) as error:
            what = self.function.replace("_", " ").strip()
            raise GoemoError(
                f"the process for `{what}` was killed, by the system if the memory was full"
            ) from error
