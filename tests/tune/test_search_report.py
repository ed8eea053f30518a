"""The report of a search, from its records alone: the page and a twin that says the same in numbers."""

from __future__ import annotations

import html
import json
import shlex

import numpy as np
import pytest
from click.testing import CliRunner

from goemo import evaluation
from goemo.data import load_splits
from goemo.errors import GoemoError, InputError
from goemo.metrics import averages
from goemo.thresholds import fit_thresholds
from tune.cli import cli
from tune.ranking import leaderboard
from tune.records import Outcome, SearchFolder, write_json
from tune.reporting.artifacts import TrialArtifacts, trial_tables
from tune.reporting.report import write_report
from tune.spec import SearchSpec, load_spec

SPACE = {
    "name": "s",
    "model": {"checkpoint": "scratch:albert-tiny"},
    "data": {"source": "sample:600", "taxonomy": "sentiment"},  # four labels draw quickly
    "space": {"batch_size": {"grid": [8, 16, 32]}, "learning_rate": {"grid": [1e-4, 1e-3, 1e-2]}},
}


@pytest.fixture(scope="module")
def splits():
    return load_splits("sample:600", "sentiment", seed=42)


def noisy(targets, noise, seed):
    rng = np.random.default_rng(seed)
    return np.clip(targets * 0.3 + 0.3 + noise * rng.normal(size=targets.shape), 0, 1).astype(np.float16)


def facts_of(splits, **changes):
    sizes = {split.name: {"examples": len(split)} for split in splits.splits()}
    known = {"source": splits.source, "taxonomy": "sentiment", "splitting": splits.splitting, "splits": sizes}
    return {**known, "digest": splits.digest, "notes": list(splits.notes), **changes}


@pytest.fixture
def search(tmp_path, monkeypatch, splits):
    """Return a search of nine trials: the less noise the better, some stopped early, one failed."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    made = SearchFolder.create("s", SearchSpec.from_dict(SPACE).to_dict())
    targets = splits.validation.targets
    made.write_validation(targets, splits.labels)
    made.add_facts(data=facts_of(splits), environment={"versions": {"python": "3"}}, status="complete")
    config = {"metric": "macro_f1", "thresholds": "exact", "checkpoint": "scratch:albert-tiny"}
    for i in range(9):
        varied = {"batch_size": [8, 16, 32][i // 3], "learning_rate": [1e-4, 1e-3, 1e-2][i % 3]}
        folder = made.trial(f"t{i + 1:03d}")
        folder.write_config({**config, **varied}, varied)
        scores = noisy(targets, 0.1 + 0.03 * i, i)
        found = evaluation.validation_metrics(scores.astype(np.float32), targets)
        for progress in (20,) if i % 2 else (20, 100):
            row = {"progress": progress, "time": 1.0 + progress, "seconds": 0.5 * progress}
            folder.write_report({**row, **found}, scores)
        folder.write_outcome(
            Outcome("failed", "no disk") if i == 8 else Outcome("stopped_early" if i % 2 else "completed")
        )
    return made


def opened(search, splits):
    """Open the test split for the best trial, as the end of a search does."""
    thresholds = fit_thresholds(search.trial("t001").read().scores(), splits.validation.targets)
    test = splits.test.targets
    results = evaluation.results(splits.labels, thresholds, noisy(test, 0.1, 99).astype(np.float32), test)
    write_json(search.path / "artifacts" / "test_results.json", {"trial_id": "t001", **results})
    return results


def written(search, folder):
    page, twin = write_report(search, folder / "report.html")
    return page.read_text(encoding="utf-8"), json.loads(twin.read_text(encoding="utf-8"))


def test_page_and_twin_tell_the_same(search, splits, tmp_path):
    """Leaderboard, tables, bands, test results, importance, warnings and savings equal their sources.

    The sentences stand on the page as in the twin, and the charts are there.
    """
    results = opened(search, splits)
    page, twin = written(search, tmp_path)
    board = leaderboard.build(search.snapshot())
    assert twin["trials"] == board.to_dict()["trials"]
    assert twin["test"] == results
    tables = trial_tables(search, search.trial("t001").read())
    assert twin["chosen"]["trial_id"] == "t001"
    for key, table in (("fixed_0.5", tables.table_at_half), ("cross_fitted", tables.table)):
        told = twin["chosen"][key]
        assert {kind: told[kind] for kind in ("macro", "weighted")} == averages(table)
        assert [row["f1"] for row in told["per_label"]] == list(table["f1"])
    for row in twin["chosen"]["cross_fitted"]["per_label"]:
        if row["threshold"] is not None and row["threshold_high"] is not None:
            assert row["threshold_low"] <= row["threshold_high"]
    assert set(twin["importance"]["shares"]) == {"batch_size", "learning_rate"}
    assert any("batch_size 8 is the lowest of the grid" in warning for warning in twin["edge_warnings"])
    assert twin["early_stopping"]["seconds_saved"]["t002"] == pytest.approx(40.0)
    assert [trial["trial_id"] for trial in twin["left_out"]] == ["t009"]
    assert {stop["trial_id"] for stop in twin["early_stopping"]["stops"]} == {"t002", "t004", "t006", "t008"}
    assert twin["early_stopping"]["risk"] in page
    assert twin["comparison"] is None  # it is not of the published test split
    for sentence in (*twin["edge_warnings"], twin["early_stopping"]["summary"], *twin["commands"]):
        assert sentence in html.unescape(page)
    again = next(command for command in twin["commands"] if command.endswith("--name s-again"))
    assert load_spec(shlex.split(again)[2]) == SearchSpec.from_dict(SPACE)
    wider = next(command for command in twin["commands"] if "--name s-wider" in command)
    assert "--set 'space.batch_size.grid=[2, 4, 8, 16]'" in wider
    assert f"{twin['test']['results']['validation']['macro']['f1']:.3f}" in page
    assert page.count("data-chart>") == 11  # intervals, four of the search, six of the chosen trial
    assert len(page) < 5_000_000


def test_a_search_over_encoders_has_a_row_for_each(search, tmp_path):
    """The best of each with its cost and the gap to the best of all; a damaged trial is left out here too."""
    albert, xlnet = "scratch:albert-tiny", "scratch:xlnet-tiny"
    model = {**search.spec["model"], "checkpoint": {"choice": [albert, xlnet]}}
    search.write_spec({**search.spec, "model": model})
    for record in search.snapshot().trials:
        checkpoint = {"checkpoint": xlnet if record.trial_id in ("t003", "t005") else albert}
        folder = search.trial(record.trial_id)
        folder.write_config(
            {**record.config, **checkpoint, "trainable": "all"}, {**checkpoint, **record.varied}
        )
        for row in record.history:
            folder.write_report({**row, "cost/ms_per_text": 2.5, "cost/megabytes": 43.25}, None)
    page, twin = written(search, tmp_path)
    assert [(row["group"], row["trial_id"]) for row in twin["encoders"]] == [
        (albert, "t001"),
        (xlnet, "t003"),
    ]
    best, other = (row["objective"] for row in twin["encoders"])
    assert twin["encoders"][1]["behind"] == pytest.approx(best - other)
    assert "Which encoder?" in page
    assert page.count("<td>2.5</td><td>43.2</td>") == 2 + len(twin["trials"])
    assert twin["question"].startswith(
        "Which checkpoint, batch size and learning rate suit one of scratch:albert"
    )
    (search.trial("t003").path / "scores.npz").write_bytes(b"no archive")
    assert [row["trial_id"] for row in written(search, tmp_path)[1]["encoders"]] == ["t001", "t005"]


def test_a_record_of_an_older_version_still_makes_a_report(search, splits, tmp_path):
    """Test results without intervals per label are shown without them."""
    results = opened(search, splits)
    for result in results["results"].values():
        del result["intervals"]
        for row in result["per_label"]:
            del row["f1_low"], row["f1_high"]
    write_json(search.path / "artifacts" / "test_results.json", {"trial_id": "t001", **results})
    page, twin = written(search, tmp_path)
    assert "On the test split its macro-F1 is" in page
    assert twin["test"] == results


def test_results_of_another_trial_are_not_shown(search, splits, tmp_path):
    """A test split that was opened for another trial says nothing of the chosen one."""
    results = opened(search, splits)
    write_json(search.path / "artifacts" / "test_results.json", {"trial_id": "t003", **results})
    page, twin = written(search, tmp_path)
    assert twin["test"] is None
    assert "On the test split" not in page


def test_texts_are_shown_while_the_data_is_the_same(search, splits, tmp_path):
    """Worst errors have their texts; when the data has changed, there are none, and the rest stays."""
    page, twin = written(search, tmp_path)
    assert twin["worst_errors"]
    assert {error["text"] for error in twin["worst_errors"]} <= set(splits.validation.texts)
    assert "Worst errors" in page
    search.add_facts(data=facts_of(splits, digest="0" * 64))
    page, twin = written(search, tmp_path)
    assert twin["worst_errors"] == []
    assert "Worst errors" not in page


def test_a_search_of_one_trial_has_a_report(tmp_path, monkeypatch, splits, search):
    """Nothing to compare, nothing varied: still a page with the answer and a valid twin."""
    spec = SearchSpec.from_dict({**SPACE, "name": "one", "space": {"batch_size": 8}})
    one = SearchFolder.create("one", spec.to_dict())
    one.write_validation(splits.validation.targets, splits.labels)
    one.add_facts(**{key: search.facts[key] for key in ("data", "environment", "status")})
    best = search.trial("t001").read()
    folder = one.trial("t001")
    folder.write_config(best.config, {})
    folder.write_report(best.history[-1], best.scores())
    folder.write_outcome(Outcome("completed"))
    page, twin = written(one, tmp_path)
    assert "the only trial that can be ranked" in page
    assert twin["importance"]["shares"] is None
    assert "How much each hyperparameter mattered cannot be determined." in page


def test_a_search_without_a_ranked_trial_has_no_report(search, tmp_path):
    """The error says what became of the trials, and no half page is left."""
    empty = SearchFolder.create("empty", search.spec)
    with pytest.raises(GoemoError, match="no trial has a score"):
        write_report(empty, tmp_path / "empty.html")
    assert not (tmp_path / "empty.html").exists()


def test_the_name_of_the_twin_is_refused_for_the_page(search, tmp_path):
    """The page would overwrite its own twin."""
    with pytest.raises(InputError, match=r"give FILE\.html"):
        write_report(search, tmp_path / "report.json")


def test_the_pages_of_trials_have_no_scripts(search, splits):
    """What is logged for every trial shows pictures, and so stays under a megabyte."""
    TrialArtifacts(search, splits).write("t001")
    page = (search.trial("t001").path / "artifacts" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert len(page) < 1_000_000


def test_the_leaderboard_in_the_terminal_tells_of_the_edge(search):
    """The warning of the report, and the command that goes on; nothing where the best lies inside."""
    told = CliRunner().invoke(cli, ["leaderboard", "s"]).output
    assert "warning: batch_size 8 is the lowest of the grid; try lower values" in told
    (command,) = (
        line
        for line in told.splitlines()
        if line.startswith("to continue the search from there: goemo search ")
    )
    assert "--name s-wider --set 'space.batch_size.grid=[2, 4, 8, 16]'" in command
    inside = {"batch_size": {"grid": [4, 8, 16, 32]}, "learning_rate": {"grid": [1e-5, 1e-4, 1e-3, 1e-2]}}
    search.write_spec(SearchSpec.from_dict({**SPACE, "space": inside}).to_dict())
    told = CliRunner().invoke(cli, ["leaderboard", "s"]).output
    assert "t001" in told
    assert "warning" not in told
