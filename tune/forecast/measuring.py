"""Measurement: runs the parts of a search for some seconds each, and times them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median

import numpy as np
import torch

from goemo.configuration import Configuration
from goemo.fast import faster_on_cpu
from goemo.inference import choose_device, predict_logits
from goemo.models.architectures import LAYERS, encoder_width, first_of
from goemo.tokens import some_texts, spread
from goemo.training.memory_estimate import estimate_memory
from goemo.training.precision import uses_bfloat16
from goemo.training.prepared import Prepared
from tune.engine.resources import threads_per_trial
from tune.forecast.costs import CostModel, fit_costs
from tune.forecast.harness import trial_files
from tune.forecast.probe import Probe, Timings, corners, measure_at_once
from tune.forecast.sample import sample_of
from tune.forecast.setting import Setting
from tune.forecast.work import StepShape, Work, visits, work_of
from tune.records import runs_folder

# Seconds that the frozen encoder reads, about, and that the steps of all configurations take, at most about.
_READ_S, _TRAIN_S = 4.0, 12.0

# Configurations that are trained, and processes that do so at once, at most.
_MOST_CORNERS, _MOST_WORKERS = 9, 8

# Floating-point operations of a forward pass that are worth timing: seconds on a core, moments on a GPU.
_OPERATIONS = {"cpu": 1e11, "cuda": 1e13}

# A step of a new shape is a plain one, and the next of that shape is recorded.
_VISITS_TO_RECORD = 2


@dataclass(frozen=True)
class Probed:
    """What was measured of a search, as a mean over the processes that measured at once.

    Attributes:
        train: CostModel of training.
        look: CostModel of scoring validation.
        metrics_s: Seconds of the thresholds and metrics of a report.
        setup_s: Seconds of a trial before its first step.
        shape_s: Seconds to record the steps of one shape; 0 where none are recorded.
        workers_s: Seconds until the workers have started.
        files_s: Seconds of the driver for the files of a trial.
        encoder_s: Seconds of the frozen encoder.
        test_s: Seconds to score the test split.
        memory_bytes: Of the largest trial at its peak: what was measured of the largest that was trained, and
            what the largest of all has beyond that by an estimate.
    """

    train: CostModel
    look: CostModel
    metrics_s: float
    setup_s: float
    shape_s: float
    workers_s: float
    files_s: float
    encoder_s: float
    test_s: float
    memory_bytes: float


def measure(setting: Setting, tell: Callable[[str], None], *, share: float = 1.0) -> Probed:
    """Measure the trials of one model.

    Args:
        setting: The search, and where it would run; Ray is connected.
        tell: Called with a line on what comes next.
        share: Of the usual time that the measuring may take.
    """
    spec = setting.spec
    is_gpu = setting.per_trial["gpu"] > 0
    device = choose_device(None)
    read_s, train_s = _READ_S * share, _TRAIN_S * share
    if setting.missing is not None:
        tell(f"the frozen encoder runs for about {read_s:.0f} s")
    # Where trials read vectors, a whole split is scored in no time.
    rows = len(setting.prepared.tokens["validation"])
    if not all(setting.reads_vectors(c.max_length) for c in setting.configurations):
        rows = min(rows, _texts_to_time(setting, "cuda" if is_gpu else "cpu"))
    with sample_of(
        setting.prepared,
        setting.missing,
        rows=rows,
        seconds=read_s,
        device=device,
        parent=runs_folder() / "cache",
    ) as sample:
        test_s = _test_s(setting, device)
        files_s = trial_files(spec, setting.splits, next(iter(setting.trials.values())))
        workers = min(setting.at_once, _MOST_WORKERS)
        tell(f"{workers} trial{'s' * (workers > 1)} at once for at most {train_s:.0f} s")
        chosen = corners(setting.configurations, _MOST_CORNERS)
        probe = Probe(
            sample=str(sample.folder),
            prepared=str(setting.prepared.folder),
            configurations=chosen,
            sizes=tuple(_tokens_a_step(setting, c) for c in chosen),
            device=None if is_gpu else "cpu",
            threads=threads_per_trial(spec),
            gpus=setting.per_trial["gpu"],
            seconds=train_s,
        )
        findings, workers_s = measure_at_once(probe, dict(setting.per_trial), workers)
        measured = [one for found, _ in findings for one in found]
        is_recorded = is_gpu and spec.model.cuda_graphs
        training = [_training(setting, one, is_recorded=is_recorded) for one in measured]
        looks = _looks(Prepared.open(sample.folder), setting, measured)
    largest = max(measured, key=lambda one: one.configuration.batch_size * one.configuration.max_length)
    shapes = [shape_s for _, _, shape_s in training if shape_s is not None]
    return Probed(
        train=fit_costs([(work, seconds) for work, seconds, _ in training]),
        look=fit_costs(looks),
        metrics_s=mean(seconds for _, seconds in findings),
        setup_s=median(one.setup_s for one in measured),
        shape_s=mean(shapes) if shapes else 0.0,
        workers_s=workers_s,
        files_s=files_s,
        encoder_s=sample.encoder_s,
        test_s=test_s,
        memory_bytes=_needed(setting, largest.configuration, max(one.peak_bytes for one in measured)),
    )


def _needed(setting: Setting, measured: Configuration, peak: float) -> float:
    """Return the bytes of the largest trial, from those of one that was measured."""
    device = torch.device("cuda" if setting.per_trial["gpu"] > 0 else "cpu")
    width = encoder_width(setting.model.config)
    of_measured, *others = (
        estimate_memory(setting.model, c, in_bfloat16=uses_bfloat16(c.mixed_precision, device, width))
        for c in [measured, *setting.configurations]
    )
    largest = max([of_measured, *others], key=lambda estimate: estimate.total)
    return peak + max(0.0, largest.activations - of_measured.activations)


def _training(setting: Setting, measured: Timings, *, is_recorded: bool) -> tuple[Work, float, float | None]:
    """Return the work of the timed steps, their seconds, and what recording a shape took beyond that.

    Where steps are recorded, those that record are no part of the first two.
    """
    c = measured.configuration
    epoch = setting.epoch(c)
    count = len(measured.steps_s)
    shapes: list[StepShape] = [epoch[i % len(epoch)] for i in range(count + 1)]
    seconds = np.array(measured.steps_s)
    is_steady = np.ones(count, dtype=np.bool_)
    if is_recorded:
        is_steady = visits(shapes)[1:] > _VISITS_TO_RECORD
    if is_steady.all() or not is_steady.any():
        return work_of(shapes[1:]), float(seconds.sum()), None
    steady_s = float(seconds[is_steady].mean())
    new = len(set(shapes))
    work = work_of([shape for shape, steady in zip(shapes[1:], is_steady, strict=True) if steady])
    extra = float((seconds[~is_steady] - steady_s).sum())
    return work, float(seconds[is_steady].sum()), max(0.0, extra) / new


def _tokens_a_step(setting: Setting, configuration: Configuration) -> float:
    epoch = setting.epoch(configuration)
    return work_of(epoch).tokens / len(epoch)


def _looks(sample: Prepared, setting: Setting, measured: Sequence[Timings]) -> list[tuple[Work, float]]:
    """Return the work of each look at validation, and its seconds."""
    found = []
    for one in measured:
        max_length = one.configuration.max_length
        # Where an earlier search has had the encoder read all of validation, all of it is scored.
        whole = setting.prepared.tokens["validation"]
        reduced = sample.tokens["validation"]
        store = reduced if one.looked_at == len(reduced) else whole
        work = look_work(store.lengths(max_length), reads_vectors=setting.reads_vectors(max_length))
        found.append((work, one.scoring_s))
    return found


def look_work(lengths: np.ndarray[tuple[int], np.dtype[np.int64]], *, reads_vectors: bool) -> Work:
    """Return the work of scoring texts of these lengths, which length order leaves almost unpadded."""
    widths = np.ones_like(lengths) if reads_vectors else lengths
    return Work(passes=1.0, examples=len(lengths), tokens=float(widths.sum()), pairs=float((widths**2).sum()))


def _test_s(setting: Setting, device: torch.device) -> float:
    """Time the whole model, as the chosen trial is tested, on a few texts; return the seconds for all."""
    if not setting.spec.keep_models:
        return 0.0  # nobody is tested
    if all(setting.reads_vectors(c.max_length) for c in setting.configurations):
        return 0.0  # the encoder has read the test split with the others
    store = setting.prepared.tokens["test"]
    max_length = max(c.max_length for c in setting.configurations)
    few = some_texts(store, spread(store, _texts_to_time(setting, device.type)))
    model = setting.model.to(device).eval()
    if device.type == "cpu":
        model = faster_on_cpu(model)
    predict_logits(model, some_texts(store, spread(store, 4)), max_length)  # warms up
    started = time.perf_counter()
    predict_logits(model, few, max_length)
    seconds = time.perf_counter() - started
    return seconds * float(store.lengths(max_length).sum()) / float(few.lengths(max_length).sum())


def _texts_to_time(setting: Setting, device: str) -> int:
    """Return how many texts the whole model reads in about a second, by the size of its blocks."""
    config = setting.model.config
    per_token = 24 * encoder_width(config) ** 2 * first_of(config, *LAYERS, default=12)
    tokens = float(
        setting.prepared.tokens["validation"]
        .lengths(max(c.max_length for c in setting.configurations))
        .mean()
    )
    return max(16, int(_OPERATIONS[device] / (per_token * tokens)))
