"""The probe: one trial process times real steps and real evaluations."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from goemo.configuration import Configuration
from goemo.configuration.thresholds import threshold_options
from goemo.evaluation import validation_metrics
from goemo.inference import choose_device
from goemo.models.failures import is_out_of_memory
from goemo.tokens.batches import steps_per_epoch
from goemo.training import TrainingRun
from goemo.training.fresh_model import fresh_model
from goemo.training.inputs import choose_inputs
from goemo.training.memory import PeakMemory
from goemo.training.prepared import Prepared

# The first step also warms up, and one more says what the next ones take, if they are long.
_LEAST_STEPS, _MOST_STEPS = 2, 400


@dataclass(frozen=True)
class Timings:
    """One configuration, timed in one process.

    Attributes:
        configuration: What was trained.
        setup_s: Seconds until the first step.
        steps_s: Seconds of each step, from the second.
        looked_at: Validation texts that were scored.
        scoring_s: Seconds that this took.
        peak_bytes: Memory of the process, or of the GPU, at its peak so far.
    """

    configuration: Configuration
    setup_s: float
    steps_s: tuple[float, ...]
    looked_at: int
    scoring_s: float
    peak_bytes: int


@dataclass(frozen=True)
class Probe:
    """What processes are asked to measure.

    Attributes:
        sample: Folder of the stand-in for the prepared data.
        prepared: Folder of the prepared data itself, whose validation split decides what thresholds cost.
        configurations: To train, the one with the least work in a step first.
        sizes: Padded tokens of a step of each, in the mean.
        device: As a trial gets it; None for the first GPU where there is one, else the CPU.
        threads: As a trial gets them.
        gpus: Share of a GPU.
        seconds: About how long to train, all configurations together.
    """

    sample: str
    prepared: str
    configurations: tuple[Configuration, ...]
    sizes: tuple[float, ...]
    device: str | None
    threads: int
    gpus: float
    seconds: float

    def measure(self) -> tuple[list[Timings], float]:
        """Return what was measured, and the seconds that thresholds and metrics of one report take.

        Configurations for which the time would not do are left out, but never the first; as are those for
        which the memory does not.
        """
        torch.set_num_threads(self.threads)
        if 0 < self.gpus < 1:
            torch.cuda.set_per_process_memory_fraction(self.gpus)
        prepared = Prepared.open(Path(self.sample))
        device = choose_device(self.device)
        ends_at = time.perf_counter() + self.seconds
        found = [_measure(self.configurations[0], prepared, device, self.seconds / len(self.configurations))]
        affordable = self._affordable(found[0], ends_at - time.perf_counter())
        for i, configuration in enumerate(affordable):
            seconds = (ends_at - time.perf_counter()) / (len(affordable) - i)
            try:
                found.append(_measure(configuration, prepared, device, seconds))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                break
        return found, self._metrics_s()

    def _affordable(self, first: Timings, seconds: float) -> list[Configuration]:
        """Return the other configurations for which there is time, by what a step of the first took.

        The largest come first: what steps in between take can be told from both ends.
        """
        chosen = []
        others = zip(self.configurations[1:], self.sizes[1:], strict=True)
        for configuration, size in sorted(others, key=lambda other: other[1], reverse=True):
            needed = _LEAST_STEPS * mean(first.steps_s) * size / self.sizes[0]
            if needed <= seconds:
                chosen.append(configuration)
                seconds -= needed
        return chosen[::-1]

    def _metrics_s(self) -> float:
        """Time the thresholds and metrics of one report on all of validation, with scores at random."""
        c = self.configurations[0]
        targets = np.asarray(Prepared.open(Path(self.prepared)).targets["validation"])
        random = np.random.default_rng(0)
        scores = random.beta(1, 8, size=targets.shape).astype(np.float16).astype(np.float32)
        started = time.perf_counter()
        validation_metrics(scores, targets, **threshold_options(c.thresholds))
        return time.perf_counter() - started


class _EnoughError(Exception):
    """Ends a training that has told enough."""


def _measure(
    configuration: Configuration, prepared: Prepared, device: torch.device, seconds: float
) -> Timings:
    """Take steps of one training for some seconds, then look at validation once."""
    memory = PeakMemory(device)
    started = time.perf_counter()
    run = TrainingRun(_long_enough(configuration, prepared), prepared, device=device)
    times: list[float] = []

    def stop_in_time(step: int, steps: int) -> None:
        del steps
        _wait(device)
        times.append(time.perf_counter())
        is_over = times[-1] - times[0] > seconds or step >= _MOST_STEPS
        if step >= _LEAST_STEPS and is_over:
            raise _EnoughError

    with suppress(_EnoughError):
        run.advance(stop_in_time)
    peak = memory.bytes()
    looked_at, scoring_s = _look(configuration, prepared, device)
    steps_s = np.diff(times)
    return Timings(
        configuration,
        # What comes before the first step cannot be told from the step itself, which is taken for a mean one.
        setup_s=max(0.0, times[0] - started - float(steps_s.mean())),
        steps_s=tuple(steps_s.tolist()),
        looked_at=looked_at,
        scoring_s=scoring_s,
        peak_bytes=peak,
    )


def _long_enough(configuration: Configuration, prepared: Prepared) -> Configuration:
    """Return a configuration whose training is not over, nor measured, before the probe is."""
    c = configuration
    an_epoch = steps_per_epoch(len(prepared.tokens["train"]), c.batch_size * c.accumulation_steps)
    return replace(c, epochs=_MOST_STEPS // an_epoch + 1, reports=1)


def _look(configuration: Configuration, prepared: Prepared, device: torch.device) -> tuple[int, float]:
    """Score validation with an untrained model, after a first time; return the texts and the seconds."""
    model = fresh_model(configuration, prepared, device)
    inputs = choose_inputs(configuration, prepared, model)
    inputs.logits("validation")
    started = time.perf_counter()
    logits = inputs.logits("validation")
    return len(logits), time.perf_counter() - started


def _wait(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Worker:
    """A process of Ray that measures; its start is that of a trial's worker."""

    def ready(self) -> bool:
        """Answer once everything is imported."""
        return True

    def measure(self, probe: Probe) -> tuple[list[Timings], float]:
        """Measure; see `Probe.measure`."""
        return probe.measure()


def measure_at_once(
    probe: Probe, per_trial: dict[str, float], workers: int
) -> tuple[list[tuple[list[Timings], float]], float]:
    """Let several processes measure at the same time, as trials run; return their findings.

    Args:
        probe: What to measure.
        per_trial: CPUs and GPUs of a trial.
        workers: How many processes.

    Returns:
        What each has measured, and the seconds until all had started.
    """
    import ray

    actor: Any = ray.remote(Worker).options(num_cpus=per_trial["cpu"], num_gpus=per_trial["gpu"])
    started = time.perf_counter()
    actors = [actor.remote() for _ in range(workers)]
    try:
        ray.get([actor.ready.remote() for actor in actors])
        started_s = time.perf_counter() - started
        return ray.get([actor.measure.remote(probe) for actor in actors]), started_s
    finally:
        for actor in actors:
            ray.kill(actor)


def corners(configurations: Sequence[Configuration], most: int) -> tuple[Configuration, ...]:
    """Return a few configurations whose steps differ most in size, the smallest first.

    Args:
        configurations: Of the trials.
        most: How many at most, at least 4: the smallest and largest batches of the shortest and longest texts
            are among them.
    """
    by_size: dict[tuple[int, int], Configuration] = {}
    for c in configurations:
        by_size.setdefault((c.batch_size * c.accumulation_steps, c.max_length), c)
    sizes = sorted(by_size, key=lambda size: (size[0] * size[1], size))
    if len(sizes) > most:
        ends = {max(sizes, key=partial(_reach, a, b)) for a, b in product((-1, 1), (-1, 1))}
        others = [size for size in sizes if size not in ends]
        wanted = most - len(ends)
        between = {others[(2 * i + 1) * len(others) // (2 * wanted)] for i in range(wanted)}
        sizes = [size for size in sizes if size in ends | between]
    return tuple(by_size[size] for size in sizes)


def _reach(batch_sign: int, length_sign: int, size: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    """Return how far a size lies towards large or small batches, and long or short texts."""
    return batch_sign * math.log(size[0]) + length_sign * math.log(size[1]), size
