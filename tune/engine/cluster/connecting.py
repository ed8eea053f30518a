"""Connects to Ray: one of this machine alone, or a cluster that is already there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import ray
from ray._private import worker

from goemo.errors import InputError
from tune.engine.cluster.inspection import PATIENCE_S, Inspection

_log = logging.getLogger(__name__)

Note = Callable[[str], None]

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    # A process for every CPU, which Ray waits for and no trial gets: Tune gives trials another environment.
    "RAY_prestart_worker_first_driver": "0",
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


class Nodes(Protocol):
    """Tells of the nodes of a Ray."""

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


@contextmanager
def connect(address: str | None) -> Iterator[Nodes]:
    """Start a Ray for the block, or connect to a cluster; a Ray that was there is left as it was.

    Args:
        address: A cluster, ``auto`` or ``HOST:PORT``; None for ``$RAY_ADDRESS`` or this machine.

    Raises:
        InputError: The address is none, or no cluster answers there.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in RAY_SETTINGS.items()})
    where, target = "--address", address
    if not target:
        where, target = "RAY_ADDRESS", os.environ.get("RAY_ADDRESS")
    if target and target.startswith("ray://"):
        raise InputError(where, ["Ray's client protocol cannot drive a search; give the cluster's HOST:PORT"])

    def nodes(
        *, shared: Path | None = None, needed: Sequence[Path] = (), note: Note = lambda _: None
    ) -> list[dict[str, float]]:
        told = _inspect(where, shared, needed, note) if target and shared is not None else {}
        return [{**node["Resources"], **told.get(node["NodeID"], {})} for node in alive_nodes()]

    if ray.is_initialized():
        yield nodes
        return
    with _words_of_ray_logged():
        try:
            _start(where, target)
            yield nodes
        finally:
            ray.shutdown()


@contextmanager
def _words_of_ray_logged() -> Iterator[None]:
    """Log what Ray has to say of its nodes: it would print it to stdout, where results go, unasked."""

    def log(data: Mapping[str, Any], ignore_prefix: bool) -> None:  # noqa: ARG001 - Ray's signature
        _log.warning("Ray: %s", " ".join(" ".join(data["lines"]).split()))

    before, worker.print_to_stdstream = worker.print_to_stdstream, log
    try:
        yield
    finally:
        worker.print_to_stdstream = before


def alive_nodes() -> list[dict[str, Any]]:
    """Return those entries of `ray.nodes` that are alive."""
    return [node for node in ray.nodes() if node["Alive"]]


def _start(where: str, target: str | None) -> None:
    """Start a Ray on this machine, or connect to the cluster at ``target``.

    Args:
        where: What names the target.
        target: The cluster; None for this machine.
    """
    try:
        ray.init(
            address=target or "local",
            include_dashboard=None if target else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except SystemExit as error:  # Ray's own handler of SIGTERM is in place while it starts
        raise KeyboardInterrupt from error
    except (ConnectionError, ValueError) as error:
        problem = (
            f"no Ray cluster lets us in at {target!r}; start one: ray start --head, and where it asks "
            "for a token: export RAY_AUTH_MODE=token, with the head's ~/.ray/auth_token on this machine "
            f"({error})"
        )
        raise InputError(where, [problem]) from error


def _inspect(where: str, shared: Path, needed: Sequence[Path], note: Note) -> dict[str, dict[str, float]]:
    """Ask the nodes that have CPUs, where trials may come to run; return what they say of their GPUs, by id.

    Raises:
        InputError: Trials cannot run on some of them; the message has them all.
    """
    with Inspection(shared, needed) as inspection:
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
