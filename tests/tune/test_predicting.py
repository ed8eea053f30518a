"""`goemo predict`: any file, in order and whole, to stdout as it goes or into a file at the end."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from goemo import bundle
from goemo.configuration import Configuration
from goemo.data import load_splits, text_lines
from goemo.thresholds import fit_thresholds
from goemo.training import train
from goemo.training.prepared import prepare
from tune.cli import main

CONTENT = (
    b"\xef\xbb\xbfso happy today\r\n\r\n" + b"word " * 2000 + b"\nbad \xff bytes \xed\xa0\xbd\n"
    b"sep \xe2\x80\xa8 and \x0c inside\n[/b] markup [red]\nnul \x00 and \x1b[31m\n"
    b'"quoted", comma\ncr \r inside\nno line feed'
)
TEXTS = [
    "so happy today",
    "",
    "word " * 2000,
    "bad \ufffd bytes \ufffd\ufffd\ufffd",
    "sep \u2028 and \x0c inside",
    "[/b] markup [red]",
    "nul \x00 and \x1b[31m",
    '"quoted", comma',
    "cr \r inside",
    "no line feed",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("predicting")
    checkpoint = "scratch:albert-tiny"
    splits = load_splits("sample:300")
    c = Configuration(checkpoint=checkpoint, epochs=1, reports=1, max_length=16, trainable="all")
    prepared = prepare(
        splits, checkpoint, trainable="all", pooling="first", max_lengths=[16], cache=folder / "cache"
    )
    run = train(c, prepared)
    thresholds = fit_thresholds(run.best.scores.astype(np.float32), prepared.targets["validation"])
    bundle.save(run, folder / "model", thresholds=thresholds, provenance={})
    return folder / "model"


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "texts.txt").write_bytes(CONTENT)
    return tmp_path / "texts.txt"


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(text_lines.chunks, "__kwdefaults__", {"most": 3, "characters": 4000})


def test_every_line_of_any_bytes_is_predicted_in_order(model, file, capfd, small_chunks):
    """Across chunks, each line has its entry, in order, with the scores that its text has alone."""
    main(["predict", str(model), "--file", str(file), "--format", "json"])
    out, err = capfd.readouterr()
    found = json.loads(out)
    assert [item["text"] for item in found] == TEXTS
    assert "1 line is not UTF-8 (the first is line 4)" in err
    loaded = bundle.load(model)
    for item in found:
        (alone,) = loaded.predict([item["text"]])
        assert item["labels"] == alone["labels"]
        assert item["scores"] == pytest.approx(alone["scores"], abs=1e-5)


def test_all_formats_say_the_same(model, file, tmp_path):
    """JSON, JSON lines and CSV hold the same texts, labels and scores; the suffix chooses."""
    for suffix in ("json", "jsonl", "csv"):
        main(["predict", str(model), "--file", str(file), "-o", str(tmp_path / f"p.{suffix}")])
    items = json.loads((tmp_path / "p.json").read_bytes())
    lines = (tmp_path / "p.jsonl").read_bytes().split(b"\n")
    assert [json.loads(line) for line in lines[:-1]] == items
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["text"] for row in rows] == [item["text"] for item in items] == TEXTS
    assert [float(row["joy"]) for row in rows] == [item["scores"]["joy"] for item in items]


def test_a_table_takes_texts_that_look_like_markup_or_move_the_cursor(model, file, capfd, small_chunks):
    """It is printed with one head, brackets as they are, and without a control character."""
    main(["predict", str(model), "--file", str(file)])
    out = capfd.readouterr().out
    assert "[/b] markup [red]" in " ".join(out.split())
    assert out.count("(threshold)") == 1
    assert not {"\x1b", "\x0c", "\x00", "\r", "\u2028"} & set(out)
    main(["predict", str(model), "[/b] text"])
    assert "[/b] text" in capfd.readouterr().out


@pytest.mark.parametrize("content", [b"", b"one"])
def test_stdin_and_few_lines(model, content):
    """A pipe of no lines gives an empty array, one without a line feed an array of one."""
    done = run_goemo(["predict", str(model), "--file", "-", "--format", "json"], input=content)
    assert done.returncode == 0, done.stderr
    assert [item["text"] for item in json.loads(done.stdout)] == content.decode().split()
    assert done.stderr == b""


def test_bytes_of_the_call_that_are_no_utf_8_are_replaced(model):
    """As in a file; the output is sound JSON whatever the encoding of the terminal."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run_goemo(["predict", str(model), b"bad \xff text \xc3\xa9", "--format", "json"], env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["text"] == "bad \ufffd text é"


def test_a_reader_that_has_enough_ends_it_quietly(model, tmp_path):
    """`head -1` gets its line; there is no message and no failure."""
    (tmp_path / "many.txt").write_text("so happy\n" * 9000)
    command = [sys.executable, "-m", "tune.cli", "predict", str(model), "--format", "jsonl"]
    with subprocess.Popen(
        [*command, "--file", str(tmp_path / "many.txt")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert json.loads(process.stdout.readline())["text"] == "so happy"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_an_interrupt_says_how_far_it_came_and_leaves_no_half_file(  # noqa: PLR0917 - fixtures
    model, file, tmp_path, capsys, monkeypatch, small_chunks
):
    """Two chunks were written when Ctrl-C came; an output file that was there stays as it was."""
    real, calls = bundle.Bundle.predict, []

    def predict(self, texts, **options):
        calls.append(len(texts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, texts, **options)

    monkeypatch.setattr(bundle.Bundle, "predict", predict)
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(model), "--file", str(file), "--format", "jsonl"])
    captured = capsys.readouterr()
    assert ended.value.code == 1
    assert "interrupted after 6 of 10 texts; these have been written" in captured.err
    assert len(captured.out.splitlines()) >= 6
    calls.clear()
    (tmp_path / "p.csv").write_text("earlier")
    with pytest.raises(SystemExit):
        main(["predict", str(model), "--file", str(file), "-o", str(tmp_path / "p.csv")])
    assert "nothing was written" in capsys.readouterr().err
    assert (tmp_path / "p.csv").read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "texts.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--file", "nothing.txt"], "No such file"),
        (["--file", "."], "Is a directory"),
        (["hello", "-o", "out.txt"], "suffix"),
        (["hello", "-o", "none/out.json"], "there is no folder"),
        (["hello", "-o", ".", "--format", "json"], "must be a file"),
    ],
)
def test_wrong_calls_end_before_the_model_is_read(tmp_path, monkeypatch, capsys, arguments, message):
    """Exit code 2, one message, nothing written, although the folder has no model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-bundle").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["predict", "no-bundle", *arguments])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert message in captured.err
    assert captured.out == ""
    assert list(tmp_path.rglob("*")) == [tmp_path / "no-bundle"]


def run_goemo(arguments, **options):
    command = [sys.executable, "-m", "tune.cli", *arguments]
    return subprocess.run(command, capture_output=True, check=False, **options)
