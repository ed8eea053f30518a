"""Registers a bundle in a store: logs it, registers it, sets its alias; nothing is done twice."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from goemo.errors import GoemoError, first_line
from goemo.escaping import code, prose, without_folders
from tune.models.exported import configuration_of
from tune.models.registry import champion, logged_model, model_names, run
from tune.models.registry.champion import Contender, Verdict
from tune.models.registry.checking import check_bundle
from tune.models.registry.record import SCORES, Record, read_json
from tune.spec import EXPERIMENT
from tune.tracking import Store, content, find_experiment, find_store

VERDICT_TAG = "goemo.alias"  # set last: a version that has it is done
DIGEST_TAG = "goemo.validation_digest"


@dataclass(frozen=True)
class Registered:
    """What a store has of a bundle.

    Attributes:
        store: Its URI, without a password.
        run_id: The run of the retrain.
        model_id: The logged model.
        name: The registered model; None where it was only logged.
        version: Its version.
        alias: ``champion`` or ``challenger``: what the version was given when it was registered.
        reason: Why.
    """

    store: str
    run_id: str
    model_id: str
    name: str | None = None
    version: str | None = None
    alias: str | None = None
    reason: str | None = None

    @property
    def summary(self) -> str:
        """One line for the terminal."""
        if self.name is None:
            return f"logged in {self.store} as models:/{self.model_id}, not registered"
        return f"registered in {self.store}: {self.name} version {self.version}, {self.alias}. {self.reason}"


def register(
    folder: Path,
    *,
    name: str | None = None,
    is_registered: bool = True,
    tracking_uri: str | None = None,
) -> Registered:
    """Log a bundle that `tune.models.retrain.retrain` wrote, and register it as a version of a model.

    Calling it again, after a failure or not, completes what is missing and doubles nothing.

    Args:
        folder: The bundle.
        name: The registered model; None for one that models of the same data and labels share.
        is_registered: False only logs it.
        tracking_uri: See `tune.tracking.find_store`.

    Raises:
        InputError: The folder has no record of a retrain, its model does not work, or the name or the URI
            cannot be used.
        GoemoError: The store failed; the folder is as it was.
    """
    store = find_store(tracking_uri)
    record = Record.open(folder)
    data = record.provenance["data"]
    name = name or model_names.default_name(data["source"], data["taxonomy"])
    model_names.check_name(name)
    check_bundle(record.folder, record)
    try:
        client = store.client()
        logged = _log(client, store, record, name)
        if not is_registered:
            return logged
        version = _version(client, store, record, logged, name)
        alias, reason = _alias(client, record, version)
    except GoemoError:
        raise
    except Exception as error:
        why = store.hide(first_line(error)[:200])
        raise GoemoError(f"{store.shown}: the model was not registered ({why})") from error
    return replace(logged, name=name, version=str(version.version), alias=alias, reason=reason)


def _log(client: Any, store: Store, record: Record, name: str) -> Registered:
    """Return the run and the logged model of a record, making them where the store lacks them."""
    from mlflow.entities import Param

    experiment_id = find_experiment(
        client,
        store,
        metric=record.configuration.metric,
        name=record.provenance.get("origin", {}).get("experiment") or EXPERIMENT,
    )
    tag = f"tags.`{run.ID_TAG}` = '{record.provenance['retrain_id']}'"
    for found in client.search_runs([experiment_id], tag):
        models = client.search_logged_models([experiment_id], f"source_run_id = '{found.info.run_id}'")
        if found.info.status == "FINISHED" and models:
            return Registered(store.shown, found.info.run_id, models[0].model_id)
        for model in models:
            client.delete_logged_model(model.model_id)
        client.delete_run(found.info.run_id)  # of an attempt that failed half way
    run_id = run.create(client, experiment_id, record)
    client.log_batch(run_id, params=[Param(key, value) for key, value in run.params(record).items()])
    client.log_inputs(run_id, content.dataset_inputs(record.provenance["data"]))
    run.log_files(client, run_id, record)
    model_id = logged_model.create(client, experiment_id, run_id, record, name=name)
    client.log_batch(run_id, metrics=run.metrics(record, model_id))
    run.finish(client, run_id, record)
    return Registered(store.shown, run_id, model_id)


def _version(client: Any, store: Store, record: Record, logged: Registered, name: str) -> Any:
    """Return the version of a registered model that this run made, making it where there is none."""
    _make_model(client, record, name)
    for version in client.search_model_versions(f"name = '{name}' and run_id = '{logged.run_id}'"):
        return version
    tags = {DIGEST_TAG: record.validation_digest}
    with _global_store(store):
        version = client.create_model_version(
            name,
            f"models:/{logged.model_id}",
            run_id=logged.run_id,
            tags=tags,
            model_id=logged.model_id,
        )
    logged_model.add_version(client, logged.model_id, version)
    return version


def _make_model(client: Any, record: Record, name: str) -> None:
    from mlflow.exceptions import MlflowException

    data = record.provenance["data"]
    text = (
        f"Text classification with {record.targets.shape[1]} labels (taxonomy {prose(data['taxonomy'])}) on "
        f"{code(without_folders(data['source']))}. `champion` is the version to use; a new one takes the "
        "alias only if it is better on validation by the paired bootstrap."
    )
    try:
        client.create_registered_model(name, description=text)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _alias(client: Any, record: Record, version: Any) -> tuple[str, str]:
    """Give a version its alias, once, and return the alias and why."""
    if VERDICT_TAG in version.tags:
        return version.tags[VERDICT_TAG], version.description.partition("\n\n")[0]
    name, number = version.name, version.version
    verdict = _verdict(client, record, version)
    client.update_model_version(name, number, _description(record, verdict))
    if verdict.difference is not None:
        gain = verdict.difference
        words = f"{gain.difference:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        client.set_model_version_tag(name, number, "goemo.difference", words)
    client.set_registered_model_alias(name, verdict.alias, number)
    client.set_model_version_tag(name, number, VERDICT_TAG, verdict.alias)
    return verdict.alias, verdict.reason


def _description(record: Record, verdict: Verdict) -> str:
    test = run.test_metrics(record)
    score = (
        f"{test['test/macro_f1']:.4f} ({test['test/macro_f1_low']:.4f} to {test['test/macro_f1_high']:.4f})"
    )
    training = prose(record.provenance["training"])
    return f"{verdict.reason}\n\nTest macro-F1, not used for this decision: {score}. {training}"


def _verdict(client: Any, record: Record, version: Any) -> Verdict:
    present = client.get_registered_model(version.name).aliases.get(champion.CHAMPION)
    if str(present) == str(version.version):  # the store went away after the alias was set: the reason stands
        told = (client.get_model_version(version.name, str(present)).description or "").partition("\n")[0]
        return Verdict(champion.CHAMPION, told or f"{version.name} had no champion.")
    if present is None:
        return champion.first(version.name)
    old_name = f"version {present}"
    old_run = client.get_model_version(version.name, str(present)).run_id
    old = _contender(client, old_run) if old_run else None
    if old is None:
        return champion.not_comparable(f"{old_name} has no {SCORES}, so there is nothing to compare")
    new = Contender(record.configuration, record.scores, record.validation_digest)
    return champion.judge(new, record.targets, old, old_name=old_name)


def _contender(client: Any, run_id: str) -> Contender | None:
    """Read what a version is compared by from its run; None where the run has none that can be read."""
    from mlflow.exceptions import MlflowException

    needed = {SCORES, "provenance.json"}
    try:
        if not needed <= {entry.path for entry in client.list_artifacts(run_id)}:
            return None
        with tempfile.TemporaryDirectory() as folder:
            paths = {name: Path(client.download_artifacts(run_id, name, folder)) for name in needed}
            with np.load(paths[SCORES], allow_pickle=False) as archive:
                scores = archive["scores"].astype(np.float32)
            provenance = read_json(paths["provenance.json"])
        digest = provenance["data"]["splits"]["validation"]["digest"]
        return Contender(configuration_of(provenance["configuration"]), scores, digest)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # the run was deleted for good
            return None
        raise  # the store is away: to be tried again
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile):  # of another version, or damaged
        return None


@contextmanager
def _global_store(store: Store) -> Iterator[None]:
    """Let MLflow's global store be this one meanwhile: its registry in a database looks models up there."""
    import mlflow

    variable = "MLFLOW_TRACKING_URI"
    environment = os.environ.get(variable)
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(store.uri)
    try:
        yield
    finally:
        # It writes the variable too; where both agree, the variable alone gave the store before.
        mlflow.set_tracking_uri(None if before == environment else before)
        if environment is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = environment
