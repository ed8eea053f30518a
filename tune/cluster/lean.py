"""Ray on one machine: without the processes that only clusters and onlookers need, and with our workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ray._private import node, parameter


@contextmanager
def ray_for_trials(setup_worker: Path | None) -> Iterator[None]:
    """Have a Ray that is started in the block start no more than trials need, and workers by a script.

    `ray.init` starts three processes beside, which cost more than a second of a core, and waits for one of
    them: the autoscaler, which has nothing to scale and whose end takes a second; the server of the
    dashboard, which without the dashboard only reports usage; and what sends the workers' output to a driver
    that reads none. All but the second are parameters of Ray's that `ray.init` does not hand through.

    Args:
        setup_worker: What starts workers; None for Ray's own script.
    """
    parameters, start_api_server = parameter.RayParams, node.Node.start_api_server
    parameter.RayParams = partial(
        parameters,
        no_monitor=True,
        include_log_monitor=False,
        setup_worker_path=setup_worker and str(setup_worker),
    )
    node.Node.start_api_server = lambda *_, **__: None
    try:
        yield
    finally:
        parameter.RayParams, node.Node.start_api_server = parameters, start_api_server
