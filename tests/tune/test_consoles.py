"""What commands print to: as wide as it has to be, and no reader's going away stops the work."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from tune.live.consoles import discard, progress_console, results_console
from tune.live.progress import ProgressView, SearchState
from tune.records import SearchFolder


@pytest.fixture
def unread():
    """Return a stream whose reader has gone away."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield stream
        discard(stream)  # what was not written is not tried again


def test_a_table_on_a_terminal_is_as_wide_as_that(monkeypatch):
    """Longer lines would be folded."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert results_console().width == 60


def test_results_that_nobody_reads_end_the_command(monkeypatch, unread):
    """The error goes up to the command, where rich would have ended the process with 1."""
    monkeypatch.setattr(sys, "stdout", unread)
    with pytest.raises(BrokenPipeError):
        results_console().print("a result")


def test_a_view_that_nobody_reads_stops_no_search(monkeypatch, unread, caplog):
    """It falls silent, as does all else on stderr, and the log goes on."""
    monkeypatch.setattr(sys, "stderr", unread)
    caplog.set_level("INFO", logger="tune")
    with ProgressView(SearchState("s", total=2, objective="macro_f1")) as view:
        view.say("one")
        view.say("two")
    assert view.console.quiet
    assert [record.getMessage() for record in caplog.records] == ["one", "two"]
    assert unread.write("from somewhere else\n")
    unread.flush()


def test_progress_goes_to_stderr(capsys):
    """And leaves stdout to the results."""
    progress_console().print("half of it")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "half of it\n")


def test_a_command_whose_reader_is_gone_is_done(tmp_path, monkeypatch, unread):
    """`goemo leaderboard s | true`: no message, and no failure."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    SearchFolder.create("s", {"objective": {"metric": "macro_f1"}, "confirm": {"top": 0}})
    done = subprocess.run(
        [sys.executable, "-m", "tune.cli", "leaderboard", "s"],
        stdout=unread,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
