"""The expected time, memory and disk of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tune.forecast.disk_need import DiskNeed


@dataclass(frozen=True)
class Span:
    """A figure that is not known exactly.

    Attributes:
        low: What nine in ten cases exceed.
        expected: The middle.
        high: What nine in ten cases stay below.
    """

    low: float
    expected: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Span:
        """Return the tenth, fiftieth and ninetieth of a hundred of some values."""
        return cls(*np.percentile(values, [10, 50, 90]).tolist())

    def widened(self, error: float) -> Span:
        """Return the span with both ends moved out by a share of themselves."""
        return Span(self.low / (1 + error), self.expected, self.high * (1 + error))


@dataclass(frozen=True)
class Phases:
    """Seconds of the parts of a search, one after the other.

    Attributes:
        opening: Data, model, Ray, the store and the workers.
        encoder: The frozen encoder's output, where it is shared and not there yet.
        trials: From the first trial to the end of the last.
        confirming: The leaders, trained again with further seeds.
        closing: The chosen trial's test, the report and the store.
    """

    opening: float
    encoder: float
    trials: float
    confirming: float
    closing: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.opening + self.encoder + self.trials + self.confirming + self.closing


@dataclass(frozen=True)
class Forecast:
    """What a search is expected to take, from records or a short probe.

    Attributes:
        name: The search.
        trials: How many trials it has, confirmations left out.
        at_once: How many run at a time.
        per_trial: CPUs and GPUs of a trial, ``cpu`` and ``gpu``.
        wall_s: Seconds from the command to its end.
        phases: The same in parts, in the middle case.
        trial_s: Shortest, median and longest trial in seconds, each run to its end.
        steps: Optimizer steps of all trials, each run to its end.
        kept_steps: Of these, the share that early stopping leaves; None where there is none.
        saved_s: Seconds of wall time that early stopping saves, in the middle case.
        trial_hours: Hours of trials, added up, in the middle case.
        memory_bytes: Of the largest trial at its peak, on the GPU or in the machine.
        memory_there: What there is for one: its share of a GPU, or of the machine.
        disk: What the search writes.
        disk_free: Bytes free where it writes.
        source: Where the costs are from: ``the records of NAME``, ``a probe of 20 s``, or both.
        notes: What a reader should know of these figures.
        data: What was read, line by line.
        models: What each model's share of that is, a line each, where the search chooses among several.
    """

    name: str
    trials: int
    at_once: int
    per_trial: dict[str, float]
    wall_s: Span
    phases: Phases
    trial_s: tuple[float, float, float]
    steps: int
    kept_steps: Span | None
    saved_s: float
    trial_hours: float
    memory_bytes: float
    memory_there: float
    disk: DiskNeed
    disk_free: float
    source: str
    notes: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of all trials, in the middle case."""
        return self.trial_hours * self.per_trial["gpu"]

    @property
    def cpu_hours(self) -> float:
        """CPU-hours of all trials, in the middle case."""
        return self.trial_hours * self.per_trial["cpu"]
