"""`import tune; tune.search(...)`: data in memory, results that show themselves, nothing imported early."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pandas as pd
import pytest

import tune
from goemo.data import load_splits
from goemo.errors import InputError
from tune.notebooks import Results, functions
from tune.notebooks.frames import source_of
from tune.ranking.leaderboard import Leaderboard
from tune.ranking.rows import Row
from tune.records import SearchFolder


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def frame(rows=60, start=0):
    names = ("joy", "anger", "fear")
    texts = [f"text number {start + n} of {names[n % 3]}" for n in range(rows)]
    return pd.DataFrame({"text": texts, "labels": [[names[n % 3]] for n in range(rows)]})


def splits_of(source):
    found = load_splits(source)
    return {split.name: (list(split.texts), split.targets.tolist()) for split in found.splits()}, found.labels


def test_a_frame_is_the_same_data_as_its_file(tmp_path):
    """Texts, labels and splits are those that the file of the frame gives."""
    frame().to_parquet(tmp_path / "rows.parquet")
    assert splits_of(source_of(frame())) == splits_of(f"file:{tmp_path / 'rows.parquet'}")


def test_equal_data_is_written_once(runs):
    """By content: another frame of the same rows is the same source, one changed cell is another."""
    first = source_of(frame())
    assert source_of(frame().copy()) == first
    changed = frame()
    changed.loc[0, "text"] = "another"
    assert source_of(changed) != first
    assert len(list((runs / "data").iterdir())) == 2


def test_a_dataset_dict_keeps_its_splits_and_names():
    """Labels that are numbers have the names that the data set gives them."""
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "labels": datasets.Sequence(datasets.ClassLabel(names=["no", "yes"])),
        }
    )
    parts = {
        name: datasets.Dataset.from_dict(
            {"text": [f"{name} {n}" for n in range(rows)], "labels": [[n % 2] for n in range(rows)]}, features
        )
        for name, rows in (("train", 20), ("validation", 8), ("test", 6))
    }
    found, labels = splits_of(source_of(datasets.DatasetDict(parts)))
    assert labels == ("no", "yes")
    assert {name: len(texts) for name, (texts, _) in found.items()} == {
        "train": 20,
        "validation": 8,
        "test": 6,
    }
    assert found["test"][1][:2] == [[True, False], [False, True]]


def test_a_mapping_of_frames_names_the_splits():
    """As a folder with a file a split does."""
    found, _ = splits_of(source_of({"train": frame(), "dev": frame(20, 100), "test": frame(10, 200)}))
    assert [len(texts) for texts, _ in found.values()] == [60, 20, 10]


@pytest.mark.parametrize("data", [3, [1, 2], {}, {"train": "x"}, np.zeros(3)])
def test_other_things_are_no_data(data, runs):
    """The message says what would be; nothing is written."""
    with pytest.raises(InputError, match=r"data.*(must be a source|no split)"):
        source_of(data)
    assert not runs.exists()


def test_sources_are_handed_on():
    """As text, or as a path."""
    assert source_of("sample:300") == "sample:300"
    assert source_of(None) is None
    assert source_of(Path("my data")) == "dir:my data"


def test_a_search_gets_what_the_call_says(monkeypatch):
    """Space, data, name, overrides and budget reach the driver; what comes back is a table."""
    seen = SimpleNamespace()

    def run(spec, **options):
        seen.spec, seen.options = spec, options
        nothing = Leaderboard(spec.name, "macro_f1", (), {})
        return SimpleNamespace(
            name=spec.name, leaderboard=nothing, is_complete=False, remaining=3, stopped_by="over"
        )

    monkeypatch.setattr("tune.driver.run_search", run)
    overrides = {"space.epochs": 2, "space.batch_size": {"grid": [8, 16]}, "scheduler.algorithm": "none"}
    result = tune.search(
        "quickstart", data=frame(), name="mine", overrides=overrides, time_budget="1h", trials=2
    )
    assert seen.spec.name == "mine"
    assert seen.spec.data.source == source_of(frame())
    assert list(seen.spec.varying["batch_size"].values) == [8, 16]
    assert seen.spec.scheduler.algorithm == "none"
    assert (seen.options["budget"].time_s, seen.options["budget"].trials) == (3600, 2)
    assert repr(result) == "over; 3 trials remain: tune.resume('mine')"
    with pytest.raises(InputError, match="time_budget"):
        tune.resume("mine", time_budget="soon")


def row(trial_id, rank, label):
    return Row(
        rank=rank,
        search="s",
        trial_id=trial_id,
        config={},
        varied={"learning_rate": 2e-5, "schedule": label},
        stop_reason="completed",
        progress=100,
        best_progress=100,
        objective=0.5 - rank / 10,
        val_macro_f1=0.4,
        val_weighted_f1=0.4,
        val_micro_f1=0.4,
        val_macro_f1_at_half=0.3,
        low=0.3,
        high=0.5,
        tied_with_best=False,
        seconds=1.0,
    )


def test_results_show_themselves(runs, monkeypatch, capsys):
    """As text a table; in a notebook the table with its figures, and nothing in a value is markup."""
    search = SearchFolder.create("s", {"objective": {"metric": "macro_f1"}})
    (search.path / "artifacts" / "figures").mkdir(parents=True)
    (search.path / "artifacts" / "figures" / "importance.png").write_bytes(b"picture")
    board = Leaderboard(
        "s", "macro_f1", (row("t001", 1, "linear"), row("t002", 2, "<b>x</b>")), {"completed": 2}
    )
    results = Results("s", board, is_complete=True)
    text = repr(results)
    assert "1  t001" in text
    assert "0.4000" in text
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert repr(results) == text
    assert capsys.readouterr().out == ""
    page = results._repr_html_()
    assert "data:image/png;base64,cGljdHVyZQ==" in page
    assert "<td>t002</td>" in page
    assert "&lt;b&gt;x" in page
    assert "<b>x" not in page
    assert results.best.trial_id == "t001"
    assert list(results.to_pandas()["trial_id"]) == ["t001", "t002"]
    assert results.figure("importance").data == b"picture"
    with pytest.raises(InputError, match="available are: importance"):
        results.figure("other")


def test_importing_tune_imports_nothing_heavy():
    """The functions are listed, and imported at their first use."""
    code = (
        "import sys, tune\n"
        "assert {'search', 'resume', 'leaderboard', 'export', 'retrain'} <= set(dir(tune))\n"
        "print(sorted({'numpy', 'torch', 'ray', 'mlflow', 'pandas', 'yaml', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError):
        _ = tune.nothing


def test_values_of_overrides_are_read_back():
    """What `--set` reads from the text is the value that was given."""
    import yaml

    for value in (3, 2e-5, "none", [1, 2], {"grid": [8, 16]}, True, None, "a: b"):
        assert yaml.safe_load(functions._in_yaml("key", value)) == value
    for value in (np.float64(2e-5), np.int64(3), {"grid": [np.int64(8), 16]}, (1, np.bool_(True))):
        read = yaml.safe_load(functions._in_yaml("key", value))
        assert read == (list(value) if isinstance(value, tuple) else value)
    assert yaml.safe_load(functions._in_yaml("key", np.array([1, 2]))) == [1, 2]
    with pytest.raises(InputError, match=r"overrides: space\.x: must be text, a number"):
        functions._in_yaml("space.x", object())
