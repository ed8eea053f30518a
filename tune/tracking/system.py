"""How busy the machine is while a search runs, sampled into the records, from where the writer takes it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from tune.records import SearchFolder
from tune.tracking.store import set_environment

INTERVAL_S = 10.0  # MLflow's own; $MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL wins


class SystemMonitor:
    """Samples CPU, memory and GPUs of the driver's machine with MLflow's monitors, under MLflow's names.

    MLflow's own thread would write to the store itself, and lose what the store does not take. Here a sample
    is a line in the records first; a search that goes on counts its samples on from there.

    Args:
        search: The records.
        notice: Called after every sample.
    """

    def __init__(self, search: SearchFolder, notice: Callable[[], None]) -> None:
        self._search = search
        self._notice = notice
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; imports MLflow, so that it is for the thread that imports it anyway."""
        set_environment()
        from mlflow.environment_variables import MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL

        interval_s = MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.get() or INTERVAL_S
        arguments = (_monitors(), interval_s)
        self._thread = threading.Thread(
            target=self._sample, args=arguments, name="system-monitor", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _sample(self, monitors: list[Any], interval_s: float) -> None:
        """Sample until stopped; what goes wrong ends the samples and nothing else."""
        try:
            self._sample_until_stopped(monitors, interval_s)
        except Exception as error:  # noqa: BLE001 - a full disk, a driver that went away
            logging.getLogger(__name__).warning("system metrics end here: %s", error)

    def _sample_until_stopped(self, monitors: list[Any], interval_s: float) -> None:
        earlier = self._search.system_samples()
        step = int(earlier[-1]["step"]) + 1 if earlier else 0
        for monitor in monitors:  # the use of the CPU is that since the last call of this thread
            monitor.collect_metrics()
            monitor.clear_metrics()
        while True:
            is_last = self._stopped.wait(interval_s)
            row: dict[str, float] = {"step": step, "time": time.time()}
            for monitor in monitors:
                monitor.collect_metrics()
                row |= {f"system/{name}": value for name, value in monitor.aggregate_metrics().items()}
                monitor.clear_metrics()
            self._search.add_system_sample(row)
            self._notice()
            if is_last:
                return
            step += 1


def _monitors() -> list[Any]:
    """Return MLflow's monitors for what this machine has."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

    try:
        return [CPUMonitor(), GPUMonitor()]
    except Exception:  # noqa: BLE001 - no GPU, no library to ask it, a driver out of order: as MLflow does
        return [CPUMonitor()]
