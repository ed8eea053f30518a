"""What a search will take: counted work, fitted costs, simulated time, and the parts put together."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tune.engine.tuner  # noqa: F401 - with the real Ray, which a test takes away
from goemo.configuration import Configuration
from goemo.data import Split, load_splits
from goemo.errors import InputError
from goemo.tokens import some_texts, spread
from goemo.training import TrainingRun
from goemo.training.fresh_model import fresh_model
from goemo.training.inputs import FeatureInputs, choose_inputs
from goemo.training.prepared import Prepared, prepare
from tune.engine.preparation import checked_model, told_by
from tune.forecast import Phases, Span, driver, lines, over_budget
from tune.forecast.costs import CostModel, DriverCosts, TrialCosts, fit_costs
from tune.forecast.disk_need import DiskNeed
from tune.forecast.forecasting import ERROR, _wall_s, assemble, timeline
from tune.forecast.probe import Worker, corners, measure_at_once
from tune.forecast.sample import representatives, sample_of
from tune.forecast.setting import Setting, drawn
from tune.forecast.simulation import TrialTimeline, expected_runs, simulate
from tune.forecast.work import Work, epoch_shapes, work_of
from tune.spec import load_spec, models

SPACE = """\
name: small
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:300"}
space:
  batch_size:    {grid: [16, 32]}
  learning_rate: {grid: [1.0e-3, 2.0e-3, 3.0e-3]}
  max_length:    {grid: [8, 16]}
  epochs: 2
resources: {gpus_per_trial: 0}
"""


def configuration(**changes):
    return Configuration(checkpoint="scratch:albert-tiny", **changes)


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "mlruns"))
    path = tmp_path / "small.yaml"
    path.write_text(SPACE, encoding="utf-8")
    return load_spec(str(path))


@pytest.fixture
def setting(spec, tmp_path):
    splits = load_splits(spec.data.source)
    prepared = prepare(
        splits,
        spec.model.checkpoint,
        trainable="all",
        max_lengths=[8, 16],
        cache=tmp_path / "mlruns" / "cache",
    )
    (settings,) = models(spec)
    model = checked_model(spec, settings, splits)
    return Setting(
        spec=spec,
        settings=settings,
        splits=splits,
        prepared=prepared,
        missing=None,
        check=told_by(spec, settings, model),
        nodes=[{"CPU": 2.0, "memory": 8e9}],
        per_trial={"cpu": 1.0, "gpu": 0.0},
    )


def test_the_work_of_an_epoch_is_that_of_its_batches():
    """Ten texts of 10 tokens in batches of 4: three passes, padded to 16; accumulated, two steps."""
    lengths = np.full(10, 10)
    shapes = epoch_shapes(lengths, configuration(batch_size=4, max_length=20), reads_vectors=False)
    assert sorted(shapes) == [((2, 16),), ((4, 16),), ((4, 16),)]
    assert work_of(shapes) == Work(passes=3, examples=10, tokens=160, pairs=160 * 16)
    two = configuration(batch_size=4, max_length=20, accumulation_steps=2)
    assert sorted(epoch_shapes(lengths, two, reads_vectors=False)) == [((2, 16),), ((4, 16), (4, 16))]
    assert work_of(epoch_shapes(lengths, two, reads_vectors=True)) == Work(3, 10, 10, 10)


@pytest.mark.parametrize(
    "costs", [CostModel(1e-3, 1e-4, 1e-6, 1e-8), CostModel(tokens=2e-5), CostModel(passes=1e-2)]
)
def test_prices_that_made_the_measurements_are_found(costs):
    """Work of nine sizes, timed without error, gives back what every other amount of work takes."""
    sizes = [(b, w) for b in (16, 32, 64) for w in (16, 32, 64)]
    works = [Work(1, b, b * w, b * w * w) for b, w in sizes]
    fitted = fit_costs([(work, costs.seconds(work)) for work in works])
    other = Work(100, 4800, 4800 * 24, 4800 * 24 * 24)
    assert math.isclose(fitted.seconds(other), costs.seconds(other), rel_tol=1e-6)


def test_one_measurement_gives_seconds_a_token():
    """With less to go on, time follows the tokens."""
    fitted = fit_costs([(Work(1, 16, 256, 4096), 0.5)])
    assert math.isclose(fitted.seconds(Work(1, 64, 4096, 262144)), 8.0)


def test_no_price_is_negative():
    """Noise never makes more work cost less."""
    random = np.random.default_rng(0)
    works = [Work(1, b, b * w, b * w * w) for b in (16, 64) for w in (16, 64)]
    for _ in range(20):
        fitted = fit_costs([(work, float(random.uniform(0.5, 1.5))) for work in works])
        assert min(vars(fitted).values()) >= 0


def test_nothing_measured_is_an_error():
    """There is nothing to fit, and a time of 0 cannot be met."""
    for measured in ([], [(Work(1, 1, 1, 1), 0.0)]):
        with pytest.raises(ValueError, match="above 0 seconds"):
            fit_costs(measured)


def reporting(*seconds, steps=10):
    reports = len(seconds)
    return TrialTimeline(tuple(100 * (i + 1) // reports for i in range(reports)), seconds, (steps,) * reports)


def test_trials_start_as_places_become_free():
    """By hand: two places, trials of 4, 1, 2 and 3 seconds in this order end after 6."""
    run = simulate([reporting(2, 2), reporting(1), reporting(1, 1), reporting(3)], at_once=2)
    assert run.wall_s == 6  # 0-4 | 0-1, 1-3, 3-6
    assert run.trial_s == (4, 1, 2, 3)
    assert run.steps == 60
    assert simulate([reporting(2, 2), reporting(1)], at_once=1).wall_s == 5
    assert simulate([], at_once=3).wall_s == 0


def test_a_trial_that_is_stopped_makes_room():
    """Stopped at its first report, a trial costs that much, and the next one starts then."""
    run = simulate([reporting(2, 8), reporting(1, 1), reporting(3)], 1, lambda trial, _: trial != 0)
    assert (run.wall_s, run.trial_s, run.steps) == (7, (2, 2, 3), 40)


def test_more_places_never_take_longer():
    """However many trials run at a time, none is lost, and all work is done."""
    random = np.random.default_rng(1)
    timelines = [reporting(*random.uniform(1, 5, 3)) for _ in range(20)]
    walls = [simulate(timelines, places).wall_s for places in (1, 2, 4, 30)]
    assert walls == sorted(walls, reverse=True)
    assert math.isclose(walls[0], sum(c.total_s for c in timelines))
    assert math.isclose(walls[-1], max(c.total_s for c in timelines))


def halved(qualities, factor, rungs):
    """Successive halving of trials that come one after the other, written out; return the reports of each."""
    seen, reports = defaultdict(list), []
    for quality in qualities:
        made = 5
        for report, progress in enumerate((20, 40, 60, 80)):
            if progress not in rungs:
                continue
            before = seen[progress]
            before.append(quality)
            goes_on = sum(other > quality for other in before) < max(1, len(before) // factor)
            if not goes_on:
                made = report + 1
                break
        reports.append(made)
    return reports


def test_what_asha_leaves_is_what_its_rule_leaves(spec):
    """One trial at a time, each run equals the rule written out, for the qualities that it drew."""
    ids = [f"t{i:03d}" for i in range(1, 28)]
    timelines = {trial_id: TrialTimeline((20, 40, 60, 80, 100), (1.0,) * 5, (1,) * 5) for trial_id in ids}
    runs = expected_runs(spec, timelines, at_once=1)
    for i, run in enumerate(runs):
        qualities = np.random.default_rng((spec.seed, i)).random(len(ids))
        assert list(run.trial_s) == halved(qualities, 3, {20, 60})
        assert run.wall_s == run.steps == sum(run.trial_s)


@pytest.mark.parametrize("algorithm", ["asha", "median", "hyperband"])
def test_early_stopping_saves_steps_and_ends_every_trial(spec, algorithm):
    """Whatever the scheduler: each trial gets its grace, some are stopped, and time never grows."""
    spec = replace(spec, scheduler=replace(spec.scheduler, algorithm=algorithm))
    timelines = {
        f"t{i:03d}": TrialTimeline((20, 40, 60, 80, 100), (2.0,) * 5, (7,) * 5) for i in range(1, 41)
    }
    whole = simulate(list(timelines.values()), 3)
    for run in expected_runs(spec, timelines, at_once=3):
        assert min(run.trial_s) >= 2.0
        assert 40 * 7 <= run.steps < whole.steps
        assert run.wall_s <= whole.wall_s


def test_without_early_stopping_there_is_one_run(spec):
    """All trials run to their end."""
    spec = replace(spec, scheduler=replace(spec.scheduler, algorithm="none"))
    timelines = {"t001": reporting(1, 2), "t002": reporting(3)}
    assert expected_runs(spec, timelines, 2) == [simulate(list(timelines.values()), 2)]


def test_as_many_trials_run_at_once_as_fit_and_there_are(setting):
    """Each node takes whole trials, and the last places stay empty where trials are few."""
    two = {"cpu": 2.0, "gpu": 0.0}
    assert replace(setting, nodes=[{"CPU": 3.0}, {"CPU": 5.0}], per_trial=two).at_once == 3
    assert replace(setting, nodes=[{"CPU": 128.0}], per_trial=two).at_once == len(setting.trials) == 12


def test_the_trials_are_those_of_the_search_and_for_tpe_random_ones(spec):
    """A grid is known; what TPE will choose is not, but how many and from what is."""
    assert len(drawn(spec)) == spec.total == 12
    tpe = replace(spec, search=replace(spec.search, algorithm="tpe", trials=9))
    trials = drawn(tpe)
    assert len(trials) == 9
    assert {varied["batch_size"] for varied in trials.values()} <= {16, 32}


def test_corners_are_the_ends_of_both(setting):
    """Of a hundred sizes, four: the smallest and largest batches of the shortest and longest texts."""
    many = [
        configuration(batch_size=b, accumulation_steps=a, max_length=t)
        for b, a in ((8, 1), (16, 2), (24, 1))
        for t in (10, 20, 30)
    ]
    found = [(c.batch_size, c.accumulation_steps, c.max_length) for c in corners(many)]
    assert found == [(8, 1, 10), (16, 2, 30), (16, 2, 10), (8, 1, 30)]
    assert [(c.batch_size, c.max_length) for c in corners(many[:1])] == [(8, 10)]


@pytest.fixture
def measured(setting):
    """Call it with seconds: what one process measures of the corners in that time."""
    threads = torch.get_num_threads()
    sizes = corners(setting.configurations)
    yield lambda seconds: Worker(1, 0.0).measure(setting.prepared.folder, sizes, seconds)
    torch.set_num_threads(threads)


def test_a_probe_trains_and_reports(setting, measured):
    """In one process: each configuration is timed from its second step on, and validation is reported on."""
    found = measured(5.0)
    assert [one.configuration for one in found] == list(corners(setting.configurations))
    for one in found:
        assert min(one.steps.passes, one.steps_s, one.look_s) > 0
        assert one.look.examples == len(setting.splits.validation)
        assert one.peak_bytes > 1e6


def test_a_probe_leaves_out_what_it_has_no_time_for(setting, measured):
    """The first configuration is always timed."""
    assert [one.configuration for one in measured(0.0)] == [corners(setting.configurations)[0]]


class FakeRay:
    """Runs actors in this process, and counts them."""

    def __init__(self):
        self.started = 0
        self.killed = 0

    def remote(self, kind):
        del kind

        def start(*_):
            self.started += 1
            methods = {"ready": lambda: True, "measure": lambda *task: [task]}
            return SimpleNamespace(**{name: SimpleNamespace(remote=do) for name, do in methods.items()})

        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start))

    def get(self, values):
        return values

    def kill(self, actor):
        del actor
        self.killed += 1


def test_workers_start_once_for_all_models(monkeypatch):
    """Two models and three trials at once: three processes, which measure one model after the other."""
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    tasks = [("a", (), 1.5), ("b", (), 1.5)]
    found, started_s = measure_at_once(tasks, {"cpu": 1.0, "gpu": 0.0}, 1, workers=3)
    assert found == [[task] * 3 for task in tasks]
    assert started_s >= 0
    assert (fake.started, fake.killed) == (3, 3)


def test_texts_are_chosen_evenly_by_length(setting):
    """A few texts have about the mean length of all, and are the texts that they were."""
    store = setting.prepared.tokens["train"]
    rows = spread(store, 40)
    few = some_texts(store, rows)
    assert len(few) == 40
    assert np.array_equal(few.batch([3], 16).input_ids, store.batch([rows[3]], 16).input_ids)
    assert abs(few.lengths(32).mean() / store.lengths(32).mean() - 1) < 0.05
    assert np.array_equal(spread(store, 10**6), np.arange(len(store)))


@pytest.fixture
def frozen(minilm, tmp_path):
    """Prepared data of 600 texts, and the output of a frozen encoder that no search has computed."""
    splits = load_splits("sample:600")
    prepared = prepare(splits, minilm, trainable="all", pooling="mean", max_lengths=[8, 16], cache=tmp_path)
    missing = prepared.missing_output("head", "mean", [8, 16])
    return prepared, missing


def test_few_texts_stand_for_all(frozen):
    """Each text is replaced by one of about its length, and so many different ones are left."""
    store = frozen[0].tokens["train"]
    rows = representatives(store, 64)
    assert len(rows) == len(store)
    assert len({*rows.tolist()}) == 64
    lengths = store.lengths(16)
    assert np.abs(lengths[rows] - lengths).mean() < 2
    assert np.array_equal(lengths[representatives(store, 10**6)], lengths)


def test_trials_read_vectors_of_a_stand_in(frozen, tmp_path):
    """The probe of a frozen search with a cold cache trains on vectors, as its trials will: on no tokens."""
    prepared, missing = frozen
    c = Configuration(
        checkpoint=prepared.checkpoint.name, trainable="head", pooling="mean", max_length=16, epochs=1
    )
    shorter = replace(c, max_length=8)
    setting = SimpleNamespace(
        prepared=prepared, missing=missing, configurations=[c, shorter], per_trial={"gpu": 0.0}
    )
    sample, encoder_s = sample_of(setting, tmp_path / "stand-in")
    assert encoder_s > 0
    stand_in = Prepared.open(sample)
    assert [len(stand_in.tokens[split]) for split in ("train", "validation", "test")] == [480, 60, 1]
    assert len(stand_in.frozen_features("mean", 8).features) < len(missing.sequences)
    model = fresh_model(c, stand_in, torch.device("cpu"))
    assert isinstance(choose_inputs(c, stand_in, model), FeatureInputs)
    assert prepared.frozen_features("mean", 8) is None  # nothing of it is left beside the stand-in


@pytest.mark.parametrize(("rows", "expected"), [(400, 3.0), (10_000, 60.0), (40_000, 140.0)])
def test_the_time_of_a_bag_of_words_grows_with_the_rows(monkeypatch, rows, expected):
    """By hand: 500 rows, or all, take 2 s to choose, which stops growing at 15,000, and 1 s to fit."""
    clock = iter([10.0, 12.0, 13.0])
    monkeypatch.setattr(driver, "time", SimpleNamespace(thread_time=lambda: next(clock)))
    monkeypatch.setattr(driver, "choose_settings", lambda *_, among, seed: SimpleNamespace(settings=seed))
    monkeypatch.setattr(driver, "fit_words", lambda *_, labels: labels)
    train = Split("train", ["a text"] * rows, np.zeros((rows, 2), dtype=np.bool_), [], "")
    splits = SimpleNamespace(train=train, labels=("x", "y"))
    assert math.isclose(driver.baseline_s(SimpleNamespace(baseline="words", seed=0), splits), expected)


def test_a_bag_of_words_is_fitted_where_it_is_wanted_and_not_there(monkeypatch, tmp_path):
    """Only then does it compete with the trials."""
    spec = SimpleNamespace(baseline="words", seed=0)
    monkeypatch.setattr(driver, "cache_folder", lambda *_: tmp_path / "nothing")
    assert driver.fits_words(spec, None)
    assert not driver.fits_words(SimpleNamespace(baseline="none", seed=0), None)
    monkeypatch.setattr(driver, "cache_folder", lambda *_: tmp_path)
    assert not driver.fits_words(spec, None)


COSTS = TrialCosts(
    train=CostModel(tokens=1e-4),
    look=CostModel(passes=0.5, examples=1e-3),
    setup_s=0.25,
    encoder_s=40.0,
    memory_bytes=1e9,
)
DRIVER = DriverCosts(start_s=8.0, files_s=0.3, baseline_s=0.0, closing_s=9.5)


def forecast_of(setting, costs=COSTS, driver=DRIVER, notes=(), source="a probe of 20 s"):
    return assemble([(setting, costs)], driver, 5.0, notes, source=source)


def test_a_course_is_work_times_prices(setting):
    """By hand: padded tokens of both epochs, validation at each report, the start before the first."""
    c = configuration(batch_size=16, max_length=16, epochs=2, reports=5)
    found = timeline(setting, COSTS, c)
    lengths = setting.prepared.tokens["train"].lengths(16)
    tokens = work_of(epoch_shapes(lengths, c, reads_vectors=False)).tokens
    validation = len(setting.splits.validation)
    assert math.isclose(found.total_s, 2 * tokens * 1e-4 + 5 * (validation * 1e-3 + 0.5) + 0.25)
    assert found.progress == (20, 40, 60, 80, 100)
    run = TrainingRun(c, setting.prepared, device="cpu")
    assert sum(found.steps) == run.total_steps


def test_a_forecast_adds_up(setting):
    """The wall time is the sum of its phases, in the middle of its range; hours are those of the trials."""
    f = forecast_of(setting, notes=["a note"])
    assert f.trials == 12
    assert f.at_once == 2
    assert (f.phases.opening, f.phases.encoder, f.phases.closing) == (5.0 + 8.0, 40.0, 9.5)
    assert math.isclose(f.phases.total, f.wall_s.expected)
    assert f.wall_s.low <= f.wall_s.expected / (1 + ERROR)
    assert f.wall_s.high >= f.wall_s.expected * (1 + ERROR)
    assert 0 < f.kept_steps.low <= f.kept_steps.expected <= f.kept_steps.high < 1
    assert f.gpu_hours == 0
    assert f.memory_there == 4e9
    assert f.trial_s[0] <= f.trial_s[1] <= f.trial_s[2]
    assert "a note" in f.notes


@pytest.mark.parametrize(("cpus", "expected"), [(2.0, 15.0), (3.0, 10.0), (1.0, 30.0)])
def test_the_driver_shares_the_cores_with_the_trials(setting, cpus, expected):
    """By hand: two trials of 10 s at once, and 5 s of the driver for each: 30 s of work on all cores."""
    run = simulate([reporting(10.0), reporting(10.0)], at_once=2)
    place = replace(setting, nodes=[{"CPU": cpus}])
    assert math.isclose(_wall_s(place, replace(DRIVER, files_s=5.0), run), expected)


@pytest.mark.parametrize(("baseline_s", "expected"), [(0.0, 10.0), (8.0, 10.0), (14.0, 13.0), (40.0, 32.0)])
def test_the_bag_of_words_shares_the_cores_too(setting, baseline_s, expected):
    """By hand: 8 of its seconds pass while workers start; the rest competes with 20 s of trials."""
    run = simulate([reporting(10.0), reporting(10.0)], at_once=2)
    driver = replace(DRIVER, files_s=0.0, baseline_s=baseline_s)
    assert math.isclose(_wall_s(setting, driver, run), expected)


@pytest.mark.parametrize(("top", "leaders"), [(2, 2), (20, 12)])
def test_confirmations_take_time_too(setting, top, leaders):
    """Two leaders with two further seeds each are four trials more; 20 asked for are all twelve."""
    before = forecast_of(setting)
    confirm = replace(setting.spec.confirm, top=top, seeds=3)
    after = forecast_of(replace(setting, spec=replace(setting.spec, confirm=confirm)))
    mean_s = sum(timeline(setting, COSTS, c).total_s for c in setting.configurations) / 12
    assert math.isclose(after.phases.confirming, leaders * mean_s)
    assert math.isclose(after.trial_hours - before.trial_hours, 2 * leaders * mean_s / 3600)


def test_without_early_stopping_nothing_is_saved(setting):
    """There is no share of steps to speak of, and the lines leave it out."""
    none = replace(setting.spec, scheduler=replace(setting.spec.scheduler, algorithm="none"))
    f = forecast_of(replace(setting, spec=none))
    assert f.kept_steps is None
    assert f.saved_s == 0
    assert "early stopping" not in lines(f)


def test_the_lines_tell_every_figure(setting):
    """Time with its range and parts, trials, early stopping, hours, memory and disk, each on a line."""
    f = replace(
        forecast_of(setting, notes=["a note"], source="a probe of 33 s"),
        wall_s=Span(400.0, 500.0, 640.0),
        phases=Phases(20.0, 300.0, 160.0, 0.0, 20.0),
        kept_steps=Span(0.41, 0.5, 0.62),
        steps=12000,
        disk=DiskNeed(frozen_output=2e9, records=3e6, weights=0, checkpoints=0),
        disk_free=5e10,
        per_trial={"cpu": 4.0, "gpu": 0.25},
        trial_hours=8.0,
        memory_bytes=1.25e9,
    )
    text = lines(f)
    assert "about 8 min (7 min to 11 min): 20 s to start, 5 min for the frozen encoder" in text
    assert "confirmations" not in text
    assert "12, 2 at once, 0.25 GPU each" in text
    assert "about 50 % (41 to 62 %) of 12,000 steps" in text
    assert "2 GPU-hours, 32 CPU-hours" in text
    assert "1.2 GB for the largest trial" in text
    assert "2.0 GB at most (frozen encoder 2.0 GB, trials' files 3.0 MB), 50.0 GB free" in text
    assert "probe of 33 s" in text
    assert "\n  note            a note" in text
    narrow = lines(f, 80).splitlines()
    assert max(map(len, narrow)) <= 80
    assert " ".join(" ".join(narrow).split()) == " ".join(text.split())


def test_budgets_that_end_a_search_first_are_told(setting):
    """Told of is the budget that is below what the search may take, and no other."""
    f = replace(forecast_of(setting), wall_s=Span(400.0, 500.0, 600.0))
    assert "--time-budget 9 min" in over_budget(f, 540.0, None)[0]
    assert over_budget(f, 601.0, None) == []
    with pytest.raises(InputError, match="--gpu-hours: trials of this search run without a GPU"):
        over_budget(f, None, 0.1)
    shared = replace(f, per_trial={"cpu": 1.0, "gpu": 0.5}, trial_hours=3.0)
    assert "--gpu-hours 1" in over_budget(shared, None, 1.0)[0]
    assert over_budget(shared, 601.0, 1.6) == []
