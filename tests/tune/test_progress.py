"""What the terminal shows while a search runs."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from tune.progress import SearchState, TrialState, View, duration, progress_bars
from tune.records import Outcome


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (89 * 60, "89 min"), (3 * 3600 + 20 * 60, "3 h 20 min")],
)
def test_durations_are_said_as_people_do(seconds, words):
    """Seconds, minutes, or hours and minutes."""
    assert duration(seconds) == words


def test_time_left_follows_the_pace_so_far():
    """Two of four trials in ten seconds leave ten seconds; nothing is said before there is a pace."""
    state = SearchState("s", total=4, objective="macro_f1")
    assert state.seconds_left() is None
    state.training_since = time.monotonic() - 10
    state.trained = 200
    state.ended = {"t001": "completed", "t002": "completed"}
    assert state.seconds_left() == pytest.approx(10, abs=0.5)


def test_early_stops_shorten_the_time_left():
    """Trials to come are expected to train as much as those that have ended, not to their end."""
    state = SearchState("s", total=8, objective="macro_f1")
    state.training_since = time.monotonic() - 10
    state.trained = 160
    state.ended = dict.fromkeys(["t001", "t002", "t003", "t004"], "stopped_early")
    assert state.seconds_left() == pytest.approx(10, abs=0.5)


def shown(width=100, *, is_terminal):
    sink = io.StringIO()
    console = Console(file=sink, width=width, force_terminal=is_terminal, highlight=False)
    state = SearchState("mine", total=3, objective="macro_f1")
    state.running = {"t002": TrialState("bs16 lr2e-05", 40, 0.25)}
    state.ended = {"t001": "stopped_early"}
    state.best = ("t002", "bs16 lr2e-05", 0.25)
    return View(state, console), sink


def test_a_pipe_gets_one_plain_line_an_event():
    """No escape codes, no wrapped lines: what happened, and how far the search is."""
    view, sink = shown(is_terminal=False)
    with view:
        view.trial_ended("t001", TrialState("bs32 lr2e-05", 20, 0.1), Outcome("stopped_early"))
        view.trial_ended("t003", TrialState("bs64 lr2e-05", 0, None), Outcome("failed", "a bug"))
    lines = sink.getvalue().splitlines()
    assert lines[0] == "[1/3] t001  bs32 lr2e-05  macro_f1 0.1000  stopped early at 20 %"
    assert lines[1] == "[1/3] t003  bs64 lr2e-05  FAILED: a bug"
    assert "\x1b" not in sink.getvalue()


@pytest.mark.parametrize("width", [80, 160])
def test_the_live_view_fits_its_terminal(width):
    """Counts, the best so far, running trials and the store's trouble, none wider than the terminal."""
    view, _ = shown(width, is_terminal=True)
    view.state.trouble = "the server does not answer"
    view.events.append("t001  " + "a long message " * 20)
    sink = io.StringIO()
    Console(file=sink, width=width).print(view.render())
    text = sink.getvalue()
    assert "1 of 3 trials ended, 1 stopped early" in text
    assert "best so far: t002  bs16 lr2e-05  macro_f1 0.2500" in text
    assert "40 %" in text
    assert "the server does not answer" in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_long_preparation_speaks_in_a_pipe():
    """Every tenth of a stage is a line, and no more."""
    sink = io.StringIO()
    with progress_bars(Console(file=sink, width=100)) as show:
        for done in range(101):
            show("features", done, 100)
    assert len(sink.getvalue().splitlines()) == 11
