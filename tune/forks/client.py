"""What Ray runs in place of Python to start a worker: asks the fork server for it, and ends.

    python -I -S client.py SOCKET SCRIPT [ARGUMENT]...

SCRIPT and its arguments are what Python would run. They run in a fork of the server, with this process's
environment, folder and standard streams. Where no server answers they run here, as they would have without.
This is in the way of every worker, so it imports little.
"""

import json
import os
import socket
import sys


def has_forked(path: str, command: list[str]) -> bool:
    """Ask the server at ``path`` for a fork that runs ``command``; return whether there is one."""
    request = {"argv": command, "env": dict(os.environ), "cwd": os.getcwd()}  # noqa: PTH109 - imports little
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(path)
            socket.send_fds(server, [b"\n"], [0, 1, 2])
            server.sendall(json.dumps(request).encode())
            server.shutdown(socket.SHUT_WR)
            return server.recv(1) != b""  # it hangs up where it cannot fork
        except OSError:
            return False


if __name__ == "__main__":
    socket_path, script = sys.argv[1], sys.argv[2:]
    if not has_forked(socket_path, script):
        os.execv(sys.executable, [sys.executable, *script])  # noqa: S606 - what Ray has asked for
