"""MLflow's SQLite files: a new one is created whole or not at all; another version is reported.

MLflow fills a new file in hundreds of steps. What a process leaves that is killed in the middle, MLflow takes
for a store of an older version, and refuses for ever.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from goemo.errors import InputError
from goemo.files import put_new


def make_database(path: Path) -> None:
    """Make an MLflow store where there is no file: beside its place first, then put there.

    Args:
        path: Of the file.

    Raises:
        OSError: Its folder cannot be written to.
        mlflow.exceptions.MlflowException: Likewise, or the disk is full.
    """
    if path.exists():
        return
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        new = Path(folder) / path.name
        _open(new)
        put_new(new, path)


def deleted_experiment(path: Path, name: str) -> str | None:
    """Return the id of an experiment that is marked as deleted in a store's file; None where it is not."""
    asked = "select experiment_id from experiments where name = ? and lifecycle_stage = 'deleted'"
    return _asked(path, asked, name)


def refuse_other_version(path: Path, shown: str) -> None:
    """Refuse a store whose tables are of another version of MLflow.

    MLflow is asked, of a copy of the tables without their rows: it would bring some stores up to date as
    soon as it opens them, which is for their owner to decide.

    Args:
        path: Of the file, which need not be there.
        shown: The store's URI, for messages.

    Raises:
        InputError: The message says what to do.
    """
    version = _schema(path)
    if version is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mlflow.db"
        _copy_tables(path, copy)
        try:
            _open(copy)
            is_ours = _schema(copy) == version
        except Exception:  # noqa: BLE001 - MLflow, SQLAlchemy and Alembic each have their own
            is_ours = False
    if not is_ours:
        problem = (
            f"its tables are of another version of MLflow ({version}); if of an older one, make a copy of "
            f"{path}, then: mlflow db upgrade {shown}; if of a newer one, install that MLflow"
        )
        raise InputError(shown, [problem])


def _open(path: Path) -> None:
    """Have MLflow open a file, which makes the tables that it lacks."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{path}"
    MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments(max_results=1)


def _copy_tables(path: Path, copy: Path) -> None:
    """Copy the tables of a file without their rows, and with its version."""
    made = (
        "select sql from sqlite_master where sql is not null and name not like 'sqlite_%' "
        "order by type != 'table'"  # the rest is about tables that must be there
    )
    with closing(_reader(path)) as file, closing(sqlite3.connect(copy)) as new:
        for (statement,) in file.execute(made).fetchall():
            new.execute(statement)
        version = file.execute("select version_num from alembic_version").fetchone()
        new.execute("insert into alembic_version values (?)", version)
        new.commit()


def _schema(path: Path) -> str | None:
    """Return the version of the tables in a file; None where there are none of MLflow's."""
    return _asked(path, "select version_num from alembic_version")


def _asked(path: Path, question: str, *values: str) -> str | None:
    """Return the first figure of the first row of an answer; None where there is none, or no such table."""
    if not path.is_file():
        return None
    try:
        with closing(_reader(path)) as file:
            found = file.execute(question, values).fetchone()
    except sqlite3.Error:  # no tables yet, or others than MLflow's: whoever opens the store says so
        return None
    return None if found is None else str(found[0])


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
