"""System metrics while a search runs, sampled into the records, from which the writer logs them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from itertools import count

from tune.live.machine import Machine
from tune.records import SearchFolder

INTERVAL_S = 10.0  # MLflow's own; $MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL wins


class SystemMonitor:
    """Samples CPU, memory and GPUs of the driver's machine, under MLflow's names.

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
        """Begin."""
        interval_s = float(os.environ.get("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL") or INTERVAL_S)
        arguments = (Machine(), interval_s)
        thread = threading.Thread(target=self._sample, args=arguments, name="system-monitor", daemon=True)
        thread.start()
        self._thread = thread

    def stop(self) -> None:
        """Take the last sample and end."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _sample(self, machine: Machine, interval_s: float) -> None:
        """Sample until stopped; what goes wrong ends the samples and nothing else."""
        try:
            earlier = self._search.system_samples()
            for step in count(int(earlier[-1]["step"]) + 1 if earlier else 0):
                is_last = self._stopped.wait(interval_s)
                row: dict[str, float] = {"step": step, "time": time.time(), **machine.look().metrics()}
                self._search.add_system_sample(row)
                self._notice()
                if is_last:
                    return
        except Exception as error:  # noqa: BLE001 - a full disk, a driver that went away
            logging.getLogger(__name__).warning("system metrics end here: %s", error)
