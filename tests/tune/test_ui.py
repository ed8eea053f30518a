"""`goemo ui` serves the right store to this machine only, says where to look, and ends cleanly."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from goemo.errors import GoemoError, InputError
from tune import tracking
from tune.records import SearchFolder
from tune.tracking import ui

TRAINING = "workflowType=machine_learning"  # MLflow's pages for trainings, not those for generative AI


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "runs"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_without_a_store_nothing_is_served(runs):
    """Before the first search there is nothing to look at; the message says how to begin."""
    with pytest.raises(InputError, match="goemo search quickstart"):
        ui.serve(free_port())


def test_a_taken_port_is_named(runs):
    """The port that is in use is told, with another to try."""
    runs.mkdir()
    (runs / "mlflow.db").touch()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"{port} cannot be used .* goemo ui --port {port + 1}"):
            ui.serve(port)


def test_a_server_that_does_not_answer_is_told(runs):
    """A remote store is asked first; port 9 answers nobody."""
    with pytest.raises(GoemoError, match="does not answer"):
        ui.serve(tracking_uri="http://127.0.0.1:9")


@pytest.fixture
def remote():
    """Return a function that starts a tracking server which answers every request alike."""
    servers = []

    def start(status: int, answer: dict) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                start.asked.append(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    start.asked = []
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_of_a_remote_server_the_addresses_are_printed(runs, remote):
    """Nothing is started for a tracking server: its run table and the saved views are named."""
    view = json.dumps({"name": "Trials on sample: (0a0a0a) by best micro_f1", "state": "{}"})
    prefix = "mlflow.sharedViewState.goemo-data-"
    tags = [
        {"key": f"{prefix}0a0a-micro_f1", "value": view},
        {"key": f"{prefix}1b1b-micro_f1", "value": "not ours"},
        {"key": "mlflow.sharedViewState.goemo-search-77", "value": view},
    ]
    url = remote(200, {"experiment": {"experiment_id": "7", "tags": tags}})
    said: list[str] = []
    ui.serve(tracking_uri=url, say=said.append)
    runs = f"{url}/#/experiments/7/runs"
    data = f"{runs}?viewStateShareKey=goemo-data-"
    assert said == [
        f"Searches and their trials: {runs}?viewStateShareKey=goemo-searches&{TRAINING}",
        f"Trials on sample: (0a0a0a) by best micro_f1: {data}0a0a-micro_f1&{TRAINING}",
        f"goemo-data-1b1b-micro_f1: {data}1b1b-micro_f1&{TRAINING}",
    ]


def test_the_experiments_of_all_searches_here_are_named(runs, remote):
    """Each after its name, where it is not the usual one; a damaged search is in none."""
    for name, experiment in (("a", {"experiment": "late"}), ("b", {})):
        SearchFolder.create(name, {"name": name, "objective": {"metric": "macro_f1"}, **experiment})
    (SearchFolder.create("c", {}).path / "search.yaml").write_text("[")
    url = remote(200, {"experiment": {"experiment_id": "7", "tags": []}})
    said: list[str] = []
    ui.serve(tracking_uri=url, say=said.append)
    assert [line.partition("http")[0] for line in said] == [
        "Searches and their trials: ",
        "late: Searches and their trials: ",
    ]
    assert [path.partition("experiment_name=")[2] for path in remote.asked] == ["goemo", "late"]


@pytest.mark.parametrize("status", [401, 404])
def test_a_server_without_our_experiment_is_still_named(runs, remote, status):
    """Where a login comes first, or nothing has been searched yet, the front page is the answer."""
    url = remote(status, {})
    assert ui.links(url) == [f"MLflow: {url}"]


def test_something_else_on_the_port_is_not_taken_for_mlflow(runs, remote):
    """An answer that is not MLflow's is an error, not an address to open."""
    with pytest.raises(GoemoError, match="no MLflow server answers there"):
        ui.links(remote(200, {"hello": "world"}))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_end_the_wait_without_an_error(number):
    """Ctrl-C and SIGTERM leave the block; what follows runs, and the old handler is back."""
    before = signal.getsignal(signal.SIGTERM)
    # What a terminal gives; a shell has what it starts in the background ignore Ctrl-C.
    of_ctrl_c = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ui._stopped_by_signals():
            signal.raise_signal(number)
            pytest.fail("the signal did not end the block")
    finally:
        signal.signal(signal.SIGINT, of_ctrl_c)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], False),
        ([(0, "/bin/bash"), (33, "/usr/sbin/nologin"), (65534, "/bin/bash")], False),
        ([(1001, "/usr/sbin/nologin"), (1002, "/bin/false")], False),
        ([(1001, "/bin/bash")], True),
        ([(1001, "/bin/zsh"), (1002, "/bin/false")], True),
    ],
)
def test_people_on_the_machine_are_those_who_can_log_in(monkeypatch, others, told):
    """Accounts of services and those without a shell are nobody who could open the store."""
    users = [SimpleNamespace(pw_uid=uid, pw_shell=shell) for uid, shell in others]
    mine = SimpleNamespace(pw_uid=os.getuid(), pw_shell="/bin/bash")
    monkeypatch.setattr("pwd.getpwall", lambda: [mine, *users])
    assert ui.has_other_users() is told


@pytest.mark.slow
def test_the_server_shows_the_search_and_ends_with_us(runs):
    """A real server on a real store, on loopback; SIGTERM ends it, its workers too, with code 0."""
    search = SearchFolder.create("tiny", {"name": "tiny", "space": {}, "objective": {"metric": "macro_f1"}})
    search.add_facts(data={"source": "sample:", "taxonomy": "ekman", "digest": "0123456789abcdef"})
    tracking.sync_all(search)
    port = free_port()
    code = (
        f"import functools; from tune.tracking import ui; "
        f"ui.serve({port}, say=functools.partial(print, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        assert f"http://127.0.0.1:{port}/#/experiments/" in said[0]
        assert said[1].startswith("Trials on sample:, ekman (012345) by best macro_f1: ")
        assert "viewStateShareKey=goemo-data-0123456789ab-macro_f1" in said[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
