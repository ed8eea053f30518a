"""Calls in forks: what they return, raise, log and tell is as without one, and they end with their caller."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from goemo.errors import GoemoError, InputError
from tune.engine.forks import Forks, fork_server
from tune.stopping.full_disk import is_full_disk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")


@pytest.fixture(scope="module")
def server():
    """Return what can be asked of a server that runs as long as the module."""
    with fork_server() as forks:
        yield forks


@pytest.fixture(params=["in a fork", "without"])
def forks(request, server):
    return server if request.param == "in a fork" else Forks()


# What is called; a fork imports it from this module.


def where_am_i():
    import torch

    return os.getpid(), "goemo.training" in sys.modules, torch.get_num_threads()


def add(first, *, second, on_progress=None):
    for done in range(3):
        if on_progress is not None:
            on_progress("adding", done, 3)
    return first + second


def tell_from_threads(*, on_progress):
    def tell(thread):
        for _ in range(50):
            on_progress(thread, "abcdefgh"[thread] * 100_000)

    threads = [threading.Thread(target=tell, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def find(path):
    wait_for(path.exists, seconds=30)
    return "found"


def complain():
    logging.getLogger("a.library").warning("%s is old", "this")
    warnings.warn("so is that", UserWarning, stacklevel=1)


def refuse():
    raise InputError("here", ["one", "two"])


def write():
    raise OSError(28, "No space left on device", "/somewhere/file")


def fill_the_disk():
    try:
        write()
    except OSError as error:
        raise GoemoError("could not be written") from error


class UnportableError(Exception):
    def __init__(self, what, connection):
        super().__init__(f"{what} {connection.__class__.__name__}")


def raise_what_cannot_be_pickled():
    raise UnportableError("a", object())


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_ever(folder):
    (folder / "pid").write_text(str(os.getpid()))
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        (folder / "cleaned").touch()
        raise


def wait_for(is_so, seconds=60.0):
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def is_gone(pid):
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_a_fork_has_what_trials_need(server):
    """It is another process, in which torch has the threads of a process of its own."""
    pid, is_imported, threads = server.call(where_am_i)
    assert pid != os.getpid()
    assert is_imported
    plain = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.get_num_threads())"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert threads == int(plain.stdout)


def test_a_call_is_what_it_is_without_a_fork(forks):
    """Its result, and what it calls on the way, here and in order."""
    told = []
    assert (
        forks.call(add, "a" * 10**6, second="b", on_progress=lambda *what: told.append(what))
        == "a" * 10**6 + "b"
    )
    assert told == [("adding", done, 3) for done in range(3)]
    assert forks.call(add, 1, second=2) == 3


def test_what_it_logs_is_logged_here(forks, caplog, recwarn):
    """Records of libraries, and warnings, which are logged where the caller logs its own."""
    forks.call(complain)
    assert "this is old" in caplog.text
    assert "so is that" in caplog.text + "".join(str(one.message) for one in recwarn.list)


def test_errors_are_the_same(forks):
    """With their attributes, and with what has led to them."""
    with pytest.raises(InputError) as refused:
        forks.call(refuse)
    assert (refused.value.where, refused.value.problems) == ("here", ("one", "two"))
    with pytest.raises(GoemoError, match="could not be written") as full:
        forks.call(fill_the_disk)
    assert is_full_disk(full.value)
    assert isinstance(full.value.__cause__, OSError)
    assert full.value.__cause__.filename == "/somewhere/file"


def test_an_error_of_what_is_told_is_no_error_of_the_fork(server):
    """The reader of the progress may be gone, and the fork be well."""

    def gone(*_):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        server.call(add, 1, second=2, on_progress=gone)


def test_threads_of_a_fork_tell_one_after_the_other(server):
    """No message is torn."""
    told = []
    server.call(tell_from_threads, on_progress=lambda thread, text: told.append((thread, set(text))))
    assert len(told) == 8 * 50
    assert all(letters == {"abcdefgh"[thread]} for thread, letters in told)


def test_an_error_that_cannot_be_sent_is_told_of(server):
    """Its kind, its text, and where it was raised."""
    with pytest.raises(GoemoError, match="UnportableError: a object") as error:
        server.call(raise_what_cannot_be_pickled)
    assert "raise_what_cannot_be_pickled" in "".join(error.value.__notes__)


def test_a_fork_that_is_killed_is_an_error(server):
    """The caller lives."""
    with pytest.raises(GoemoError, match="process for `be killed` was killed"):
        server.call(be_killed)
    assert server.call(add, 1, second=2) == 3


def test_a_call_that_is_left_is_interrupted(server, tmp_path):
    """It can clean up, and is gone."""
    with server.started(wait_for_ever, tmp_path):
        wait_for(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text())
    wait_for((tmp_path / "cleaned").exists)
    wait_for(partial(is_gone, int((tmp_path / "pid").read_text())))


def test_a_call_ends_with_a_caller_that_is_killed(tmp_path):
    """SIGKILL leaves no fork."""
    script = tmp_path / "driver.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from tune.engine.forks import fork_server\n"
        "import test_fork_calls\n"
        "with fork_server() as forks:\n"
        "    forks.call(test_fork_calls.wait_for_ever, Path(sys.argv[1]))\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    driver = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    wait_for(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text())
    driver.kill()
    driver.wait()
    wait_for(partial(is_gone, int((tmp_path / "pid").read_text())))


def test_other_work_goes_on_beside_a_call(forks, tmp_path):
    """A call that waits for what is done meanwhile comes to its end."""
    with forks.started(find, tmp_path / "made meanwhile") as result:
        (tmp_path / "made meanwhile").touch()
        assert result() == "found"
