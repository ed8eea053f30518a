"""The MLflow store to use, and whether it can be used."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from goemo.errors import GoemoError, InputError
from tune.records import runs_folder
from tune.spec import EXPERIMENT
from tune.tracking.database import deleted_experiment, make_database, refuse_other_version

OFF = "none"  # in place of a URI: nothing is logged
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")

LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or write them to ~/.mlflow/credentials"

# Set only where the user has not. Our own queue retries: MLflow's hidden retry of a request whose answer
# was lost could create a run twice.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


# What lets in: the password before the last @, of any characters; a token in its place; a key of the query.
_SECRETS = (
    re.compile(r"^(?P<before>[\w+.-]+://[^:/@]*:)(?P<secret>.+)(?P<after>@)(?=[^@]*$)"),
    re.compile(r"^(?P<before>https?://)(?P<secret>[^:/@]+)(?P<after>@)"),
    re.compile(r"(?P<before>[?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)(?P<secret>[^&]+)(?P<after>)"),
)
LEAST_SECRET = 4


@dataclass(frozen=True)
class Store:
    """An MLflow store.

    Attributes:
        uri: Where runs go: a database, a tracking server, or `OFF`.
        artifact_location: Where the artifacts of a new experiment go; None leaves that to the server.
    """

    uri: str
    artifact_location: str | None

    @property
    def is_off(self) -> bool:
        """Whether nothing is to be logged."""
        return self.uri == OFF

    @property
    def is_server(self) -> bool:
        """Whether it is reached over HTTP."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def shown(self) -> str:
        """The URI without its password, for messages."""
        return self.hide(self.uri)

    def hide(self, text: str) -> str:
        """Return a text in which nothing that lets in is shown: password, token, secrets of the query."""
        masked, secrets = self.uri, set()
        for secret in _SECRETS:
            secrets |= {found["secret"] for found in secret.finditer(self.uri)}
            masked = secret.sub(lambda found: f"{found['before']}***{found['after']}", masked)
        text = text.replace(self.uri, masked)
        for value in sorted(secrets, key=len, reverse=True):
            if len(value) >= LEAST_SECRET:  # shorter ones would be found in any text
                text = text.replace(value, "***")
        return text

    @property
    def database(self) -> Path | None:
        """The file of a SQLite store; None for other stores."""
        if not self.uri.startswith("sqlite:"):
            return None
        return Path(self.uri.removeprefix("sqlite:///").partition("?")[0])

    def ask_for_experiment(self, name: str = EXPERIMENT, *, timeout_s: float = 5.0) -> Any:
        """Ask a tracking server for an experiment, logged in as MLflow's clients are; return its answer.

        Returns:
            A `requests.Response`, whatever its status.

        Raises:
            GoemoError: The server does not answer.
        """
        set_environment()
        from mlflow.exceptions import MlflowException
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request

        try:
            return http_request(
                get_default_host_creds(self.uri),
                "/api/2.0/mlflow/experiments/get-by-name",
                "GET",
                params={"experiment_name": name},
                timeout=timeout_s,
                max_retries=0,
                raise_on_status=False,
            )
        except MlflowException as error:
            why = type(error.__cause__ or error.__context__ or error).__name__
            raise GoemoError(
                f"{self.shown}: the MLflow server does not answer ({why}); start it, or unset "
                "MLFLOW_TRACKING_URI to use the store in mlruns/"
            ) from error

    def check(self, experiment: str = EXPERIMENT) -> None:
        """Ask a tracking server whether it is there and lets us in, and a SQLite file which version it is of.

        Args:
            experiment: That runs are to be in.

        Raises:
            GoemoError: The server does not answer, or the experiment was deleted.
            InputError: It wants a login, or another one; or the file is of another version of MLflow.
        """
        if self.database is not None:
            set_environment()
            refuse_other_version(self.database, self.shown)
            if (deleted := deleted_experiment(self.database, experiment)) is not None:
                raise self.deleted(experiment, deleted)
        if not self.is_server:
            return
        answer = self.ask_for_experiment(experiment)
        if answer.status_code in {401, 403}:
            raise InputError(self.shown, [f"{LOGIN} (the MLflow server answers {answer.status_code})"])
        if answer.status_code == 200:
            found = answer.json().get("experiment", {})
            if found.get("lifecycle_stage") == "deleted":
                raise self.deleted(experiment, str(found.get("experiment_id")))

    def deleted(self, name: str, experiment_id: str) -> GoemoError:
        """Return an error that says of a deleted experiment how to bring it back."""
        command = f"mlflow experiments restore --experiment-id {experiment_id}"
        back = f"bring it back with: MLFLOW_TRACKING_URI={shlex.quote(self.shown)} {command}"
        return GoemoError(f"the MLflow experiment {name!r} was deleted; {back}")

    def client(self) -> Any:
        """Return an `mlflow.MlflowClient` on this store; the first import of mlflow takes seconds.

        Raises:
            InputError: Tracking is off.
        """
        if self.is_off:
            raise InputError(OFF, ["tracking is off; name a store, or unset MLFLOW_TRACKING_URI"])
        self.import_client()
        from mlflow import MlflowClient

        if self.database is not None:
            make_database(self.database)
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def import_client(self) -> None:
        """Import what `client` needs, which takes a second."""
        set_environment()
        import mlflow

        if self.uri.startswith(DATABASES):
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


def set_environment() -> None:
    """Set how mlflow is to behave, before it is imported; what the user has set stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def find_store(tracking_uri: str | None = None) -> Store:
    """Decide which store to use: the given one, else ``$MLFLOW_TRACKING_URI``, else the one in mlruns/.

    Nothing is created but the folder of the default store, and MLflow is not imported. ``none`` is the
    store that takes nothing.

    Raises:
        InputError: A URI that MLflow or this project cannot use, a file that is no SQLite database, or an
            old file store; the message says what to do.
    """
    where, uri = "--tracking-uri", tracking_uri
    if not uri:
        where, uri = "MLFLOW_TRACKING_URI", os.environ.get("MLFLOW_TRACKING_URI")
    artifacts = (runs_folder() / "artifacts").as_uri()
    if not uri:
        database = runs_folder() / "mlflow.db"
        _refuse_file_store("mlruns", runs_folder(), unless=database)
        _refuse_foreign_file("mlruns", database)
        runs_folder().mkdir(parents=True, exist_ok=True)
        return Store(f"sqlite:///{database}", artifacts)
    if uri.lower() == OFF:
        return Store(OFF, None)
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme in {"http", "https"}:
        return Store(uri.rstrip("/"), None)
    if scheme in {"", "file"}:
        folder = Path(unquote(urlsplit(uri).path)).absolute()
        raise InputError(where, [_migration(folder, folder.parent / "mlflow.db")])
    if scheme not in DATABASES:
        known = f"{OFF}, http(s)://HOST:PORT, sqlite:///FILE, postgresql://..., mysql://..., mssql://..."
        raise InputError(where, [f"must be one of {known}, got {Store(uri, None).shown!r}"])
    if scheme == "sqlite":
        database = Path(uri.removeprefix("sqlite:///")).absolute()
        _refuse_foreign_file(where, database)
        uri = f"sqlite:///{database}"
    return Store(uri, artifacts)


def check_store(tracking_uri: str | None = None) -> str:
    """Return the URI of the store, without its password, after asking it whether it is there.

    Raises:
        InputError: As `find_store`, or a tracking server wants a login, or a file is of another version.
        GoemoError: A tracking server does not answer.
    """
    store = find_store(tracking_uri)
    store.check()
    return store.shown


def _refuse_file_store(where: str, folder: Path, *, unless: Path) -> None:
    if not unless.exists() and any(folder.glob("*/meta.yaml")):
        raise InputError(where, [_migration(folder, unless)])


def _refuse_foreign_file(where: str, database: Path) -> None:
    if not database.parent.is_dir() and database.parent != runs_folder():
        raise InputError(where, [f"{database.parent}: no such folder; make it, or name another database"])
    if database.is_dir():
        raise InputError(where, [f"{database} is a folder; name a file"])
    if database.is_file() and database.stat().st_size:
        with database.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise InputError(
                    where, [f"{database} is not a SQLite database; move it away or name another"]
                )


def _migration(folder: Path, database: Path) -> str:
    return (
        f"{folder} is a file store, which MLflow 3 no longer writes to; move its runs to a database with: "
        f"mlflow migrate-filestore --source {folder} --target sqlite:///{database}"
    )
