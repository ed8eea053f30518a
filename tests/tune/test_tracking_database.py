"""A new store is there whole or not at all, and one of another version is refused before anything runs."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest

from goemo.errors import GoemoError, InputError
from tune import tracking
from tune.tracking import database as database_module
from tune.tracking.database import make_database

KILLED_IN_THE_MIDDLE = """\
import os, pathlib, signal, sys, threading
from tune.tracking import find_store
store = find_store(sys.argv[1])
store.import_client()
def kill():
    while not any(new.stat().st_size for new in pathlib.Path(sys.argv[2]).glob(".mlflow.db-*/mlflow.db")):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, daemon=True).start()
store.client().search_experiments()
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store as it is made; for copies."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    tracking.find_store(f"sqlite:///{path}").client()
    return path


@pytest.fixture
def database(tmp_path, whole):
    path = tmp_path / "mlflow.db"
    path.write_bytes(whole.read_bytes())
    return path


def execute(path, statement):
    with closing(sqlite3.connect(path)) as file:
        file.execute(statement)
        file.commit()


@pytest.mark.slow
def test_a_process_that_is_killed_in_the_middle_leaves_no_store(tmp_path):
    """Half of one would be refused by MLflow from then on; this way the next process makes it."""
    path = tmp_path / "mlflow.db"
    uri = f"sqlite:///{path}"
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, uri, tmp_path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not path.exists()
    client = tracking.find_store(uri).client()
    assert client.create_experiment("after") == "1"


def test_a_new_store_leaves_nothing_beside_it(whole):
    """One file, in which MLflow finds all its tables."""
    assert [path.name for path in whole.parent.iterdir()] == ["mlflow.db"]
    with closing(sqlite3.connect(whole)) as file:
        assert file.execute("select count(*) from runs").fetchone() == (0,)


def test_a_store_that_is_there_stays(database):
    """Whatever is in it, and whoever was faster."""
    execute(database, "insert into experiments (name, lifecycle_stage) values ('kept', 'active')")
    before = database.read_bytes()
    make_database(database)
    assert database.read_bytes() == before


def test_another_process_may_have_been_faster(tmp_path, monkeypatch):
    """Its store stays."""
    path = tmp_path / "mlflow.db"

    def make(new):
        new.write_bytes(b"ours")
        path.write_bytes(b"theirs")

    monkeypatch.setattr(database_module, "_open", make)
    make_database(path)
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_hard_links_has_stores_too(tmp_path, monkeypatch):
    """As of many a USB disk or network share."""

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    client = tracking.find_store(f"sqlite:///{tmp_path}/mlflow.db").client()
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    assert client.create_experiment("first") == "1"


@pytest.mark.parametrize("change", ["newer", "older"])
def test_a_store_of_another_version_is_refused_with_what_to_do(database, change):
    """Before a search starts, and untouched: MLflow would bring an older one up to date, unasked."""
    uri = f"sqlite:///{database}"
    assert tracking.check_store(uri) == uri
    number = "451aebb31d03" if change == "older" else "fffffffffff1"
    execute(database, f"update alembic_version set version_num = '{number}'")
    if change == "older":  # MLflow makes tables that are missing, and what else is of a later version
        execute(database, "drop table trace_tags")
    before = database.read_bytes()
    with pytest.raises(InputError, match=rf"\({number}\); if of an older .* mlflow db upgrade {uri};"):
        tracking.check_store(uri)
    assert database.read_bytes() == before


def test_files_that_are_not_mlflows_have_no_version(tmp_path):
    """None yet, an empty one, and a database of something else: MLflow makes its tables there."""
    path = tmp_path / "mlflow.db"
    tracking.check_store(f"sqlite:///{path}")
    assert not path.exists()
    path.touch()
    tracking.check_store(f"sqlite:///{path}")
    execute(path, "create table other (a)")
    tracking.check_store(f"sqlite:///{path}")


@pytest.mark.parametrize("kind", ["file", "server"])
def test_a_deleted_experiment_is_refused_before_anything_runs(database, monkeypatch, kind):
    """With the command that restores it, which a store takes again."""
    store = tracking.find_store(f"sqlite:///{database}")
    client = store.client()
    number = client.create_experiment("goemo")
    store.check()
    client.delete_experiment(number)
    if kind == "server":
        store = tracking.find_store("http://127.0.0.1:1")
        answer = {"experiment": {"experiment_id": number, "lifecycle_stage": "deleted"}}
        reply = SimpleNamespace(status_code=200, json=lambda: answer)
        monkeypatch.setattr(type(store), "ask_for_experiment", lambda *_: reply)
    command = f"MLFLOW_TRACKING_URI={store.uri} mlflow experiments restore --experiment-id {number}"
    with pytest.raises(GoemoError, match=re.escape(f"bring it back with: {command}")):
        store.check()
    if kind == "file":
        client.restore_experiment(number)
        store.check()
