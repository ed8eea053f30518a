"""Workers as forks of one process: they are what Python would have started, only sooner."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import ray

from tune.engine.forks import client, fork_server, server, starting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")

# What a process finds when it starts, written to the file that it is told.
LOOK = """\
import json, os, signal, sys
# Of the shell and of the import of Ray, on the way to Ray's own worker.
BY_THE_WAY = {"_", "SHLVL", "LC_CTYPE", "PWD", "RAY_CLIENT_MODE"}
found = {
    "imported": "goemo.training" in sys.modules,
    "name": __name__,
    "argv": sys.argv,
    "path": sys.path[0],
    "cwd": os.getcwd(),
    "env": {k: v for k, v in os.environ.items() if k not in BY_THE_WAY},
    "leads_its_group": os.getpgid(0) == os.getpid(),
    "signals": [str(signal.getsignal(s)) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "files": sorted(int(n) for n in os.listdir("/proc/self/fd")),
}
print("printed")
print("complained", file=sys.stderr)
with open(sys.argv[1] + ".partial", "w") as sink:
    json.dump(found, sink)
os.rename(sys.argv[1] + ".partial", sys.argv[1])
"""


RAYS_OWN = Path(ray.__file__).parent / "_private" / "workers" / "setup_worker.py"


def context(**parts):
    """Return what Ray adds to the arguments of a worker."""
    return ["--language=PYTHON", f"--serialized-runtime-env-context={json.dumps(parts)}"]


def starter(forks):
    """Return the command by which Ray starts a worker where there is a server."""
    return [sys.executable, str(forks.setup_worker)]


@pytest.fixture(scope="module")
def server_forks():
    """Return what can be asked of a server that runs as long as the module."""
    with fork_server() as forks:
        yield forks


@pytest.fixture
def command(server_forks):
    return starter(server_forks)


@pytest.fixture
def look(tmp_path):
    """Return a function that has a process look around, started as a command does."""
    script = tmp_path / "look.py"
    script.write_text(LOOK, encoding="utf-8")
    shutil.copy(RAYS_OWN, tmp_path)  # it lies beside the script of a worker
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def run(words, name, more=()):
        out = tmp_path / name
        with (
            (tmp_path / f"{name}.stdout").open("wb") as stdout,
            (tmp_path / f"{name}.stderr").open("wb") as stderr,
        ):
            subprocess.run(
                [*words, str(script), str(out), "--key=a b", *more],
                env={"PATH": os.environ["PATH"], "RAY_JOB_ID": "07", "EMPTY": ""},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
                check=True,
                timeout=120,
            )
            wait_for(out.is_file)
        printed = [(tmp_path / f"{name}.{stream}").read_text() for stream in ("stdout", "stderr")]
        return {**json.loads(out.read_text()), "printed": printed}

    return run


def wait_for(is_so, seconds=60.0):
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def ends(process):
    """Whether a process is gone, or a zombie that its parent has yet to look at."""
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def without_arguments(found):
    return {key: value for key, value in found.items() if key != "argv"}


def test_a_fork_is_what_ray_would_have_started(command, look):
    """Arguments, environment, folder, streams, signals and group are the same; what it needs is imported."""
    asked = context(env_vars={"RAY_JOB_ID": "08", "TUNE_X": "a b"}, command_prefix=[], java_jars=[])
    plain = look([sys.executable, str(RAYS_OWN)], "plain", asked)
    forked = look(command, "forked", asked)
    assert not plain.pop("imported")
    assert forked.pop("imported")
    assert (forked["env"]["RAY_JOB_ID"], forked["env"]["TUNE_X"]) == ("08", "a b")
    assert forked["printed"] == ["printed\n", "complained\n"]
    script, out, *others = forked["argv"]
    assert [script, str(Path(out).with_name("plain")), *others] == plain["argv"]
    assert without_arguments(forked) == without_arguments(plain)


@pytest.mark.parametrize(
    "asked",
    [
        context(env_vars={"A": "${PATH}:/b"}),
        context(py_executable=f"{sys.executable} -I"),
        context(command_prefix=["true", "&&"]),
        [],
    ],
)
def test_what_a_fork_cannot_do_is_left_to_ray(command, look, asked):
    """A fork runs a script with variables; everything else is started by Ray's own script, to the letter."""
    plain = look([sys.executable, str(RAYS_OWN)], "plain", asked or context())
    ours = look(command, "ours", asked)
    is_forked = ours.pop("imported")
    assert is_forked == (asked == [])
    assert not plain.pop("imported")
    assert without_arguments(ours) == without_arguments(plain)


def test_forks_do_not_share_random_numbers(command, tmp_path):
    """Two processes draw different numbers, as two that were started do."""
    script = tmp_path / "draw.py"
    script.write_text(
        "import numpy, random, sys\n"
        "with open(sys.argv[1], 'w') as sink: sink.write(f'{numpy.random.random()} {random.random()}\\n')\n",
        encoding="utf-8",
    )
    for name in "ab":
        subprocess.run([*command, str(script), str(tmp_path / name)], check=True, timeout=120)
    wait_for(lambda: all((tmp_path / name).is_file() and (tmp_path / name).read_text() for name in "ab"))
    first, second = ((tmp_path / name).read_text().split() for name in "ab")
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_where_no_server_answers_ray_starts_the_process(look, tmp_path):
    """A server that has ended, or was never there, costs nothing but its speed."""
    before = set(psutil.Process().children())
    with fork_server() as forks:
        command = starter(forks)
        (process,) = set(psutil.Process().children()) - before
        process.kill()
        killed = look(command, "killed", context())
    nowhere = tmp_path / "start_worker.py"
    shutil.copy(client.__file__, nowhere)
    nowhere = look([sys.executable, str(nowhere)], "nowhere", context())
    for found in (killed, nowhere):
        assert not found["imported"]
        assert found["printed"] == ["printed\n", "complained\n"]


def test_a_client_that_is_killed_leaves_the_server_to_the_others(server_forks, look):
    """Half a request is none."""
    with socket.socket(socket.AF_UNIX) as half:
        half.connect(str(server_forks.socket))
        socket.send_fds(half, [b"\n"], [0, 1, 2])
        half.sendall(b'{"argv": [')
    with socket.socket(socket.AF_UNIX) as half:
        half.connect(str(server_forks.socket))
    assert look(starter(server_forks), "after")["imported"]


def test_a_client_that_stands_still_is_not_waited_for(monkeypatch):
    """Nor does one that hangs up in the middle end the server."""
    monkeypatch.setattr(server, "_PATIENCE_S", 0.1)
    ours, theirs = socket.socketpair()
    with theirs:
        assert server.received(ours) is None
    ours, theirs = socket.socketpair()
    theirs.close()
    assert server.received(ours) is None


def test_the_server_can_fork(caplog, look):
    """What it imports starts neither a thread nor a GPU, which forks would lack; else it would say so."""
    with fork_server() as forks:
        assert look(starter(forks), "found")["imported"]
    assert "fork server" not in caplog.text


def test_what_a_fork_would_lack_is_found(monkeypatch):
    """A thread, and a GPU."""
    before = list(server.what_a_fork_lacks())
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        assert list(server.what_a_fork_lacks()) != before
    finally:
        release.set()
        thread.join()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "readlink", lambda _: Path("/dev/nvidia-uvm"))
        assert "what they import has started the GPU" in list(server.what_a_fork_lacks())


def test_forks_that_would_lack_a_thread_start_python_anew(look, caplog, monkeypatch):
    """The processes are what they are without a server, and the log says why."""
    monkeypatch.setattr(starting, "_SETTINGS", {"JE_ARROW_MALLOC_CONF": "background_thread:true"})
    plain = look([sys.executable, str(RAYS_OWN)], "plain", context())
    with fork_server() as forks:
        anew = look(starter(forks), "anew")
    assert not anew["imported"]
    assert without_arguments(anew) == without_arguments(plain)
    assert "fork server: workers start slowly" in caplog.text


def test_the_server_ends_with_a_driver_that_is_killed(tmp_path):
    """SIGKILL leaves neither the server nor its folder."""
    script = tmp_path / "driver.py"
    script.write_text(
        "import time\n"
        "from tune.engine.forks import fork_server\n"
        "with fork_server() as forks:\n"
        "    print(forks.socket, flush=True)\n"
        "    time.sleep(600)\n",
        encoding="utf-8",
    )
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    path = Path(driver.stdout.readline().strip())
    (process,) = psutil.Process(driver.pid).children()
    assert path.exists()
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_for(lambda: ends(process))
    assert not path.parent.exists()


def test_a_folder_too_deep_for_a_socket_has_no_server(monkeypatch, tmp_path):
    """The search starts its workers as ever."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with fork_server() as forks:
        assert not forks.are_there
        assert forks.setup_worker is None
