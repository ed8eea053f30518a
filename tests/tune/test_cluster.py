"""Connecting to Ray."""

from __future__ import annotations

import pytest

from goemo.errors import InputError
from tune.engine.cluster import connect


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "nonsense"])
def test_an_address_that_is_none_is_refused(address, monkeypatch):
    """A wrong address is a wrong call, wherever it comes from."""
    with pytest.raises(InputError, match="--address"), connect(address) as nodes:
        nodes()
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match="RAY_ADDRESS"), connect(None) as nodes:
        nodes()
