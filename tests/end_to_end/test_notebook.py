"""The notebook of the documentation, run as its reader would run it."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch, minilm):
    """Every cell runs in a folder with nothing in it, and the model that it makes answers."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    for name in ("GOEMO_RUNS", "MLFLOW_TRACKING_URI", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    notebook = nbformat.read(REPOSITORY / "docs" / "search.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    said = notebook.cells[-2].outputs[0]["text"].splitlines()
    assert [line.partition("[")[0].strip() for line in said] == ["thank you so much!", "this is awful"]
    assert (tmp_path / "model" / "model.safetensors").is_file()
