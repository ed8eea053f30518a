"""From a bundle to a registered model, on a real MLflow store: what is logged, and who is champion."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from goemo import bundle, evaluation
from goemo.configuration import Configuration
from goemo.configuration.thresholds import DEFAULT_METHOD
from goemo.data import load_splits
from goemo.errors import GoemoError, InputError
from goemo.evaluation import validation_metrics
from goemo.significance import paired_difference
from goemo.thresholds import cross_fitted_predictions, fit_thresholds
from goemo.training import train
from goemo.training.prepared import prepare
from tune import tracking
from tune.models.registry import (
    Record,
    check_name,
    default_name,
    logged_model,
    register,
    registering,
    write_record,
)
from tune.models.registry.champion import Contender, judge
from tune.models.registry.record import RESULTS, SCORES
from tune.models.registry.run import run_name
from tune.models.trained import data_facts
from tune.spec import EXPERIMENT

TEXTS = ["thank you so much!", "wait, how does that work?", "çok teşekkürler 🙏 — 谢谢", "", "word " * 200]


@dataclass
class Trained:
    folder: Path
    splits: object


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Trained:
    """A bundle with its record, as a retrain of a few steps leaves it."""
    home = tmp_path_factory.mktemp("registry")
    splits = load_splits("sample:400")
    configuration = Configuration(
        checkpoint="scratch:albert-tiny", max_length=16, epochs=1, reports=2, learning_rate=3e-3
    )
    prepared = prepare(
        splits, configuration.checkpoint, trainable="all", max_lengths=[16], cache=home / "cache"
    )
    reports = []
    run = train(configuration, prepared, on_report=reports.append)
    assert run.best is not None
    thresholds = fit_thresholds(
        run.best.scores.astype(np.float32), splits.validation.targets, method=run.configuration.thresholds
    )
    scores = evaluation.as_kept(run.scores("test"))
    results = evaluation.results(splits.labels, thresholds, scores, splits.test.targets)
    best = run.best
    provenance = {
        "retrain_id": uuid.uuid4().hex,
        "origin": {"search": "tiny", "trial": "t003", "threads": 1},
        "expected": {"metric": "val/macro_f1", "value": best.metrics["val/macro_f1"]},
        "data": data_facts(splits, prepared.data, 42),
        "trained_on": "train",
        "training": "Trained on train.",
        "selection": {
            "trained_on": "train",
            "seed": 42,
            "seeds": [{"seed": 42, "value": best.metrics["val/macro_f1"], "progress": best.progress}],
            "report": {"progress": best.progress, "step": best.step, "metrics": best.metrics},
        },
        "started_at": 1_700_000_000.0,
        "ended_at": 1_700_000_100.0,
    }
    folder = home / "model"
    bundle.save(run, folder, thresholds=thresholds, provenance=provenance, results=results)
    write_record(
        folder,
        results=results,
        reports=[
            {"seed": 42, "progress": r.progress, "time": 1_700_000_000.0 + r.progress, **r.metrics}
            for r in reports
        ],
        environment={"versions": {"torch": "2.13.0"}, "platform": "Linux", "cpus": 2, "gpus": []},
        scores=best.scores,
        targets=splits.validation.targets,
    )
    return Trained(folder, splits)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory) -> Path:
    """A database with MLflow's tables, which take seconds to make, for tests to copy."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    tracking.Store(f"sqlite:///{path}", None).client().search_experiments()
    return path


@pytest.fixture
def client(tmp_path, monkeypatch, empty_database):
    """MLflow's client on the default store of a folder of its own."""
    folder = tmp_path / "my runs"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    monkeypatch.setenv("GOEMO_RUNS", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tracking.find_store().client()


def another(trained, folder, *, noise=None, towards=0.0, digest=None, experiment=None):
    """Copy the bundle as another retrain would leave it; scores move ``towards`` targets by that share."""
    shutil.copytree(trained.folder, folder)
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    provenance["retrain_id"] = uuid.uuid4().hex
    if digest is not None:
        provenance["data"]["splits"]["validation"]["digest"] = digest
    if experiment is not None:
        provenance["origin"]["experiment"] = experiment
    (folder / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    path = folder / "record" / "validation_scores.npz"
    with np.load(path, allow_pickle=False) as archive:
        scores, targets = archive["scores"].astype(np.float32), archive["targets"]
    if noise is not None:
        scores = np.random.default_rng(noise).random(scores.shape, dtype=np.float32)
    scores += towards * (targets - scores)
    np.savez_compressed(path, scores=scores.astype(np.float16), targets=targets)
    return folder


def aliases(client, name="sample-fine"):
    return {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()}


def artifact_paths(client, run_id, path=None):
    found = set()
    for entry in client.list_artifacts(run_id, path):
        found |= artifact_paths(client, run_id, entry.path) if entry.is_dir else {entry.path}
    return found


# --- what is logged ---


def test_a_model_is_in_the_experiment_of_its_search(client, trained, tmp_path):
    """As the export says; of before there was a choice, and of no search, in the usual one."""
    done = register(another(trained, tmp_path / "model", experiment="late"))
    run = client.get_run(done.run_id)
    assert client.get_experiment(run.info.experiment_id).name == "late"


def test_a_run_tells_how_the_model_was_chosen_and_what_it_gave(client, trained, tmp_path):
    """Params, reports by progress, test metrics, data sets, origin and files: all that the record knows."""
    done = register(trained.folder)
    record = Record.open(trained.folder)
    run = client.get_run(done.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "retrain tiny t003")
    assert client.get_experiment(run.info.experiment_id).name == EXPERIMENT
    assert run.data.params["checkpoint"] == "scratch:albert-tiny"
    assert run.data.params["learning_rate"] == "0.003"
    assert run.data.params["seeds"] == "[42]"
    tags = run.data.tags
    assert (tags["goemo.kind"], tags["goemo.from_search"], tags["goemo.from_trial"]) == (
        "retrain",
        "tiny",
        "t003",
    )
    assert "goemo.search" not in tags
    assert tags["version.torch"] == "2.13.0"
    assert "Trained on train." in tags["mlflow.note.content"]
    for name in ("val/macro_f1", "val/loss", "train/loss"):
        logged = [(m.step, m.value) for m in client.get_metric_history(done.run_id, name)]
        assert logged == [(row["progress"], row[name]) for row in record.reports]
    assert run.data.metrics["best/macro_f1"] == max(row["val/macro_f1"] for row in record.reports)
    assert run.data.metrics["test/macro_f1"] == record.results["results"]["validation"]["macro"]["f1"]
    half = record.results["results"]["fixed_0.5"]["macro"]["f1"]
    assert run.data.metrics["test/macro_f1_at_0.5"] == half
    inputs = {i.tags[0].value: i.dataset for i in run.inputs.dataset_inputs}
    assert {name: dataset.digest for name, dataset in inputs.items()} == {
        part.name: part.digest[:16] for part in trained.splits.splits()
    }
    assert artifact_paths(client, done.run_id) >= {
        "README.md",
        "config.yaml",
        "environment.json",
        "figures/test_per_label_heatmap.png",
        "history.csv",
        "provenance.json",
        "test_per_label.csv",
        "test_results.json",
        "thresholds.json",
        "validation_scores.npz",
    }
    kept = yaml.safe_load(
        Path(client.download_artifacts(done.run_id, "config.yaml", str(tmp_path))).read_text()
    )
    assert Configuration.from_dict(kept) == record.configuration


def test_the_kept_scores_give_the_logged_objective_again(client, trained, tmp_path):
    """What later versions are compared by is, to the last digit, what this one was chosen by."""
    done = register(trained.folder)
    path = client.download_artifacts(done.run_id, "validation_scores.npz", str(tmp_path))
    with np.load(path, allow_pickle=False) as archive:
        assert archive["scores"].dtype == np.float16
        scores = archive["scores"].astype(np.float32)
        again = validation_metrics(scores, archive["targets"], method=DEFAULT_METHOD)
    best = client.get_run(done.run_id).data.metrics["best/macro_f1"]
    assert again["val/macro_f1"] == best


def test_the_model_is_logged_with_what_it_takes_to_serve_it(client, trained):
    """Name, signature, example, requirements and test metrics; no pickle among its files."""
    done = register(trained.folder)
    model = client.get_logged_model(done.model_id)
    assert (model.name, str(model.status)) == ("sample-fine", "READY")
    assert model.source_run_id == done.run_id
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "sample-fine", "version": 1}]
    assert {metric.key for metric in model.metrics} >= {"test/macro_f1", "test/macro_f1_low"}
    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=model.artifact_location))
    names = {path.name for path in folder.rglob("*")}
    assert {
        "MLmodel",
        "pyfunc_model.py",
        "requirements.txt",
        "input_example.json",
        "thresholds.json",
    } <= names
    assert not any(name.endswith((".pkl", ".pickle", ".bin")) for name in names)
    described = yaml.safe_load((folder / "MLmodel").read_text())
    assert described["model_id"] == done.model_id
    assert described["run_id"] == done.run_id
    assert json.loads(described["signature"]["inputs"]) == [{"type": "string", "required": True}]
    assert [c["name"] for c in json.loads(described["signature"]["outputs"])] == ["labels", "scores"]
    needed = (folder / "requirements.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in needed} == {
        "mlflow",
        "torch",
        "transformers",
        "numpy",
        "pandas",
    }
    assert not any("+" in line for line in needed)


# --- who is champion ---


def test_a_better_version_takes_the_alias(client, trained, tmp_path):
    """The first version is champion; one whose scores are nearer to the truth takes the alias from it."""
    first = register(trained.folder)
    assert (first.name, first.version, first.alias) == ("sample-fine", "1", "champion")
    better = another(trained, tmp_path / "better", towards=0.4)
    second = register(better)
    assert (second.version, second.alias) == ("2", "champion")
    assert aliases(client) == {"champion": 2}

    old, new = Record.open(trained.folder), Record.open(better)
    predictions = [cross_fitted_predictions(r.scores, r.targets, method=DEFAULT_METHOD) for r in (new, old)]
    oracle = paired_difference(new.targets, *predictions)
    assert oracle.low > 0
    version = client.get_model_version("sample-fine", "2")
    words = f"{oracle.difference:+.4f} ({oracle.low:+.4f} to {oracle.high:+.4f})"
    assert version.tags["goemo.difference"] == words
    assert version.tags["goemo.validation_digest"] == trained.splits.validation.digest
    assert f"{oracle.difference:+.4f} against version 1" in version.description
    assert version.description.startswith("Better than the champion")
    assert version.run_id == second.run_id


@pytest.mark.parametrize("change", [{"noise": 1}, {"towards": 0.0}], ids=["worse", "equal"])
def test_a_version_that_is_not_better_does_not(client, trained, tmp_path, change):
    """Worse or equal on validation: the champion stays, and the new version says why it is a challenger."""
    register(trained.folder)
    done = register(another(trained, tmp_path / "other", **change))
    assert (done.version, done.alias) == ("2", "challenger")
    assert aliases(client) == {"champion": 1, "challenger": 2}
    assert "Not shown to be better" in client.get_model_version("sample-fine", "2").description
    assert "95 % interval" in done.summary
    assert ("the very scores of version 1" in done.reason) == (change == {"towards": 0.0})


def test_the_test_split_has_no_say(client, trained, tmp_path):
    """A version that is far better on test and equal on validation stays a challenger."""
    register(trained.folder)
    lucky = another(trained, tmp_path / "lucky")
    results = json.loads((lucky / "test_results.json").read_text())
    results["results"]["validation"]["macro"]["f1"] = 0.99
    (lucky / "test_results.json").write_text(json.dumps(results))
    assert register(lucky).alias == "challenger"


def test_other_validation_rows_cannot_be_compared(client, trained, tmp_path):
    """Better scores on other data prove nothing: a challenger, with the reason."""
    register(trained.folder)
    done = register(another(trained, tmp_path / "other", towards=0.5, digest="f" * 64))
    assert done.alias == "challenger"
    assert "another validation split" in done.reason
    assert "goemo.difference" not in client.get_model_version("sample-fine", "2").tags


def test_a_champion_of_other_making_is_not_compared(client, trained):
    """Somebody registered a version by hand and made it champion: it stays, and the reason is told."""
    client.create_registered_model("by-hand")
    experiment = client.create_experiment("theirs")
    run = client.create_run(experiment)
    client.create_model_version("by-hand", run.info.artifact_uri, run_id=run.info.run_id)
    client.set_registered_model_alias("by-hand", "champion", "1")
    done = register(trained.folder, name="by-hand")
    assert (done.version, done.alias) == ("2", "challenger")
    assert "has no validation_scores.npz" in done.reason
    assert aliases(client, "by-hand") == {"champion": 1, "challenger": 2}


@pytest.mark.parametrize("damage", ["truncated", "not JSON", "gone"])
def test_a_champion_that_cannot_be_read_is_not_compared(client, trained, tmp_path, damage):
    """Damaged scores or provenance, files that are gone: the new version is challenger, with the reason."""
    first = register(trained.folder)
    run = client.get_run(first.run_id)
    artifacts = Path(url2pathname(urlsplit(run.info.artifact_uri).path))
    if damage == "gone":
        shutil.rmtree(artifacts)
    elif damage == "truncated":
        path = artifacts / "validation_scores.npz"
        path.write_bytes(path.read_bytes()[:200])
    else:
        (artifacts / "provenance.json").write_bytes(b"{")
    second = register(another(trained, tmp_path / "second", towards=0.4))
    assert second.alias == "challenger"
    assert "version 1 has no validation_scores.npz" in second.reason
    assert aliases(client) == {"champion": 1, "challenger": 2}


def test_a_verdict_that_was_not_kept_is_given_again(client, trained, tmp_path, monkeypatch):
    """Where the store went away between alias and tag, the champion stays so, for the reason it was told."""
    register(trained.folder)
    better = another(trained, tmp_path / "better", towards=0.4)
    real = mlflow.MlflowClient.set_model_version_tag

    def away(self, name, version, key, value):
        if key == registering.VERDICT_TAG:
            raise ConnectionError("connection refused")
        return real(self, name, version, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "set_model_version_tag", away)
        with pytest.raises(GoemoError, match="connection refused"):
            register(better)
    assert aliases(client) == {"champion": 2}
    done = register(better)
    assert done.alias == "champion"
    assert done.reason.startswith("Better than the champion before it")
    assert aliases(client) == {"champion": 2}
    assert register(better) == done


def test_each_contender_is_cut_by_its_own_way_of_fitting():
    """The same scores, perfect when ranked, are worth nothing where the configuration says 0.5 for all."""
    random = np.random.default_rng(0)
    targets = random.random((300, 4)) < 0.3
    scores = np.where(targets, 0.4, 0.2).astype(np.float32) + random.random((300, 4), dtype=np.float32) / 10
    fitted = Configuration(checkpoint="x", thresholds="exact")
    fixed = Configuration(checkpoint="x", thresholds="fixed")
    contenders = {c.thresholds: Contender(c, scores, "d") for c in (fitted, fixed)}
    verdict = judge(contenders["exact"], targets, contenders["fixed"], old_name="version 1")
    assert verdict.alias == "champion"
    assert verdict.difference.difference == pytest.approx(1.0, abs=0.02)
    assert judge(contenders["fixed"], targets, contenders["exact"], old_name="x").alias == "challenger"


# --- again, and after a failure ---


def test_registering_again_doubles_nothing(client, trained):
    """The same run, model and version come back, and the verdict is not spoken twice."""
    first = register(trained.folder)
    assert register(trained.folder) == first
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    assert len(client.search_runs([experiment])) == 1
    assert len(client.search_logged_models([experiment])) == 1
    assert len(client.search_model_versions("name = 'sample-fine'")) == 1


@pytest.mark.parametrize(
    "fails", ["log_batch", "log_model_artifacts", "create_model_version", "set_registered_model_alias"]
)
def test_a_store_that_fails_half_way_is_completed_later(client, trained, monkeypatch, fails):
    """One clear error; the next attempt leaves exactly one whole run, one model, one version, one alias."""

    def away(*_, **__):
        raise ConnectionError("connection refused\nwith details")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, fails, away)
        with pytest.raises(GoemoError, match=r"the model was not registered \(connection refused\)$"):
            register(trained.folder)
    done = register(trained.folder)
    assert done.alias == "champion"
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    assert [run.info.run_id for run in client.search_runs([experiment])] == [done.run_id]
    assert [model.model_id for model in client.search_logged_models([experiment])] == [done.model_id]
    assert aliases(client) == {"champion": 1}
    assert len(client.get_metric_history(done.run_id, "test/macro_f1")) == 1


def test_a_name_may_have_dots(client, trained):
    """The registered model has the name as given; the logged model, whose name may not, has hyphens."""
    done = register(trained.folder, name="support.emotions")
    assert done.name == "support.emotions"
    assert client.get_logged_model(done.model_id).name == "support-emotions"
    assert client.get_model_version("support.emotions", "1").run_id == done.run_id


def test_logged_only_and_registered_later_is_one_run(client, trained):
    """Without registration there is a model but no version; a later call adds the version alone."""
    logged = register(trained.folder, is_registered=False)
    assert "not registered" in logged.summary
    assert client.search_registered_models() == []
    registered = register(trained.folder, name="another name")
    assert (registered.run_id, registered.model_id) == (logged.run_id, logged.model_id)
    assert aliases(client, "another name") == {"champion": 1}


@pytest.mark.parametrize("before", [None, "sqlite:///elsewhere.db"])
def test_what_a_notebook_has_set_in_mlflow_stays(client, trained, monkeypatch, before):
    """The tracking URI, its variable and the active run are as they were."""
    mlflow.set_tracking_uri(before)
    try:
        variable, shown = os.environ.get("MLFLOW_TRACKING_URI"), mlflow.get_tracking_uri()
        register(
            trained.folder,
            tracking_uri=tracking.find_store(None).uri if before is None else client.tracking_uri,
        )
        assert os.environ.get("MLFLOW_TRACKING_URI") == variable
        assert mlflow.get_tracking_uri() == shown
        assert mlflow.is_tracking_uri_set() == (before is not None)
        assert mlflow.active_run() is None
    finally:
        mlflow.set_tracking_uri(None)


# --- names and folders ---


@pytest.mark.parametrize(
    ("source", "taxonomy", "name"),
    [
        ("hub:google-research-datasets/go_emotions", "fine", "go_emotions-fine"),
        ("hub:google-research-datasets/go_emotions:raw", "ekman", "go_emotions-raw-ekman"),
        ("dir:data/my_data", "fine", "my_data-fine"),
        ("dir:data/my data/", "fine", "my-data-fine"),
        ("file:comments.csv", "fine", "comments-fine"),
        ("sample:600", "fine", "sample-fine"),
        ("sample:", "sentiment", "sample-sentiment"),
        ("my_data", "fine", "my_data-fine"),
        ("dir:/data/комментарии", "fine", "dir-fine"),
        ("dir:/data/a%b@c#d", "fine", "a-b-c-d-fine"),
    ],
)
def test_models_of_the_same_data_share_a_name(source, taxonomy, name):
    """The name is that of the data and the taxonomy, in characters that a URI holds."""
    assert default_name(source, taxonomy) == name
    check_name(name)


def test_a_folder_without_a_name_takes_that_of_where_one_is(tmp_path, monkeypatch):
    """`dir:.` is the folder that one is in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert default_name("dir:.", "fine") == "here-fine"


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a@b", " a", "..", "a%2fb", "a" * 201])
def test_a_name_that_no_uri_holds_is_refused(client, trained, name):
    """Before anything is logged."""
    with pytest.raises(InputError, match="registered model's name"):
        check_name(name)


def test_a_folder_without_a_record_is_refused(trained, tmp_path):
    """A bundle of a search, a damaged record and no folder at all: each says what writes a whole one."""
    with pytest.raises(InputError, match="goemo retrain"):
        register(tmp_path / "none")
    scores = "record/validation_scores.npz"
    half = (trained.folder / scores).read_bytes()[:200]
    damages = [("record/reports.json", b"{"), ("test_results.json", b"{"), (scores, b"{")]
    for number, (name, content) in enumerate([*damages, (scores, b""), (scores, half)]):
        folder = tmp_path / str(number)
        shutil.copytree(trained.folder, folder)
        (folder / name).write_bytes(content)
        with pytest.raises(InputError, match="goemo retrain writes one"):
            register(folder)


# --- what MLflow serves ---


def swapped(path):
    """Give a weight of the model file another value than a number."""
    from safetensors.numpy import load_file, save_file

    weights = load_file(path)
    name = next(name for name in weights if name.startswith("classifier"))
    weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, path, metadata={"format": "pt"})


NOTHING = np.zeros((5, 28), dtype=np.bool_)
BROKEN = {
    "weights that are no numbers": (lambda f: swapped(f / "model.safetensors"), "not finite"),
    "no weights": (lambda f: (f / "model.safetensors").write_bytes(b"PK"), "does not load"),
    "a link out of the folder": (
        lambda f: (f / "x.txt").symlink_to("/etc/hostname"),
        "leads out of the",
    ),
    "scores of other labels": (
        lambda f: np.savez(f / "record" / SCORES, scores=np.zeros((5, 3)), targets=np.zeros((5, 3), bool)),
        "has 3 labels",
    ),
    "scores beyond 1": (
        lambda f: np.savez(f / "record" / SCORES, scores=np.full((5, 28), 2.0), targets=NOTHING),
        "must lie in [0, 1]",
    ),
    "a figure beyond 1": (
        lambda f: (f / RESULTS).write_text(
            (f / RESULTS).read_text().replace('"f1": 0.', '"f1": 70.', 1), encoding="utf-8"
        ),
        "must lie in [0, 1], got 70",
    ),
}


@pytest.mark.parametrize("breaks", BROKEN)
def test_what_does_not_work_is_not_logged(client, trained, tmp_path, breaks):
    """Nothing reaches the store of a bundle whose model, scores or figures cannot be right."""
    folder = tmp_path / "broken"
    shutil.copytree(trained.folder, folder)
    change, says = BROKEN[breaks]
    change(folder)
    with pytest.raises(InputError) as caught:
        register(folder)
    assert says in str(caught.value)
    assert client.search_registered_models() == []
    assert all(not client.search_runs([e.experiment_id]) for e in client.search_experiments())


def served_from(folder, path):
    """Save a bundle in MLflow's format, and load it as MLflow does."""
    logged_model.save(folder, path)
    return logged_model.pyfunc().load_model(str(path))


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    """The bundle in MLflow's format, loaded as `mlflow models serve` loads it."""
    return served_from(trained.folder, tmp_path_factory.mktemp("served") / "model")


@pytest.mark.parametrize(
    "wrap", [list, pd.Series, lambda t: pd.DataFrame({"text": t})], ids=["list", "column", "frame"]
)
def test_mlflow_predicts_what_the_bundle_predicts(served, trained, wrap):
    """A list, a column or a frame of texts gives the labels of `goemo predict`, and its scores to 1e-6."""
    given = served.predict(wrap(TEXTS))
    expected = bundle.load(trained.folder).predict(TEXTS)
    assert given["labels"].tolist() == [p["labels"] for p in expected]
    assert any(given["labels"])
    for ours, theirs in zip(given["scores"], expected, strict=True):
        assert list(ours) == list(theirs["scores"])
        assert ours == pytest.approx(theirs["scores"], abs=1e-6)


def test_half_a_surrogate_pair_is_served(served):
    """It is read as the replacement character, as `goemo predict` does, if pandas lets it through."""
    texts = pd.DataFrame({"text": ["thank \ud83d you", "thank \ufffd you"]}, dtype=object)
    odd, plain = served.unwrap_python_model().predict(None, texts)["scores"]
    assert odd == pytest.approx(plain, abs=1e-6)


def test_a_served_model_does_not_say_where_it_was_made(trained, tmp_path):
    """What others read of it names no folder of this machine."""
    logged_model.save(trained.folder, tmp_path / "model")
    for path in (tmp_path / "model").glob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert str(trained.folder) not in text
            assert str(tmp_path) not in text
            assert str(Path(logged_model.PYFUNC_MODEL).parent) not in text


def test_many_texts_keep_their_order(served, trained):
    """More texts than a pass holds, of all lengths: each gets what it gets alone."""
    texts = [f"{'very ' * (i % 40)}happy {i}" for i in range(150)]
    together = served.predict(texts)["scores"].tolist()
    for row in (0, 64, 101, 149):
        assert together[row] == pytest.approx(served.predict([texts[row]])["scores"][0], abs=1e-6)


def test_a_fallback_and_a_threshold_of_never_are_honoured(trained, tmp_path):
    """With `top1`, a text without a label gets that of its highest score; `null` predicts nothing."""
    folder = tmp_path / "bundle"
    shutil.copytree(trained.folder, folder)
    kept = json.loads((folder / "thresholds.json").read_text())
    kept["thresholds"] = dict.fromkeys(kept["thresholds"])
    for fallback in ("none", "top1"):
        (folder / "thresholds.json").write_text(json.dumps({**kept, "options": {"fallback": fallback}}))
        given = served_from(folder, tmp_path / fallback).predict(TEXTS)
        rounded = [{k: float(np.float16(v)) for k, v in s.items()} for s in given["scores"]]
        highest = [[max(scores, key=scores.get)] for scores in rounded]
        assert given["labels"].tolist() == (highest if fallback == "top1" else [[]] * len(TEXTS))
        assert [p["labels"] for p in bundle.load(folder).predict(TEXTS)] == given["labels"].tolist()


def test_a_score_at_its_threshold_is_rounded_as_it_was_fitted(trained, tmp_path):
    """A threshold that is a rounded score predicts the text that it was fitted on."""
    scores = bundle.load(trained.folder).scores(TEXTS[:1])[0]
    folder = tmp_path / "bundle"
    shutil.copytree(trained.folder, folder)
    kept = json.loads((folder / "thresholds.json").read_text())
    rounded = scores.astype(np.float16).astype(float)
    kept["thresholds"] = dict(zip(kept["thresholds"], rounded.tolist(), strict=True))
    (folder / "thresholds.json").write_text(json.dumps(kept))
    assert (scores < rounded).any()
    given = served_from(folder, tmp_path / "model").predict(TEXTS[:1])
    assert given["labels"][0] == list(kept["thresholds"])
    assert all(math.isfinite(value) for value in given["scores"][0].values())


def test_the_served_script_needs_nothing_of_this_project(trained, tmp_path):
    """It loads and answers in a process in which neither goemo nor tune can be imported."""
    logged_model.save(trained.folder, tmp_path / "model")
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "sys.modules['goemo'] = sys.modules['tune'] = None\n"
        "import mlflow.pyfunc\n"
        f"model = mlflow.pyfunc.load_model({str(tmp_path / 'model')!r})\n"
        "print(len(model.predict(['hello', 'thanks'])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1:] == ["2"], done.stderr


def test_a_run_is_named_for_its_trial(trained):
    """A final model says on what it was trained."""
    record = Record.open(trained.folder)
    record.provenance["trained_on"] = "train+validation"
    assert run_name(record) == "retrain tiny t003 on train+validation"


def test_an_experiment_that_was_deleted_says_how_it_comes_back(client, trained):
    """MLflow keeps deleted experiments, and their names."""
    experiment = client.create_experiment(EXPERIMENT)
    client.delete_experiment(experiment)
    with pytest.raises(GoemoError, match="mlflow experiments restore"):
        registering.register(trained.folder)
