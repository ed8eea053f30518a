"""The probe: processes like those of trials time real steps and real reports, all at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from goemo.configuration import Configuration
from goemo.configuration.thresholds import threshold_options
from goemo.evaluation import validation_metrics
from goemo.inference import choose_device, sigmoid_scores
from goemo.models.failures import is_out_of_memory
from goemo.training import TrainingRun
from goemo.training.fresh_model import fresh_model
from goemo.training.inputs import choose_inputs
from goemo.training.memory import PeakMemory
from goemo.training.prepared import Prepared
from tune.forecast.costs import Timing
from tune.forecast.work import epoch_shapes, look_work, work_of

# The first step also warms up, and one more says what the next ones take, if they are long.
_LEAST_STEPS, _MOST_STEPS = 2, 400


class Worker:
    """A process of Ray that measures; it starts as a trial's does.

    Args:
        threads: As a trial gets them.
        gpus: Share of a GPU; 0 for the CPU.
    """

    def __init__(self, threads: int, gpus: float) -> None:
        import goemo.bundle.encoder  # noqa: F401
        import tune.engine.trial_actor  # noqa: F401

        self._device = choose_device(None if gpus else "cpu")
        torch.set_num_threads(threads)
        if 0 < gpus < 1:
            torch.cuda.set_per_process_memory_fraction(gpus)

    def ready(self) -> bool:
        """Answer once everything is imported."""
        return True

    def measure(self, sample: Path, configurations: Sequence[Configuration], seconds: float) -> list[Timing]:
        """Return what was measured of one model.

        Configurations for which there is no time by what a step of the first took, or no memory, are left
        out, but never the first.

        Args:
            sample: Folder of the prepared data, or of a stand-in for it.
            configurations: To train, from `corners`.
            seconds: About how long steps may take, those of all configurations together.
        """
        prepared = Prepared.open(sample)
        found: list[Timing] = []
        for number, c in enumerate(configurations):
            left_s = seconds - sum(one.steps_s for one in found)
            if found and _LEAST_STEPS * _longest_step_s(found[0], c) > left_s:
                continue
            try:
                found.append(self._timing(c, prepared, left_s / (len(configurations) - number)))
            except (RuntimeError, MemoryError) as error:
                if not found or not is_out_of_memory(error):
                    raise
        return found

    def _timing(self, c: Configuration, prepared: Prepared, seconds: float) -> Timing:
        """Take steps of one training for some seconds, then report once."""
        device = self._device
        memory = PeakMemory(device)
        lengths = {split: prepared.tokens[split].lengths(c.max_length) for split in ("train", "validation")}
        reads_vectors = (
            c.trainable == "head" and prepared.frozen_features(c.pooling, c.max_length) is not None
        )
        epoch = epoch_shapes(lengths["train"], c, reads_vectors=reads_vectors)
        started = time.perf_counter()
        # A training that is not over, nor reports, before the probe is.
        longer = replace(c, epochs=_MOST_STEPS // len(epoch) + 1, reports=1)
        run = TrainingRun(longer, prepared, device=device)
        times: list[float] = []

        def stop_in_time(step: int, steps: int) -> None:
            del steps
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter())
            is_over = times[-1] - times[0] > seconds or step >= _MOST_STEPS
            if step >= _LEAST_STEPS and is_over:
                raise _EnoughError

        with suppress(_EnoughError):
            run.advance(stop_in_time)
        steps_s, count = times[-1] - times[0], len(times) - 1
        return Timing(
            c,
            steps=work_of(epoch[number % len(epoch)] for number in range(1, count + 1)),
            steps_s=steps_s,
            look=look_work(lengths["validation"], reads_vectors=reads_vectors),
            look_s=_look_s(c, prepared, device),
            # What comes before the first step cannot be told from it; it is taken for a mean one.
            setup_s=max(0.0, times[0] - started - steps_s / count),
            peak_bytes=memory.bytes(),
        )


class _EnoughError(Exception):
    """Ends a training that has told enough."""


def _longest_step_s(known: Timing, other: Configuration) -> float:
    """Return what a step of another configuration takes at most: it grows with the tokens."""
    c, texts = known.configuration, known.steps.examples
    step_s = known.steps_s / texts * other.batch_size * other.accumulation_steps
    return step_s * max(1.0, other.max_length / c.max_length)


def _look_s(configuration: Configuration, prepared: Prepared, device: torch.device) -> float:
    """Return the seconds of a report with an untrained model, the second time."""
    model = fresh_model(configuration, prepared, device)
    inputs = choose_inputs(configuration, prepared, model)
    targets = np.asarray(prepared.targets["validation"])
    inputs.logits("validation")
    started = time.perf_counter()
    scores = sigmoid_scores(inputs.logits("validation"))
    validation_metrics(scores, targets, **threshold_options(configuration.thresholds))
    return time.perf_counter() - started


def measure_at_once(
    tasks: Sequence[tuple[Path, Sequence[Configuration], float]],
    per_trial: Mapping[str, float],
    threads: int,
    workers: int,
) -> tuple[list[list[Timing]], float]:
    """Let several processes measure at the same time, as trials run, one model after the other.

    Args:
        tasks: What to measure of each model, as `Worker.measure` takes it.
        per_trial: CPUs and GPUs of a trial.
        threads: Of a trial.
        workers: How many processes.

    Returns:
        For each model what all processes have found, and the seconds until all had started, with what the
        driver of a search imports before.
    """
    started = time.perf_counter()
    import ray

    import tune.engine.tuner  # noqa: F401 - as the driver of a search does first

    actor: Any = ray.remote(Worker).options(num_cpus=per_trial["cpu"], num_gpus=per_trial["gpu"])
    actors = [actor.remote(threads, per_trial["gpu"]) for _ in range(workers)]
    try:
        ray.get([one.ready.remote() for one in actors])
        started_s = time.perf_counter() - started
        found = [ray.get([one.measure.remote(*task) for one in actors]) for task in tasks]
        return [list(chain(*of_model)) for of_model in found], started_s
    finally:
        for one in actors:
            ray.kill(one)


def corners(configurations: Sequence[Configuration]) -> tuple[Configuration, ...]:
    """Return the smallest and the largest batch of the shortest and the longest texts.

    The one with the least work in a step comes first, then the others from the largest on: what steps in
    between take can be told from both ends.
    """
    first = configurations[0]
    batches = sorted({(c.batch_size * c.accumulation_steps, c.batch_size) for c in configurations})
    lengths = sorted({c.max_length for c in configurations})
    smallest, *others = (
        replace(first, batch_size=batch, accumulation_steps=step // batch, max_length=length)
        for (step, batch), length in product(
            sorted({batches[0], batches[-1]}), sorted({lengths[0], lengths[-1]})
        )
    )
    return (smallest, *reversed(others))
