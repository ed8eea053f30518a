"""What a forecast learns from the records of an earlier search, made by hand, and when it learns nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from goemo.data import load_splits
from goemo.training.prepared import prepare
from tune.engine.preparation import checked_model, told_by
from tune.environment import describe
from tune.forecast.costs import DriverCosts
from tune.forecast.forecasting import assemble
from tune.forecast.learning import learn
from tune.forecast.measuring import costs_of
from tune.forecast.setting import Setting
from tune.records import BASELINE, Outcome, SearchFolder
from tune.spec import configuration, load_spec, models

SPACE = """\
name: next
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:300"}
space:
  batch_size:    {grid: [16, 32]}
  learning_rate: {grid: [1.0e-3, 2.0e-3]}
  max_length: 16
  epochs: 2
objective: {reports: 2}
scheduler: none
resources: {gpus_per_trial: 0}
"""
STARTED, START_S = 1_000_000.0, 12.0
TEXTS = 240  # of the training split
SPEED = {16: 60.0, 32: 100.0}  # texts a second, by batch size
REPORT_S, BESIDE_S = 0.5, 3.0


@pytest.fixture
def setting(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "mlruns"))
    (tmp_path / "next.yaml").write_text(SPACE, encoding="utf-8")
    spec = load_spec(str(tmp_path / "next.yaml"))
    splits = load_splits(spec.data.source)
    (settings,) = models(spec)
    prepared = prepare(
        splits, settings.checkpoint, trainable="all", max_lengths=[16], cache=tmp_path / "mlruns" / "cache"
    )
    return Setting(
        spec=spec,
        settings=settings,
        splits=splits,
        prepared=prepared,
        missing=None,
        check=told_by(spec, settings, checked_model(spec, settings, splits)),
        nodes=[{"CPU": 2.0, "memory": 8e9}],
        per_trial={"cpu": 1.0, "gpu": 0.0},
    )


def seconds_of(batch_size):
    """Of a trial by its own clock: two epochs, and two reports."""
    return 2 * TEXTS / SPEED[batch_size] + 2 * REPORT_S


def record(setting, name="earlier", **facts):
    """Write a search of four trials, two at once; each held its place for 3 s more than it reports."""
    search = SearchFolder.create(name, setting.spec.to_dict())
    held_s = sum(seconds_of(c.batch_size) + BESIDE_S for c in setting.configurations)
    told = {
        "data": {"digest": setting.splits.digest},
        "environment": describe(),
        "started": STARTED,
        "address": None,
        "seconds": {"preparing": 90.0, "trials": START_S + held_s / 2, "report": 7.0, "the store": 1.5},
    }
    search.add_facts(**{**told, **facts})
    for trial_id, varied in setting.trials.items():
        trial = search.trial(trial_id)
        c = configuration(setting.spec, varied)
        trial.write_config(c.to_dict(), varied)
        for number in (1, 2):
            seconds = number * seconds_of(c.batch_size) / 2
            row = {
                "progress": 50.0 * number,
                "time": STARTED + START_S + seconds,
                "seconds": seconds,
                "val/macro_f1": 0.3,
                "train/samples_per_second": SPEED[c.batch_size],
                "train/peak_memory_gb": 0.25 * c.batch_size,
            }
            trial.write_report(row, None)
        trial.write_outcome(Outcome("completed", ended_at=STARTED + 60))
    return search


def fitted_baseline(search, *, seconds, at):
    """Write the record of a bag of words that was there so many seconds after the search had started."""
    folder = search.trial(BASELINE)
    folder.write_config({"metric": "macro_f1", "thresholds": "proportional", "checkpoint": "words:tfidf"}, {})
    folder.write_report(
        {"progress": 100, "time": STARTED + at, "seconds": seconds, "val/macro_f1": 0.4}, np.zeros((2, 2))
    )
    folder.write_outcome(Outcome("completed", ended_at=STARTED + at))


def test_a_search_is_forecast_as_it_went(setting):
    """The same search again: start, trials and end are those of the records, and nothing is probed."""
    record(setting)
    learned = learn([setting], address=None)
    assert learned.name == "earlier"
    assert learned.driver == DriverCosts(START_S, files_s=0.0, baseline_s=0.0, closing_s=8.5)
    costs, driver = costs_of([setting], learned, pytest.fail)
    assert costs[0].memory_bytes == 8e9
    f = assemble([(setting, costs[0])], driver, 5.0, [], source="the records of earlier")
    assert math.isclose(f.phases.opening, 5.0 + START_S)
    assert math.isclose(f.phases.closing, 8.5)
    shortest, longest = (seconds_of(batch_size) + BESIDE_S for batch_size in (32, 16))
    assert math.isclose(f.trial_s[0], shortest, rel_tol=1e-3)
    assert math.isclose(f.trial_s[2], longest, rel_tol=1e-3)
    assert math.isclose(f.phases.trials, shortest + longest, rel_tol=1e-3)


def test_longer_trials_are_forecast_from_shorter_ones(setting):
    """Four epochs in place of two: only the training takes twice as long."""
    record(setting)
    longer = {**setting.spec.to_dict()}
    longer["space"] = {**longer["space"], "epochs": 4}
    spec = type(setting.spec).from_dict(longer)
    to_come = replace(setting, spec=spec)
    (costs,), _ = costs_of([to_come], learn([to_come], address=None), pytest.fail)
    f = assemble([(to_come, costs)], DriverCosts(0.0, 0.0, 0.0, 0.0), 0.0, [], source="")
    assert math.isclose(f.trial_s[2], 4 * TEXTS / SPEED[16] + 2 * REPORT_S + BESIDE_S, rel_tol=1e-3)


def test_what_the_bag_of_words_took_is_left_to_the_next_trials(setting):
    """Of 2 x 40 core seconds it took 20: three quarters are the trials', unless it came from the cache."""
    search = record(setting, seconds={"trials": 40.0, "report": 1.0})
    (alone,) = learn([setting], address=None).timings
    fitted_baseline(search, seconds=20.0, at=1.0)
    cached = learn([setting], address=None)
    assert list(cached.timings[0]) == alone
    assert cached.driver.baseline_s == 20.0
    fitted_baseline(search, seconds=20.0, at=35.0)
    (beside,) = learn([setting], address=None).timings
    assert [one.steps_s / other.steps_s for one, other in zip(beside, alone, strict=True)] == [0.75] * 4
    assert math.isclose(beside[0].setup_s, 0.75 * alone[0].setup_s)
    assert learn([setting], address=None).driver.start_s == 0.75 * START_S


@pytest.mark.parametrize(
    "facts",
    [
        {"seconds": {}},  # it was interrupted, or resumed
        {"data": {"digest": "other"}},
        {"address": "head:6379"},
        {"environment": {**describe(), "processor": "another one"}},
        {"environment": {**describe(), "versions": {"torch": "1.0"}}},
    ],
    ids=["seconds", "data", "address", "processor", "versions"],
)
def test_other_machines_and_data_tell_nothing(setting, facts):
    """Nor does a search of which one command ran only a part."""
    record(setting, **facts)
    assert learn([setting], address=None) is None


def test_unknown_sizes_and_resources_are_not_guessed(setting):
    """A batch size that no trial had, another share of the machine, another pooling: nothing is learned."""
    record(setting)
    values = setting.spec.to_dict()
    for changed in (
        {"space": {**values["space"], "batch_size": {"grid": [16, 64]}}},
        {"resources": {**values["resources"], "cpus_per_trial": 2}},
    ):
        spec = type(setting.spec).from_dict({**values, **changed})
        assert learn([replace(setting, spec=spec)], address=None) is None
    pooled = type(setting.spec).from_dict({**values, "model": {**values["model"], "pooling": "mean"}})
    (settings,) = models(pooled)
    assert learn([replace(setting, spec=pooled, settings=settings)], address=None) is None


def test_the_newest_search_tells_and_a_damaged_one_does_not(setting):
    """What cannot be read is passed over."""
    record(setting)
    newer = record(setting, "newer", seconds={"trials": 100.0, "report": 1.0})
    assert learn([setting], address=None).name == "newer"
    (newer.path / "search.json").write_text("{", encoding="utf-8")
    assert learn([setting], address=None).name == "earlier"
