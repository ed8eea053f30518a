"""Costs of a search to come: learned, and measured where no records tell them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

from tune.engine.resources import threads_per_trial
from tune.forecast.costs import DriverCosts, Timing, TrialCosts, fit_costs
from tune.forecast.driver import baseline_s, files_and_report, fits_words
from tune.forecast.learning import Learned
from tune.forecast.probe import corners, measure_at_once
from tune.forecast.sample import sample_of
from tune.forecast.setting import Setting
from tune.records import runs_folder

# Seconds that the steps of all configurations take, at most about; and processes that take them at once.
_TRAIN_S, _MOST_WORKERS = 3.0, 8


def costs_of(
    settings: Sequence[Setting], learned: Learned | None, tell: Callable[[str], None]
) -> tuple[list[TrialCosts], DriverCosts]:
    """Return the costs of the trials of each model, and those of the driver.

    Args:
        settings: The models, and where their trials would run; Ray is connected.
        learned: What an earlier search tells; the rest is measured. None where none does.
        tell: Called with a line on what comes next.
    """
    first, encoder_s, tasks = settings[0], [], []
    timings: Sequence[Sequence[Timing]]
    with tempfile.TemporaryDirectory(prefix=".goemo-partial-", dir=runs_folder() / "cache") as made:
        for number, setting in enumerate(settings):
            sample, seconds = Path(), 0.0
            if learned is None or setting.missing is not None:
                tell(f"reading some of the texts for {setting.settings.checkpoint}")
                sample, seconds = sample_of(setting, Path(made) / str(number))
            encoder_s.append(seconds)
            tasks.append((sample, corners(setting.configurations), _TRAIN_S / len(settings)))
        if learned is None:
            places = min(first.at_once, _MOST_WORKERS)
            tell(f"workers start, and train {places} at once for about {_TRAIN_S:.0f} s")
            timings, start_s = measure_at_once(tasks, first.per_trial, threads_per_trial(first.spec), places)
        else:
            timings, start_s = learned.timings, learned.driver.start_s
    costs = [
        TrialCosts(
            train=fit_costs([(one.steps, one.steps_s) for one in of_model]),
            look=fit_costs([(one.look, one.look_s) for one in of_model]),
            setup_s=median(one.setup_s for one in of_model),
            encoder_s=seconds,
            memory_bytes=_memory_bytes(of_model, setting),
        )
        for of_model, seconds, setting in zip(timings, encoder_s, settings, strict=True)
    ]
    if learned is not None:
        return costs, learned.driver
    tell("the files of a trial, a report, and a bag of words")
    return costs, _driver(settings, costs, start_s)


def _memory_bytes(timings: Sequence[Timing], setting: Setting) -> float:
    """Return the bytes of the largest trial: as it was trained, or estimated where it was not."""
    peak = max(one.peak_bytes for one in timings)
    trained = {(one.configuration.batch_size, one.configuration.max_length) for one in timings}
    largest = max((c.batch_size * c.max_length, (c.batch_size, c.max_length)) for c in setting.configurations)
    return peak if largest[1] in trained else max(peak, setting.check.trial_bytes)


def _driver(settings: Sequence[Setting], costs: Sequence[TrialCosts], start_s: float) -> DriverCosts:
    spec, splits = settings[0].spec, settings[0].splits
    files_s, once_s = files_and_report(spec, splits, dict(islice(settings[0].trials.items(), 2)))
    test_s = 0.0
    if spec.keep_models:  # else nobody is tested
        test_s = max(c.look.seconds(one.look(split="test")) for one, c in zip(settings, costs, strict=True))
    words_s = baseline_s(spec, splits) if fits_words(spec, splits) else 0.0
    return DriverCosts(start_s, files_s, words_s, once_s + test_s)
