"""The main job: search, browse, export, retrain, use."""

from __future__ import annotations

import csv
import json
import re
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

ARTIFACTS = {
    "config.yaml",
    "thresholds.json",
    "per_label.csv",
    "per_label_at_0.5.csv",
    "history.csv",
    "validation_scores.npz",
    "figures/per_label_heatmap.png",
    "figures/f1_by_support.png",
    "figures/threshold_curves.png",
    "report.html",
    "environment.json",
}
METRICS = {
    "val/macro_f1",
    "val/macro_f1_at_0.5",
    "val/weighted_f1",
    "val/micro_f1",
    "val/loss",
    "train/loss",
    "train/samples_per_second",
    "train/peak_memory_gb",
    "cost/ms_per_text",
    "cost/megabytes",
}


def board_of(shell, name):
    return json.loads(shell.run("leaderboard", name, "--format", "json").stdout)


def ranking(board):
    """What must not depend on when or where a search ran."""
    left_out = ("seconds", "search", "ms_per_text", "is_on_front")
    return [{key: value for key, value in row.items() if key not in left_out} for row in board["trials"]]


def outcomes(shell, name):
    return list((shell.folder / f"mlruns/searches/{name}/trials").glob("*/outcome.json"))


def wait_for_first_outcome(shell, name):
    """Return as soon as one trial of the search has ended."""
    deadline = time.monotonic() + 120
    while not outcomes(shell, name):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="session")
def client(shell, searched):
    """MLflow's own client on the store that the search left."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{shell.folder / 'mlruns' / 'mlflow.db'}")


@pytest.fixture(scope="module")
def diverging(shell, searched):
    """A search of two trials, one of which diverges, with its leaders confirmed: what the command printed."""
    return shell.run(
        "search",
        "tiny.yaml",
        *("--name", "diverging", "--set", "confirm={top: 2, seeds: 3}"),
        *("--set", "space.learning_rate={grid: [1.0e-3, 1.0e+3]}", "--set", "space.batch_size=32"),
    )


@pytest.fixture(scope="session")
def runs(client):
    experiment = client.get_experiment_by_name("goemo")
    return client.search_runs([experiment.experiment_id], "tags.`goemo.search` = 'tiny'")


def artifact_paths(client, run_id, path=None):
    found = set()
    for entry in client.list_artifacts(run_id, path):
        found |= artifact_paths(client, run_id, entry.path) if entry.is_dir else {entry.path}
    return found


def test_a_search_ranks_all_its_trials(shell, searched):
    """Four trials, four rows, best first, each with an interval that holds its score."""
    board = board_of(shell, "tiny")
    trials = board["trials"]
    assert board["search"] == "tiny"
    assert sorted(t["trial_id"] for t in trials) == ["t001", "t002", "t003", "t004"]
    assert [t["rank"] for t in trials] == [1, 2, 3, 4]
    scores = [t["val_macro_f1"] for t in trials]
    assert scores == sorted(scores, reverse=True)
    assert all(t["low"] <= t["val_macro_f1"] <= t["high"] for t in trials)
    assert trials[0]["tied_with_best"]
    assert {t["stop_reason"] for t in trials} == {"completed"}


def test_progress_goes_to_stderr_and_results_to_stdout(searched):
    """A pipe gets plain lines about each trial on stderr, and the leaderboard on stdout."""
    assert all(f"{t}  bs" in searched.stderr for t in ("t001", "t002", "t003", "t004"))
    assert "about" in searched.stderr
    assert "\x1b" not in searched.stdout + searched.stderr
    assert "Best: t00" in searched.stdout


def test_the_log_tells_the_whole_story(shell, searched):
    """The command, its phases with their seconds, every start, report and end; no advice of Ray's own."""
    text = (shell.folder / "mlruns/searches/tiny/log.txt").read_text(encoding="utf-8")
    assert "search tiny.yaml" in text.splitlines()[0]
    for phase in ("reading the data", "preparing", "trials", "report", "the store"):
        assert re.search(rf": {phase}: \d+\.\d s$", text, re.MULTILINE), phase
    for trial_id in ("t001", "t002", "t003", "t004"):
        assert text.count(f": {trial_id} starts") == 1
        assert text.count(f": {trial_id} at ") == 5
        assert re.search(rf": {trial_id}  bs.* done", text)
    assert text.splitlines()[-1].endswith(": ended")
    assert "Tuner.restore" not in text


def test_mlflow_has_one_parent_and_a_child_for_each_trial(runs):
    """Parent and children carry the tags that tie them together and tell how they ended."""
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 1
    assert len(children) == 4
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert sorted(run.data.tags["goemo.trial_id"] for run in children) == ["t001", "t002", "t003", "t004"]
    assert {run.data.tags["goemo.stop_reason"] for run in children} == {"completed"}
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_mlflow_has_each_report_once_at_its_progress(shell, client, runs):
    """Every metric of every report stands in the store at its step, once, with the value of the record."""
    for run in runs:
        trial_id = run.data.tags.get("goemo.trial_id")
        if trial_id is None:
            continue
        lines = (shell.folder / f"mlruns/searches/tiny/trials/{trial_id}/history.jsonl").read_text()
        history = [json.loads(line) for line in lines.splitlines()]
        assert [row["progress"] for row in history] == [20, 40, 60, 80, 100]
        for name in METRICS:
            logged = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
            assert logged == [(row["progress"], row[name]) for row in history], name


def test_mlflow_has_the_configuration_and_the_artifacts(client, runs):
    """Params are the configuration as asked for; the artifacts are those that the design promises."""
    for run in runs:
        if "goemo.trial_id" not in run.data.tags:
            continue
        assert run.data.params["checkpoint"] == "scratch:albert-tiny"
        assert run.data.params["batch_size"] in {"16", "32"}
        assert artifact_paths(client, run.info.run_id) >= ARTIFACTS


def test_artifacts_tell_the_same_as_the_metrics(shell, client, runs, tmp_path):
    """Scores, thresholds and tables of the best report give the very numbers that were logged."""
    from goemo.evaluation import validation_metrics
    from goemo.thresholds import threshold_options

    run = next(run for run in runs if "goemo.trial_id" in run.data.tags)
    folder = Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
    with np.load(folder / "validation_scores.npz", allow_pickle=False) as archive:
        scores = archive["scores"].astype(np.float32)
    with (folder / "per_label.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["label", "accuracy", "precision", "recall", "f1", "mcc", "support", "threshold"]
    best = max(m.value for m in client.get_metric_history(run.info.run_id, "val/macro_f1"))
    assert np.mean([float(row["f1"]) for row in rows]) == pytest.approx(best, abs=1e-12)
    with np.load(shell.folder / "mlruns/searches/tiny/validation.npz", allow_pickle=False) as archive:
        again = validation_metrics(scores, archive["targets"], **threshold_options("proportional"))
    assert again["val/macro_f1"] == best
    cuts = json.loads((folder / "thresholds.json").read_text(encoding="utf-8"))["thresholds"]
    assert list(cuts) == [row["label"] for row in rows]
    assert scores.shape == (60, 28)


def test_a_killed_search_goes_on_and_ends_as_if_nothing_had_happened(shell, searched):
    """SIGKILL of the driver after its first trial: resume completes it, with every run and step once.

    The trial that had ended saved no checkpoint first: of a large encoder it would be gigabytes for nothing.
    """
    process = shell.start("search", "tiny.yaml", "--name", "killed")
    wait_for_first_outcome(shell, "killed")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(outcomes(shell, "killed")) < 4
    ray_folder = shell.folder / "mlruns/searches/killed/ray"
    assert [*ray_folder.glob("TrialActor_*")]
    assert not [*ray_folder.glob("*/checkpoint_*")]
    shell.run("resume", "killed")
    assert ranking(board_of(shell, "killed")) == ranking(board_of(shell, "tiny"))
    with sqlite3.connect(shell.folder / "mlruns" / "mlflow.db") as store:
        killed = "select run_uuid from tags where key = 'goemo.search' and value = 'killed'"
        trials = f"select value from tags where key = 'goemo.trial_id' and run_uuid in ({killed})"
        assert sorted(row[0] for row in store.execute(trials)) == ["t001", "t002", "t003", "t004"]
        steps = f"select count(*) from metrics where key = 'val/macro_f1' and run_uuid in ({killed})"
        assert store.execute(steps).fetchone() == (4 * 5,)


def test_an_interrupted_search_says_how_to_go_on(shell, searched):
    """Ctrl-C stops in order, marks the runs, exits with 1 and names the command that goes on."""
    process = shell.start("search", "tiny.yaml", "--name", "stopped")
    wait_for_first_outcome(shell, "stopped")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "goemo resume stopped" in err
    assert "Traceback" not in err
    shell.run("resume", "stopped")
    assert ranking(board_of(shell, "stopped")) == ranking(board_of(shell, "tiny"))


def test_a_diverged_trial_does_not_stop_the_search(shell, diverging):
    """A learning rate beyond reason ends its trial as diverged; the leaderboard says so and leaves it out.

    The other trial gives what the same configuration gave in another search, to the last digit: seed and
    configuration decide everything, on the CPU.
    """
    assert "DIVERGED" in diverging.stderr
    assert "went wrong; see the log: mlruns/searches/diverging/log.txt" in diverging.stderr
    board = board_of(shell, "diverging")
    assert [t["trial_id"] for t in board["trials"]] == ["t001"]
    assert board["reasons"] == {"completed": 1, "diverged": 1}
    (sound,) = board["trials"]
    (twin,) = [t for t in board_of(shell, "tiny")["trials"] if t["config"] == sound["config"]]
    results = [key for key in twin if key.startswith("val_") or key in ("low", "high", "best_progress")]
    assert len(results) > 5
    assert {key: sound[key] for key in results} == {key: twin[key] for key in results}
    assert "t002 diverged:" in shell.run("leaderboard", "diverging").stdout
    assert "1 trial has no rank: 1 diverged" in diverging.stdout


def test_leaders_are_confirmed_with_further_seeds_through_a_crash(shell, diverging, client):
    """The one that completed is trained with two more seeds, each with one run in MLflow, and is the best.

    When the last confirmation is lost in its middle, resume makes it again, to the last digit, and changes
    nothing else; a second resume does nothing at all.
    """
    board = board_of(shell, "diverging")
    (leader,) = board["confirmed"]
    assert (leader["trial_id"], leader["seeds"]) == ("t001", [42, 43, 44])
    assert leader["values"][0] == board["trials"][0]["objective"]
    assert len(set(leader["values"])) == 3
    assert leader["low"] < leader["mean"] < leader["high"]
    assert "confirming t001: 2 trainings with further seeds" in diverging.stderr
    assert "t001-s44  lr0.001 seed44" in diverging.stderr
    assert "Confirmed best: t001" in diverging.stdout
    folder = shell.folder / "mlruns/searches/diverging"
    before = {path: path.read_bytes() for path in folder.glob("trials/*/history.jsonl")}
    (folder / "trials/t001-s44/outcome.json").unlink()
    (folder / "trials/t001-s44/history.jsonl").unlink()
    assert "confirming t001: 1 training with further seeds" in shell.run("resume", "diverging").stderr
    again = board_of(shell, "diverging")
    assert ranking(again) == ranking(board)
    assert again["confirmed"] == board["confirmed"]
    shell.run("resume", "diverging")
    kept = {path: path.read_bytes() for path in folder.glob("trials/*/history.jsonl")}
    assert {path for path in kept if kept[path] != before[path]} == {folder / "trials/t001-s44/history.jsonl"}
    experiment = client.get_experiment_by_name("goemo")
    found = client.search_runs([experiment.experiment_id], "tags.`goemo.search` = 'diverging'")
    children = {run.data.tags["goemo.trial_id"]: run for run in found if "goemo.trial_id" in run.data.tags}
    assert len(found) == 1 + 2 + 2
    assert set(children) == {"t001", "t002", "t001-s43", "t001-s44"}
    repeat = children["t001-s43"]
    assert repeat.info.run_name == "lr0.001 seed43"
    assert repeat.data.tags["goemo.confirms"] == "t001"
    assert repeat.data.tags["goemo.kind"] == "confirmation"
    assert repeat.data.params["seed"] == "43"
    (parent,) = [run for run in found if "goemo.trial_id" not in run.data.tags]
    assert parent.data.tags["mlflow.note.content"].startswith("Confirmed best: t001")
    shell.run("export", "diverging", "-o", "confirmed.yaml")
    exported = yaml.safe_load((shell.folder / "confirmed.yaml").read_text(encoding="utf-8"))
    assert exported["expected"]["confirmed"]["seeds"] == [42, 43, 44]
    assert exported["expected"]["confirmed"]["mean"] == leader["mean"]


def test_export_retrain_and_use(shell, retrained, client):
    """The exported best configuration retrains to its very score, here and in MLflow; the bundle answers."""
    exported = yaml.safe_load((shell.folder / "best.yaml").read_text(encoding="utf-8"))
    best = board_of(shell, "tiny")["trials"][0]
    origin = {
        "search": "tiny",
        "trial": best["trial_id"],
        "rank": 1,
        "trials": 4,
        "threads": 1,
        "max_lengths": [16],
    }
    assert exported["origin"].items() >= origin.items()
    assert exported["expected"]["value"] == best["val_macro_f1"]
    assert (exported["expected"]["low"], exported["expected"]["high"]) == (best["low"], best["high"])
    assert set(exported["data"]["splits"]) == {"train", "validation", "test"}

    provenance = json.loads((shell.folder / "model/provenance.json").read_text(encoding="utf-8"))
    assert provenance["report"]["metrics"]["val/macro_f1"] == best["val_macro_f1"]
    assert provenance["origin"]["trial"] == best["trial_id"]
    assert "changed since the search" not in retrained.stderr

    version = client.get_model_version_by_alias("sample-fine", "champion")
    run = client.get_run(version.run_id)
    assert run.data.metrics["best/macro_f1"] == best["val_macro_f1"]
    assert run.data.tags["goemo.from_trial"] == best["trial_id"]
    assert "sample-fine version 1, champion" in retrained.stdout

    results = json.loads(shell.run("evaluate", "model", "--format", "json").stdout)
    assert results == json.loads((shell.folder / "model/test_results.json").read_text(encoding="utf-8"))
    assert list(results["results"]) == ["fixed_0.5", "validation", "test_tuned"]

    texts = ["thank you so much!", "this is awful"]
    predictions = json.loads(shell.run("predict", "model", *texts, "--format", "json").stdout)
    assert [p["text"] for p in predictions] == texts
    assert all(len(p["scores"]) == 28 for p in predictions)
    assert "thank you so much!" in shell.run("predict", "model", *texts).stdout
    again = shell.run("retrain", "best.yaml", "-o", "model", code=2)
    assert "new or empty" in again.stderr


def test_a_report_is_one_page_with_a_twin(shell, searched):
    """The page opens without a network; the JSON beside it has the same leaderboard."""
    shell.run("report", "tiny", "-o", "tiny.html")
    page = (shell.folder / "tiny.html").read_text(encoding="utf-8")
    twin = json.loads((shell.folder / "tiny.json").read_text(encoding="utf-8"))
    best = board_of(shell, "tiny")["trials"][0]
    assert best["trial_id"] in page
    assert 'src="http' not in page
    assert twin["trials"][0] == best
    assert twin["test"]["results"]["validation"]["macro"]["f1"] > 0


def test_resuming_a_complete_search_changes_nothing(shell, searched, runs, client):
    """Resume of what has ended brings the store up to date and adds no run."""
    before = ranking(board_of(shell, "tiny"))
    shell.run("resume", "tiny")
    assert ranking(board_of(shell, "tiny")) == before
    experiment = client.get_experiment_by_name("goemo")
    assert len(client.search_runs([experiment.experiment_id], "tags.`goemo.search` = 'tiny'")) == len(runs)
