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


def trials_with(shell, name, file):
    """Return the trials of a search that have a file: an outcome if they ended, a history if they ran."""
    return {path.parent.name for path in (shell.folder / f"mlruns/searches/{name}/trials").glob(f"*/{file}")}


def wait_for_another(shell, name, file, *, than=frozenset()):
    """Return as soon as a further trial of the search has that file."""
    deadline = time.monotonic() + 120
    while trials_with(shell, name, file) <= than:
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
    board = shell.board("tiny")
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


def test_a_search_that_is_killed_and_interrupted_ends_as_if_nothing_had_happened(shell, searched):
    """SIGKILL after the first trial, Ctrl-C in a later one: resume completes it, every run and step once.

    The trial that had ended saved no checkpoint first: of a large encoder it would be gigabytes for nothing.
    Ctrl-C stops in order, exits with 1 and names the command that goes on.
    """
    process = shell.start("search", "tiny.yaml", "--name", "stopped")
    wait_for_another(shell, "stopped", "outcome.json")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(trials_with(shell, "stopped", "outcome.json")) < 4
    begun = trials_with(shell, "stopped", "history.jsonl")
    ray_folder = shell.folder / "mlruns/searches/stopped/ray"
    assert [*ray_folder.glob("TrialActor_*")]
    assert not [*ray_folder.glob("*/checkpoint_*")]
    process = shell.start("resume", "stopped")
    wait_for_another(shell, "stopped", "history.jsonl", than=begun)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "goemo resume stopped" in err
    assert "Traceback" not in err
    shell.run("resume", "stopped")
    assert shell.ranking("stopped") == shell.ranking("tiny")
    with sqlite3.connect(shell.folder / "mlruns" / "mlflow.db") as store:
        stopped = "select run_uuid from tags where key = 'goemo.search' and value = 'stopped'"
        trials = f"select value from tags where key = 'goemo.trial_id' and run_uuid in ({stopped})"
        assert sorted(row[0] for row in store.execute(trials)) == ["t001", "t002", "t003", "t004"]
        steps = f"select count(*) from metrics where key = 'val/macro_f1' and run_uuid in ({stopped})"
        assert store.execute(steps).fetchone() == (4 * 5,)


def test_export_retrain_and_use(shell, retrained, client):
    """The exported best configuration retrains to its very score, here and in MLflow; the bundle answers."""
    exported = yaml.safe_load((shell.folder / "best.yaml").read_text(encoding="utf-8"))
    best = shell.board("tiny")["trials"][0]
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
    best = shell.board("tiny")["trials"][0]
    assert best["trial_id"] in page
    assert 'src="http' not in page
    assert twin["trials"][0] == best
    assert twin["test"]["results"]["validation"]["macro"]["f1"] > 0


def test_resuming_a_complete_search_changes_nothing(shell, searched, runs, client):
    """Resume of what has ended brings the store up to date and adds no run."""
    before = shell.ranking("tiny")
    shell.run("resume", "tiny")
    assert shell.ranking("tiny") == before
    experiment = client.get_experiment_by_name("goemo")
    assert len(client.search_runs([experiment.experiment_id], "tags.`goemo.search` = 'tiny'")) == len(runs)
