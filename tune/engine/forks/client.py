"""What Ray runs to start a worker, in place of its own ``setup_worker.py``: has the fork server fork it.

    python COPY [OPTION]... SCRIPT [ARGUMENT]... --language=PYTHON --serialized-runtime-env-context=JSON

COPY is a copy of this file beside the socket ``forks`` of the server; what follows is Ray's. The fork runs
SCRIPT with this process's folder and standard streams, and its environment with the variables of the context.
Where no server answers, or the context asks for more than variables, Ray's own script runs, as it would have
without. This is in the way of every worker, so it imports little.
"""

import json
import os
import socket
import sys


def has_forked(path: str, command: list[str], *, env: dict[str, str], streams: list[int]) -> bool:
    """Ask the server at ``path`` for a fork that runs ``command``; return whether there is one.

    Args:
        path: Of its socket.
        command: A script and its arguments.
        env: The fork's environment.
        streams: File descriptors of its standard input, output and error.
    """
    request = {"argv": command, "env": env, "cwd": os.getcwd()}  # noqa: PTH109 - imports little
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(path)
            socket.send_fds(server, [b"\n"], streams)
            server.sendall(json.dumps(request).encode())
            server.shutdown(socket.SHUT_WR)
            return server.recv(1) != b""  # it hangs up where it cannot fork
        except OSError:
            return False


def asked_for(arguments: list[str]) -> tuple[list[str], dict[str, str]] | None:
    """Return the command and the variables that Ray's script would start Python with; None for anything else.

    Args:
        arguments: What Ray gives its script.
    """
    known = {"--language": "PYTHON", "--serialized-runtime-env-context": "{}"}
    command = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in known:
            known[name] = value
        else:
            command.append(argument)
    context = json.loads(known["--serialized-runtime-env-context"])
    variables = context.pop("env_vars", None) or {}
    if context.pop("py_executable", None) not in {None, sys.executable} or any(context.values()):
        return None
    is_plain = known["--language"] == "PYTHON" and command[:1] != [] and not command[0].startswith("-")
    if not is_plain or any("$" in value for value in variables.values()):  # Ray puts others' values in
        return None
    return command, variables


def main() -> None:
    """Start a worker."""
    here, arguments = os.path.dirname(os.path.abspath(__file__)), sys.argv[1:]  # noqa: PTH100, PTH120
    asked = asked_for(arguments)
    if asked is not None:
        command, variables = asked
        env = {**os.environ, **variables}
        if has_forked(f"{here}/forks", command, env=env, streams=[0, 1, 2]):
            return
    script = next(argument for argument in arguments if argument.endswith(".py"))
    rays_own = os.path.join(os.path.dirname(script), "setup_worker.py")  # noqa: PTH118, PTH120 - imports little
    os.execv(sys.executable, [sys.executable, rays_own, *arguments])  # noqa: S606 - what Ray would have run


if __name__ == "__main__":
    main()
