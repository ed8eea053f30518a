"""A bundle as a logged model of MLflow, without pickles: a script, the folder, and what it needs to run."""

from __future__ import annotations

import json
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from tune.models.registry import run
from tune.models.registry.record import Record

PYFUNC_MODEL = Path(__file__).with_name("pyfunc_model.py")  # the script that travels with the model
EXAMPLE = ["thank you so much!", "wait, how does that work?"]
# What the script imports, whatever the model, and for each kind of model.
PACKAGES = ("mlflow", "numpy", "pandas")
ENCODER_PACKAGES = ("torch", "transformers")
WORDS_PACKAGES = ("scikit-learn", "scipy", "safetensors")
VERSIONS_TAG = "mlflow.modelVersions"  # where the UI looks for the versions of a logged model


def pyfunc() -> Any:
    """Return ``mlflow.pyfunc``, whose import warns of type hints in MLflow's own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        import mlflow.pyfunc
    return mlflow.pyfunc


def requirements(bundle: Path) -> list[str]:
    """Return what the script needs for the models of a bundle, in the versions that are installed."""
    needed = list(PACKAGES)
    if next(bundle.rglob("config.json"), None) is not None:
        needed += ENCODER_PACKAGES
    if next(bundle.rglob("words.json"), None) is not None:
        needed += WORDS_PACKAGES
    # A local version, 2.13.0+cpu, is a build that no package index has.
    return [f"{package}=={metadata.version(package).partition('+')[0]}" for package in needed]


def signature() -> Any:
    """Return the types of input and output: a column of texts; for each, labels and scores.

    The column has no name: MLflow then takes a plain list as well.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, Map

    outputs = [ColSpec(Array(DataType.string), "labels"), ColSpec(Map(DataType.double), "scores")]
    return ModelSignature(inputs=Schema([ColSpec(DataType.string)]), outputs=Schema(outputs))


def create(client: Any, experiment_id: str, run_id: str, record: Record, *, name: str) -> str:
    """Log a bundle as a model of the run that made it, and return the model's id."""
    from mlflow.entities import LoggedModelOutput

    pyfunc()  # first, so that nothing below imports it loudly
    from mlflow.models import Model

    model = client.create_logged_model(
        experiment_id,
        name=name.replace(".", "-"),  # a dot is for names of registered models alone
        source_run_id=run_id,
        tags={
            run.ID_TAG: record.provenance["retrain_id"],
            "goemo.trained_on": record.provenance["trained_on"],
        },
        params=run.params(record),
        model_type="text-classification",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        description = Model(
            artifact_path=model.artifact_location,
            run_id=run_id,
            model_uuid=model.model_id,
            model_id=model.model_id,
        )
        save(record.folder, path, description=description)
        client.log_model_artifacts(model.model_id, str(path))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_id)


def save(bundle: Path, path: Path, *, description: Any = None) -> None:
    """Write a bundle in MLflow's model format.

    Args:
        bundle: The folder that `goemo.bundle` wrote.
        path: The folder to write; must not exist.
        description: An ``mlflow.models.Model`` that knows the run and the logged model, if there are any.
    """
    pyfunc().save_model(
        str(path),
        python_model=str(PYFUNC_MODEL),
        artifacts={"bundle": str(bundle)},  # as the script calls it
        signature=signature(),
        input_example=EXAMPLE,
        pip_requirements=requirements(bundle),
        mlflow_model=description,
    )
    _forget_where_it_was_made(path / "MLmodel")


def _forget_where_it_was_made(description: Path) -> None:
    """Leave the places on this machine out of what others read; MLflow loads by names in the folder."""
    values = yaml.safe_load(description.read_text(encoding="utf-8"))
    flavour = values["flavors"]["python_function"]
    for artifact in flavour.get("artifacts", {}).values():
        artifact["uri"] = artifact["path"]
    for holder in (values, flavour):
        if "model_code_path" in holder:
            holder["model_code_path"] = Path(holder["model_code_path"]).name
    description.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")


def add_version(client: Any, model_id: str, version: Any) -> None:
    """Tell a logged model of a version that it was registered as, as MLflow's own functions do."""
    known = json.loads(client.get_logged_model(model_id).tags.get(VERSIONS_TAG, "[]"))
    if any((v["name"], str(v["version"])) == (version.name, str(version.version)) for v in known):
        return  # a server has done so itself
    entry = {"name": version.name, "version": version.version}
    client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps([*known, entry])})
