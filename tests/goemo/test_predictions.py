"""Predictions in pieces: the files that they make are whole, whatever the chunks and the texts."""

from __future__ import annotations

import csv
import io
import json

import pytest

from goemo.bundle.predictions import FORMATS

LABELS = ("joy", 'odd, "label"')
TEXTS = ["", "two\nlines", 'quote " and, comma', "cr\rhere", "sep\u2028inside", "Wörds 😀", "\x00nul"]
ITEMS = [
    {"text": text, "labels": list(LABELS[:number]), "scores": {"joy": 1 / 3, LABELS[1]: number / 7}}
    for text, number in zip(TEXTS, (0, 1, 2, 0, 1, 2, 0), strict=True)
]


def pieces(form, size):
    chunked = [ITEMS[start : start + size] for start in range(0, len(ITEMS), size)]
    return list(FORMATS[form](iter(chunked), LABELS))


@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_pieces_make_the_file(size):
    """JSON is one array, JSON lines has an object a line, CSV a row each; all with every digit, in order."""
    assert json.loads("".join(pieces("json", size))) == ITEMS
    lines = "".join(pieces("jsonl", size)).split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == ITEMS
    rows = list(csv.DictReader(io.StringIO("".join(pieces("csv", size)), newline="")))
    assert [row["text"] for row in rows] == TEXTS
    assert [row["labels"] for row in rows] == [",".join(item["labels"]) for item in ITEMS]
    assert [{label: float(row[label]) for label in LABELS} for row in rows] == [i["scores"] for i in ITEMS]


def test_each_chunk_is_handed_on_before_the_next_is_made():
    """Nothing waits for the end, so a million texts take no more memory than a chunk."""
    made = []
    chunked = (made.append(number) or [ITEMS[number]] for number in range(3))
    found = FORMATS["json"](chunked, LABELS)
    assert json.loads(next(found) + "]") == ITEMS[:1]
    assert made == [0]


def test_a_spreadsheet_runs_no_label_and_on_request_no_text():
    """Label names that begin as formulas get a quote before them; texts in guarded-csv alone."""
    labels = ("=SUM(A1)", "+joy", "@home", "plain")
    for label in labels:
        scores = dict.fromkeys(labels, -0.5)
        chunk = [{"text": "=1+1", "labels": [label], "scores": scores}]
        for form, text in (("csv", "=1+1"), ("guarded-csv", "'=1+1")):
            head, row = csv.reader(io.StringIO("".join(FORMATS[form](iter([chunk]), labels))))
            assert head == ["text", "labels", "'=SUM(A1)", "'+joy", "'@home", "plain"]
            assert row == [text, label if label == "plain" else f"'{label}", *["-0.5"] * 4]


@pytest.mark.parametrize(
    ("form", "expected"),
    [("json", "[]\n"), ("jsonl", ""), ("csv", '"text","labels","joy","odd, ""label"""\n')],
)
def test_no_texts_are_a_sound_file_too(form, expected):
    """An empty array, an empty file, a header alone."""
    assert "".join(FORMATS[form](iter([]), LABELS)) == expected
