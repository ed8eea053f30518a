"""Checks that the Ray runtime started by this process is still alive."""

from __future__ import annotations

import time
from typing import Any

import psutil
import ray.tune as ray_tune

from tune.engine.recorder import OutOfSnapshots

SERVERS = ("gcs_server", "raylet")
_EVERY_S = 1.0


class RayDiedError(BaseException):
    """A server of Ray has died: no exception to Ray Tune, which would wait for it for as long as it can."""


class ServerWatch(OutOfSnapshots, ray_tune.Callback):  # type: ignore[misc]  # Ray ships no types
    """Ends the loop of Ray Tune when a server of this machine's Ray has died.

    Left alone, Ray starts trials that never come to run, or ends the process after a minute without a word.
    Of a cluster that others have started, this process has no servers.
    """

    def __init__(self) -> None:
        children = psutil.Process().children()
        self._servers = {child: name for child in children if (name := child.name()) in SERVERS}
        self._next = 0.0

    def on_step_begin(self, **_: Any) -> None:
        """Look at the servers, once a second.

        Raises:
            RayDiedError: One is dead.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        dead = [name for process, name in self._servers.items() if not _lives(process)]
        if dead:
            raise RayDiedError(f"Ray's {' and '.join(sorted(dead))} died")


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
