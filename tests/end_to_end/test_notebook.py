"""The notebook of the documentation, run as its reader would run it."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def pictures(cell):
    """Return how many pictures a cell shows inline: PNG outputs, and images inside HTML."""
    shown = [output["data"] for output in cell.get("outputs", []) if "data" in output]
    return sum(
        ("image/png" in data) + data.get("text/html", "").count("data:image/png;base64,") for data in shown
    )


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch, minilm):
    """Every cell runs in an empty folder, the comparison has its pictures, and the model answers."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    for name in ("GOEMO_RUNS", "MLFLOW_TRACKING_URI", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    notebook = nbformat.read(REPOSITORY / "docs" / "search.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = {cell["source"].splitlines()[-1]: pictures(cell) for cell in notebook.cells if pictures(cell)}
    assert shown.pop("result") == 3
    assert sorted(shown.values()) == [1, 1]
    said = notebook.cells[-2].outputs[0]["text"].splitlines()
    assert [line.partition("[")[0].strip() for line in said] == ["thank you so much!", "this is awful"]
    assert (tmp_path / "model" / "model.safetensors").is_file()
