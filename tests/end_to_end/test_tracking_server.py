"""Searches on a real tracking server: `deploy/mlflow` by its plain commands, on a real PostgreSQL."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "mlflow"
PROGRAMS = os.pathsep.join([os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
LONGEST_START_S = 180
TIMED = {"duration_s", "train/samples_per_second", "train/peak_memory_gb", "cost/ms_per_text"}
OWN_TAGS = {"goemo.search_id", "goemo.record", "mlflow.parentRunId"}  # of ids and times

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("initdb", path=PROGRAMS) is None,
        reason="PostgreSQL is not installed; on Debian: apt-get install postgresql",
    ),
    pytest.mark.timeout(900),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def database_user() -> str:
    """Whom PostgreSQL runs as where the tests run as root, which it refuses."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> dict[str, str]:
    """What a user writes into `.env`, and where things listen."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PG"))},
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), PROGRAMS]),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(free_port()),
        "PGRUNAS": database_user(),
        "PGPASSWORD": secrets.token_hex(16),
        "MLFLOW_AUTH_ADMIN_PASSWORD": secrets.token_hex(16),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        "MLFLOW_PORT": str(free_port()),
        "MLFLOW_WORKERS": "1",
        "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path_factory.mktemp("artifacts")),
    }


@pytest.fixture(scope="module")
def database(settings):
    """A PostgreSQL of its own, made by the script that users run."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # it runs as another user
        data = str(Path(folder) / "postgres")
        subprocess.run([DEPLOY / "postgres.sh", "start", data], env=settings, check=True, timeout=120)
        yield
        subprocess.run([DEPLOY / "postgres.sh", "stop", data], env=settings, check=True, timeout=120)


class Server:
    """`serve.sh`, which can be stopped and started again."""

    def __init__(self, settings: dict[str, str], log: Path) -> None:
        self.settings = settings
        self.log = log
        self.url = f"http://127.0.0.1:{settings['MLFLOW_PORT']}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [DEPLOY / "serve.sh"], env=self.settings, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + LONGEST_START_S
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=5):
                return
            time.sleep(0.2)

    def stop(self, how: signal.Signals) -> None:
        """Send the signal to the server and its workers, and wait until all are gone."""
        os.killpg(self.process.pid, how)
        try:
            self.process.wait(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def server(settings, database, tmp_path_factory):
    """A server that runs while the tests of this module do."""
    started = Server(settings, tmp_path_factory.mktemp("server") / "log.txt")
    started.start()
    yield started
    started.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def admin(settings) -> dict[str, str]:
    """The user's login, as MLflow's clients read it."""
    return {
        "MLFLOW_TRACKING_USERNAME": "admin",
        "MLFLOW_TRACKING_PASSWORD": settings["MLFLOW_AUTH_ADMIN_PASSWORD"],
    }


@pytest.fixture
def login(monkeypatch, admin):
    """The login, for commands and for the client of the test."""
    for name, value in admin.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def elsewhere(shell, admin, tmp_path_factory):
    """A second folder to run commands in, so that a search of the same name can be made."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "tiny.yaml").write_text((shell.folder / "tiny.yaml").read_text())
    return type(shell)(folder, admin)


def left_in(uri: str, search: str, folder: Path) -> dict[str, dict]:
    """Return all that a store has of a search, by trial id; a doubled run is found by the assertion."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("goemo")
    found: dict[str, dict] = {}
    for run in client.search_runs([experiment.experiment_id], f"tags.`goemo.search` = '{search}'"):
        key = run.data.tags.get("goemo.trial_id", "search")
        assert key not in found, f"two runs for {key}"
        place = folder / key
        place.mkdir(parents=True)
        client.download_artifacts(run.info.run_id, "", str(place))
        found[key] = {
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": {
                name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            },
            "inputs": sorted((i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs),
            "artifacts": {
                path.relative_to(place).as_posix(): path.read_bytes()
                for path in place.rglob("*")
                if path.is_file()
            },
        }
    return found


def reports(found: dict[str, dict]) -> dict[str, dict]:
    """Return the metrics that data and seed decide; of the search, whose trials race, the last best."""
    kept = {
        key: {
            name: points
            for name, points in run["metrics"].items()
            if name not in TIMED and not name.startswith("system/")
        }
        for key, run in found.items()
    }
    return kept | {"search": {name: points[-1] for name, points in kept["search"].items()}}


def outcomes(shell, name: str) -> int:
    return len(list((shell.folder / f"mlruns/searches/{name}/trials").glob("*/outcome.json")))


def wait_for_outcomes(shell, name: str, number: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while outcomes(shell, name) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def served(elsewhere, server):
    """The search of `searched`, logged to the server; its folder."""
    elsewhere.run("search", "tiny.yaml", "--tracking-uri", server.url)
    return elsewhere.folder


@pytest.mark.usefixtures("login")
def test_the_server_leaves_what_the_default_store_leaves(shell, searched, served, server, tmp_path):
    """The same search on SQLite and on the server: equal runs, params, tags, data, metrics and artifacts.

    To the last digit and byte, where no clock goes in.
    """
    here = left_in(f"sqlite:///{shell.folder / 'mlruns' / 'mlflow.db'}", "tiny", tmp_path / "here")
    there = left_in(server.url, "tiny", tmp_path / "there")
    assert set(there) == set(here) == {"search", "t001", "t002", "t003", "t004"}
    assert reports(there) == reports(here)
    for key, run in here.items():
        other = there[key]
        for what in ("name", "status", "params", "inputs"):
            assert other[what] == run[what], (key, what)
        assert set(other["metrics"]) == set(run["metrics"]), key
        assert set(other["tags"]) == set(run["tags"]), key
        same = set(run["tags"]) - OWN_TAGS - {"mlflow.note.content"}
        assert {tag: other["tags"][tag] for tag in same} == {tag: run["tags"][tag] for tag in same}, key
        assert set(other["artifacts"]) == set(run["artifacts"]), key
        for path in run["artifacts"]:
            if path.endswith(("config.yaml", "thresholds.json", "label.csv", "at_0.5.csv", ".npz")):
                assert other["artifacts"][path] == run["artifacts"][path], (key, path)


def test_no_password_is_written_down(served, settings):
    """Neither the login nor the database's password is in a record, a log or an artifact of the search."""
    files = [path for path in (served / "mlruns").rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        for name in ("PGPASSWORD", "MLFLOW_AUTH_ADMIN_PASSWORD"):
            assert settings[name].encode() not in content, (path, name)


def test_commands_find_the_server(shell, served, server, login):
    """`doctor` calls the server a store that can be used, and `ui` names its pages and starts nothing."""
    assert f"  store        {server.url}" in shell.run("doctor", "--tracking-uri", server.url).stdout
    assert f"{server.url}/#/experiments/" in shell.run("ui", "--tracking-uri", server.url).stdout


def test_a_wrong_login_is_refused_before_the_search(shell, server, monkeypatch):
    """Without the right password nothing is started; the message names what to set, not what was tried."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "not-the-password")
    refused = shell.run("search", "tiny.yaml", "--name", "refused", "--tracking-uri", server.url, code=2)
    assert "MLFLOW_TRACKING_PASSWORD" in refused.stderr
    assert "not-the-password" not in refused.stderr
    assert not (shell.folder / "mlruns/searches/refused").exists()


def test_a_server_stopped_and_killed_loses_and_doubles_nothing(elsewhere, server, login, tmp_path):
    """SIGTERM in the middle of a search, later SIGKILL: trials go on, and nothing is lost or doubled.

    Trials end while the server is away, and afterwards it has every run, step and artifact once, equal to the
    records.
    """
    process = elsewhere.start(
        "search",
        "tiny.yaml",
        *("--name", "outage", "--tracking-uri", server.url),
        *("--set", "space.learning_rate={grid: [5.0e-4, 7.0e-4, 1.0e-3, 2.0e-3, 3.0e-3]}"),
    )
    try:
        for how, already in ((signal.SIGTERM, 1), (signal.SIGKILL, 0)):
            wait_for_outcomes(elsewhere, "outage", already, process)
            server.stop(how)
            before = outcomes(elsewhere, "outage")
            if before < 8:
                wait_for_outcomes(elsewhere, "outage", before + 2, process)  # no trial waits
            server.start()
        _, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, err
    if "missing from the MLflow store" in err:  # the machine was so busy that the server came back too late
        elsewhere.run("resume", "outage")
    found = left_in(server.url, "outage", tmp_path / "found")
    assert set(found) == {"search", *(f"t{number:03d}" for number in range(1, 11))}
    assert {run["status"] for run in found.values()} == {"FINISHED"}
    folder = elsewhere.folder / "mlruns/searches/outage"
    for trial_id in sorted(set(found) - {"search"}):
        lines = (folder / "trials" / trial_id / "history.jsonl").read_text().splitlines()
        history = [json.loads(line) for line in lines]
        for name in ("val/macro_f1", "val/loss", "train/loss", *TIMED - {"duration_s"}):
            assert found[trial_id]["metrics"][name] == [(row["progress"], row[name]) for row in history]
        kept = folder / "trials" / trial_id / "artifacts"
        files = {
            path.relative_to(kept).as_posix(): path.read_bytes() for path in kept.rglob("*") if path.is_file()
        }
        assert found[trial_id]["artifacts"] == files
    samples = [json.loads(line) for line in (folder / "system.jsonl").read_text().splitlines() if line]
    cpu = "system/cpu_utilization_percentage"
    assert found["search"]["metrics"][cpu] == [(row["step"], row[cpu]) for row in samples]


def test_scripts_refuse_to_start_without_secrets(settings, tmp_path):
    """An empty password stops both scripts, with the name of what is missing."""
    run = functools.partial(subprocess.run, capture_output=True, text=True, check=False, timeout=60)
    for name, script in (
        ("PGPASSWORD", "postgres.sh"),
        ("PGPASSWORD", "serve.sh"),
        ("MLFLOW_AUTH_ADMIN_PASSWORD", "serve.sh"),
        ("MLFLOW_FLASK_SERVER_SECRET_KEY", "serve.sh"),
    ):
        shutil.copytree(DEPLOY, tmp_path / "deploy", dirs_exist_ok=True, ignore=lambda *_: {".env"})
        done = run(
            [tmp_path / "deploy" / script, "start", str(tmp_path / "data")], env={**settings, name: ""}
        )
        assert done.returncode != 0
        assert name in done.stderr
    assert not (tmp_path / "data").exists()
