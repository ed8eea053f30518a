"""Predictions in pieces: the files that they make are whole, whatever the chunks and the texts."""

from __future__ import annotations

import csv
import io
import json

import pytest

from goemo.bundle.predictions import FORMATS, Output
from goemo.data.tables import ABSENT

LABELS = ("joy", 'odd, "label"')
TEXTS = ["", "two\nlines", 'quote " and, comma', "cr\rhere", "sep\u2028inside", "Wörds 😀", "\x00nul"]
ITEMS = [
    {"text": text, "labels": list(LABELS[:number]), "scores": {"joy": 1 / 3, LABELS[1]: number / 7}}
    for text, number in zip(TEXTS, (0, 1, 2, 0, 1, 2, 0), strict=True)
]


def written(form, size, kept=None, items=ITEMS):
    """Return the bytes of a file."""
    chunked = [items[start : start + size] for start in range(0, len(items), size)]
    return b"".join(FORMATS[form](iter(chunked), Output(LABELS, kept or {})))


def text(form, size, **more):
    return written(form, size, **more).decode()


def table(content):
    return list(csv.DictReader(io.StringIO(content, newline="")))


@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_pieces_make_the_file(size):
    """JSON is one array, JSON lines has an object a line, CSV a row each; all with every digit, in order."""
    assert json.loads(text("json", size)) == ITEMS
    lines = text("jsonl", size).split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == ITEMS
    rows = table(text("csv", size))
    assert [row["text"] for row in rows] == TEXTS
    assert [row["labels"] for row in rows] == [",".join(item["labels"]) for item in ITEMS]
    assert [{label: float(row[label]) for label in LABELS} for row in rows] == [i["scores"] for i in ITEMS]


def test_each_chunk_is_handed_on_before_the_next_is_made():
    """Nothing waits for the end, so a million texts take no more memory than a chunk."""
    made = []
    chunked = (made.append(number) or [ITEMS[number]] for number in range(3))
    found = FORMATS["json"](chunked, Output(LABELS))
    assert json.loads(next(found) + b"]") == ITEMS[:1]
    assert made == [0]


def test_a_spreadsheet_runs_no_label_and_on_request_no_text():
    """Label names that begin as formulas get a quote before them; texts in guarded-csv alone."""
    labels = ("=SUM(A1)", "+joy", "@home", "plain")
    for label in labels:
        scores = dict.fromkeys(labels, -0.5)
        chunk = [{"text": "=1+1", "labels": [label], "scores": scores}]
        for form, text in (("csv", "=1+1"), ("guarded-csv", "'=1+1")):
            content = b"".join(FORMATS[form](iter([chunk]), Output(labels))).decode()
            head, row = csv.reader(io.StringIO(content))
            assert head == ["text", "labels", "'=SUM(A1)", "'+joy", "'@home", "plain"]
            assert row == [text, label if label == "plain" else f"'{label}", *["-0.5"] * 4]


@pytest.mark.parametrize(
    ("form", "expected"),
    [("json", "[]\n"), ("jsonl", ""), ("csv", '"text","labels","joy","odd, ""label"""\n')],
)
def test_no_texts_are_a_sound_file_too(form, expected):
    """An empty array, an empty file, a header alone."""
    assert b"".join(FORMATS[form](iter([]), Output(LABELS))).decode() == expected


KEPT = {
    "id": [f"=c{row}" for row in range(7)],
    "comment": TEXTS,
    "joy": [row % 2 for row in range(7)],
    "labels": [["a", row] for row in range(7)],
    "mixed": [1, "two", None, 3.5, float("nan"), {"deep": [True]}, ABSENT],
    "nothing": [None] * 7,
    "half": ["\ud800"] * 7,
}


@pytest.mark.parametrize("size", [2, 7])
def test_other_columns_are_kept_and_never_written_over(size):
    """Every cell of the file comes back from each format; what is predicted has a name of its own then."""
    import pyarrow.parquet as pq

    for row, item in zip(table(text("csv", size, kept=KEPT)), ITEMS, strict=True):
        assert list(row)[:7] == list(KEPT)
        number = ITEMS.index(item)
        assert (row["id"], row["comment"], row["joy"]) == (f"=c{number}", item["text"], str(number % 2))
        assert json.loads(row["labels"]) == ["a", number]
        assert (row["predicted_labels"], float(row["score_joy"])) == (",".join(item["labels"]), 1 / 3)
    records = json.loads(text("json", size, kept=KEPT))
    assert [json.loads(line) for line in text("jsonl", size, kept=KEPT).split("\n")[:-1]] == records
    assert [record.get("mixed", "absent") for record in records] == [
        1, "two", None, 3.5, None, {"deep": [True]}, "absent",
    ]  # fmt: skip
    for record, item in zip(records, ITEMS, strict=True):
        assert record["text"] == record["comment"] == item["text"]
        assert (record["predicted_labels"], record["scores"]) == (item["labels"], item["scores"])
    found = pq.read_table(io.BytesIO(written("parquet", size, kept=KEPT))).to_pylist()
    assert [row["id"] for row in found] == KEPT["id"]
    assert [row["joy"] for row in found] == KEPT["joy"]
    assert [row["mixed"] for row in found] == ["1", "two", None, "3.5", None, '{"deep": [true]}', None]
    assert [row["predicted_labels"] for row in found] == [item["labels"] for item in ITEMS]
    assert [row[LABELS[1]] for row in found] == pytest.approx([i["scores"][LABELS[1]] for i in ITEMS])


def test_a_spreadsheet_runs_no_cell_of_a_file_on_request():
    """Cells and names of columns that begin as formulas get a quote before them in guarded-csv alone."""
    kept = {"=head": ["=1+1", "@b"], "n": [-1, -2]}
    plain, safe = (table(text(form, 2, kept=kept, items=ITEMS[:2])) for form in ("csv", "guarded-csv"))
    assert [row["=head"] for row in plain] == ["=1+1", "@b"]
    assert [row["'=head"] for row in safe] == ["'=1+1", "'@b"]
    assert [row["n"] for row in plain] == [row["n"] for row in safe] == ["-1", "-2"]


def test_parquet_of_texts_alone():
    """Text, a list of labels and the scores, whatever the chunks; no texts give an empty table."""
    import pyarrow.parquet as pq

    found = pq.read_table(io.BytesIO(written("parquet", 3)))
    assert found.column_names == ["text", "labels", *LABELS]
    assert found["text"].to_pylist() == TEXTS
    assert pq.read_table(io.BytesIO(written("parquet", 3, items=[]))).num_rows == 0
