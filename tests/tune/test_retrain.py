"""A retrain is the exported training again; its bundle outlives every store, and the card tells the truth."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console
from safetensors.torch import load_file

from goemo import bundle, evaluation
from goemo.configuration import Configuration
from goemo.configuration.thresholds import DEFAULT_METHOD
from goemo.data import load_splits
from goemo.errors import GoemoError, InputError
from goemo.thresholds import fit_thresholds
from goemo.training import Diverged, TrainingRun, train
from goemo.training.prepared import prepare
from tune import tracking
from tune.cli import main
from tune.environment import describe
from tune.models import encoder as module
from tune.models.evaluating import evaluate_bundle
from tune.models.export import write_export
from tune.models.registry import Record
from tune.models.retrain import retrain
from tune.models.trained import carried_options, data_facts
from tune.records import Outcome, SearchFolder
from tune.spec import SearchSpec

CONFIGURATION = Configuration(
    checkpoint="scratch:albert-tiny", max_length=16, epochs=1, reports=3, learning_rate=3e-3
)
SOURCE = "sample:300"
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing answers there


@pytest.fixture(scope="module")
def splits():
    return load_splits(SOURCE)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The folder of the project's records, with an empty store and a cache that the tests share."""
    folder = tmp_path_factory.mktemp("retrain")
    tracking.Store(f"sqlite:///{folder / 'mlflow.db'}", None).client().search_experiments()
    return folder


@pytest.fixture(autouse=True)
def _here(home, tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def prepared(splits, home):
    return prepare(splits, CONFIGURATION.checkpoint, trainable="all", max_lengths=[16], cache=home / "cache")


@pytest.fixture(scope="module")
def trained(prepared):
    """The trials that the exports come from: seeds 42 and 43 on one thread."""
    return {seed: train(replace(CONFIGURATION, seed=seed), prepared, threads=1) for seed in (42, 43)}


def known_data(splits):
    """What a search and its export know of the data."""
    facts = data_facts(splits, splits.facts, 42)
    return {key: facts[key] for key in ("source", "taxonomy", "seed", "splitting", "digest", "splits")}


@pytest.fixture
def exported(splits, trained, tmp_path) -> Path:
    """What `goemo export` writes of the trial with seed 42."""
    environment = describe()
    values = {
        "origin": {"search": "tiny", "trial": "t003", "threads": 1, "gpus": environment["gpus"]},
        "expected": {"metric": "val/macro_f1", "value": trained[42].best.metrics["val/macro_f1"]},
        "data": known_data(splits),
        "configuration": CONFIGURATION.to_dict(),
        "versions": environment["versions"],
    }
    path = tmp_path / "best.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def said(console) -> str:
    return console.file.getvalue()


def objective(run) -> float:
    return run.best.metrics["val/macro_f1"]


def test_the_exported_score_comes_back_exactly_in_the_bundle_and_in_mlflow(exported, trained, console):
    """With the exported seed alone: the trial's very score, its scores, and the metric of the logged run."""
    done = retrain(exported, Path("model"), seeds=1, console=console)
    record = Record.open(Path("model"))
    expected = yaml.safe_load(exported.read_text())["expected"]["value"]
    assert record.provenance["report"]["metrics"]["val/macro_f1"] == expected
    assert np.array_equal(record.scores, trained[42].best.scores.astype(np.float32))
    client = tracking.find_store().client()
    assert client.get_run(done.registered.run_id).data.metrics["best/macro_f1"] == expected
    history = client.get_metric_history(done.registered.run_id, "val/macro_f1")
    assert (len(history), max(m.value for m in history)) == (3, expected)
    assert done.registered.name == "sample-fine"
    assert done.trouble is None
    assert done.results == record.results == json.loads(Path("model/test_results.json").read_text())
    assert "training, seed 42" in said(console)
    assert "changed since the search" not in said(console)


def test_the_best_seed_on_validation_is_kept(exported, trained, splits, console):
    """Of two seeds, weights, thresholds and scores are those of the better one; both are told of."""
    best = max((42, 43), key=lambda seed: objective(trained[seed]))
    done = retrain(exported, Path("model"), seeds=2, tracking_uri="none", console=console)
    record = Record.open(Path("model"))
    assert record.configuration.seed == best
    assert {e["seed"]: e["value"] for e in record.provenance["selection"]["seeds"]} == {
        seed: objective(run) for seed, run in trained.items()
    }
    assert {row["seed"] for row in record.reports} == {42, 43}
    assert {row["seed"] for row in record.kept_reports} == {best}
    run = trained[best]
    thresholds = fit_thresholds(
        run.best.scores.astype(np.float32), splits.validation.targets, method=run.configuration.thresholds
    )
    assert bundle.load(Path("model")).thresholds.values == pytest.approx(thresholds.values)
    oracle = evaluation.results(
        splits.labels, thresholds, evaluation.as_kept(run.scores("test")), splits.test.targets
    )
    assert done.results == oracle
    assert done.registered is None
    assert done.trouble is None
    assert "the best of 2 seeds" in record.provenance["training"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(torch.OutOfMemoryError("CUDA out of memory.\nTried"), "out of memory"), (Diverged("NaN"), "diverged")],
)
def test_a_seed_that_fails_costs_no_other(  # noqa: PLR0917 - fixtures and cases
    exported, trained, console, monkeypatch, error, reason
):
    """Finished seeds are kept, the next one is tried, and terminal, card and run tell of the one without."""
    real = module.train

    def failing(configuration, *arguments, **options):
        if configuration.seed == 43:
            raise error
        return real(configuration, *arguments, **options)

    monkeypatch.setattr(module, "train", failing)
    done = retrain(exported, Path("model"), seeds=2, console=console)
    assert f"seed 43: {reason}: {str(error).splitlines()[0]}\n" in said(console)
    assert "1 of 2 seeds gave a model; the best of them is kept: seed 4" in said(console)
    record = Record.open(Path("model"))
    assert record.configuration.seed == 42
    assert np.array_equal(record.scores, trained[42].best.scores.astype(np.float32))
    first, second = record.provenance["selection"]["seeds"]
    assert first["value"] == objective(trained[42])
    assert (second["value"], second["stop_reason"]) == (None, reason.replace(" ", "_"))
    assert "the best of the 1 of 2 seeds that gave a model" in Path("model/README.md").read_text()
    run = tracking.find_store().client().get_run(done.registered.run_id)
    assert f"| 43 | {reason} |" in run.data.tags["mlflow.note.content"]


@pytest.fixture
def searched(trained, splits, tmp_path, monkeypatch):
    """The search that the export names, whose trial has left its record and its weights."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "runs"))
    model = {"checkpoint": CONFIGURATION.checkpoint}
    search = SearchFolder.create("tiny", {"name": "tiny", "model": model, "data": {"source": SOURCE}})
    search.write_validation(splits.validation.targets, splits.labels)
    run, folder = trained[42], search.trial("t003")
    folder.write_config(CONFIGURATION.to_dict(), {})
    row = {"progress": run.best.progress, "time": 1.0, "seconds": 2.0, **run.best.metrics}
    folder.write_report(row, run.best.scores)
    folder.write_outcome(Outcome("completed"))
    thresholds = fit_thresholds(run.best.scores.astype(np.float32), splits.validation.targets)
    bundle.save(run, folder.path / "model", thresholds=thresholds, provenance={})
    return search


def test_weights_that_the_search_has_kept_are_those_of_another_training(exported, searched, console):
    """Nothing is trained, and weights, thresholds, scores and results are those of a retrain to the bit."""
    again = retrain(exported, Path("again"), tracking_uri="none", console=console)
    assert "--kept takes them without training again" in said(console)
    told = Console(file=io.StringIO(), width=200)
    kept = retrain(exported, Path("kept"), kept=True, tracking_uri="none", console=told)
    assert "t003 of tiny: the weights that the search has kept" in said(told)
    assert "training, seed" not in said(told)
    assert kept.results == again.results
    ours, theirs = (Record.open(Path(name)) for name in ("kept", "again"))
    assert np.array_equal(ours.scores, theirs.scores)
    assert ours.provenance["selection"]["seeds"] == theirs.provenance["selection"]["seeds"]
    thresholds = [bundle.load(Path(name)).thresholds.values for name in ("kept", "again")]
    assert np.array_equal(*thresholds)
    ours, theirs = (load_file(f"{name}/model.safetensors") for name in ("kept", "again"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert "that the search kept" in Path("kept/README.md").read_text()


@pytest.mark.parametrize("changed", ["configuration", "data", "report", "trial", "nothing kept"])
def test_weights_of_something_else_are_not_taken(exported, searched, console, changed):
    """What was kept must be of that configuration, its best report and those data; else it is trained."""
    values = yaml.safe_load(exported.read_text())
    model = searched.trial("t003").path / "model"
    provenance = json.loads((model / "provenance.json").read_text())
    why = f"another {changed}"
    if changed == "configuration":
        values["configuration"]["learning_rate"] = 2e-3
    elif changed == "data":
        provenance["data"]["digest"], why = "0" * 64, "other data"
    elif changed == "report":
        provenance["report"]["progress"] = 7
    elif changed == "trial":
        values["origin"]["trial"], why = "../trials/t003", "were not kept here"
    else:
        shutil.rmtree(model)
        why = "were not kept here"
    if model.exists():
        (model / "provenance.json").write_text(json.dumps(provenance))
    exported.write_text(yaml.safe_dump(values))
    retrain(exported, Path("model"), kept=True, tracking_uri="none", console=console)
    assert why in said(console)
    assert "so it is trained again" in said(console)
    assert "training, seed 42" in said(console)


def test_kept_weights_are_those_of_one_seed_on_train(exported):
    """Before anything is read."""
    with pytest.raises(InputError, match="--kept: is for one seed"):
        retrain(exported, Path("model"), kept=True, seeds=2, tracking_uri="none")


class Killed(BaseException):
    """What ends a command without a word."""


def test_seeds_that_have_ended_outlive_a_killed_command(exported, console, monkeypatch, home):
    """The same command again trains what is left, what ran out of memory too, and gives the same model."""
    real, trained, failing = module.train, [], {44: Killed(), 43: MemoryError()}

    def recorded(configuration, *arguments, **options):
        if configuration.seed in failing:
            raise failing[configuration.seed]
        trained.append(configuration.seed)
        return real(configuration, *arguments, **options)

    monkeypatch.setattr(module, "train", recorded)
    with pytest.raises(Killed):
        retrain(exported, Path("model"), seeds=3, tracking_uri="none", console=console)
    assert trained == [42]
    failing.clear()
    retrain(exported, Path("model"), seeds=3, tracking_uri="none", console=console)
    assert trained == [42, 43, 44]
    assert "seed 42: trained by an earlier command" in said(console)
    assert not list((home / "cache" / "seeds").iterdir())
    retrain(exported, Path("whole"), seeds=3, tracking_uri="none", console=console)
    assert trained == [42, 43, 44, 42, 43, 44]
    resumed, whole = Record.open(Path("model")), Record.open(Path("whole"))
    assert np.array_equal(resumed.scores, whole.scores)
    chosen = [record.provenance["selection"] for record in (resumed, whole)]
    assert chosen[0]["seeds"] == chosen[1]["seeds"]
    assert chosen[0]["seed"] == chosen[1]["seed"]
    assert [row["seed"] for row in resumed.reports] == [row["seed"] for row in whole.reports]


def test_what_is_kept_of_other_seeds_or_damaged_is_trained_anew(exported, console, monkeypatch, home):
    """The best of those that are kept may be none of those that are asked for."""
    real, trained = module.train, []

    def killed(configuration, *arguments, **options):
        if configuration.seed == 44:
            raise Killed
        trained.append(configuration.seed)
        return real(configuration, *arguments, **options)

    def kill():
        with pytest.raises(Killed):
            retrain(exported, Path("model"), seeds=3, tracking_uri="none", console=console)

    monkeypatch.setattr(module, "train", killed)
    kill()
    kill()
    assert trained == [42, 43]
    (kept,) = (home / "cache" / "seeds").glob("*/seeds.json")
    kept.write_text(kept.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    kill()
    assert trained == [42, 43, 42, 43]
    retrain(exported, Path("model"), seeds=1, tracking_uri="none", console=console)
    assert trained == [42, 43, 42, 43, 42]


def test_no_seed_no_model(exported, console, monkeypatch):
    """Where every seed fails, nothing is written, and the message has the reasons; a bug stays a bug."""
    errors = {42: MemoryError(), 43: Diverged("NaN")}

    def failing(configuration, *_, **__):
        raise errors[configuration.seed]

    monkeypatch.setattr(module, "train", failing)
    with pytest.raises(GoemoError, match="seed 42: out of memory, seed 43: diverged"):
        retrain(exported, Path("model"), seeds=2, tracking_uri="none", console=console)
    assert not Path("model").exists()
    errors[42] = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        retrain(exported, Path("model"), seeds=2, tracking_uri="none", console=console)


def test_a_frozen_encoder_gives_the_trials_scores_without_its_cache(splits, tmp_path, monkeypatch, console):
    """The export names all lengths of the search: they decide the last bits of features."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "runs"))
    spec = SearchSpec.from_dict(
        {
            "name": "head",
            "model": {"checkpoint": CONFIGURATION.checkpoint, "trainable": "head"},
            "data": {"source": SOURCE},
            "space": {"max_length": {"grid": [8, 16, 48]}},
        }
    )
    search = SearchFolder.create("head", spec.to_dict())
    search.write_validation(splits.validation.targets, splits.labels)
    search.add_facts(data=known_data(splits), environment=describe())
    configuration = replace(CONFIGURATION, trainable="head", max_length=16, epochs=1)
    features = prepare(
        splits,
        configuration.checkpoint,
        trainable="head",
        max_lengths=[8, 16, 48],
        cache=tmp_path / "a cache that is deleted",
    )
    trial = train(configuration, features, threads=1)
    folder = search.trial("t001")
    folder.write_config(configuration.to_dict(), {"max_length": 16})
    report = {"progress": trial.best.progress, "time": 1.0, "seconds": 1.0, **trial.best.metrics}
    folder.write_report(report, trial.best.scores)
    folder.write_outcome(Outcome("completed"))
    shutil.rmtree(tmp_path / "a cache that is deleted")

    write_export(search, Path("head.yaml"))
    assert yaml.safe_load(Path("head.yaml").read_text())["origin"]["max_lengths"] == [8, 16, 48]
    asked = []
    monkeypatch.setattr(module, "prepare", lambda *a, **o: asked.append(o["max_lengths"]) or prepare(*a, **o))
    retrain(Path("head.yaml"), Path("model"), tracking_uri="none", console=console)
    assert asked == [[8, 16, 48]]
    record = Record.open(Path("model"))
    again, before = record.provenance["report"]["metrics"], trial.best.metrics
    assert {k: v for k, v in again.items() if k.startswith("val/")} == {
        k: v for k, v in before.items() if k.startswith("val/")
    }
    assert np.array_equal(record.scores, trial.best.scores.astype(np.float32))


def test_a_final_model_is_trained_on_both_splits_with_carried_thresholds(
    exported, prepared, trained, splits, console
):
    """Weights of the joined training at the chosen progress; thresholds cross-fitted on the selection."""
    retrain(exported, Path("final"), on="train+validation", tracking_uri="none", console=console)
    chosen = trained[42].best
    oracle = TrainingRun(CONFIGURATION, prepared.joined(), threads=1)
    oracle.train_to(chosen.progress)
    with oracle.best_model() as model:
        weights = {name: p.detach().clone() for name, p in model.state_dict().items()}
    saved = load_file("final/model.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in saved.items())

    thresholds = fit_thresholds(
        chosen.scores.astype(np.float32), splits.validation.targets, method="cross_fit", of=DEFAULT_METHOD
    )
    loaded = bundle.load(Path("final"))
    assert loaded.thresholds.method == "cross_fit"
    assert loaded.thresholds.values == pytest.approx(thresholds.values)

    record = Record.open(Path("final"))
    assert np.array_equal(record.scores, chosen.scores.astype(np.float32))
    facts = record.provenance
    assert facts["trained_on"] == "train+validation"
    assert facts["selection"]["report"]["metrics"]["val/macro_f1"] == objective(trained[42])
    assert facts["report"]["progress"] == chosen.progress
    assert not any(name.startswith("val/") for name in facts["report"]["metrics"])
    assert facts["data"]["digest"] == splits.digest
    card = Path("final/README.md").read_text(encoding="utf-8")
    words = " ".join(card.split())
    assert "Trained on train and validation together" in words
    assert "without looking at validation" in words
    assert f"to {chosen.progress} % of the training" in words

    evaluate_bundle(Path("final"), split="validation", console=console)
    assert "final was also trained on validation" in said(console)


def test_the_test_split_is_opened_once(exported, console, monkeypatch):
    """One pass over the test texts, after everything has been chosen, whatever the number of seeds."""
    opened = []
    scores = TrainingRun.scores

    def watched(run, split, **options):
        opened.append((split, run.is_finished))
        return scores(run, split, **options)

    monkeypatch.setattr(TrainingRun, "scores", watched)
    retrain(exported, Path("m"), seeds=2, on="train+validation", tracking_uri="none", console=console)
    assert opened == [("test", True)]


@pytest.mark.parametrize("choice", ["exact", "grid", {"method": "grid", "step": 0.1, "fallback": "top1"}])
def test_thresholds_are_carried_over_by_the_same_method(choice):
    """Averaged over folds, with the same options; what is averaged already stays as it is."""
    options = carried_options(choice)
    assert options["method"] == "cross_fit"
    assert options["of"] == (choice if isinstance(choice, str) else choice["method"])
    if not isinstance(choice, str):
        assert (options["step"], options["fallback"]) == (0.1, "top1")
    assert carried_options(options) == options


# --- a store that is away ---


def test_a_store_that_is_away_costs_no_model(exported, capsys):
    """The model is whole, the exit code 1, one line says how to log it later, and that command does."""
    with pytest.raises(SystemExit) as stopped:
        main(["retrain", str(exported), "-o", "model", "--register", "my model", "--tracking-uri", NOBODY])
    assert stopped.value.code == 1
    out, err = capsys.readouterr()
    assert "test split" in out
    last = err.strip().splitlines()[-1]
    assert last.startswith("goemo: ")
    command = re.search(r"the bundle in model is safe, log it later with: goemo (.*)$", last)[1]
    assert command == f"register model --name 'my model' --tracking-uri {NOBODY}"
    assert "the MLflow server does not answer" in err.splitlines()[0]  # before the training, too
    assert bundle.load(Path("model")).predict(["thanks!"])
    main(["register", "model", "--name", "my model"])
    assert "my model version 1, champion" in capsys.readouterr().out


def test_a_wrong_name_or_uri_is_refused_before_anything_is_trained(exported, monkeypatch, capsys):
    """Exit code 2, and no folder."""
    monkeypatch.setattr(module, "train", None)
    for options in (
        ["--register", "a/b"],
        ["--tracking-uri", "ftp://x"],
        ["--register", "a", "--no-register"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["retrain", str(exported), "-o", "model", *options])
        assert stopped.value.code == 2
        assert not Path("model").exists()
    assert "registered model's name" in capsys.readouterr().err


# --- what has changed ---


def stopped_before_training(*_, **__):
    raise Diverged("stop")


@pytest.mark.parametrize(
    ("part", "change", "expected"),
    [
        ("data", {"digest": "a" * 64}, r"the data \(sample:300: digest .{12}, was aaaaaaaaaaaa\)"),
        ("versions", {"torch": "1.0"}, r"torch is .*, was 1\.0"),
        ("versions", {"gone": "3"}, r"gone is missing, was 3"),
        ("origin", {"gpus": ["H200", "H200"]}, r"the GPUs are .*, were H200, H200"),
    ],
)
def test_what_has_changed_is_named_before_the_training(  # noqa: PLR0917 - fixtures and cases
    exported, monkeypatch, console, part, change, expected
):
    """Data, versions and GPUs that are not those of the search, one line each, and nothing else."""
    values = yaml.safe_load(exported.read_text())
    values[part] |= change
    exported.write_text(yaml.safe_dump(values))
    monkeypatch.setattr(module, "train", stopped_before_training)
    with pytest.raises(GoemoError, match="seed 42: diverged"):
        retrain(exported, Path("model"), tracking_uri="none", console=console)
    lines = [line for line in said(console).splitlines() if "changed since the search" in line]
    assert len(lines) == 1
    assert re.search(expected, lines[0])
    assert not Path("model").exists()


def test_the_split_that_has_changed_is_named(exported, monkeypatch, console, splits):
    """Where the export knows the digests of the splits, so does the message."""
    values = yaml.safe_load(exported.read_text())
    values["data"]["digest"] = "a" * 64
    values["data"]["splits"]["test"]["digest"] = "b" * 64
    exported.write_text(yaml.safe_dump(values))
    monkeypatch.setattr(module, "train", stopped_before_training)
    with pytest.raises(GoemoError):
        retrain(exported, Path("model"), tracking_uri="none", console=console)
    assert "changed since the search: the data, in test (" in said(console)


def test_a_folder_that_holds_something_is_refused(exported, tmp_path):
    """Nobody's files are written over, and nothing is trained first."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="new or empty"):
        retrain(exported, tmp_path / "model")
    shutil.rmtree(tmp_path / "model")
