"""The work of one process on a search."""

from __future__ import annotations

import pytest

from goemo.errors import GoemoError
from tune.driver import run_search
from tune.spec import load_spec


@pytest.mark.slow
def test_a_new_search_is_refused_where_its_store_does_not_answer(tmp_path, monkeypatch):
    """Before anything of it is there; the discard port answers nobody."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    with pytest.raises(GoemoError, match="the MLflow server does not answer"):
        run_search(load_spec("quickstart_scratch"), tracking_uri="http://127.0.0.1:9")
    assert not (tmp_path / "searches").exists()
