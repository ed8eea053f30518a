"""Use of this machine: its CPUs, its memory and its GPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import psutil


@dataclass(frozen=True)
class Gpu:
    """One GPU; None for what its driver does not tell.

    Attributes:
        index: Its number in the order of the driver.
        busy: Per cent of the time in which something ran on it, 0 to 100.
        memory_used: Bytes.
        memory_total: Bytes.
        power_w: Watts that it draws.
        power_limit_w: Watts that it may draw.
    """

    index: int
    busy: float | None = None
    memory_used: float | None = None
    memory_total: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None


@dataclass(frozen=True)
class MachineLoad:
    """One look at a machine.

    Attributes:
        cpu: Per cent of the time of all CPUs that was used since the look before, 0 to 100.
        memory_used: Bytes.
        memory_total: Bytes.
        gpus: Those that this process may use.
    """

    cpu: float
    memory_used: float
    memory_total: float
    gpus: tuple[Gpu, ...] = ()

    def metrics(self) -> dict[str, float]:
        """Return the figures under MLflow's names, which its pages of system metrics show, in its units."""
        found: dict[str, float | None] = {
            "cpu_utilization_percentage": self.cpu,
            "system_memory_usage_megabytes": self.memory_used / 1e6,
            "system_memory_usage_percentage": _per_cent(self.memory_used, self.memory_total),
        }
        for gpu in self.gpus:
            name = f"gpu_{gpu.index}"
            found |= {
                f"{name}_memory_usage_percentage": _per_cent(gpu.memory_used, gpu.memory_total),
                f"{name}_memory_usage_megabytes": gpu.memory_used and gpu.memory_used / 1e6,
                f"{name}_utilization_percentage": gpu.busy,
                f"{name}_power_usage_watts": gpu.power_w,
                f"{name}_power_usage_percentage": _per_cent(gpu.power_w, gpu.power_limit_w),
            }
        return {f"system/{name}": round(value, 1) for name, value in found.items() if value is not None}


class Machine:
    """Looks at this machine; where NVIDIA's driver is not there or out of order, there are no GPUs."""

    def __init__(self) -> None:
        self._handles = _gpu_handles()
        self._before = psutil.cpu_times()

    def look(self) -> MachineLoad:
        """Return how busy the machine has been since the last look, or since this object was made."""
        before, self._before = self._before, psutil.cpu_times()
        memory = psutil.virtual_memory()
        return MachineLoad(
            cpu=_cpu_between(before, self._before),
            memory_used=memory.used,
            memory_total=memory.total,
            gpus=tuple(_look_at(handle) for handle in self._handles),
        )


def _cpu_between(before: Any, after: Any) -> float:
    """Return the per cent of CPU time that was used between two of `psutil.cpu_times`."""
    spent = {name: getattr(after, name) - getattr(before, name) for name in after._fields}
    everything = (
        sum(spent.values()) - spent.get("guest", 0.0) - spent.get("guest_nice", 0.0)
    )  # counted in user
    idle = spent["idle"] + spent.get("iowait", 0.0)
    return min(100.0, max(0.0, 100.0 * (1 - idle / everything))) if everything > 0 else 0.0


def _gpu_handles() -> list[Any]:
    """Return the driver's handles of the GPUs that CUDA_VISIBLE_DEVICES names, or else of all."""
    import pynvml

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        pynvml.nvmlInit()
        names = map(str, range(pynvml.nvmlDeviceGetCount())) if visible is None else visible.split(",")
        return [
            pynvml.nvmlDeviceGetHandleByIndex(int(name))
            if name.strip().isdigit()
            else pynvml.nvmlDeviceGetHandleByUUID(name.strip())
            for name in names
            if name.strip()
        ]
    except pynvml.NVMLError:
        return []


def _look_at(handle: Any) -> Gpu:
    import pynvml

    def told(function: Any) -> Any:
        try:
            return function(handle)
        except pynvml.NVMLError:
            return None  # a part of a GPU, for one, has no use of its own

    memory, use = told(pynvml.nvmlDeviceGetMemoryInfo), told(pynvml.nvmlDeviceGetUtilizationRates)
    power, limit = told(pynvml.nvmlDeviceGetPowerUsage), told(pynvml.nvmlDeviceGetEnforcedPowerLimit)
    return Gpu(
        index=told(pynvml.nvmlDeviceGetIndex) or 0,
        busy=use and float(use.gpu),
        memory_used=memory and memory.used,
        memory_total=memory and memory.total,
        power_w=power and power / 1000,
        power_limit_w=limit and limit / 1000,
    )


def _per_cent(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else 100.0 * part / whole
