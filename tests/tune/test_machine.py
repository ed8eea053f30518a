"""How busy the machine is, as it tells itself."""

from __future__ import annotations

import os
from types import SimpleNamespace

import psutil
import pytest

from tune.live.machine import Gpu, Machine, MachineLoad


def test_a_look_has_possible_values():
    """CPU and memory of this machine, between nothing and all of it."""
    load = Machine().look()
    assert 0 <= load.cpu <= 100
    assert 0 < load.memory_used < load.memory_total


def test_the_use_of_the_cpu_is_that_since_the_look_before(monkeypatch):
    """Of ten seconds, three in use: what waits for a disk is idle, and what a guest uses is the user's."""
    fields = ("user", "system", "idle", "iowait", "guest", "guest_nice")

    def times(*values):
        return SimpleNamespace(_fields=fields, **dict(zip(fields, values, strict=True)))

    looks = iter([times(10, 10, 10, 10, 5, 0), times(12, 11, 15, 12, 6, 0), times(12, 11, 15, 12, 6, 0)])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(looks))
    machine = Machine()
    assert machine.look().cpu == pytest.approx(30)
    assert machine.look().cpu == 0  # no time has passed


def test_metrics_have_mlflows_names_and_units():
    """MLflow's own monitors give the same names, with megabytes and per cents to one digit."""
    gpus = (Gpu(1, 93.0, 12e9, 80e9, 350.0, 700.0), Gpu(2))
    metrics = MachineLoad(45.67, 3.2e9, 16e9, gpus).metrics()
    assert metrics == {
        "system/cpu_utilization_percentage": 45.7,
        "system/system_memory_usage_megabytes": 3200.0,
        "system/system_memory_usage_percentage": 20.0,
        "system/gpu_1_memory_usage_percentage": 15.0,
        "system/gpu_1_memory_usage_megabytes": 12000.0,
        "system/gpu_1_utilization_percentage": 93.0,
        "system/gpu_1_power_usage_watts": 350.0,
        "system/gpu_1_power_usage_percentage": 50.0,
    }


def test_the_names_of_the_cpu_are_those_of_mlflow():
    """Its own monitor, asked now, has the same."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor

    monitor = CPUMonitor()
    monitor.collect_metrics()
    ours = Machine().look()
    assert {f"system/{name}" for name in monitor.aggregate_metrics()} == set(
        MachineLoad(1.0, 1e9, 2e9).metrics()
    )
    theirs = monitor.aggregate_metrics()["system_memory_usage_megabytes"]
    assert ours.memory_used / 1e6 == pytest.approx(theirs, rel=0.2)


class Driver:
    """A driver of two GPUs, of which the second tells nothing of its use."""

    def nvmlInit(self):  # noqa: N802
        pass

    def nvmlDeviceGetCount(self):  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        return index

    def nvmlDeviceGetHandleByUUID(self, name):  # noqa: N802
        return {"GPU-first": 0, "GPU-second": 1}[name]

    def nvmlDeviceGetIndex(self, handle):  # noqa: N802
        return handle

    def nvmlDeviceGetMemoryInfo(self, handle):  # noqa: N802
        return SimpleNamespace(used=1e9, total=8e9)

    def nvmlDeviceGetUtilizationRates(self, handle):  # noqa: N802
        import pynvml

        if handle == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=0)

    def nvmlDeviceGetPowerUsage(self, handle):  # noqa: N802
        return 100_000

    def nvmlDeviceGetEnforcedPowerLimit(self, handle):  # noqa: N802
        return 200_000


@pytest.mark.parametrize(
    ("visible", "seen"), [(None, [0, 1]), ("", []), ("1", [1]), ("1,0", [1, 0]), ("GPU-second", [1])]
)
def test_gpus_are_those_that_this_process_may_use(monkeypatch, visible, seen):
    """By number or UUID, as CUDA reads it; a figure that the driver does not give is left out."""
    import pynvml

    driver = Driver()
    for name in dir(driver):
        if name.startswith("nvml"):
            monkeypatch.setattr(pynvml, name, getattr(driver, name))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", visible)
    load = Machine().look()
    assert [gpu.index for gpu in load.gpus] == seen
    for gpu in load.gpus:
        assert gpu.busy == (0.0 if gpu.index == 0 else None)
        assert (gpu.memory_used, gpu.power_w, gpu.power_limit_w) == (1e9, 100.0, 200.0)


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch):
    """The library is there and finds none: as on most machines of these tests."""
    import pynvml

    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    assert Machine().look().gpus == ()
