"""How a search is stopped, and how its trials hear of it."""

from __future__ import annotations

import errno
import faulthandler
import signal
import sqlite3
import subprocess
import sys

import psutil
import pytest

from goemo.errors import GoemoError
from tune.driver.command import _explained
from tune.records import SearchFolder
from tune.stopping.full_disk import full_disk_error, is_full_disk
from tune.stopping.hang import ended_when_it_hangs, how_it_hung, over_time
from tune.stopping.interrupts import SearchInterrupted, interrupts
from tune.stopping.stop_request import StopRequest
from tune.stopping.stop_sign import stop_sign

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_a_budget_lets_trials_report_and_an_interrupt_lets_them_save(tmp_path):
    """An interrupt is more urgent than a budget, and the first of two interrupts or errors holds."""
    stop_request = StopRequest(tmp_path)
    assert stop_request.kind is None
    assert stop_sign(tmp_path) is None
    stop_request.end_budget("the time is over")
    assert stop_sign(tmp_path).how == "report"
    assert not stop_request.is_at_once
    stop_request.interrupt()
    assert stop_sign(tmp_path).how == "save"
    assert stop_request.is_at_once
    stop_request.fail(ValueError("later"))
    stop_request.end_budget("later")
    assert (stop_request.kind, stop_request.error) == ("interrupt", None)


def test_a_new_search_is_not_stopped_by_an_old_sign(tmp_path):
    """A driver that was killed while it stopped leaves its sign behind."""
    StopRequest(tmp_path).interrupt()
    assert stop_sign(tmp_path) is not None
    StopRequest(tmp_path)
    assert stop_sign(tmp_path) is None


def test_an_error_stops_the_search_and_is_kept(tmp_path):
    """What fails in the driver's own work is not taken for a failure of a trial."""
    stop_request = StopRequest(tmp_path)
    with stop_request.on_error():
        raise FULL
    assert stop_request.kind == "error"
    assert stop_request.error is FULL


def test_a_sign_that_cannot_be_written_stops_the_search_all_the_same(tmp_path):
    """On a full disk, trials that are not asked are run again."""
    stop_request = StopRequest(tmp_path)
    folder = tmp_path / "gone"
    stop_request._search = folder / "file"
    folder.write_text("no folder")
    stop_request.interrupt()
    assert stop_request.is_at_once


def chained(outer, inner):
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        chained(RuntimeError("no storage"), FULL),
        sqlite3.OperationalError("database or disk is full"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_known_in_all_its_guises(error):
    """By the system's number, or in the words of the libraries that do not hand it on."""
    assert is_full_disk(error)


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "input/output error"), ValueError("full"), MemoryError()]
)
def test_other_errors_are_no_full_disk(error):
    """A broken disk is another matter."""
    assert not is_full_disk(error)


def test_a_full_disk_is_told_with_its_place_and_the_way_on(tmp_path):
    """Of an error that names its file, the nearest folder that is there."""
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a" / "b.npz"))
    told = str(full_disk_error(error, tmp_path.parent, "continue with: goemo resume s"))
    assert told.startswith(f"the disk of {tmp_path} is full (")
    assert told.endswith("make room, then continue with: goemo resume s")
    assert f"the disk of {tmp_path.parent} " in str(full_disk_error(FULL, tmp_path.parent / "none", "x"))


def test_the_first_signal_calls_what_it_was_given_and_the_second_raises():
    """In the block the search stops in order; afterwards, and before, a signal is a KeyboardInterrupt."""
    calls = []
    before = signal.getsignal(signal.SIGTERM)
    with interrupts() as handled:
        with handled.deferred(lambda: calls.append("stop")):
            signal.raise_signal(signal.SIGTERM)
            assert calls == ["stop"]
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert calls == ["stop"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


ENDED = """
import signal, subprocess, sys, time
from tune.stopping.interrupts import interrupts, second_ends_at_once
with second_ends_at_once("ended at once"), interrupts() as handled, handled.deferred(lambda: None):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    signal.raise_signal(signal.SIGINT)
    print("still here", flush=True)
    time.sleep(600)
"""


def test_the_second_signal_ends_a_command_and_its_children():
    """Exit code 1, one line, and no process is left."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        child = psutil.Process(int(process.stdout.readline()))
        assert process.stdout.readline() == "still here\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1] == "goemo: ended at once"
    assert not psutil.wait_procs([child], timeout=30)[1]


HANGS = """
import re, sys
from pathlib import Path
from tune.stopping import hang
hang._GRACE_S = 0.1
with hang.ended_when_it_hangs(Path(sys.argv[1]), 0.2):
    re.match("(a+)+$", "a" * 64 + "b")
"""


def test_a_process_that_hangs_is_ended_and_leaves_its_stack(tmp_path):
    """Although what hangs holds the interpreter's lock."""
    hung = subprocess.run([sys.executable, "-c", HANGS, str(tmp_path)], check=False, timeout=120)
    assert hung.returncode == 1
    assert "most recent call first" in how_it_hung(tmp_path)
    assert "re/__init__.py" in how_it_hung(tmp_path)


def test_a_process_that_is_in_time_leaves_nothing(tmp_path):
    """No file, no timer; and without a limit, not even that."""
    with ended_when_it_hangs(tmp_path, 3600.0):
        assert (tmp_path / "hang.txt").is_file()
    assert how_it_hung(tmp_path) is None
    assert not list(tmp_path.iterdir())
    with ended_when_it_hangs(tmp_path, None):
        assert not list(tmp_path.iterdir())
    faulthandler.cancel_dump_traceback_later()
    assert over_time(1800.0).startswith("still running after 30 min;")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    return tmp_path


def test_an_interrupt_says_how_to_go_on(runs):
    """Before the search exists the same command, afterwards resume; it stays a KeyboardInterrupt."""
    with pytest.raises(KeyboardInterrupt, match="run the same command again"), _explained("s"):
        raise KeyboardInterrupt
    SearchFolder.create("s", {})
    with pytest.raises(SearchInterrupted, match=r"goemo resume s$"), _explained("s"):
        raise KeyboardInterrupt


def test_a_full_disk_is_one_clear_error_wherever_it_is_found(runs):
    """With the disk and the way on; other errors stay what they are."""
    with (
        pytest.raises(GoemoError, match=f"the disk of {runs} is full .* run the same command"),
        _explained("s"),
    ):
        raise FULL
    with pytest.raises(ZeroDivisionError), _explained("s"):
        raise ZeroDivisionError
