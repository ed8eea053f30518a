"""The work of one process on a search."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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
)
print(found.is_complete, [name for name in ("torch", "transformers") if name in sys.modules])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing forks")
def test_the_driver_does_without_torch(tmp_path):
    """Forks check, prepare and test: torch is imported once, and no GPU is held while trials run."""
    environment = {k: v for k, v in os.environ.items() if k not in {"MLFLOW_TRACKING_URI", "RAY_ADDRESS"}}
    environment["GOEMO_RUNS"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", SEARCH],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["True []"], done.stderr
    assert (tmp_path / "searches" / "s" / "artifacts" / "test_results.json").is_file()
    assert (tmp_path / "searches" / "s" / "artifacts" / "report.html").is_file()
