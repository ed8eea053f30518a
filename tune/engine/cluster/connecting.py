"""Connects to Ray: one of this machine alone, or a cluster that is already there."""

from __future__ import annotations

import logging
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goemo.errors import InputError
from tune.engine.cluster.alone import private_ray
from tune.engine.cluster.output import words_of_ray_logged

ANSWERS_IN_S = 10.0
# How a client of HTTP/2, and so of gRPC, begins: its preface and empty settings, which a server answers with
# its own (RFC 9113, section 3.4).
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = bytes([4])  # the type of that frame, its fourth byte

Note = Callable[[str], None]

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    # A process for every CPU, which Ray waits for and no trial gets: Tune gives trials another environment.
    "RAY_prestart_worker_first_driver": "0",
    # As urgent as their driver: at the 15 that Ray gives them, they hardly run where anything else does.
    "RAY_worker_niceness": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean what they meant in the driver
    "RAY_AIR_NEW_OUTPUT": "0",  # the view replaces Ray's tables
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the records replace Ray's own files
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial that diverged reports no objective
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # nothing is restored from Ray's state
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",  # likewise
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # signals are for `tune.stopping.interrupts`
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # the engine gives Ray no more than fit
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the view tells of errors, the records keep them
}


@dataclass(frozen=True)
class Nodes:
    """Tells of the nodes of a Ray.

    Attributes:
        where: What names the cluster; None for a Ray of this machine alone.
    """

    where: str | None

    def __call__(
        self, *, shared: Path | None = None, needed: Sequence[Path] = (), note: Note = lambda _: None
    ) -> list[dict[str, float]]:
        """Return the resources of each node, once trials can run on it.

        Args:
            shared: A folder that all nodes of a cluster must see and write to; not looked at where None.
            needed: Other paths that all nodes of a cluster must see.
            note: Told where a node's software differs from this machine's.

        Returns:
            By Ray's names; with ``gpu_bytes``, the memory of a node's smallest GPU, where it tells.

        Raises:
            InputError: No cluster answers, or trials cannot run on a node of it.
        """
        told = _inspect(self.where, shared, needed, note) if self.where and shared is not None else {}
        return [{**node["Resources"], **told.get(node["NodeID"], {})} for node in alive_nodes()]


@contextmanager
def connect(address: str | None, say: Note = lambda _: None) -> Iterator[Nodes]:
    """Start a Ray for the block, or connect to a cluster; a Ray that was there is left as it was.

    Args:
        address: A cluster, ``auto`` or ``HOST:PORT``; None for ``$RAY_ADDRESS`` or this machine.
        say: Told what a user should know of how Ray was started.

    Raises:
        InputError: The address is none, or no cluster answers there.
        GoemoError: No Ray can be started on this machine.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in RAY_SETTINGS.items()})
    where, target = _target(address)
    nodes = Nodes(where if target else None)
    if _is_connected():
        yield nodes
        return
    with words_of_ray_logged(), _joined(where, target) if target else private_ray(say):
        yield nodes


def check_address(address: str | None) -> None:
    """Refuse an address at which no cluster answers: in ten seconds at most, and before anything is read.

    Args:
        address: As of `connect`.

    Raises:
        InputError: None answers, or the address is none.
    """
    where, target = _target(address)
    if target and not _is_connected():
        _must_answer(where, target)


def _target(address: str | None) -> tuple[str, str | None]:
    """Return what names the cluster, and the cluster; None for this machine alone."""
    where, target = "--address", address
    if not target:
        where, target = "RAY_ADDRESS", os.environ.get("RAY_ADDRESS")
    if target and target.startswith("ray://"):
        raise InputError(where, ["Ray's client protocol cannot drive a search; give the cluster's HOST:PORT"])
    return where, target


def _is_connected() -> bool:
    """Return whether this process has a Ray, without importing it where it cannot have one."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


@contextmanager
def _joined(where: str, target: str) -> Iterator[None]:
    """Be connected to the cluster at ``target`` in the block.

    Args:
        where: What names the target.
        target: ``auto`` or ``HOST:PORT``.

    Raises:
        InputError: No cluster answers there.
    """
    _must_answer(where, target)
    try:
        _join(where, target)
        yield
    finally:
        import ray

        ray.shutdown()


def _join(where: str, target: str) -> None:
    """Connect to the cluster at ``target``.

    Raises:
        InputError: No cluster is there, or it lets nobody in.
        KeyboardInterrupt: SIGTERM came meanwhile, which Ray handles while it connects.
    """
    import ray

    try:
        # Ray puts the current folder on its workers' path, before all others: that shall be an empty one.
        with tempfile.TemporaryDirectory() as empty, chdir(empty):
            ray.init(address=target, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise _no_cluster(where, target, error) from error
    except SystemExit as error:
        raise KeyboardInterrupt from error


def _must_answer(where: str, target: str) -> None:
    """Refuse a ``HOST:PORT`` where no gRPC server answers within ten seconds: Ray would try for minutes.

    Raises:
        InputError: None does.
    """
    host, _, port = target.rpartition(":")
    if not (host and port.isdecimal()):
        return
    until = time.monotonic() + ANSWERS_IN_S
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS_IN_S) as server:
            server.settimeout(max(until - time.monotonic(), 0.1))
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                server.sendall(_HTTP2)
                if server.recv(9)[3:4] != _SETTINGS:
                    raise ConnectionError("what answers there is not Ray")
    except (OSError, OverflowError) as error:
        raise _no_cluster(where, target, error) from error


def _no_cluster(where: str, target: str, error: BaseException) -> InputError:
    alone = "unset RAY_ADDRESS" if where == "RAY_ADDRESS" else "leave it out"
    problem = (
        f"cannot join a Ray cluster at {target!r}; start one: ray start --head; if it asks "
        "for a token: export RAY_AUTH_MODE=token, with the head's ~/.ray/auth_token on this machine; "
        f"or {alone} to run on this machine alone ({error})"
    )
    return InputError(where, [problem])


def alive_nodes() -> list[dict[str, Any]]:
    """Return those entries of `ray.nodes` that are alive."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def _inspect(where: str, shared: Path, needed: Sequence[Path], note: Note) -> dict[str, dict[str, float]]:
    """Ask the nodes that have CPUs, where trials may come to run; return what they say of their GPUs, by id.

    Raises:
        InputError: Trials cannot run on some of them; the message has them all.
    """
    from tune.engine.cluster.inspection import PATIENCE_S, Inspection

    with closing(Inspection(shared, needed)) as inspection:
        for node in alive_nodes():
            if node["Resources"].get("CPU", 0) > 0:
                inspection.ask(node)
        # A little longer, so that whoever has not answered is found out too.
        findings = inspection.findings(wait_s=PATIENCE_S + 1)
    problems = [f"node {found.node} {problem}" for found in findings for problem in found.problems]
    if problems:
        raise InputError(where, problems)
    for found in findings:
        if found.note:
            note(f"node {found.node} {found.note}")
    return {found.node_id: {"gpu_bytes": found.gpu_bytes} for found in findings if found.gpu_bytes}
