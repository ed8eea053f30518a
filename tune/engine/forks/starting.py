"""Starts the fork server."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tune.engine.forks import client
from tune.engine.forks.calling import SETUP_WORKER, SOCKET, Forks

_log = logging.getLogger(__name__)

# While the server imports: what it imports must start no thread, and no GPU, which forks would not have.
_SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}


@contextmanager
def fork_server() -> Iterator[Forks]:
    """Start the fork server; it ends with this context, and with this process however that ends.

    What it has to say is logged.

    Yields:
        What can be asked of it. There is no server on anything but Linux, nor where the path of the temporary
        folder is too long for a socket.
    """
    with tempfile.TemporaryDirectory(prefix="goemo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)  # which only this user may enter
        listener = _listener(folder / SOCKET) if sys.platform == "linux" else None
        if listener is None:
            yield Forks()
            return
        ends_with_us, held = os.pipe()
        shutil.copyfile(client.__file__, folder / SETUP_WORKER)
        with (folder / "words").open("w+b") as words:
            server = subprocess.Popen(  # noqa: S603 - this interpreter, with our own module
                [sys.executable, "-m", "tune.engine.forks.server", str(listener.fileno()), str(ends_with_us)],
                pass_fds=(listener.fileno(), ends_with_us),
                env={**os.environ, **_SETTINGS},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                process_group=0,  # Ctrl-C in a terminal is for this process
            )
            os.close(ends_with_us)
            listener.close()  # the server has it: once that has ended, nobody waits for an answer
            try:
                yield Forks(folder)
            finally:
                server.kill()
                server.wait()
                os.close(held)
                words.seek(0)
                for line in words.read().decode(errors="replace").splitlines():
                    _log.warning("fork server: %s", line)


def _listener(path: Path) -> socket.socket | None:
    """Listen at ``path``, before there is a server: who comes early waits for it."""
    listener = socket.socket(socket.AF_UNIX)
    with suppress(OSError):  # AF_UNIX path too long
        listener.bind(str(path))
        listener.listen(1024)
        return listener
    listener.close()
    return None
