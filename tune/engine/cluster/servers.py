"""Whether the Ray that this process has started is still there."""

from __future__ import annotations

from typing import Any

import ray.tune as ray_tune
from ray._private import worker

from tune.engine.recorder import LeftOut

_SERVERS = ("gcs_server", "raylet")


class RayDiedError(BaseException):
    """A server of Ray has died: no exception to Ray Tune, which would wait for it for as long as it can."""


class ServerWatch(LeftOut, ray_tune.Callback):  # type: ignore[misc]  # Ray ships no types
    """Ends the loop of Ray Tune as soon as a server of this machine's Ray has died.

    Left alone, Ray starts trials that never come to run, or ends the process after a minute without a word.
    Of a cluster that others have started, this process knows no servers.
    """

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look at the servers.

        Raises:
            RayDiedError: One is dead.
        """
        del iteration, trials, info
        node = worker._global_node  # noqa: SLF001 - no public way to ask
        dead = [] if node is None else [name for name, _ in node.dead_processes() if name in _SERVERS]
        if dead:
            raise RayDiedError(f"Ray's {' and '.join(dead)} died")
