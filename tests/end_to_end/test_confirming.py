"""A search of which one trial diverges, and whose leader is trained again with further seeds."""

from __future__ import annotations

import pytest
import yaml

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture(scope="module")
def diverging(shell, searched):
    """A search of two trials, one of which diverges, with its leaders confirmed: what the command printed."""
    return shell.run(
        "search",
        "tiny.yaml",
        *("--name", "diverging", "--set", "confirm={top: 2, seeds: 3}"),
        *("--set", "space.learning_rate={grid: [1.0e-3, 1.0e+3]}", "--set", "space.batch_size=32"),
    )


def test_a_diverged_trial_does_not_stop_the_search(shell, diverging):
    """A learning rate beyond reason ends its trial as diverged; the leaderboard says so and leaves it out.

    The other trial gives what the same configuration gave in another search, to the last digit: seed and
    configuration decide everything, on the CPU.
    """
    assert "DIVERGED" in diverging.stderr
    assert "went wrong; see the log: mlruns/searches/diverging/log.txt" in diverging.stderr
    board = shell.board("diverging")
    assert [t["trial_id"] for t in board["trials"]] == ["t001"]
    assert board["reasons"] == {"completed": 1, "diverged": 1}
    (sound,) = board["trials"]
    (twin,) = [t for t in shell.board("tiny")["trials"] if t["config"] == sound["config"]]
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
    board, ranking = shell.board("diverging"), shell.ranking("diverging")
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
    assert shell.ranking("diverging") == ranking
    assert shell.board("diverging")["confirmed"] == board["confirmed"]
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
