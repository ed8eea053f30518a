"""SQLite files of MLflow: a new one is made whole or not at all, and one of another version is told of.

MLflow fills a new file in hundreds of steps. What a process leaves that is killed in the middle, MLflow takes
for a store of an older version, and refuses for ever.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from goemo.errors import InputError


def make_database(path: Path) -> None:
    """Make an MLflow store where there is no file: beside its place first, then put there.

    Args:
        path: Of the file.

    Raises:
        OSError: Its folder cannot be written to.
        sqlalchemy.exc.OperationalError: Likewise, or the disk is full.
    """
    if path.exists():
        return
    from mlflow.store.db import utils

    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        new = Path(folder) / path.name
        engine = utils.create_sqlalchemy_engine_with_retry(f"sqlite:///{new}")
        utils._initialize_tables(engine)  # noqa: SLF001 - what its store calls at the first connection
        engine.dispose()
        try:
            os.link(new, path)
        except FileExistsError:  # another process was faster
            return
        except OSError:  # a file system without hard links
            if not path.exists():
                new.rename(path)


def refuse_other_version(path: Path, shown: str) -> None:
    """Refuse a store whose tables are of another version of MLflow.

    Args:
        path: Of the file, which need not be there.
        shown: The store's URI, for messages.

    Raises:
        InputError: The message says what to do.
    """
    version = _schema(path)
    if version is None:
        return
    from mlflow.store.db import utils

    expected = utils._get_latest_schema_revision()  # noqa: SLF001 - there is no public name
    if version != expected:
        problem = (
            f"its tables are of another version of MLflow ({version}, here {expected}); if of an older one, "
            f"make a copy of {path}, then: mlflow db upgrade {shown}"
        )
        raise InputError(shown, [problem])


def _schema(path: Path) -> str | None:
    """Return the version of the tables in a file; None where there are none of MLflow's."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
            found = file.execute("select version_num from alembic_version").fetchone()
    except sqlite3.Error:  # no such table; whatever else it is, MLflow will say it
        return None
    return None if found is None else str(found[0])
