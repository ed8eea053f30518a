"""The fork server: imports what trials need, and forks whenever a worker is asked for.

    python -m tune.engine.forks.server LISTENER DRIVER

Both are file descriptors: of the socket to listen on, and of a pipe that ends when the driver does, and the
server with it. Ray is not imported here: it would read the settings of a worker before there is one, and
start threads, which a fork does not take along.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tune.engine.preloading import preload

_PATIENCE_S = 10.0  # a client sends all at once


@dataclass(frozen=True)
class Request:
    """A worker that is asked for: what `tune/engine/forks/client.py` sends.

    Attributes:
        argv: The script that it runs, and its arguments.
        env: Its environment.
        cwd: Its folder.
        streams: File descriptors of its standard streams.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    streams: list[int]


def main() -> None:
    """Serve until the driver ends."""
    listener, driver = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    preload()
    gc.freeze()  # else the collector of a fork would touch, and so copy, all that they share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    is_forkable = not (troubles := list(what_a_fork_lacks()))
    if troubles:
        print(f"workers start slowly: {'; '.join(troubles)}", file=sys.stderr, flush=True)  # noqa: T201
    while (connection := _next_connection(listener, driver)) is not None:
        request = received(connection)
        if request is None:
            continue
        if _has_become_a_fork(connection):
            listener.close()
            os.close(driver)
            become(request, is_forkable=is_forkable)
            return
        for stream in request.streams:
            os.close(stream)
    shutil.rmtree(Path(listener.getsockname()).parent, ignore_errors=True)  # a killed driver leaves it


def what_a_fork_lacks() -> Iterator[str]:
    """Yield what this process has that a fork of it would not have: threads, and a GPU it has started."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        yield f"what they import has started {threads - 1} threads"
    # CUDA opens this one when it starts; who only asks the driver what GPUs there are does not.
    files = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    if any(str(link.readlink()).startswith("/dev/nvidia-uvm") for link in files):
        yield "what they import has started the GPU"


def _next_connection(listener: socket.socket, driver: int) -> socket.socket | None:
    """Wait for a client; return None once the driver has ended."""
    ends_or_asks: list[socket.socket | int] = [driver, listener]
    ready, _, _ = select.select(ends_or_asks, [], [])
    return None if driver in ready else listener.accept()[0]


def received(connection: socket.socket) -> Request | None:
    """Read a request; return None, and hang up, where the client was killed or stopped over it."""
    connection.settimeout(_PATIENCE_S)
    streams: list[int] = []
    parts = []
    try:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        while part := connection.recv(1 << 16):
            parts.append(part)
        return Request(**json.loads(b"".join(parts)), streams=streams)
    except (OSError, ValueError):
        connection.close()
        for stream in streams:
            os.close(stream)
        return None


def _has_become_a_fork(connection: socket.socket) -> bool:
    """Fork, and say so to the client; return whether this process is the fork."""
    with connection:
        try:
            if os.fork() == 0:
                return True
            connection.sendall(b"\n")
        except OSError as error:  # no memory, and the client starts a worker itself; or the client was killed
            print(f"a worker did not start as a fork: {error}", file=sys.stderr, flush=True)  # noqa: T201
    return False


def become(request: Request, *, is_forkable: bool) -> None:
    """Run the script of a request in this process, as Python does when it starts.

    Args:
        request: The request.
        is_forkable: False to start Python anew after all.
    """
    os.setpgid(0, 0)  # as the workers that Ray starts: Ctrl-C in a terminal is for the driver
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request.cwd)
    if not is_forkable:
        os.execve(sys.executable, [sys.executable, *request.argv], request.env)  # noqa: S606 - as asked for
    os.environ.clear()
    os.environ.update(request.env)
    np.random.seed()  # noqa: NPY002 - else all forks have the same; Python's own is seeded by itself
    script = request.argv[0]
    sys.argv = request.argv
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
