"""Early stops, from records made by hand; the scheduler itself says what the bar was."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from tune.engine.schedulers import build_scheduler
from tune.ranking import leaderboard
from tune.ranking.early_stops import early_stops
from tune.records import Outcome, SearchFolder
from tune.spec import SchedulerSpec, bar, load_spec

ASHA = {"algorithm": "asha", "grace": 20, "reduction_factor": 3}
CONFIG = {"metric": "macro_f1", "thresholds": "exact", "checkpoint": "c", "batch_size": 8, "epochs": 2}
REPORTS = (20, 40, 60, 80, 100)
RANKED_BY = ("val/macro_f1", "val/weighted_f1", "val/micro_f1", "val/macro_f1_at_0.5")


@pytest.fixture
def search(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    made = SearchFolder.create("s", {"objective": {"metric": "macro_f1"}, "scheduler": ASHA})
    made.write_validation(np.random.default_rng(0).random((60, 3)) < 0.4, ("joy", "anger", "neutral"))
    made.add_facts(data={"splits": {"train": {"examples": 100}}})
    return made


def add(search, trial_id, values, reason, *, start=0.0, message=""):
    """Add a trial with an objective for each of its reports, the first at 20 %, one a second."""
    folder = search.trial(trial_id)
    folder.write_config(CONFIG, {"batch_size": 8})
    targets, _ = search.validation()
    for i, value in enumerate(values):
        metrics = dict.fromkeys(RANKED_BY, value)
        row = {"progress": REPORTS[i], "time": start + i, "seconds": 10.0 * (i + 1), **metrics}
        folder.write_report(row, targets * 0.5 + 0.25)
    folder.write_outcome(Outcome(reason, message))


def found(search, scheduler=ASHA):
    return early_stops(leaderboard.build(search.snapshot()), search.snapshot().trials, scheduler)


def test_the_bar_is_the_one_that_the_scheduler_has_seen(search):
    """Random reports through ASHA, in random order: where it stops a trial, the bar is its own."""
    rng = np.random.default_rng(3)
    asha = build_scheduler(replace(load_spec("quickstart"), scheduler=SchedulerSpec(**ASHA)))
    curves = {f"t{i:03d}": np.sort(rng.random(5)) * 0.6 for i in range(1, 25)}
    reported = dict.fromkeys(curves, 0)
    bars, running, time = {}, list(curves), 0.0
    for trial_id in curves:
        asha.on_trial_add(None, SimpleNamespace(trial_id=trial_id))
    while running:
        time += 1.0
        trial_id = running[int(rng.integers(len(running)))]
        place = reported[trial_id]
        reported[trial_id] += 1
        value = float(curves[trial_id][place])
        folder = search.trial(trial_id)
        if place == 0:
            folder.write_config(CONFIG, {"batch_size": 8})
        metrics = dict.fromkeys(RANKED_BY, value)
        folder.write_report(
            {"progress": REPORTS[place], "time": time, "seconds": 1.0, **metrics},
            search.validation()[0] * 0.9,
        )
        rungs = asha.brackets[0]
        before = {rung: bar(recorded.values(), ASHA["reduction_factor"]) for rung, recorded in rungs.items()}
        known = {rung for rung, recorded in rungs.items() if trial_id in recorded}
        result = {"progress": REPORTS[place], "objective": value}
        action = asha.on_trial_result(None, SimpleNamespace(trial_id=trial_id), result)
        if REPORTS[place] == 100:
            folder.write_outcome(Outcome("completed"))
            running.remove(trial_id)
        elif action == "STOP":
            new = [rung for rung in before if rung <= REPORTS[place] and rung not in known]
            bars[trial_id] = float(before[max(new)])
            folder.write_outcome(Outcome("stopped_early"))
            running.remove(trial_id)
    stops = {stop.trial_id: stop for stop in found(search).stops}
    assert len(bars) > 5
    assert {trial_id: stop.bar for trial_id, stop in stops.items()} == pytest.approx(bars)
    assert all(stop.objective < stop.bar for stop in stops.values())


def test_other_schedulers_have_no_bar_and_a_place_all_the_same(search):
    """With several brackets or another scheduler the records do not tell the bar; who was ahead, they do."""
    add(search, "t001", [0.3, 0.4, 0.5, 0.5, 0.5], "completed")
    add(search, "t002", [0.2], "stopped_early", start=10.0)
    add(search, "t003", [0.9], "stopped_early", start=20.0)  # it came later
    for scheduler in ({**ASHA, "brackets": 2}, {"algorithm": "median"}):
        stop = {stop.trial_id: stop for stop in found(search, scheduler).stops}["t002"]
        assert stop.bar is None
        assert (stop.place, stop.of) == (2, 2)


def test_what_was_cut_is_counted_in_steps_and_seconds(search):
    """100 examples in batches of 8 for 2 epochs are 26 steps; a fifth of them, in 10 s, leaves 40 s."""
    add(search, "t001", [0.3, 0.4, 0.5, 0.5, 0.5], "completed")
    add(search, "t002", [0.2], "stopped_early", start=10.0)
    (stop,) = found(search).stops
    assert stop.steps_saved == 26 - 5
    assert stop.seconds_saved == pytest.approx(40.0)
    told = leaderboard.summary(leaderboard.build(search.snapshot()))
    assert "Early stopping ended one trial early and saved about 40 s of" in told
    assert "Of the training steps, 40 % were not needed: 21 of 52." in told


def test_a_trial_that_a_budget_cut_was_not_beaten(search):
    """It has no bar, saved nothing, and is not among what early stopping risked."""
    add(search, "t001", [0.3, 0.4, 0.5, 0.5, 0.5], "completed")
    add(search, "t002", [0.2], "stopped_early", start=10.0, message="the time budget of 2 h is used up")
    assert found(search).stops == ()
    assert found(search).risk() == ""
    board = leaderboard.build(search.snapshot())
    assert board.row("t002").message == "the time budget of 2 h is used up"
    assert "1 trial was stopped early." in leaderboard.summary(board)


def test_the_best_trial_is_not_held_against_itself(search):
    """It peaked before it was stopped: it keeps its row, and is not what may have been lost."""
    for number in range(1, 5):
        add(search, f"t{number:03d}", [0.1 * number, 0.4, 0.4, 0.4, 0.4], "completed", start=0.1 * number)
    add(search, "t005", [0.47, 0.44], "stopped_early", start=10.0)
    stops = found(search)
    (stop,) = stops.stops
    assert (stops.best, stop.trial_id, stop.best_there, stop.overlaps) == ("t005", "t005", None, None)
    assert stops.risk() == ""
    add(search, "t006", [0.05], "stopped_early", start=11.0)
    assert "the nearest, t006, had 0.0500" in found(search).risk()
    assert "(t005)" not in found(search).risk()


def test_what_a_trial_would_have_ended_with_lies_on_the_line_of_those_that_completed(search):
    """Completed trials end at 0.2 + what they had at 20 %: so would the others, and there is no doubt."""
    for i, first in enumerate((0.1, 0.15, 0.2, 0.3)):
        add(search, f"t{i + 1:03d}", [first, 0.2 + first, 0.1, 0.1, 0.1], "completed", start=0.1 * i)
    add(search, "t005", [0.25], "stopped_early", start=10.0)
    add(search, "t006", [0.05], "stopped_early", start=11.0)
    stops = found(search)
    by_id = {stop.trial_id: stop for stop in stops.stops}
    for trial_id, expected in (("t005", 0.45), ("t006", 0.25)):
        stop = by_id[trial_id]
        assert (stop.expected_low, stop.expected, stop.expected_high) == pytest.approx((expected,) * 3)
    assert by_id["t005"].best_there == 0.3
    risk = stops.risk()
    assert "none of them would have ended above t004, which has 0.5000" in risk
    assert "the furthest, t005, at about 0.4500" in risk
    assert "can be ruled out for all of them" in risk


def test_the_interval_of_a_line_is_that_of_statistics(search):
    """Expectation and prediction interval are those of scipy's regression, and the risk counts by them."""
    rng = np.random.default_rng(5)
    starts = 0.2 + 0.2 * rng.random(6)
    ends = 0.2 + 0.8 * starts + 0.02 * rng.normal(size=6)
    for i, (first, last) in enumerate(zip(starts, ends, strict=True)):
        add(search, f"t{i + 1:03d}", [first, first, first, first, last], "completed", start=0.1 * i)
    add(search, "t007", [0.39], "stopped_early", start=10.0)
    add(search, "t008", [0.01], "stopped_early", start=11.0)
    stops = found(search)
    by_id = {stop.trial_id: stop for stop in stops.stops}
    line = stats.linregress(starts, np.maximum(starts, ends))
    residual = np.maximum(starts, ends) - line.intercept - line.slope * starts
    for trial_id, at in (("t007", 0.39), ("t008", 0.01)):
        stop = by_id[trial_id]
        spread = 1 + 1 / 6 + (at - starts.mean()) ** 2 / ((starts - starts.mean()) ** 2).sum()
        half = stats.t.ppf(0.975, 4) * np.sqrt((residual**2).sum() / 4 * spread)
        assert stop.expected == pytest.approx(line.intercept + line.slope * at)
        assert stop.expected_high - stop.expected == pytest.approx(half)
        assert stop.expected - stop.expected_low == pytest.approx(half)
    assert by_id["t007"].expected_high > stops.best_objective > by_id["t008"].expected_high
    assert "can be ruled out for 1 of the 2" in stops.risk()


def test_of_few_completed_trials_nothing_is_expected(search):
    """There is no line to go by, and the sentence says so."""
    for number in range(1, 4):
        add(search, f"t{number:03d}", [0.3, 0.4, 0.5, 0.5, 0.5], "completed")
    add(search, "t004", [0.2], "stopped_early", start=10.0)
    stops = found(search)
    assert [stop.expected for stop in stops.stops] == [None]
    assert "fewer than 4 trials completed" in stops.risk()
