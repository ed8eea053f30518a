"""Any table of texts and labels, written in each layout, loads to the same splits and targets."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from data_files import write_csv
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goemo.data import load_splits
from goemo.data.words import is_about_rows

SPLITS = ("train", "validation", "test")
# Any text but half surrogates and blank; lone carriage returns are a line's end to spreadsheets.
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), min_size=1, max_size=30
).filter(lambda text: text.strip() != "")
names = st.text(st.characters(categories=["Ll", "Lu", "Lo"]), min_size=3, max_size=12).filter(
    lambda name: name.isprintable() and name.strip() == name and not is_about_rows(f"{name}x0")
)


@st.composite
def tables(draw):
    labels = sorted(draw(st.lists(names, min_size=2, max_size=5, unique=True)))
    rows = {
        split: draw(
            st.lists(st.tuples(texts, st.sets(st.integers(0, len(labels) - 1))), min_size=2, max_size=8)
        )
        for split in SPLITS
    }
    # Each label applies somewhere in train, and the last row has them all: names are then found in rows, too.
    rows["train"].append(("every label", set(range(len(labels)))))
    rows["train"].append(("none of them", set()))
    return [f"{name}x{n}" for n, name in enumerate(labels)], rows


def csv_names(folder, labels, split, rows):
    write_csv(folder / f"{split}.csv", ["text", "labels"],
              [(text, ",".join(labels[n] for n in sorted(row))) for text, row in rows])  # fmt: skip


def csv_indices(folder, labels, split, rows):
    (folder / "labels.txt").write_text("\n".join(labels), encoding="utf-8")
    write_csv(folder / f"{split}.csv", ["text", "labels"],
              [(text, str(sorted(row))) for text, row in rows])  # fmt: skip


def csv_one_hot(folder, labels, split, rows):
    write_csv(folder / f"{split}.csv", ["text", *labels],
              [(text, *(int(n in row) for n in range(len(labels)))) for text, row in rows])  # fmt: skip


def json_names(folder, labels, split, rows):
    lines = [json.dumps({"text": text, "labels": [labels[n] for n in sorted(row)]}) for text, row in rows]
    (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def json_mapping(folder, labels, split, rows):
    records = [
        {"text": text, "labels": {name: int(n in row) for n, name in enumerate(labels)}} for text, row in rows
    ]
    (folder / f"{split}.json").write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")


def vectors(folder, labels, split, rows):
    (folder / "labels.txt").write_text("\n".join(labels), encoding="utf-8")
    lines = [
        json.dumps({"text": text, "labels": [float(n in row) for n in range(len(labels))]})
        for text, row in rows
    ]
    (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def frame(labels, rows):
    return pd.DataFrame(
        {"text": [t for t, _ in rows], "labels": [[labels[n] for n in sorted(row)] for _, row in rows]}
    )


def parquet(folder, labels, split, rows):
    frame(labels, rows).to_parquet(folder / f"{split}.parquet")


def shards(folder, labels, split, rows):
    (folder / "data").mkdir(exist_ok=True)
    half = len(rows) // 2
    for shard, part in enumerate((rows[:half], rows[half:])):
        dataset(labels, part).to_parquet(folder / "data" / f"{split}-{shard:05d}-of-00002.parquet")


def dataset(labels, rows):
    features = Features({"text": Value("string"), "labels": List(ClassLabel(names=labels))})
    columns = {"text": [text for text, _ in rows], "labels": [sorted(row) for _, row in rows]}
    return Dataset.from_dict(columns, features=features)


ONE_BY_ONE = [csv_names, csv_indices, csv_one_hot, json_names, json_mapping, vectors, parquet, shards]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables())
def test_every_layout_of_a_table_loads_to_the_same(table):
    """Texts in order, targets by name, for every split; where labels come in one order, digests too."""
    labels, rows = table
    with tempfile.TemporaryDirectory() as place:
        for write in ONE_BY_ONE:
            folder = Path(place) / write.__name__
            folder.mkdir()
            for split in SPLITS:
                write(folder, labels, split, rows[split])
        saved = Path(place) / "saved"
        DatasetDict({split: dataset(labels, rows[split]) for split in SPLITS}).save_to_disk(str(saved))
        for folder in [*(Path(place) / write.__name__ for write in ONE_BY_ONE), saved]:
            splits = load_splits(f"dir:{folder}")
            assert set(splits.labels) == set(labels), folder.name
            for split in splits.splits():
                assert split.texts == [text for text, _ in rows[split.name]], folder.name
                expected = np.array([[n in row for n in range(len(labels))] for _, row in rows[split.name]])
                order = [splits.labels.index(name) for name in labels]
                np.testing.assert_array_equal(split.targets[:, order], expected, folder.name)
