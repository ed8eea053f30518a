"""The registered model behind `mlflow models serve`, as a real process that answers over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.slow]

TEXTS = ["thank you so much!", "çok teşekkürler 🙏 — 谢谢"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def model(shell, retrained):
    """Predictions of `goemo predict`, and the store that has the model."""
    predicted = shell.run("predict", "model", *TEXTS, "--format", "json")
    return json.loads(predicted.stdout), f"sqlite:///{shell.folder / 'mlruns' / 'mlflow.db'}"


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    """The champion, served on a free port of 127.0.0.1 until the tests are over."""
    port = free_port()
    folder = tmp_path_factory.mktemp("serve")
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": model[1],
        # `--env-manager local` starts the uvicorn that it finds first, as an activated environment has it.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = ["models", "serve", "-m", "models:/sample-fine@champion", "--env-manager", "local"]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command, "-h", "127.0.0.1", "-p", str(port)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it starts others, which are to end with it
        )
        try:
            wait_until_it_answers(process, port, folder / "log.txt")
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_until_it_answers(process, port, log):
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def post(port, body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["predictions"]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": TEXTS},
        {"instances": TEXTS},
        {"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}},
        {"dataframe_records": [{"text": text} for text in TEXTS]},
    ],
    ids=lambda body: next(iter(body)),
)
def test_two_texts_are_answered_with_labels_and_scores(server, model, body):
    """Each form of MLflow's protocol gives what `goemo predict` gives, for letters of any script."""
    answers = post(server, body)
    assert [answer["labels"] for answer in answers] == [p["labels"] for p in model[0]]
    for ours, theirs in zip(answers, model[0], strict=True):
        assert ours["scores"] == pytest.approx(theirs["scores"], abs=1e-6)


def test_a_body_that_is_none_of_them_is_an_error_of_the_caller(server):
    """It is refused with status 400, and the server goes on."""
    with pytest.raises(urllib.error.HTTPError) as error:
        post(server, {"texts": TEXTS})
    assert error.value.code == 400
    assert post(server, {"inputs": TEXTS[:1]})
