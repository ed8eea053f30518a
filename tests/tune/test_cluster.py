"""Connecting to Ray."""

from __future__ import annotations

import fcntl
import io
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest

from goemo.errors import GoemoError, InputError
from tune.driver import inputs
from tune.engine.cluster import alone, connect, connecting
from tune.engine.cluster.output import words_of_ray_logged
from tune.forecast import forecasting


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "nonsense"])
def test_an_address_that_is_none_is_refused(address, monkeypatch):
    """A wrong address is a wrong call, wherever it comes from."""
    with pytest.raises(InputError, match="--address"), connect(address) as nodes:
        nodes()
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match="RAY_ADDRESS"), connect(None) as nodes:
        nodes()


@pytest.fixture
def server():
    """A port where somebody listens, and a list of what is said to whoever comes."""
    says: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                for words in says:
                    client.sendall(words)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", says


@pytest.mark.parametrize("says", [[], [b"HTTP/1.1 400 Bad Request\r\n\r\n"]])
def test_who_listens_and_is_no_ray_is_found_out_in_time(server, says, monkeypatch):
    """One that says nothing, and one that speaks otherwise; Ray would ask again for minutes."""
    address, said = server
    said += says
    monkeypatch.setattr(connecting, "ANSWERS_IN_S", 0.3)
    started = time.monotonic()
    with (
        pytest.raises(InputError, match=f"--address: cannot join a Ray cluster at '{address}'"),
        connect(address),
    ):
        pass
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("by", ["--address", "RAY_ADDRESS"])
def test_an_address_at_which_nobody_answers_ends_a_search_before_it_reads_anything(by, server, monkeypatch):
    """A stale RAY_ADDRESS too: one line with the way out, and neither data nor store were looked at."""
    address, _ = server
    monkeypatch.setattr(connecting, "ANSWERS_IN_S", 0.3)
    monkeypatch.setenv("RAY_ADDRESS", address if by == "RAY_ADDRESS" else "127.0.0.1:1")
    given = address if by == "--address" else None
    way_out = "unset RAY_ADDRESS" if by == "RAY_ADDRESS" else "leave it out"
    message = f"{by}: cannot join a Ray cluster at '{address}'.*{way_out} to run on this machine alone"
    command = SimpleNamespace(address=given, spec=None)
    with pytest.raises(InputError, match=message):
        inputs.check(command, lambda: pytest.fail("the data was read"), is_new=True)
    monkeypatch.setattr(
        forecasting, "found_checkpoints", lambda _: pytest.fail("a checkpoint was looked for")
    )
    with pytest.raises(InputError, match=message):
        forecasting.forecast(None, address=given)


# --- A Ray of this user alone -----------------------------------------------------------------------


@pytest.mark.parametrize("fails", [1, 2])
def test_a_ray_that_does_not_start_in_time_is_started_once_more(tmp_path, monkeypatch, fails):
    """A busy machine gets a second try, and after that one line that says why."""
    import ray

    calls, said = [], []

    def init(**_):
        calls.append(1)
        if len(calls) <= fails:
            raise OSError("The current node timed out during startup. This could happen because")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda **_: None)
    if fails == 1:
        alone._start(str(tmp_path), said.append)
    else:
        with pytest.raises(GoemoError, match="did not start within 30 s, twice"):
            alone._start(str(tmp_path), said.append)
    assert len(calls) == 2
    assert len(said) == 1


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_token_is_for_this_user_alone(tmp_path, monkeypatch, umask):
    """Whatever the umask, and whoever has made it: 0600 in a folder of 0700; what is in it stays."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".ray" / "auth_token"
    if umask == 0o777:  # there already, as Ray leaves it
        token.parent.mkdir()
        token.write_text("given")
        token.chmod(0o644)
    before = os.umask(umask if umask != 0o777 else 0o022)
    try:
        alone.keep_token_private()
    finally:
        os.umask(before)
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
    text = token.read_text()
    assert text == "given" if umask == 0o777 else len(text) >= 32
    alone.keep_token_private()
    assert token.read_text() == text
    assert [path.name for path in token.parent.iterdir()] == ["auth_token"]


def test_a_token_of_the_environment_is_left_alone(tmp_path, monkeypatch):
    """Nothing is written where the user has given one, or asks for none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "given")
    alone.keep_token_private()
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    alone.keep_token_private()
    assert not list(tmp_path.iterdir())


def test_a_home_that_cannot_be_written_to_is_one_line(tmp_path, monkeypatch):
    """The message names the file and the way out."""
    (tmp_path / "file").touch()
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with pytest.raises(GoemoError, match=r"auth_token .*RAY_AUTH_TOKEN_PATH"):
        alone.keep_token_private()


def test_a_temporary_folder_that_is_too_long_is_not_used(tmp_path, monkeypatch):
    """Paths of sockets are short; one line says where Ray's files are instead."""
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    said: list[str] = []
    assert alone.room_for_sockets(said.append) == Path("/tmp")
    assert said == [f"TMPDIR={long} is too long for Ray's sockets: Ray's files are in /tmp"]
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    assert alone.room_for_sockets(said.append) == Path("/tmp")
    assert len(said) == 1


def test_what_a_killed_driver_left_is_removed_by_the_next(tmp_path):
    """A living driver's folder, one that is just being made, and strangers' folders stay."""
    held, just_made, orphan, other = (tmp_path / f"goemo-{name}" for name in ("held", "new", "dead", "other"))
    for folder in (held, just_made, orphan, other):
        (folder / "r").mkdir(parents=True)
    for folder in (held, just_made, orphan):
        (folder / "driver.lock").touch()
    for folder in (held, orphan):
        os.utime(folder / "driver.lock", (1.0, 1.0))
    with (held / "driver.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        alone._remove_orphans(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([held, just_made, other])
    alone._remove_orphans(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([just_made, other])


def test_workers_are_as_urgent_as_their_driver(monkeypatch):
    """By itself Ray starts them at a niceness of 15, and on a busy machine they hardly run."""
    for name in ("RAY_ADDRESS", "RAY_worker_niceness"):
        monkeypatch.delenv(name, raising=False)
    code = (
        "import os\nfrom tune.engine.cluster import connect\n"
        "with connect(None):\n"
        "    import ray\n"
        "    print(ray.get(ray.remote(lambda: os.nice(0)).remote()) - os.nice(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_relative_paths_for_modules_mean_the_same_from_anywhere(tmp_path, monkeypatch):
    """The empty one stands for the current folder, which workers are not to look in."""
    monkeypatch.chdir(tmp_path)
    assert alone._absolute("src::/other") == f"{tmp_path}/src:/other"
    assert alone._absolute(None) is None


def test_what_ray_says_is_logged_and_what_others_print_is_printed(caplog):
    """Ray tells of nodes and workers in a thread of its own, coloured and in several lines."""
    with redirect_stdout(io.StringIO()) as out, words_of_ray_logged():
        text = "\x1b[33m(raylet)\x1b[0m a node died\n\nread   on"
        ray_thread = threading.Thread(
            target=print, args=(text,), kwargs={"file": sys.stdout}, name="ray_listen"
        )
        ray_thread.start()
        ray_thread.join()
        sys.stdout.write("a result\n")
        assert not sys.stdout.isatty()
    assert out.getvalue() == "a result\n"
    assert [record.getMessage() for record in caplog.records] == ["Ray: (raylet) a node died", "Ray: read on"]
