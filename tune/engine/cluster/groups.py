"""Shields Ray's servers from signals to the driver's process group, because they have to outlive it briefly.

Many a SIGTERM goes to a whole group: that of ``timeout``, of a batch system, of ``kill -- -PGID``. Ray's
servers would end at once and take the workers with them, before any trial has saved what it takes to go on;
and the driver would wait for them for a minute. They follow a driver that dies, whatever their group.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager

_is_on = False


@contextmanager
def servers_in_groups_of_their_own() -> Iterator[None]:
    """Make each process that this one forks in the block, in any thread, the leader of a group of its own.

    Only where Python runs code between fork and exec, as it does for the processes that Ray starts
    (``preexec_fn`` of `subprocess.Popen`).
    """
    global _is_on  # noqa: PLW0603 - what is registered for forks stays so, and has to be told
    _register()
    _is_on = True
    try:
        yield
    finally:
        _is_on = False


@functools.cache
def _register() -> None:
    os.register_at_fork(after_in_child=_leave_group)


def _leave_group() -> None:
    if _is_on:
        os.setpgrp()
