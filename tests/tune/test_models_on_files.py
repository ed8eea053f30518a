"""Models on people's files: `goemo predict --file` of tables, `goemo evaluate --data` on labels by name."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from goemo import bundle
from goemo.blending import Member
from goemo.configuration import Configuration
from goemo.data import load_splits, text_lines
from goemo.thresholds import apply_thresholds, fit_thresholds
from goemo.training import train
from goemo.training.prepared import prepare
from goemo.words import WordsSettings, fit_words
from tune.cli import main
from tune.models.registry.logged_model import pyfunc
from tune.models.trained import data_facts

KINDS = ("encoder", "words", "blend")
SOURCE = "sample:300"


def facts(splits):
    """Return what `goemo retrain` records of the data."""
    return {
        "data": data_facts(splits, splits.facts, 42),
        "report": {"progress": 100, "metrics": {"val/macro_f1": 0.5}},
        "metric": "macro_f1",
    }


@pytest.fixture(scope="module")
def splits():
    return load_splits(SOURCE)


@pytest.fixture(scope="module")
def models(splits, tmp_path_factory) -> dict[str, Path]:
    """A bundle of each kind."""
    folder = tmp_path_factory.mktemp("models")
    checkpoint = "scratch:albert-tiny"
    c = Configuration(checkpoint=checkpoint, epochs=1, reports=1, max_length=16, trainable="all")
    prepared = prepare(
        splits, checkpoint, trainable="all", pooling="first", max_lengths=[16], cache=folder / "cache"
    )
    run = train(c, prepared)
    thresholds = fit_thresholds(run.best.scores.astype(np.float32), splits.validation.targets)
    bundle.save(run, folder / "encoder", thresholds=thresholds, provenance=facts(splits))
    words = fit_words(splits.train.texts, splits.train.targets, WordsSettings())
    scores = words.scores(splits.validation.texts)
    thresholds = fit_thresholds(scores, splits.validation.targets)
    common = {"labels": splits.labels, "thresholds": thresholds, "provenance": facts(splits)}
    bundle.save_words(words, folder / "words", **common)
    members = [(Member("t001", 4), folder / "encoder"), (Member("baseline", 6), folder / "words")]
    bundle.save_blend(members, folder / "blend", **common)
    return {kind: folder / kind for kind in KINDS}


TEXTS = ['with "quotes", and a comma', "two\nlines of joy", "", "thank you so much", "=1+1 is what I love"]
HEADER = ["nr", "comment_text", "joy", "=odd"]
ROWS = [[str(100 + n), text, str(n % 2), "@run"] for n, text in enumerate(TEXTS)]


@pytest.fixture
def table(tmp_path) -> Path:
    with (tmp_path / "comments.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *ROWS])
    return tmp_path / "comments.csv"


def run(*arguments):
    main([str(argument) for argument in arguments])


def refused(capsys, *arguments):
    """Run a command that must end with exit code 2 and nothing on stdout; return its message."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    return " ".join(captured.err.split())


@pytest.mark.parametrize("kind", KINDS)
def test_no_texts_give_no_rows(models, kind):
    """Whatever the model is."""
    loaded = bundle.load(models[kind])
    assert loaded.scores([]).shape == (0, len(loaded.labels))
    assert loaded.predict([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_of_a_table_gets_its_labels_and_scores(models, table, tmp_path, capsys, kind):
    """CSV, JSON lines and Parquet hold all columns of the file, and what the texts alone give."""
    import pyarrow.parquet as pq

    for suffix in ("csv", "jsonl", "parquet"):
        run("predict", models[kind], "--file", table, "-o", tmp_path / f"p.{suffix}")
    said = capsys.readouterr().err
    assert "comments.csv: 5 rows" in said
    assert "texts are read from the column comment_text" in said
    expected = bundle.load(models[kind]).predict(TEXTS)
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    records = [json.loads(line) for line in (tmp_path / "p.jsonl").read_bytes().split(b"\n")[:-1]]
    for found in (rows, records, pq.read_table(tmp_path / "p.parquet").to_pylist()):
        assert [[row[name] for name in HEADER] for row in found] == ROWS
    assert [row["labels"].split(",") if row["labels"] else [] for row in rows] == [
        item["labels"] for item in expected
    ]
    for row, record, item in zip(rows, records, expected, strict=True):
        assert record["scores"] == pytest.approx(item["scores"], abs=1e-5)
        assert float(row["score_joy"]) == record["scores"]["joy"]  # joy is a column of the file itself
        assert float(row["anger"]) == record["scores"]["anger"]
        assert (record["text"], record["labels"]) == (item["text"], item["labels"])


@pytest.mark.parametrize("kind", KINDS)
def test_texts_in_two_columns_are_read_alike_everywhere(models, tmp_path, capsys, kind):
    """`predict --file`, the bundle, and the script that MLflow serves put the same between the columns."""
    pyfunc()  # first: its own import warns
    from tune.models.registry import pyfunc_model

    sides = [("so happy", "and thankful"), ("a title", ""), ("", "what a sad story")]
    with (tmp_path / "two.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["title", "body"], *sides])
    columns = ["--text-column", "title", "--text-column", "body"]
    run("predict", models[kind], "--file", tmp_path / "two.csv", *columns, "--format", "json")
    found = [list(item["scores"].values()) for item in json.loads(capsys.readouterr().out)]
    joined = ["so happy\x1eand thankful", "a title", "what a sad story"]
    loaded = bundle.load(models[kind])
    np.testing.assert_allclose(found, loaded.scores(joined), atol=1e-6)
    served = pyfunc_model._opened(models[kind], len(loaded.labels))
    np.testing.assert_allclose(served.scores(joined), loaded.scores(joined), atol=1e-3)
    if kind == "encoder":
        without = loaded.scores(["so happy and thankful"])
        assert not np.allclose(found[:1], without, atol=1e-6)


def test_a_spreadsheet_runs_nothing_of_a_table_on_request(models, table, capsys):
    """In guarded-csv, names of columns and cells that begin as formulas get a quote before them."""
    run("predict", models["words"], "--file", table, "--format", "guarded-csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert rows[4]["comment_text"] == "'=1+1 is what I love"
    assert {row["'=odd"] for row in rows} == {"'@run"}


@pytest.mark.parametrize(
    ("name", "content", "options", "texts"),
    [
        ("a.tsv", "id\ttext\n1\tso happy\n2\tso sad\n", [], ["so happy", "so sad"]),
        ("a.tsv", "text\nso happy\nso sad\n", [], ["so happy", "so sad"]),
        ("a.csv", "a;b\nso happy;x\nso sad;y\n", ["--text-column", "a"], ["so happy", "so sad"]),
        ("a.txt", "ID\tTweet\tjoy\n1\tso happy\t1\n", [], ["so happy"]),
        (
            "a.txt",
            "ID|words|joy\n1|so happy|1\n",
            ["--text-column", "words", "--separator", "|"],
            ["so happy"],
        ),
        ("a.txt", "__label__joy so happy\n__label__anger no\n", [], ["so happy", "no"]),
        ("a.txt", "so happy\nwith\ta tab\n", [], ["so happy", "with\ta tab"]),
        ("a.txt", "with\ta tab\nso happy\n", [], ["with\ta tab", "so happy"]),
        ("a.log", "text\nso happy\n", [], ["text", "so happy"]),
        ("a.json", '[{"text": "so happy"}, {"id": 2}, {"text": null}]', [], ["so happy", "", ""]),
        (
            "a.jsonl",
            '{"tweet": "so happy", "n": {"x": 1}}\n\n{"tweet": "no", "n": 2}\n',
            [],
            ["so happy", "no"],
        ),
        ("a.csv", b"text\ncaf\xe9\n", ["--encoding", "windows-1252"], ["café"]),
    ],
)
def test_any_file_is_read_by_the_readers_of_data(  # noqa: PLR0917 - a table of cases
    models, tmp_path, capsys, name, content, options, texts
):
    """By ending, header and options; a file without columns has one text a line."""
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    run("predict", models["words"], "--file", tmp_path / name, *options, "--format", "json")
    assert [item["text"] for item in json.loads(capsys.readouterr().out)] == texts


def test_packed_files(models, tmp_path, capsys):
    """A packed table, and packed lines."""
    import gzip

    for name, content in (("a.csv.gz", b"text,n\nso happy,1\n"), ("a.txt.gz", b"so happy\n")):
        (tmp_path / name).write_bytes(gzip.compress(content))
        run("predict", models["words"], "--file", tmp_path / name, "--format", "json")
        (item,) = json.loads(capsys.readouterr().out)
        assert item["text"] == "so happy"


def test_a_line_of_any_length_is_read_up_to_a_limit(models, tmp_path, capsys, monkeypatch):
    """What follows the limit changes nothing and is told of; the lines after it are read as ever."""
    monkeypatch.setattr(text_lines, "MOST_TEXT_CHARACTERS", 1_000)
    monkeypatch.setattr(text_lines, "_MOST_BYTES", 4_002)
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", 1_000)
    long = "é" * 999
    (tmp_path / "a.txt").write_text(f"{long}x{'y' * 50_000}\n{long}x\r\n{'z' * 1_001}\nlast")
    run("predict", models["words"], "--file", tmp_path / "a.txt", "--format", "json")
    captured = capsys.readouterr()
    texts = [item["text"] for item in json.loads(captured.out)]
    assert texts == [f"{long}x", f"{long}x", "z" * 1_000, "last"]
    assert "2 lines are longer than" in captured.err
    assert "the first is line 1" in captured.err


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        (
            "a.csv",
            "first,second\nthe one is long enough,the other is too\n",
            [],
            "data.columns.text names it",
        ),
        ("a.csv", "text,n\nhappy\n", [], "a.csv:2: 1 column, must be 2"),
        ("a.csv", b"text\ncaf\xe9\n", [], "data.encoding: windows-1252"),
        ("a.csv", "text\nhappy\n", ["--text-column", "txt"], "no column txt; did you mean text?"),
        ("a.parquet", "text", [], "not readable as parquet"),
        ("a.jsonl", '{"text": 5}\n', [], "text must be a string, got 5"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(  # noqa: PLR0917 - a table of cases
    models, tmp_path, capsys, name, content, options, message
):
    """Exit code 2, and nothing on stdout."""
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    command = ["predict", models["words"], "--file", tmp_path / name, *options, "--format", "json"]
    assert message in refused(capsys, *command)


# ------------------------------------------------------------------------------ evaluate


def labelled(path, splits, names, rename=None, rows=None):
    """Write rows of the test split with some of its labels, one 0/1 column each."""
    columns = [list(splits.labels).index(name) for name in names]
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file).writerow
        write(["text", *(rename or {}).values(), *names] if rename else ["text", *names])
        for text, row in list(zip(splits.test.texts, splits.test.targets, strict=True))[:rows]:
            write([text, *[int(n % 2) for n, _ in enumerate(rename or {})], *row[columns].astype(int)])
    return path


def evaluated(capsys, *arguments):
    run("evaluate", *arguments, "--format", "json")
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_of_a_file_are_judged_by_the_names_of_its_labels(models, splits, tmp_path, capsys, kind):
    """In whatever order the file has them: figures equal those computed by hand from the scores."""
    names = [
        name for name in reversed(splits.labels) if splits.test.targets[:, splits.labels.index(name)].any()
    ]
    file = labelled(tmp_path / "new.csv", splits, names[:6])
    results, said = evaluated(capsys, models[kind], "--data", f"file:{file}")
    assert "has no splits: all 30 rows are evaluated" in said
    assert (results["split"], results["examples"]) == ("all", 30)
    judged = [name for name in splits.labels if name in names[:6]]
    rows = results["results"]["validation"]["per_label"]
    assert [row["label"] for row in rows] == judged
    left = [name for name in splits.labels if name not in judged]
    assert results["labels_left_out"] == {"not_in_data": left, "not_in_model": []}
    assert f"left out of the averages, because file:{file} lacks them" in said
    loaded = bundle.load(models[kind])
    scores = loaded.scores(splits.test.texts).astype(np.float16).astype(np.float32)
    predicted = apply_thresholds(scores, loaded.thresholds)
    f1 = []
    for row in rows:
        column = splits.labels.index(row["label"])
        hits = (predicted[:, column] & splits.test.targets[:, column]).sum()
        total = predicted[:, column].sum() + splits.test.targets[:, column].sum()
        f1.append(2 * hits / total if total else 0.0)
        assert row["f1"] == pytest.approx(f1[-1])
    assert results["results"]["validation"]["macro"]["f1"] == pytest.approx(np.mean(f1))


def test_labels_that_the_model_lacks_are_refused_unless_asked_for(models, splits, tmp_path, capsys):
    """Named, with the nearest name of the model; --labels-in-common evaluates the others."""
    file = labelled(tmp_path / "new.csv", splits, ["joy", "anger"], rename={1: "gratitud", 2: "outrage"})
    said = refused(capsys, "evaluate", models["words"], "--data", f"file:{file}")
    assert "gratitud (gratitude?), outrage; --labels-in-common evaluates the 2 others" in said
    results, said = evaluated(capsys, models["words"], "--data", f"file:{file}", "--labels-in-common")
    assert results["labels_left_out"]["not_in_model"] == ["gratitud", "outrage"]
    assert "not evaluated, because the model lacks them: gratitud, outrage" in said
    assert [row["label"] for row in results["results"]["validation"]["per_label"]] == ["anger", "joy"]


def test_nothing_in_common_is_refused(models, tmp_path, capsys):
    """With the labels of both sides, and how indices get names."""
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"a text {n},{n % 3}\n" for n in range(9)))
    said = refused(capsys, "evaluate", models["words"], "--data", tmp_path / "a.csv", "--labels-in-common")
    assert "has no label of the model" in said
    assert "--label-names" in said


def test_the_same_data_gives_the_same_figures_with_and_without_saying_it(models, capsys):
    """A source with splits is judged by the split that is asked for, as the model's own is."""
    own, _ = evaluated(capsys, models["words"])
    named, _ = evaluated(capsys, models["words"], "--data", SOURCE)
    assert own == named
    assert "labels_left_out" not in own
