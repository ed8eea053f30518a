"""`goemo ui`: the MLflow UI on the store that searches write to, for this machine only."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from types import FrameType
from urllib.parse import urlsplit

from goemo.errors import GoemoError, InputError
from tune.records import SearchFolder, runs_folder, search_names
from tune.spec import EXPERIMENT
from tune.tracking import Store, find_store, views

HOST = "127.0.0.1"
START_TIMEOUT_S = 120.0
FIRST_UID, NOBODY = 1000, 65534  # of people, on Linux


def serve(port: int = 5000, tracking_uri: str | None = None, *, say: Callable[[str], None] = print) -> None:
    """Show the searches in MLflow's UI until Ctrl-C or SIGTERM; of a tracking server, only say where.

    Args:
        port: Where to listen, on 127.0.0.1.
        tracking_uri: See `tune.tracking.find_store`.
        say: Takes what the user should read, line by line.

    Raises:
        InputError: The port is taken, there is no store yet, the store is not one, or tracking is off.
        GoemoError: MLflow's server ended by itself, or a tracking server does not answer.
    """
    store = find_store(tracking_uri)
    if store.is_off:
        raise InputError(store.shown, ["tracking is off; name a store, or unset MLFLOW_TRACKING_URI"])
    if store.is_server:
        for line in _all_links(store.uri):
            say(line)
        return
    if store.database is not None and not store.database.exists():
        raise InputError(store.shown, ["no such store yet; start a search first: goemo search quickstart"])
    _refuse_taken(port)
    with _stopped_by_signals(), _server(store, port) as server:
        _wait_until_ready(server, store, port)
        for line in _all_links(f"http://{HOST}:{port}"):
            say(line)
        if has_other_users():
            say(
                "Note: every user of this machine can read and change the store while this runs. "
                "A server with a login instead: deploy/mlflow/README.md."
            )
        say("Ctrl-C ends it.")
        server.wait()
        raise GoemoError(f"the MLflow server exited by itself, with code {server.returncode}")


def _all_links(url: str) -> list[str]:
    """Return `links` of the experiments of the searches here, each but the usual after its name."""
    lines = links(url)
    for experiment in sorted(_experiments() - {EXPERIMENT}):
        lines += [f"{experiment}: {line}" for line in links(url, experiment)]
    return lines


def _experiments() -> set[str]:
    """Return the experiments of the searches on this machine; a damaged search is in none."""
    found = set()
    for name in search_names():
        with contextlib.suppress(GoemoError):
            found.add(str(SearchFolder.open(name).spec.get("experiment", EXPERIMENT)))
    return found


def links(url: str, experiment: str = EXPERIMENT) -> list[str]:
    """Return lines with the addresses of the run table, as saved by `tune.tracking` in the experiment.

    Raises:
        GoemoError: The server does not answer as MLflow's does.
    """
    parts = urlsplit(url)
    shown = parts._replace(
        netloc=parts.netloc.rpartition("@")[2]
    ).geturl()  # it may be logged in by a password
    answer = Store(url, None).ask_for_experiment(experiment, timeout_s=30)
    if answer.status_code in {401, 403, 404}:  # a login comes first, or no search has been written yet
        return [f"MLflow: {shown}"]
    try:
        answer.raise_for_status()
        found = answer.json()["experiment"]
    except (OSError, ValueError, KeyError) as error:
        why = Store(url, None).hide(str(error))
        raise GoemoError(f"{shown}: no MLflow server answers there ({why})") from error
    number = found["experiment_id"]
    tags = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
    shown_views = {views.TREE_VIEW: "Searches and their trials"} | views.titles(tags)
    return [f"{title}: {views.address(shown, number, key)}" for key, title in shown_views.items()]


def has_other_users() -> bool:
    """Say whether other people can log in to this machine."""
    shells = {"", "/bin/false", "/usr/bin/false", "/sbin/nologin", "/usr/sbin/nologin"}
    users = (user for user in pwd.getpwall() if user.pw_shell not in shells)
    people = {user.pw_uid for user in users if FIRST_UID <= user.pw_uid < NOBODY}
    return bool(people - {os.getuid()})


def _refuse_taken(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                "--port", [f"{port} cannot be used ({error}); choose another: goemo ui --port {port + 1}"]
            ) from error


@contextlib.contextmanager
def _server(store: Store, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run MLflow's server in a process group of its own, and end all of it."""
    command = [sys.executable, "-P", "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--default-artifact-root", str(store.artifact_location)]
    command += ["--no-serve-artifacts", "--workers", "1"]
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "PYTHONSAFEPATH": "1",  # of what the server starts: nothing comes from the folder that it runs in
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # for judging language models; starts processes
    }
    server = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        command,
        # Not an argument: the list of processes shows those, and the URI may hold a password.
        env={**environment, **os.environ, "MLFLOW_BACKEND_STORE_URI": store.uri},
        cwd=runs_folder() if runs_folder().is_dir() else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield server
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):  # ended between asking and telling
                os.killpg(server.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(timeout=10)
                break


def _wait_until_ready(server: subprocess.Popen[bytes], store: Store, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5):
            return
        time.sleep(0.2)
    raise GoemoError(
        "the MLflow server did not start; to see why: "
        f"{sys.executable} -m mlflow server --backend-store-uri {store.shown} --port {port}"
    )


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block without an error."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
