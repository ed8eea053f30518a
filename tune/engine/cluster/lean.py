"""Ray on one machine: without the processes that only clusters and onlookers need, and with our workers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ray._private import node, parameter


@contextmanager
def ray_for_trials(setup_worker: Path | None) -> Iterator[None]:
    """Have a Ray that is started in the block start no more than trials need, and workers by a script.

    `ray.init` starts three processes beside, which cost more than a second of a core, and waits for one of
    them: the autoscaler, which has nothing to scale and whose end takes a second; the server of the
    dashboard, which without the dashboard only reports usage; and what sends the workers' output to a driver
    that reads none. All but the second are parameters of Ray's that `ray.init` does not hand through. What
    another version of Ray does not know is left as it is.

    Args:
        setup_worker: What starts workers; None for Ray's own script.
    """
    wanted: dict[str, Any] = {"no_monitor": True, "include_log_monitor": False}
    if setup_worker is not None:
        wanted["setup_worker_path"] = str(setup_worker)
    known = inspect.signature(parameter.RayParams).parameters
    parameters = partial(parameter.RayParams, **{k: v for k, v in wanted.items() if k in known})
    with _replaced(parameter, "RayParams", parameters), _replaced(node.Node, "start_api_server", _nothing):
        yield


def _nothing(*_: Any, **__: Any) -> None:
    """Start nothing."""


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Put a value in the place of an attribute, where there is one."""
    before = getattr(owner, name, None)
    if before is None:
        yield
        return
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
