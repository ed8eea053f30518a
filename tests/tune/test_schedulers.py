"""Schedulers on progress, beside Ray's own, and their memory after a crash."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from tune.engine.schedulers import OBJECTIVE, PROGRESS, bracket_shares, build_scheduler, goes_on, judged_at
from tune.engine.ties import Ties
from tune.records import Outcome, SearchFolder
from tune.space import suggestions
from tune.spec import SchedulerSpec, load_spec, rungs

CONFIG = {"metric": "macro_f1", "thresholds": "exact"}


@pytest.fixture
def search(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    return SearchFolder.create("s", {})


def spec(**scheduler):
    return replace(load_spec("quickstart"), scheduler=SchedulerSpec(**scheduler))


def decide(scheduler, trial_id, progress, objective):
    """Report of a trial that Ray knows by an id of its own."""
    trial = SimpleNamespace(trial_id=f"of-ray-{trial_id}", config={"folder": f"trials/{trial_id}"})
    scheduler.on_trial_add(None, trial)
    return scheduler.on_trial_result(None, trial, {PROGRESS: progress, OBJECTIVE: objective})


def record(search, trial_id, objectives, reason):
    folder = search.trial(trial_id)
    folder.write_config(CONFIG, {})
    for i, objective in enumerate(objectives):
        row = {"progress": 20 * (i + 1), "time": float(i), "seconds": 1.0, "val/macro_f1": objective}
        folder.write_report(row, None)
    if reason is not None:
        folder.write_outcome(Outcome(reason))


def test_none_stops_nobody():
    """`scheduler: none` is first in, first out."""
    assert isinstance(build_scheduler(spec(algorithm="none")), FIFOScheduler)


def test_losers_are_stopped_at_a_rung_and_winners_are_not():
    """At 20 % of its own training a trial below the best third of those before it is stopped."""
    scheduler = build_scheduler(spec(algorithm="asha"))
    for trial_id, objective in [("t001", 0.3), ("t002", 0.5), ("t003", 0.4)]:
        decide(scheduler, trial_id, 20, objective)
    assert decide(scheduler, "t004", 20, 0.1) == TrialScheduler.STOP
    assert decide(scheduler, "t005", 20, 0.9) == TrialScheduler.CONTINUE
    assert decide(scheduler, "t006", 19, 0.0) == TrialScheduler.CONTINUE


def test_rungs_are_filled_again_from_the_records(search):
    """A resumed search stops whom the undisturbed one would have stopped."""
    for trial_id, objectives, reason in [
        ("t001", [0.3, 0.31], "completed"),
        ("t002", [0.5, 0.51], "completed"),
        ("t003", [0.4], "stopped_early"),
    ]:
        record(search, trial_id, objectives, reason)
    scheduler = build_scheduler(spec(algorithm="asha"), search.snapshot().trials)
    assert decide(scheduler, "t004", 20, 0.35) == TrialScheduler.STOP
    fresh = build_scheduler(spec(algorithm="asha"))
    assert decide(fresh, "t004", 20, 0.35) == TrialScheduler.CONTINUE


def test_what_will_be_reported_again_fills_no_rung(search):
    """A trial that has not ended makes its reports again; nobody is cut by them twice."""
    record(search, "t002", [0.9], None)
    scheduler = build_scheduler(spec(algorithm="asha"), search.snapshot().trials)
    assert decide(scheduler, "t003", 20, 0.1) == TrialScheduler.CONTINUE


# --- Beside Ray's own classes ----------------------------------------------------------------------


class RaysTrial:
    """What Ray's median rule needs of a trial: a key of dictionaries."""

    def __init__(self, trial_id):
        self.trial_id = trial_id


def streams(trials, seed):
    """Reports of trials that run a few at a time, as (trial, progress, objective), in a random order."""
    rng = np.random.default_rng(seed)
    running, waiting = [], list(range(trials))
    quality = rng.normal(0, 0.1, trials)
    done = dict.fromkeys(range(trials), 0)
    while running or waiting:
        while waiting and len(running) < 4:
            running.append(waiting.pop(0))
        trial = running[int(rng.integers(len(running)))]
        done[trial] += 20
        yield trial, done[trial], float(quality[trial] + done[trial] / 200 + rng.normal(0, 0.05)), running
        if done[trial] == 100 and trial in running:
            running.remove(trial)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("grace", [20, 40])
def test_the_median_rule_decides_as_rays_does(grace, seed):
    """On streams without a lost worker, Ray's rule with pauses turned off stops the same trials."""
    ours = build_scheduler(spec(algorithm="median", grace=grace))
    rays = MedianStoppingRule(
        time_attr=PROGRESS, metric=OBJECTIVE, mode="max", grace_period=grace, min_time_slice=math.inf
    )
    known, stopped = {}, 0
    for number, progress, objective, running in streams(30, seed):
        trial = known.setdefault(number, RaysTrial(f"t{number:03d}"))
        result = {PROGRESS: progress, OBJECTIVE: objective}
        decisions = {scheduler.on_trial_result(None, trial, result) for scheduler in (ours, rays)}
        assert len(decisions) == 1
        if decisions == {TrialScheduler.STOP}:
            running.remove(number)
            stopped += 1
    assert 3 < stopped < 27


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("factor", [2, 2.5, 3, 4])
def test_the_best_of_a_rung_go_on_and_nobody_whom_ray_would_stop(factor, seed):
    """Ours counts those who have come; it keeps no trial that Ray's would not, and stops more of them."""
    ours = build_scheduler(spec(algorithm="asha", reduction_factor=factor))
    rays = ASHAScheduler(PROGRESS, OBJECTIVE, "max", max_t=100, grace_period=20, reduction_factor=factor)
    places = rungs(20, factor)
    come = {place: [] for place in places}
    known, stopped, kept_by_ray = {}, 0, 0
    for number, progress, objective, running in streams(40, seed):
        trial = known.get(number)
        if trial is None:
            trial = known[number] = RaysTrial(f"t{number:03d}")
            ours.on_trial_add(None, trial)
            rays.on_trial_add(None, trial)
        result = {PROGRESS: progress, OBJECTIVE: objective}
        goes_on, ray_goes_on = (
            scheduler.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE
            for scheduler in (ours, rays)
        )
        if progress == 100:
            continue
        at = max((place for place in places if place <= progress), default=None)
        if at is None or any(number == other for other, _ in come[at]):
            assert goes_on
            continue
        come[at].append((number, objective))
        ahead = sum(other > objective for _, other in come[at])
        assert goes_on == (ahead < max(1, len(come[at]) // factor))
        assert ray_goes_on or not goes_on
        kept_by_ray += ray_goes_on and not goes_on
        if not goes_on:
            running.remove(number)
            stopped += 1
    assert stopped > 10
    assert kept_by_ray > 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("factor", [1.5, 2, 3, 4])
def test_the_paper_says_who_goes_on(factor, seed):
    """Algorithm 2 of Li et al. 2020: `top_k` of all that have come, k the share rounded down, at least 1."""
    rng = np.random.default_rng(seed)
    come: dict[str, float] = {}
    for number in range(30):
        objective = float(rng.integers(0, 12))  # with ties
        decided = goes_on(objective, come, factor)
        come[f"t{number}"] = objective
        top = sorted(come.values(), reverse=True)[: max(1, int(len(come) / factor))]
        assert decided == (objective >= top[-1])


def test_a_report_is_judged_once_and_at_the_highest_rung():
    """Between two rungs nothing is decided; one that has come past two is judged at the upper one."""
    recorded = {10.0: {"t1": 0.5}, 30.0: {"t1": 0.6}, 90.0: {}}
    assert judged_at(recorded, "t1", 80) is None
    assert judged_at(recorded, "t1", 90) == 90
    assert judged_at(recorded, "t2", 9) is None
    assert judged_at(recorded, "t2", 50) == 30


def test_brackets_of_asha_get_the_shares_of_ray():
    """A softmax over their numbers of rungs."""
    sizes = np.array([2, 1, 0])
    expected = np.exp(sizes) / np.exp(sizes).sum()
    np.testing.assert_allclose(bracket_shares(spec(algorithm="asha", brackets=3)), expected)


def test_brackets_of_hyperband_cost_about_the_same():
    """Shares are those of Hyperband's algorithm 1: with rungs at 20 and 60, nine, five and three trials."""
    shares = bracket_shares(spec(algorithm="hyperband", grace=20, reduction_factor=3))
    np.testing.assert_allclose(shares, np.array([9, 4.5, 3]) / 16.5)
    assert bracket_shares(spec(algorithm="hyperband", grace=100)) == [1.0]


@pytest.mark.parametrize(("grace", "factor"), [(20, 3), (10, 2), (25, 2), (4, 1.5), (1, 4), (100, 3)])
def test_each_bracket_begins_at_its_rung(grace, factor):
    """Bracket s has the rungs from the s-th on; the last has none below 100, and stops nobody."""
    scheduler = build_scheduler(spec(algorithm="hyperband", grace=grace, reduction_factor=factor))
    below = rungs(grace, factor)
    found = [list(bracket) for bracket in scheduler.brackets]
    assert found == [pytest.approx(list(below[s:])) for s in range(len(below) + 1)]


def test_the_bracket_of_a_trial_depends_on_its_number_alone(search):
    """Two processes, in different orders, put each trial into the same bracket, in the asked-for shares."""

    def bracket_of(scheduler, number):
        trial = SimpleNamespace(trial_id=f"r{number}", config={"folder": f"x/t{number:04d}"})
        scheduler.on_trial_add(None, trial)
        return scheduler.bracket_of[f"r{number}"]

    asked = spec(algorithm="hyperband")
    first, again = build_scheduler(asked), build_scheduler(asked)
    np.random.seed(1)  # noqa: NPY002 - Ray's own class would draw from this one
    one = {number: bracket_of(first, number) for number in range(1, 2001)}
    np.random.seed(2)  # noqa: NPY002
    other = {number: bracket_of(again, number) for number in range(2000, 0, -1)}
    assert one == other
    counts = Counter(one.values())
    np.testing.assert_allclose([counts[i] / 2000 for i in range(3)], bracket_shares(asked), atol=0.04)
    assert {n: bracket_of(build_scheduler(replace(asked, seed=7)), n) for n in range(1, 50)} != {
        n: one[n] for n in range(1, 50)
    }


def test_brackets_have_nothing_to_do_with_what_is_drawn():
    """A random search whose first draw came from the same stream would give a bracket to each value."""
    asked = replace(
        load_spec(
            "quickstart",
            overrides=[
                "search={algorithm: random, trials: 400}",
                "space={learning_rate: {uniform: [0.0001, 1]}}",
            ],
        ),
        scheduler=SchedulerSpec(algorithm="asha", brackets=2),
    )
    scheduler, pairs = build_scheduler(asked), []
    for trial_id, varied in iter(suggestions(asked).ask, None):
        trial = SimpleNamespace(trial_id=trial_id)
        scheduler.on_trial_add(None, trial)
        pairs.append((varied["learning_rate"], scheduler.bracket_of[trial_id] == 0))
    assert abs(np.corrcoef(np.array(pairs, dtype=float).T)[0, 1]) < 0.15


# --- After a crash ---------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["asha", "median", "hyperband"])
@pytest.mark.parametrize("rebuilt_after", [7, 23, 40])
def test_a_rebuilt_scheduler_decides_as_one_that_saw_all(search, algorithm, rebuilt_after):
    """Trials one after the other; after some of them, a scheduler is built from the records alone."""
    asked = replace(spec(algorithm=algorithm), seed=3)
    rng = np.random.default_rng(5)
    quality = rng.normal(0.4, 0.1, 60)
    saw_all, moment, decided, rebuilt = build_scheduler(asked), 0, {}, None
    for number in range(1, 61):
        if number == rebuilt_after:
            rebuilt = build_scheduler(asked, search.snapshot().trials)
        trial_id, reason = f"t{number:03d}", "completed"
        folder = search.trial(trial_id)
        folder.write_config(CONFIG, {})
        for progress in (20, 40, 60, 80, 100):
            objective = float(quality[number - 1] + progress / 1000 + rng.normal(0, 0.02))
            row = {"progress": progress, "time": float(moment), "seconds": 1.0, "val/macro_f1": objective}
            folder.write_report(row, None)
            moment += 1
            schedulers = [s for s in (saw_all, rebuilt) if s is not None]
            decisions = {decide(scheduler, trial_id, progress, objective) for scheduler in schedulers}
            assert len(decisions) == 1
            decided[number] = decisions.pop()
            if decided[number] == TrialScheduler.STOP:
                reason = "completed" if progress == 100 else "stopped_early"
                break
        folder.write_outcome(Outcome(reason))
    assert any(r.outcome.stop_reason == "stopped_early" for r in search.snapshot().trials)
    assert any(r.outcome.stop_reason == "completed" for r in search.snapshot().trials)


def test_a_trial_that_goes_on_from_a_checkpoint_is_known_by_its_earlier_reports(search):
    """It reports at 60 % again; what it had at 20 % fills the rung at 20, for those that follow."""
    record(search, "t001", [0.5, 0.6, 0.7], "failed")
    record(search, "t002", [0.9, 0.9], None)
    resumed = build_scheduler(spec(algorithm="asha"), search.snapshot().trials)
    assert decide(resumed, "t002", 60, 0.95) == TrialScheduler.CONTINUE
    filled = {rung: sorted(known.values()) for rung, known in resumed.brackets[0].items()}
    assert filled == {20: [0.5, 0.9], 60: [0.7, 0.95]}
    median = build_scheduler(spec(algorithm="median"), search.snapshot().trials)
    decide(median, "t002", 60, 0.95)
    assert median._reports["of-ray-t002"] == {20: 0.9, 40: 0.9, 60: 0.95}


def test_a_trial_that_goes_on_to_its_end_is_known_too(search):
    """Where the first report after a crash is the last of all, Ray tells the end and no result."""
    record(search, "t001", [0.5, 0.6, 0.7, 0.8], None)
    resumed = build_scheduler(spec(algorithm="asha"), search.snapshot().trials)
    trial = SimpleNamespace(trial_id="of-ray", config={"folder": "trials/t001"})
    resumed.on_trial_add(None, trial)
    resumed.on_trial_complete(None, trial, {PROGRESS: 100, OBJECTIVE: 0.9, "done": True})
    filled = {rung: sorted(known.values()) for rung, known in resumed.brackets[0].items()}
    assert filled == {20: [0.5], 60: [0.7]}


def test_a_trial_that_should_have_been_stopped_before_the_crash_is_stopped_after_it(search):
    """The driver died between a report and its decision: the trial goes on from there, and ends at once."""
    for number, first in enumerate((0.5, 0.6, 0.7), start=1):
        record(search, f"t{number:03d}", [first, first, first], "failed")
    record(search, "t004", [0.1], None)
    resumed = build_scheduler(spec(algorithm="asha"), search.snapshot().trials)
    assert decide(resumed, "t004", 40, 0.65) == TrialScheduler.STOP


@pytest.mark.parametrize("algorithm", ["asha", "median", "hyperband"])
def test_a_trial_without_a_score_passes_no_rung_and_fills_none(algorithm):
    """One that diverged tells its end without an objective: nobody is compared with it."""
    scheduler = build_scheduler(spec(algorithm=algorithm))
    for number in range(1, 6):
        trial = SimpleNamespace(trial_id=f"t{number:03d}")
        scheduler.on_trial_add(None, trial)
        scheduler.on_trial_complete(None, trial, {PROGRESS: 100, "done": True})
    assert decide(scheduler, "t006", 20, -1.0) == TrialScheduler.CONTINUE


def test_a_score_that_is_no_number_is_never_reported(search):
    """NaN would pass a rung of Ray's, for it is below no cut-off. The record refuses it beforehand."""
    rays = ASHAScheduler(PROGRESS, OBJECTIVE, "max", max_t=100, grace_period=20, reduction_factor=3)
    assert decide(rays, "t001", 20, 0.5) == TrialScheduler.CONTINUE
    assert decide(rays, "t002", 20, math.nan) == TrialScheduler.CONTINUE
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        record(search, "t001", [math.nan], None)


def test_a_worker_that_was_lost_makes_its_reports_again():
    """The same reports twice weigh once: neither rule is moved by them."""
    for algorithm in ("asha", "median"):
        once, twice = build_scheduler(spec(algorithm=algorithm)), build_scheduler(spec(algorithm=algorithm))
        for scheduler, times in ((once, 1), (twice, 2)):
            for number in range(1, 6):
                trial = SimpleNamespace(trial_id=f"t{number:03d}")
                scheduler.on_trial_add(None, trial)
                for _ in range(times):
                    for progress in (20, 40):
                        objective = number / 10 + progress / 1000
                        result = {PROGRESS: progress, OBJECTIVE: objective}
                        scheduler.on_trial_result(None, trial, result)
        for objective in (0.05, 0.25, 0.31, 0.33, 0.45, 0.6):
            assert decide(once, "t006", 40, objective) == decide(twice, "t006", 40, objective)


def tied(*pairs):
    """Know of pairs that are tied, a trial and the best of its rung, and of who was asked for."""
    asked = []

    def is_tied(trial_id, best_id, rung):
        asked.append((trial_id, best_id, rung))
        return (trial_id, best_id) in pairs

    return is_tied, asked


def test_who_is_tied_with_the_best_of_a_late_rung_goes_on():
    """At 60 % the share alone would end it; at 20 % nobody is asked, and what is far behind is ended."""
    is_tied, asked = tied(("t002", "t001"))
    scheduler = build_scheduler(spec(algorithm="asha"), is_tied=is_tied)
    for trial_id in ("t001", "t002", "t003"):
        assert decide(scheduler, trial_id, 20, 0.3) == TrialScheduler.CONTINUE
    assert decide(scheduler, "t004", 20, 0.2) == TrialScheduler.STOP
    assert asked == []
    assert decide(scheduler, "t001", 60, 0.456) == TrialScheduler.CONTINUE
    assert decide(scheduler, "t002", 60, 0.450) == TrialScheduler.CONTINUE
    assert decide(scheduler, "t003", 60, 0.30) == TrialScheduler.STOP
    assert asked == [("t002", "t001", 60), ("t003", "t001", 60)]


def test_ties_end_where_that_is_asked_for():
    """The paper's rule alone."""
    is_tied, asked = tied(("t002", "t001"))
    scheduler = build_scheduler(spec(algorithm="asha", keep_ties=False), is_tied=is_tied)
    decide(scheduler, "t001", 60, 0.456)
    assert decide(scheduler, "t002", 60, 0.450) == TrialScheduler.STOP
    assert asked == []


@pytest.fixture
def judged(search):
    """Three trials at 60 % of 400 rows: two that differ in a few, and one that is far behind."""
    targets = np.random.default_rng(0).random((400, 3)) < 0.3
    search.write_validation(targets, ("a", "b", "c"))
    search.write_spec({"objective": {"metric": "macro_f1"}})
    for trial_id, wrong in [("t001", slice(0, 40)), ("t002", slice(2, 44)), ("t003", slice(0, 300))]:
        predictions = targets.copy()
        predictions[wrong] ^= True
        search.trial(trial_id).write_config(CONFIG, {})
        search.trial(trial_id).write_predictions(60, predictions)
    return search


def test_a_tie_is_an_interval_of_the_paired_difference_that_holds_zero(judged, caplog):
    """What goes on for that is in the log; a trial that has kept nothing is not tied."""
    caplog.set_level("INFO", "tune.engine.ties")
    is_tied = pickle.loads(pickle.dumps(Ties(judged)))  # as Ray does with schedulers
    assert is_tied("t002", "t001", 60)
    assert caplog.messages == ["t002 goes on at 60 %: it is statistically tied with t001"]
    assert not is_tied("t003", "t001", 60)
    assert is_tied("t002", "t001", 58.8)
    assert not is_tied("t002", "t001", 61)
    assert not is_tied("t009", "t001", 60)


@pytest.mark.parametrize("content", [b"", b"no array", "short"])
def test_damaged_predictions_tie_with_nobody(judged, caplog, content):
    """The search goes on by the paper's rule, and the log names the file."""
    path = judged.trial("t002").path / "predictions-060.npy"
    if content == "short":
        np.save(path, np.zeros(3, dtype=np.uint8))
    else:
        path.write_bytes(content)
    assert not Ties(judged)("t002", "t001", 60)
    assert "predictions-060.npy is damaged" in caplog.text
