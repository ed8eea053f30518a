"""What the terminal shows while a search runs."""

from __future__ import annotations

import io
import logging
import re
import time

import pytest
from rich.console import Console

from tune.durations import duration
from tune.live.machine import Gpu, MachineLoad
from tune.live.progress import (
    Best,
    ProgressView,
    SearchState,
    TrialState,
    is_live,
    load_in_words,
    progress_bars,
)
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


def test_time_left_is_of_the_trials_that_this_process_trains():
    """Trials that an earlier process has ended say nothing about the pace: six at 100 s each remain."""
    state = SearchState("s", total=27, objective="macro_f1")
    state.ended = {f"t{n:03d}": "completed" for n in range(1, 21)}
    state.begin_stage(27)
    assert state.seconds_left() is None
    state.training_since -= 100
    state.ended["t021"] = "completed"
    state.trained = 100
    assert state.seconds_left() == pytest.approx(600, abs=5)


def test_trials_that_run_do_not_lengthen_those_to_come():
    """Eight have ended at 20 %, two run at 60 %, one of them taken up at 40 %: 28 to come train 20 % each."""
    state = SearchState("s", total=38, objective="macro_f1")
    state.training_since = time.monotonic() - 240
    state.ended = {f"t{n:03d}": "stopped_early" for n in range(1, 9)}
    state.running = {"t009": TrialState("", 60), "t010": TrialState("", 60, begun_at=40)}
    state.trained = 8 * 20 + 60 + 20
    assert state.seconds_left() == pytest.approx(28 * 20, abs=5)


def test_confirmations_have_a_pace_of_their_own():
    """They run to their end, whatever early stopping made of the trials before them."""
    state = SearchState("s", total=4, objective="macro_f1")
    state.training_since = time.monotonic() - 1000
    state.ended = dict.fromkeys(["t001", "t002", "t003", "t004"], "stopped_early")
    state.trained = 80
    state.begin_stage(4 + 2)
    assert state.seconds_left() is None
    state.training_since -= 50
    state.running = {"t001-s43": TrialState("", 50)}
    state.trained = 50
    assert state.seconds_left() == pytest.approx(150, abs=5)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


BEST = Best("t002", "bs16 lr2e-05", 0.25)


def some_state(running=1, **changes):
    state = SearchState("mine", total=100, objective="macro_f1", **changes)
    state.running = {f"t{n:03d}": TrialState(f"bs16 lr{n}e-05", 40, 0.25) for n in range(2, 2 + running)}
    state.ended = {"t001": "stopped_early"}
    state.best = BEST
    return state


def console(width=100, height=30, *, sink=None):
    return Console(
        file=sink or Terminal(),
        width=width,
        height=height,
        force_terminal=True,
        highlight=False,
        color_system=None,
    )


def drawn(view):
    """Return the lines of the live view, as its console shows them."""
    with view.console.capture() as captured:
        view.console.print(view.render())
    return re.sub(r"\x1b\[[0-9;]*m", "", captured.get()).splitlines()


def test_a_pipe_gets_one_plain_line_an_event():
    """No escape codes, no wrapped lines: when, how far the search is, and what happened."""
    sink = io.StringIO()
    state = SearchState("mine", total=3, objective="macro_f1", best=Best("t001", "bs32 lr2e-05", 0.1))
    state.ended = {"t001": "stopped_early"}
    with ProgressView(state, Console(file=sink, width=40, highlight=False)) as view:
        view.trial_ended("t001", TrialState("bs32 lr2e-05", 20, 0.1), Outcome("stopped_early"))
        view.trial_ended("t003", TrialState("bs64 lr2e-05", 0, None), Outcome("failed", "a bug"))
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in sink.getvalue().splitlines()]
    assert lines == [
        "[1/3] t001  bs32 lr2e-05  macro_f1 0.1000  stopped early at 20 %  best so far",
        "[1/3] t003  bs64 lr2e-05  FAILED: a bug",
    ]
    assert "\x1b" not in sink.getvalue()


def test_a_pipe_stays_a_pipe_where_colours_are_forced(monkeypatch):
    """Continuous integration sets FORCE_COLOR; a picture drawn again and again is none of its business."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not is_live(Console(file=io.StringIO()))
    monkeypatch.setenv("TERM", "dumb")
    assert not is_live(Console(file=Terminal()))


def test_what_the_terminal_shows_stands_in_the_log(caplog):
    """Every event, on a terminal and in a pipe."""
    caplog.set_level(logging.INFO, logger="tune")
    ProgressView(some_state(), Console(file=io.StringIO())).say("one")
    with ProgressView(some_state(), console()) as view:
        view.say("two")
    assert [record.getMessage() for record in caplog.records] == ["one", "two"]


@pytest.mark.parametrize("width", [80, 160])
def test_the_live_view_shows_all_there_is_to_know(width):
    """Counts, the best so far with its interval, what runs, the machine, the budget, the store's trouble."""
    state = some_state(trouble="the server does not answer", budget=lambda: "1 h 20 min of budget left")
    state.interval = (BEST, 0.2, 0.3)
    state.ended |= {"t098": "completed", "t099": "failed", "t100": "diverged"}
    view = ProgressView(state, console(width))
    view._load = MachineLoad(45.0, 3.2e9, 16e9, (Gpu(0, 93.0, 12.1e9, 80e9),))
    view.say("before")
    view.events.append("12:00:00  t001  " + "a long message " * 20)
    text = "\n".join(drawn(view))
    assert "4 of 100 trials ended: 1 done, 1 stopped early, 2 went wrong; 1 running" in text
    assert "best so far  t002  macro_f1 0.2500 [0.2000, 0.3000]  bs16 lr2e-05" in text
    assert "GPU 93 %, 12.1 of 80 GB   CPU 45 %, 3.2 of 16 GB" in text
    assert re.search(r"t002 .* 40 % +0\.2500 +bs16 lr2e-05", text)
    assert "1 h 20 min of budget left" in text
    assert "the server does not answer" in text
    assert "12:00:00  t001  a long" in text


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("height", [10, 20, 50])
@pytest.mark.parametrize("running", [0, 1, 7, 40])
def test_the_live_view_is_no_larger_than_its_terminal(width, height, running):
    """Whatever there is to show: no line is folded, and the line of the cursor stays free."""
    view = ProgressView(some_state(running, trouble="no answer " * 20), console(width, height))
    view._load = MachineLoad(45.0, 3.2e9, 16e9, tuple(Gpu(i, 100.0, 70e9, 80e9) for i in range(8)))
    for n in range(30):
        view.events.append(f"12:00:00  t{n:03d}  " + "a long message " * 20)
    lines = drawn(view)
    assert len(lines) <= max(height - 1, 8)  # six lines of the search, and one each of trials and events
    assert max(len(line) for line in lines) <= width
    trials = [line for line in lines if re.match(r"t\d\d\d  [━╸╺ ]", line)]
    left_out = [
        int(n) for line in lines for n in re.findall(r"and (\d+) more|(\d+) trials run", line) for n in n if n
    ]
    assert len(trials) + sum(left_out) == running
    assert any("a long message" in line for line in lines)


def test_an_interval_of_an_earlier_best_is_not_shown():
    """It is computed beside the search; until it is there, the best stands without one."""
    state = some_state()
    state.interval = (Best("t001", "bs8", 0.2), 0.1, 0.3)
    assert not any("[" in line for line in drawn(ProgressView(state, console())))


def test_markup_in_a_label_is_not_read():
    """A value with brackets stands as it is."""
    state = some_state()
    state.running["t002"].label = "schedule [bold]"
    assert any("schedule [bold]" in line for line in drawn(ProgressView(state, console())))


def test_the_cursor_comes_back_after_an_interrupt():
    """Whatever ends the search, the terminal is left as it was."""
    sink = Terminal()

    def interrupted():
        with ProgressView(some_state(), console(sink=sink)) as view:
            view.live.refresh()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sink.getvalue().count("\x1b[?25l") == 1
    assert sink.getvalue().rindex("\x1b[?25h") > sink.getvalue().rindex("\x1b[?25l")


def test_a_terminal_of_another_size_is_drawn_anew():
    """What was drawn is folded by then, so that the screen is cleared first."""
    sink = Terminal()
    screen = console(100, 30, sink=sink)
    with ProgressView(some_state(), screen) as view:
        view.live.refresh()
        assert "\x1b[2J" not in sink.getvalue()
        screen.width = 60
        view.live.refresh()
    assert sink.getvalue().count("\x1b[2J") == 1


@pytest.mark.parametrize(
    ("gpus", "words"),
    [
        ((), "CPU 45 %, 3.2 of 16 GB"),
        ((Gpu(0, 93.0, 12.1e9, 80e9),), "GPU 93 %, 12.1 of 80 GB   CPU 45 %, 3.2 of 16 GB"),
        (
            (Gpu(0, 93.0, 12e9, 80e9), Gpu(1, 7.0, 70e9, 80e9)),
            "2 GPUs 93 7 %, up to 70.0 of 80 GB   CPU 45 %, 3.2 of 16 GB",
        ),
        ((Gpu(0),), "GPU ? %, memory unknown   CPU 45 %, 3.2 of 16 GB"),
    ],
)
def test_the_load_is_a_line(gpus, words):
    """One GPU with its memory, several with the fullest; none is not spoken of."""
    assert load_in_words(MachineLoad(45.0, 3.2e9, 16e9, gpus)) == words


def test_long_preparation_speaks_in_a_pipe():
    """Every tenth of a stage is a line, and no more."""
    sink = io.StringIO()
    with progress_bars(Console(file=sink, width=100)) as show:
        for done in range(101):
            show("features", done, 100)
    lines = sink.getvalue().split("\n")
    assert [line for line in lines if line] == [f"features: {done} of 100" for done in range(0, 101, 10)]


def test_what_is_not_about_trials_counts_none():
    """`[0/12] writing the report` says nothing; nor does a time left of less than a second."""
    sink = io.StringIO()
    state = SearchState("mine", total=12, objective="macro_f1")
    with ProgressView(state, Console(file=sink, width=100)) as view:
        view.say("writing the report")
        state.ended = dict.fromkeys([f"t{n:03d}" for n in range(1, 13)], "completed")
        state.trained = 1200
        assert state.seconds_left() == 0
        view.say("done")
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in sink.getvalue().splitlines()]
    assert lines == ["writing the report", "[12/12] done"]
