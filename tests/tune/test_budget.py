"""What a command may spend, and how people write and read it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goemo.errors import InputError
from tune.cli import main
from tune.durations import read_duration
from tune.stopping import budget as budgets
from tune.stopping.budget import Budget, BudgetUse


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1.5H", 5400), ("1h 5s", 3605)],
)
def test_durations_are_read_as_they_are_written(text, seconds):
    """Hours, minutes and seconds, in this order, any of them left out."""
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "h", "30m1h", "-5m", "0s", "2 days", "1e3s", "nan"])
def test_what_is_no_duration_is_refused(text):
    """A number without a unit could be anything; the message shows what is right."""
    with pytest.raises(ValueError, match="1h30m"):
        read_duration(text)


@given(st.integers(0, 99), st.integers(0, 999), st.integers(1, 999))
def test_parts_of_a_duration_add_up(hours, minutes, seconds):
    """Whatever the parts are, they are the sum."""
    assert read_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize("limit", [{"time_s": 0.0}, {"gpu_hours": -1.0}, {"trials": 0}])
def test_limits_are_above_zero(limit):
    """A budget of nothing is a mistake."""
    with pytest.raises(InputError, match="must be above 0"):
        Budget(**limit)


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock, in the hands of the test."""
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(budgets.time, "monotonic", lambda: now.s)
    return now


def test_the_time_budget_counts_from_the_start_of_the_command(clock):
    """What was prepared before the first trial counts too."""
    spending = BudgetUse(Budget(time_s=60), started=90.0, gpus_per_trial=0.0)
    assert spending.look(running=0) is None
    clock.s = 149.9
    assert spending.look(running=2) is None
    assert spending.words() == "budget left: 0 s of 60 s"
    clock.s = 150.0
    assert spending.look(running=2) == "the time budget of 60 s is used up"


def test_gpu_hours_count_the_shares_of_running_trials_and_of_earlier_commands(clock):
    """Two trials with half a GPU each spend an hour of a GPU in an hour; the records hold what was before."""
    records = [SimpleNamespace(gpu_seconds=1800.0), SimpleNamespace(gpu_seconds=0.0)]
    spending = BudgetUse(Budget(gpu_hours=2), started=0.0, gpus_per_trial=0.5, records=records)
    clock.s += 3600
    assert spending.look(running=2) is None
    assert spending.words() == "budget left: 0.50 of 2 GPU-hours"
    clock.s += 3600
    assert spending.look(running=0) is None
    clock.s += 1800
    assert spending.look(running=2) == "the budget of 2 GPU-hours is used up"


def test_gpu_hours_need_gpus():
    """Without one nothing would ever be spent; the message names what to use instead."""
    with pytest.raises(InputError, match="--time-budget"):
        BudgetUse(Budget(gpu_hours=1), started=0.0, gpus_per_trial=0.0)


def test_a_number_of_trials_counts_down():
    """Nothing is left after as many as were asked for; without a limit there is no number."""
    spending = BudgetUse(Budget(trials=2), started=0.0, gpus_per_trial=0.0)
    assert spending.is_limited
    assert spending.trials_left == 2
    spending.begin_trial()
    spending.begin_trial()
    assert spending.trials_left == 0
    free = BudgetUse(Budget(), started=0.0, gpus_per_trial=0.0)
    assert free.trials_left is None
    assert not free.is_limited
    assert not free.words()
    assert free.look(running=9) is None


@pytest.mark.parametrize("option", ["--time-budget", "--trial-timeout"])
def test_the_command_refuses_a_duration_without_a_unit(capsys, option):
    """Exit code 2, with what is right, before anything is looked for."""
    with pytest.raises(SystemExit) as ended:
        main(["resume", "nothing", option, "90"])
    assert ended.value.code == 2
    assert "90s, 30m, 2h, 1h30m or 30d" in capsys.readouterr().err
