"""Another user of the machine, while a search runs: sees no secret and can write nowhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.faults

OTHER = 64_111  # a user who owns nothing
SECRET = "s3cr3t-of-the-first-user"
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "WANDB_API_KEY", "DATABASE_PASSWORD")

SPACE = """\
name: watched
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:400"}
space: {learning_rate: {grid: [1.0e-3, 2.0e-3, 3.0e-3]}, max_length: 16, epochs: 40}
objective: {reports: 20}
scheduler: none
baseline: none
"""

# All is imported before the user changes: Python itself may lie where another one cannot read.
CHANGE = """\
import json, os, sys, urllib.error, urllib.request
"".encode("idna")
{imports}
os.setgroups([]); os.setgid({user}); os.setuid({user})
"""

# What the other user runs.
LOOK = """\
secrets, folders = json.loads(sys.argv[1]), json.loads(sys.argv[2])
shown, written, read = [], [], 0

def look(path):
    global read
    try:
        with open(path, "rb") as file:
            content = file.read(2**22)
    except OSError:
        return
    read += 1
    if any(secret.encode() in content for secret in secrets):
        shown.append(path)

for process in filter(str.isdigit, os.listdir("/proc")):
    if int(process) != os.getpid():
        look(f"/proc/{process}/cmdline")
        look(f"/proc/{process}/environ")
for folder in folders:
    for place, _, names in os.walk(folder):
        try:
            new = os.path.join(place, "from-another-user")
            open(new, "x").close()
            os.unlink(new)
            written.append(place)
        except OSError:
            pass
        for name in names:
            path = os.path.join(place, name)
            look(path)
            if os.access(path, os.W_OK) and not os.path.islink(path):
                written.append(path)
print(json.dumps({"shown": shown, "written": written, "read": read}))
"""

# Ray's own client, without a token and with one of that user's.
WRITE = """\
try:
    GcsClient(address=sys.argv[1]).internal_kv_put(b"key", b"value", True, None, timeout=20)
except Exception as error:
    print("refused:", type(error).__name__, str(error)[:200])
else:
    print("written")
"""


# What runs code in Ray's agents, where they listen.
ASK = """\
answers = {}
for port in json.loads(sys.argv[1]):
    for path in ("/api/jobs/", "/api/job_agent/jobs/", "/get_or_create_runtime_env", "/nodes"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", b"{}", method="POST")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                answers[f"{port}{path}"] = answer.status
        except urllib.error.HTTPError as error:
            answers[f"{port}{path}"] = error.code
        except Exception as error:
            answers[f"{port}{path}"] = type(error).__name__
print(json.dumps(answers))
"""


@pytest.fixture
def open_folder():
    """A folder that everybody may look into: what is in it has to look after itself."""
    folder = Path(tempfile.mkdtemp(prefix="watched-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_another_user(home, code, *arguments, imports="", **environment):
    return subprocess.run(
        [sys.executable, "-I", "-c", CHANGE.format(imports=imports, user=OTHER) + code, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
        env={"HOME": str(home), "PATH": os.environ["PATH"], **environment},
        timeout=120,
    ).stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_sees_no_secret_and_writes_nowhere(shell, open_folder, tmp_path_factory):
    """Not in logs, Ray's folders, command lines and environments; not to the store, the registry or Ray."""
    (open_folder / "watched.yaml").write_text(SPACE, encoding="utf-8")
    home, rays, theirs = (open_folder / name for name in ("home", "tmp", "theirs"))
    for folder in (home, rays, theirs):
        folder.mkdir()
    os.chown(theirs, OTHER, OTHER)
    environment = {
        **{name: f"{SECRET}-{name}" for name in SECRETS},
        "HOME": str(home),
        "TMPDIR": str(rays),
        "XDG_CACHE_HOME": str(open_folder / "cache"),
    }
    watched = type(shell)(open_folder, environment)
    driver = watched.drive("search", "watched.yaml")
    reports = open_folder / "mlruns/searches/watched/trials"
    assert driver.wait_for(lambda: any(path.stat().st_size for path in reports.glob("*/history.jsonl")))

    token = (home / ".ray" / "auth_token").read_text(encoding="utf-8").strip()
    folders = [str(open_folder), "/dev/shm"]
    looked = json.loads(
        as_another_user(theirs, LOOK, json.dumps([SECRET, token]), json.dumps(folders)), strict=False
    )
    assert looked["read"] > 50  # it did look
    assert looked["shown"] == []
    assert [path for path in looked["written"] if not path.startswith((str(theirs), "/dev/shm"))] == []

    listening = {}
    for process in driver.family():
        with suppress(psutil.Error):
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    listening[connection.laddr] = process.name()
    assert listening
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    servers = [address.port for address, name in listening.items() if name == "gcs_server"]
    assert servers
    asked = [
        as_another_user(
            theirs, WRITE, f"127.0.0.1:{port}", imports="from ray._raylet import GcsClient", **way
        )
        for port in servers
        for way in (
            {"RAY_AUTH_MODE": "disabled"},
            {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64},
        )
    ]
    assert all(answer.startswith("refused:") for answer in asked), asked
    ports = sorted({address.port for address in listening})
    told = json.loads(as_another_user(theirs, ASK, json.dumps(ports)))
    assert len(told) == 4 * len(ports)
    assert {place: code for place, code in told.items() if code in {200, 201, 202, 204, 500}} == {}
    driver.signal(signal.SIGTERM)
    assert driver.end() == 1
    assert driver.lines[-1].startswith("goemo: interrupted")
    assert not list(rays.glob("goemo-*"))
