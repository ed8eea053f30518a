"""Measurement of what no records tell: parts of a search run for some seconds each, and are timed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from goemo.inference import choose_device
from goemo.models import load_config
from goemo.models.architectures import LAYERS, encoder_width, first_of
from tune.answer.baseline import cache_folder
from tune.engine.resources import threads_per_trial
from tune.forecast.costs import DriverCosts, Timing, TrialCosts, trial_costs
from tune.forecast.driver import baseline_s, files_and_report
from tune.forecast.learning import Learned
from tune.forecast.probe import Probe, corners, measure_at_once
from tune.forecast.sample import read_some, write_stand_in
from tune.forecast.setting import Setting
from tune.records import runs_folder

# Seconds that the steps of all configurations take, at most about.
_TRAIN_S = 3.0

# Processes that train at once, at most.
_MOST_WORKERS = 8

# Floating-point operations of a forward pass that are worth timing: seconds on a core, moments on a GPU.
_OPERATIONS = {"cpu": 1e11, "cuda": 1e13}


def measured_costs(
    settings: Sequence[Setting], learned: Learned | None, tell: Callable[[str], None]
) -> tuple[list[TrialCosts], DriverCosts]:
    """Return the costs of the trials of each model, and those of the driver.

    Args:
        settings: The models, and where their trials would run; Ray is connected.
        learned: What an earlier search tells; the rest is measured. None where none does.
        tell: Called with a line on what comes next.
    """
    setting = settings[0]
    timings = [[] for _ in settings] if learned is None else [list(known) for known in learned.timings]
    start_s, encoder_s = 0.0, [0.0 for _ in settings]
    with tempfile.TemporaryDirectory(prefix=".goemo-partial-", dir=runs_folder() / "cache") as made:
        probes = {}
        for number, one in enumerate(settings):
            if one.missing is None and timings[number]:
                continue
            tell(f"reading some of the texts for {one.settings.checkpoint}")
            sample, encoder_s[number] = _sample(one, Path(made) / str(number))
            if not timings[number]:
                probes[number] = _probe(one, sample, _TRAIN_S / len(settings))
        if probes:
            workers = min(setting.at_once, _MOST_WORKERS)
            tell(f"workers start, and train {workers} at once for about {_TRAIN_S:.0f} s")
            found, start_s = measure_at_once([*probes.values()], setting.per_trial, workers)
            for number, of_model in zip(probes, found, strict=True):
                timings[number] = of_model
    costs = [
        trial_costs(known, encoder_s=seconds, memory_bytes=_memory_bytes(known, one))
        for known, seconds, one in zip(timings, encoder_s, settings, strict=True)
    ]
    driver = _driver(settings, costs, start_s, tell) if learned is None else learned.driver
    if setting.spec.baseline == "none" or cache_folder(setting.splits, setting.spec.seed).is_dir():
        driver = replace(driver, baseline_s=0.0)
    return costs, driver


def _sample(setting: Setting, folder: Path) -> tuple[Path, float]:
    """Return what the probe trains on, and the seconds that the frozen encoder will take for all texts."""
    prepared, texts = setting.prepared, _texts_to_time(setting)
    lengths = {c.max_length for c in setting.configurations}
    if setting.missing is None and all(map(setting.reads_output, lengths)):
        return prepared.folder, 0.0
    if setting.missing is None:
        return write_stand_in(prepared, folder, validation=texts).folder, 0.0
    # Where trials read vectors, all of validation is scored in no time.
    scores_all = setting.settings.trainable == "head"
    stand_in, seconds = read_some(
        prepared,
        setting.missing,
        folder,
        lengths=lengths,
        texts=texts,
        validation=len(prepared.tokens["validation"]) if scores_all else texts,
        device=choose_device(None),
    )
    return stand_in.folder, seconds


def _probe(setting: Setting, sample: Path, seconds: float) -> Probe:
    lengths = {c.max_length for c in setting.configurations}
    return Probe(
        sample=str(sample),
        configurations=corners(setting.configurations),
        vectors=frozenset(length for length in lengths if setting.reads_vectors(length)),
        device=None if setting.per_trial["gpu"] else "cpu",
        threads=threads_per_trial(setting.spec),
        gpus=setting.per_trial["gpu"],
        seconds=seconds,
    )


def _memory_bytes(timings: Sequence[Timing], setting: Setting) -> float:
    """Return the bytes of the largest trial: as it was trained, or estimated where it was not."""
    peak = max(one.peak_bytes for one in timings)
    trained = {(one.configuration.batch_size, one.configuration.max_length) for one in timings}
    largest = max((c.batch_size * c.max_length, (c.batch_size, c.max_length)) for c in setting.configurations)
    return peak if largest[1] in trained else max(peak, setting.check.trial_bytes)


def _driver(
    settings: Sequence[Setting], costs: Sequence[TrialCosts], start_s: float, tell: Callable[[str], None]
) -> DriverCosts:
    setting = settings[0]
    tell("the files of a trial, and a report")
    two = dict(islice(setting.trials.items(), 2))
    files_s, once_s = files_and_report(setting.spec, setting.splits, two)
    test_s = 0.0
    if setting.spec.keep_models:  # else nobody is tested
        test_s = max(
            cost.look.seconds(one.look(split="test")) for one, cost in zip(settings, costs, strict=True)
        )
    return DriverCosts(
        start_s=start_s,
        files_s=files_s,
        baseline_s=baseline_s(setting.splits, setting.spec.seed),
        closing_s=once_s + test_s,
    )


def _texts_to_time(setting: Setting) -> int:
    """Return how many texts the whole model reads in about a second, by the size of its blocks."""
    prepared, device = setting.prepared, choose_device(None).type if setting.per_trial["gpu"] else "cpu"
    config = load_config(prepared.checkpoint.folder)
    per_token = 24 * encoder_width(config) ** 2 * first_of(config, *LAYERS, default=12)
    longest = max(c.max_length for c in setting.configurations)
    tokens = float(np.mean(prepared.tokens["validation"].lengths(longest)))
    return max(64, int(_OPERATIONS[device] / (per_token * tokens)))
