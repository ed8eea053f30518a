"""The Ray that trials run on: one of this machine alone, or a cluster that is already there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import ray

from goemo.errors import InputError

RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean what they meant in the driver
    "RAY_AIR_NEW_OUTPUT": "0",  # the view replaces Ray's tables
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the records replace Ray's own files
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial that diverged reports no objective
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # nothing is restored from Ray's state
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",  # likewise
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the view tells of errors, the records keep them
}


@contextmanager
def connect(address: str | None) -> Iterator[Callable[[], list[dict[str, float]]]]:
    """Connect to Ray in a thread, for it takes seconds; leave a Ray that was there as it was.

    Args:
        address: A cluster, ``auto`` or ``HOST:PORT``; None for ``$RAY_ADDRESS`` or this machine.

    Yields:
        A function that waits for Ray and returns the resources of each node.

    Raises:
        InputError: The address is none. That no cluster answers there is raised by the function.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in RAY_SETTINGS.items()})
    where, target = "--address", address
    if not target:
        where, target = "RAY_ADDRESS", os.environ.get("RAY_ADDRESS")
    if target and target.startswith("ray://"):
        raise InputError(where, ["Ray's client protocol cannot drive a search; give the cluster's HOST:PORT"])
    if ray.is_initialized():
        yield _nodes
        return
    # Linux ends Ray's processes with the thread that has started them: it stays until Ray has ended.
    with ThreadPoolExecutor(1, thread_name_prefix="ray-start") as starter:
        starting = starter.submit(_start, where, target)

        def nodes() -> list[dict[str, float]]:
            starting.result()
            return _nodes()

        try:
            yield nodes
        finally:
            wait([starting])
            ray.shutdown()


def _start(where: str, target: str | None) -> None:
    """Start a Ray on this machine, or connect to the cluster at ``target``."""
    try:
        ray.init(
            address=target or "local",
            include_dashboard=None if target else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError) as error:
        problem = (
            f"no Ray cluster lets us in at {target!r}; start one: ray start --head, and where it asks "
            "for a token: export RAY_AUTH_MODE=token, with the head's ~/.ray/auth_token on this machine "
            f"({error})"
        )
        raise InputError(where, [problem]) from error


def _nodes() -> list[dict[str, float]]:
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
