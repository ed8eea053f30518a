"""The work of one process on a search."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from goemo.errors import GoemoError
from tune.driver import run_search
from tune.spec import load_spec

SEARCH = """\
import sys
from tune.driver import run_search
from tune.spec import SearchSpec
found = run_search(
    SearchSpec.from_dict(
        {
            "name": "s",
            "model": {"checkpoint": "scratch:albert-tiny"},
            "data": {"source": "sample:300"},
            "space": {"batch_size": {"grid": [32, 64]}, "max_length": 16, "epochs": 1},
        }
    ),
    address=sys.argv[1] if sys.argv[1:] else None,
)
print(found.is_complete, [name for name in ("torch", "transformers") if name in sys.modules])
"""


START_RAY = """\
import ray
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ray", ["its own", "there already"])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing forks")
def test_the_driver_does_without_torch(tmp_path, ray):
    """Forks check, prepare and test: torch is imported once, and no GPU is held while trials run."""
    code = {"its own": [SEARCH], "there already": [START_RAY + SEARCH, "auto"]}
    environment = {k: v for k, v in os.environ.items() if k not in {"MLFLOW_TRACKING_URI", "RAY_ADDRESS"}}
    environment["GOEMO_RUNS"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", *code[ray]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["True []"], done.stderr
    assert (tmp_path / "searches" / "s" / "artifacts" / "test_results.json").is_file()
    assert (tmp_path / "searches" / "s" / "artifacts" / "report.html").is_file()


@pytest.mark.slow
def test_a_new_search_is_refused_where_its_store_does_not_answer(tmp_path, monkeypatch):
    """Before anything of it is there; the discard port answers nobody."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    with pytest.raises(GoemoError, match="the MLflow server does not answer"):
        run_search(load_spec("quickstart_scratch"), tracking_uri="http://127.0.0.1:9")
    assert not (tmp_path / "searches").exists()
