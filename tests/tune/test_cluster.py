"""Connecting to Ray."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path

import psutil
import pytest
import ray
from ray._private import node, parameter

from goemo.errors import InputError
from tune.engine.cluster import connect
from tune.engine.cluster.lean import ray_for_trials
from tune.engine.forks import fork_server


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "nonsense"])
def test_an_address_that_is_none_is_refused(address, monkeypatch):
    """A wrong address is a wrong call, wherever it comes from."""
    with pytest.raises(InputError, match="--address"), connect(address) as nodes:
        nodes()
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match="RAY_ADDRESS"), connect(None) as nodes:
        nodes()


def test_a_worker_of_this_machine_is_a_fork_with_what_trials_need():
    """Workers do not import it again."""
    with fork_server() as forks, connect(None, forks) as nodes:
        nodes()
        children = psutil.Process().children()
        lines = {" ".join(child.cmdline()): child.pid for child in children}

        @ray.remote
        def look():
            return os.getppid(), "goemo.training" in sys.modules

        parent, is_imported = ray.get(look.remote())
    assert is_imported
    assert [pid for line, pid in lines.items() if "tune.engine.forks.server" in line] == [parent]


def test_ray_starts_what_trials_need_and_no_more():
    """Neither the autoscaler, whose end takes a second, nor what serves a dashboard or sends output."""
    with connect(None) as nodes:
        nodes()
        lines = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
        assert any("raylet" in line for line in lines)
        for unneeded in ("autoscaler", "dashboard.py", "log_monitor"):
            assert not any(unneeded in line for line in lines)
    assert parameter.RayParams().no_monitor is False  # of any other Ray of this process


def test_a_ray_that_knows_less_is_started_as_it_is(monkeypatch):
    """Names of Ray's inside may change."""

    class OtherParams:
        def __init__(self, *, no_monitor=False):
            self.no_monitor = no_monitor

    monkeypatch.setattr(parameter, "RayParams", OtherParams)
    monkeypatch.delattr(node.Node, "start_api_server")
    with ray_for_trials(Path("start_worker.py")):
        assert parameter.RayParams().no_monitor
        assert not hasattr(node.Node, "start_api_server")
    assert parameter.RayParams is OtherParams


def test_nothing_is_collected_while_ray_starts(monkeypatch):
    """A collection during an import could wait for a lock of the fork, which waits for the import."""
    seen = []
    monkeypatch.setattr(ray, "init", lambda **_: seen.append(gc.isenabled()))
    with connect("127.0.0.1:1") as nodes, contextlib.suppress(Exception):
        nodes()
    assert seen == [False]
    assert gc.isenabled()
