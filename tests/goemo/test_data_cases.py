"""The shared cases of what people have: read right, or refused with the way out; counted independently."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from data_files import load, problems

from goemo.configuration.data import DataOptions
from goemo.data import load_judged, load_rows, report_lines
from goemo.data.taxonomy import GOEMOTIONS

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "data"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases in {CASES}")


def positives(splits):
    """Return the positives of each label that has any, by split, as the report says them."""
    return {
        split: {name: by[split] for name, by in splits.report.labels.items() if by[split]}
        for split in ("train", "validation", "test")
    }


def in_all(splits):
    """Return the positives of each label that has any, over all splits."""
    return {name: sum(by.values()) for name, by in splits.report.labels.items() if any(by.values())}


def ones(frame, names):
    return {name: int(frame[name].sum()) for name in names if frame[name].sum()}


def counts(cells):
    """Count labels in lists."""
    return dict(Counter(label for labels in cells for label in labels))


SEMEVAL = [
    "anger", "anticipation", "disgust", "fear", "joy", "love", "optimism", "pessimism", "sadness", "surprise",
    "trust",
]  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "files", "separator", "names"),
    [("semeval", ["train.tsv", "dev.tsv", "test.tsv"], "\t", SEMEVAL),
     ("semeval_txt", [f"2018-E-c-En-{part}.txt" for part in ("train", "dev", "test-gold")], "\t", SEMEVAL),
     ("brighter", ["train.csv", "dev.csv", "test.csv"], ",",
      ["anger", "disgust", "fear", "joy", "sadness", "surprise"])],
)  # fmt: skip
def test_one_column_a_label_in_splits(folder, files, separator, names):
    """Positives of each label in each split are the columns' sums."""
    splits = load(CASES / folder)
    assert splits.labels == tuple(names)
    for split, file in zip(splits.splits(), files, strict=True):
        frame = pd.read_csv(CASES / folder / file, sep=separator)
        assert positives(splits)[split.name] == ones(frame, names)
        assert split.texts == frame[frame.columns[1]].tolist()
        assert split.ids == frame[frame.columns[0]].astype(str).tolist()


def test_jigsaw():
    """Six labels by the columns' names; the missing splits are split off from train, and said."""
    splits = load(CASES / "jigsaw")
    frame = pd.read_csv(CASES / "jigsaw" / "train.csv")
    names = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
    assert splits.labels == tuple(names)
    assert in_all(splits) == ones(frame, names)
    assert splits.report.text == ["comment_text"]
    assert splits.splitting == "stratified 80/10/10, seed 42"


@pytest.mark.parametrize("policy", ["keep", "leave_out"])
def test_goemotions_raw_ratings(policy):
    """One row a rating, 28 labels; what raters found unclear is kept or left out, with its number."""
    splits = load(CASES / "hub_raw", unclear=policy)
    frame = pq.read_table(CASES / "hub_raw" / "raw" / "train-00000-of-00001.parquet").to_pandas()
    unclear = frame["example_very_unclear"].astype(bool)
    rows = frame if policy == "keep" else frame[~unclear]
    assert splits.labels == GOEMOTIONS
    assert sum(len(split) for split in splits.splits()) == len(rows)
    assert in_all(splits) == ones(rows, GOEMOTIONS)
    told = "\n".join(report_lines(splits.report.to_dict()))
    assert f"{int(unclear.sum())} rows marked unclear" in told


@pytest.mark.parametrize("folder", ["hub_simplified", "saved_dict", "pq_topics28"])
def test_class_labels(folder):
    """Names are those of the files' own metadata, counts those of the indices."""
    splits = load(CASES / folder)
    inside = {"hub_simplified": "simplified/{}-00000-of-00001.parquet", "pq_topics28": "{}.parquet"}
    for split in splits.splits():
        if folder == "saved_dict":
            import pyarrow as pa

            path = CASES / folder / split.name / "data-00000-of-00001.arrow"
            info = json.loads((path.parent / "dataset_info.json").read_text())
            names = info["features"]["labels"]["feature"]["names"]
            table = pa.ipc.open_stream(path.read_bytes()).read_all()
        else:
            name = "dev" if folder == "pq_topics28" and split.name == "validation" else split.name
            table = pq.read_table(CASES / folder / inside[folder].format(name))
            features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
            names = features["labels"].get("feature", features["labels"])["names"]
        assert splits.labels == tuple(names)
        expected = counts([names[index] for index in row] for row in table["labels"].to_pylist())
        assert positives(splits)[split.name] == expected
        assert split.texts == table["text"].to_pylist()


@pytest.mark.parametrize("folder", ["tsv_header", "tsv_header_idx", "uppercase", "traintest"])
def test_text_labels_and_ids_with_a_header(folder):
    """Headers are never rows; a missing validation is split off from train."""
    splits = load(CASES / folder)
    found = sorted(path for path in (CASES / folder).iterdir())
    separator = "\t" if folder.startswith("tsv") else ","
    frame = pd.concat([pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False) for path in found])
    cells = [cell.split(",") for cell in frame["labels"]]
    if folder == "tsv_header_idx":
        cells = [[GOEMOTIONS[int(index)] for index in row] for row in cells]
    assert in_all(splits) == counts(cells)
    assert sum(len(split) for split in splits.splits()) == len(frame)
    assert (splits.splitting == "official") == (folder != "traintest")
    if folder == "traintest":
        cut = "stratified 10 % of train for validation, seed 42"
        assert splits.splitting.startswith(f"official train and test; {cut}")


def single(name):
    return pd.read_csv(CASES / "single" / name, dtype=str, keep_default_na=False)


@pytest.mark.parametrize("name", ["comment_text.csv", "Tweet.csv", "case_mixed.csv", "zwsp.csv"])
def test_names_in_a_csv(name):
    """Text columns of other names, and names that look alike: read, and warned of."""
    splits = load(CASES / "single" / name)
    cells = [[label.strip() for label in cell.split(",")] for cell in single(name)["labels"]]
    assert in_all(splits) == counts(cells)
    told = "\n".join(report_lines(splits.report.to_dict()))
    if name in ("case_mixed.csv", "zwsp.csv"):
        assert "differ only in case, form of accents or invisible characters; are they the same?" in told
    else:
        assert f"texts are read from the column {name[:-4]}" in told


def test_sets_and_label_studios_choices():
    """Never 49 labels: the 26 of the names inside."""
    written = single("set.csv")["labels"]
    assert in_all(load(CASES / "single" / "set.csv")) == counts(map(ast.literal_eval, written))
    cells = [
        json.loads(cell)["choices"] if cell.startswith("{") else [cell]
        for cell in single("labelstudio.csv")["labels"]
    ]
    assert in_all(load(CASES / "single" / "labelstudio.csv")) == counts(cells)


def test_names_parted_by_a_space():
    """Refused with the option that parts them and the one that keeps them; both then read what they say."""
    found = problems(CASES / "single" / "names.csv")
    assert "18 of 44 labels combine others, joined by a space" in found
    assert "data.label_separator: space splits them, none keeps them whole" in found
    cells = single("names.csv")["labels"]
    for option, expected in (("space", counts(map(str.split, cells))), ("none", dict(Counter(cells)))):
        assert in_all(load(CASES / "single" / "names.csv", label_separator=option)) == expected


def test_words_for_missing_values():
    """Refused at their lines, or left out, or read as no label, as the option says."""
    found = problems(CASES / "single" / "nanlabels.csv")
    assert [line.split(": ")[0] for line in found.splitlines()] == [
        f"nanlabels.csv:{n}" for n in (7, 8, 9, 10)
    ]
    cells = [cell.split(",") for cell in single("nanlabels.csv")["labels"] if cell not in ("nan", "None")]
    for option, rows in (("leave_out", 116), ("no_labels", 120)):
        splits = load(CASES / "single" / "nanlabels.csv", missing_labels=option)
        assert in_all(splits) == counts(cells)
        assert sum(len(split) for split in splits.splits()) == rows


@pytest.mark.parametrize("name", ["single_float.csv", "ints.csv", "label.csv"])
def test_numbers_without_names(name):
    """Indices, also where pandas made floats of them; numbered, with the way to name them."""
    splits = load(CASES / "single" / name)
    values = single(name)[["labels", "label"][name == "label.csv"]]
    assert in_all(splits) == {f"label_{int(float(v))}": n for v, n in Counter(values).items()}
    assert any("or in data.label_names (goemotions for its 28)" in note for note in splits.report.notes)


def test_soft_labels():
    """Refused with the option that binarises; with it, rows without a label are counted."""
    assert "data.binarize: 0.5" in problems(CASES / "single" / "soft.csv")
    shares = [
        ast.literal_eval(cell.replace("np.float64(", "").replace(")", ""))
        for cell in single("soft.csv")["labels"]
    ]
    splits = load(CASES / "single" / "soft.csv", binarize=0.4)
    applying = [[f"label_{n}" for n, share in enumerate(row) if share >= 0.4] for row in shares]
    assert in_all(splits) == counts(applying)
    emptied = sum(not row for row in applying)
    assert any(f"{emptied} rows with shares lose every label" in note for note in splits.report.notes)


def test_encodings_and_separators():
    """A byte order mark and a header's separator are read and said; what is a guess is refused with it."""
    latin = CASES / "single" / "latin1.csv"
    assert "data.encoding: windows-1252" in problems(CASES / "single" / "latin1.csv")
    read = load_judged(str(latin), "test", {}, options=DataOptions.parse({"encoding": "windows-1252"}))
    assert read.texts == pd.read_csv(latin, encoding="cp1252")["text"].tolist()
    for name, options in (
        ("utf16.csv", {"encoding": "utf-16"}),
        ("semicolon.csv", {"sep": ";"}),
    ):
        frame = pd.read_csv(CASES / "single" / name, **options)
        read = load_judged(str(CASES / "single" / name), "test", {})
        assert read.texts == frame["text"].tolist()
        assert read.targets.sum() == sum(len(cell.split(",")) for cell in frame["labels"])
        assert any("UTF-16" in note or "semicolons" in note for note in read.notes)


def test_records_of_json():
    """An array, and mappings of 0 and 1."""
    array = json.loads((CASES / "single" / "array.json").read_text())
    assert in_all(load(CASES / "single" / "array.json")) == counts(r["labels"] for r in array)
    lines = [json.loads(line) for line in (CASES / "single" / "dict01.jsonl").read_text().splitlines()]
    splits = load(CASES / "single" / "dict01.jsonl")
    assert in_all(splits) == counts([name for name, one in r["labels"].items() if one] for r in lines)
    assert splits.labels == GOEMOTIONS


@pytest.mark.parametrize("folder", ["bracket", "oddnames", "sep"])
def test_names_in_json_lists_are_meant(folder):
    """Brackets, markup, ``NaN``, slashes: as they stand."""
    splits = load(CASES / folder)
    for split, file in zip(splits.splits(), ("train", "dev", "test"), strict=True):
        lines = (CASES / folder / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
        assert positives(splits)[split.name] == counts(json.loads(line)["labels"] for line in lines)


def test_texts_to_predict():
    """One row a record, line ends inside quotes included, with the id column."""
    read = load_rows(str(CASES / "single" / "to_predict.csv"))
    frame = pd.read_csv(CASES / "single" / "to_predict.csv", dtype=str)
    assert read.texts == frame["text"].tolist()
    assert read.columns["id"] == frame["id"].tolist()
