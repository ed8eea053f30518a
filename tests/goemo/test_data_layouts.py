"""Layouts of labels and files: what people have, each kind with several members, read right."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from data_files import load, problems, write_csv, write_json_lines

from goemo.configuration.data import DataOptions
from goemo.data import load_judged, load_rows, load_splits
from goemo.data.layouts.base import LabelColumns
from goemo.data.tables import Table
from goemo.data.taxonomy import GOEMOTIONS

NAMES = ["joy", "anger", "fear"]
TEXTS = [f"this is the comment of number {row}" for row in range(20)]
LABELS = [[name for bit, name in enumerate(NAMES) if row >> bit & 1] for row in range(20)]
TARGETS = np.array([[name in labels for name in NAMES] for labels in LABELS])


def rows(source, **options):
    return load_judged(str(source), "test", {}, options=DataOptions.parse(options))


def check(read, *, texts=TEXTS, targets=TARGETS, names=NAMES):
    """Texts as they stand, and each label's targets by its name."""
    assert read.texts == texts
    assert sorted(read.labels) == sorted(names)
    by_name = {name: read.targets[:, read.labels.index(name)].tolist() for name in names}
    assert by_name == {name: targets[:, column].tolist() for column, name in enumerate(names)}


def one_hot(values=(0, 1)):
    return [[values[name in labels] for name in NAMES] for labels in LABELS]


def write_columns(path, values, names=NAMES):
    """Write a column a label beside the texts."""
    return write_csv(path, ["text", *names], [[t, *v] for t, v in zip(TEXTS, values, strict=True)])


def write_cells(path, cells):
    """Write one column of labels beside the texts."""
    return write_csv(path, ["text", "labels"], zip(TEXTS, cells, strict=True))


# ------------------------------------------------------------------------------ one 0/1 column per label


@pytest.mark.parametrize(
    "values", [(0, 1), ("0.0", "1.0"), ("False", "True"), ("false", "TRUE")], ids=lambda v: str(v[1])
)
@pytest.mark.parametrize("layout", ["jigsaw", "semeval", "brighter"])
def test_one_column_of_zeros_and_ones_a_label(tmp_path, values, layout):
    """By the columns' names, in whatever way the two values are written; the id is an id."""
    header = {
        "jigsaw": ["id", "comment_text", *NAMES],
        "semeval": ["ID", "Tweet", *NAMES],
        "brighter": ["id", "text", *NAMES],
    }[layout]
    separator = "\t" if layout == "semeval" else ","
    path = tmp_path / ("all.tsv" if layout == "semeval" else "all.csv")
    cells = zip(TEXTS, one_hot(values), strict=True)
    write_csv(path, header, [[f"c{n}", text, *v] for n, (text, v) in enumerate(cells)], delimiter=separator)
    read = rows(path)
    check(read)
    assert {i for split in load(path).splits() for i in split.ids} == {f"c{row}" for row in range(20)}
    assert read.labels == tuple(NAMES)


def test_columns_about_rows_are_no_labels_and_said(tmp_path):
    """Raters, flags, row numbers and times of 0 and 1 are left out; data.columns takes one of them back."""
    about = ["", "rater_id", "is_test", "example_very_unclear", "created_utc", "index"]
    lines = [[0, 1, 0, 0, 1, 0, text, *v] for text, v in zip(TEXTS, one_hot(), strict=True)]
    path = write_csv(tmp_path / "all.csv", [*about, "text", *NAMES], lines)
    report = load(path).report
    assert report.label_columns == NAMES
    assert set(report.left_out) == {"", "rater_id", "is_test", "created_utc", "index"}
    assert any("labels are the columns joy, anger, fear; left out: " in note for note in report.notes)
    asked = load(path, columns={"labels": [*NAMES, "is_test"]})
    assert asked.labels == (*NAMES, "is_test")
    assert not asked.train.targets[:, 3].any()


def test_only_the_word_unclear_marks_unclear_rows(tmp_path):
    """A label whose name has these letters in a longer word is a label."""
    path = tmp_path / "a.csv"
    path.write_text(
        "text,joy,Unclearness,nuclear\n" + "".join(f"t {row},1,0,{row % 2}\n" for row in range(40))
    )
    splits = load_splits(str(path))
    assert set(splits.labels) == {"joy", "Unclearness", "nuclear"}


@pytest.mark.parametrize("policy", ["keep", "leave_out"])
def test_unclear_rows_are_kept_or_left_out_and_counted(tmp_path, policy):
    """A rating that the rater found unclear has no label; which it is to be is an option, and said."""
    unclear = [row % 5 == 0 for row in range(20)]
    frame = pd.DataFrame(one_hot(), columns=NAMES)
    frame.insert(0, "text", TEXTS)
    frame.insert(1, "example_very_unclear", unclear)
    frame.to_parquet(tmp_path / "raw.parquet")
    splits = load(tmp_path / "raw.parquet", unclear=policy)
    total = sum(len(split) for split in splits.splits())
    if policy == "keep":
        assert total == 20
        assert any("4 rows marked unclear in example_very_unclear kept" in n for n in splits.report.notes)
    else:
        assert total == 16
        assert splits.report.rows_left_out == {"marked unclear": 4}


def test_minus_one_is_not_judged(tmp_path):
    """As in Jigsaw's test labels: such rows are left out and counted, whether all or one label are so."""
    values = one_hot()
    values[3] = [-1, -1, -1]
    values[7][1] = -1
    path = write_columns(tmp_path / "a.csv", values)
    kept = [row for row in range(20) if row not in (3, 7)]
    check(rows(path), texts=[TEXTS[row] for row in kept], targets=TARGETS[kept])
    assert load(path).report.rows_left_out == {"not judged (-1)": 2}
    assert "2 rows not judged (-1): left out" in rows(path).notes


@pytest.mark.parametrize("form", ["columns", "lists", "mappings"])
def test_minus_one_in_the_place_of_zero_is_refused(tmp_path, form):
    """Every row with a label that does not apply would be left out as not judged."""
    if form == "columns":
        path = write_columns(tmp_path / "a.csv", one_hot((-1, 1)))
    else:
        labels = (v if form == "lists" else dict(zip(NAMES, v, strict=True)) for v in one_hot((-1, 1)))
        records = [{"text": t, "labels": v} for t, v in zip(TEXTS, labels, strict=True)]
        path = write_json_lines(tmp_path / "a.jsonl", records)
    assert "holds 1 and -1 and no 0, but -1 says that nobody judged" in problems(path)


def test_columns_of_labels_that_are_not_taken_are_said(tmp_path):
    """Beside a column of labels, and where test has one that train lacks."""
    lines = [[t, "joy", *v] for t, v in zip(TEXTS, one_hot(), strict=True)]
    path = write_csv(tmp_path / "a.csv", ["text", "label", *NAMES], lines)
    assert any("joy, anger, fear hold 0 and 1 and are left out" in note for note in rows(path).notes)
    for split, names in {"train": NAMES[:2], "test": NAMES}.items():
        values = [v[: len(names)] for v in one_hot()]
        write_columns(tmp_path / "folder" / f"{split}.csv", values, names)
    notes = load(tmp_path / "folder").report.notes
    assert "train.csv lacks the column fear of test.csv: left out" in notes
    write_csv(tmp_path / "folder" / "test.csv", ["text"], [[text] for text in TEXTS])
    assert "data.splits that names train alone reads no file without labels" in problems(tmp_path / "folder")
    assert len(load(tmp_path / "folder", splits={"train": "train.csv"}).test) > 0


@pytest.mark.parametrize(
    ("cell", "message"),
    [("2", "anger must be 0 or 1, -1 where not judged, or a share between, got '2'"),
     ("", "no value for anger; data.missing_labels: leave_out"),
     ("yes", "got 'yes'")],
)  # fmt: skip
def test_a_cell_that_is_no_zero_or_one_is_a_problem_of_its_line(tmp_path, cell, message):
    """Where the columns are asked for; found by themselves they are only where all values are right."""
    values = [[str(value) for value in row] for row in one_hot()]
    values[4][1] = cell
    path = write_columns(tmp_path / "a.csv", values)
    assert problems(path, columns={"labels": NAMES}).startswith("a.csv:6: ")
    assert message in problems(path, columns={"labels": NAMES})


def test_a_single_column_that_is_asked_for_as_a_list_is_one_label(tmp_path):
    """``labels: [joy]`` is a label that applies or not; ``labels: joy`` would be classes 0 and 1."""
    path = write_columns(tmp_path / "a.csv", [v[:1] for v in one_hot()], ["joy"])
    check(rows(path, columns={"labels": ["joy"]}), targets=TARGETS[:, :1], names=["joy"])
    assert rows(path, columns={"labels": "joy"}).labels == ("label_0", "label_1")


# ------------------------------------------------------------------------------ soft labels


SHARES = np.random.default_rng(5).random((20, 3)).round(3)


def soft(form, path):
    if form == "columns":
        return write_columns(path, SHARES)
    cells = {
        "list": [str(list(map(float, row))) for row in SHARES],
        "numpy": [str([f"np.float64({v})" for v in row]).replace("'", "") for row in SHARES],
        "spaces": [" ".join(map(str, row)) for row in SHARES],
        "mapping": [json.dumps(dict(zip(NAMES, map(float, row), strict=True))) for row in SHARES],
        "scores": [
            json.dumps([{"label": name, "score": float(v)} for name, v in zip(NAMES, row, strict=True)])
            for row in SHARES
        ],
    }[form]
    return write_cells(path, cells)


@pytest.mark.parametrize("form", ["columns", "list", "numpy", "spaces", "mapping", "scores"])
def test_shares_of_raters_are_refused_unless_binarized(tmp_path, form):
    """The refusal has the first rows and the way out; with it, rows that lose every label are counted."""
    path = soft(form, tmp_path / "soft.csv")
    found = problems(path)
    assert found.startswith("soft.csv: 20 rows have shares between 0 and 1, as in line 2 (")
    assert "data.binarize: 0.5" in found
    read = rows(path, binarize=0.5)
    np.testing.assert_array_equal(read.targets, SHARES >= 0.5)
    emptied = int((SHARES < 0.5).all(axis=1).sum())
    assert emptied > 1
    assert any(f"{emptied} rows with shares lose every label" in note for note in read.notes)
    assert read.labels == (
        tuple(NAMES) if form in ("columns", "mapping", "scores") else ("label_0", "label_1", "label_2")
    )


# ------------------------------------------------------------------------------ one column of labels


@pytest.mark.parametrize(
    "written",
    [lambda labels: str(set(labels)) if labels else "set()", ",".join,
     lambda labels: json.dumps({"choices": labels}),
     lambda labels: json.dumps([{"label": name} for name in labels]),
     lambda labels: f"array({labels}, dtype=object)", lambda labels: str([*map(NAMES.index, labels)]),
     lambda labels: json.dumps({name: int(name in labels) for name in NAMES}),
     lambda labels: str([int(name in labels) for name in NAMES]),
     lambda labels: " ".join(str(float(name in labels)) for name in NAMES),
     lambda labels: str(frozenset(labels)), lambda labels: str(dict.fromkeys(labels).keys()),
     lambda labels: str(Counter(labels)), lambda labels: str(pd.Index(labels, dtype=object)),
     lambda labels: f"tensor({[float(name in labels) for name in NAMES]})",
     lambda labels: str(np.array([name in labels for name in NAMES])),
     lambda labels: str(np.array([int(name in labels) for name in NAMES])),
     lambda labels: ",".join(str(name in labels) for name in NAMES)],
    ids=["set", "commas", "label studio", "objects", "numpy", "indices", "mapping", "vector", "floats",
         "frozenset", "keys", "Counter", "pandas", "tensor", "NumPy's bools", "NumPy's bits", "flags"],
)  # fmt: skip
def test_ways_to_write_the_labels_of_a_row_in_one_cell(tmp_path, written):
    """Each means the same labels; ``labels.txt`` names indices and positions."""
    (tmp_path / "labels.txt").write_text("\n".join(NAMES))
    cells = [written(labels) for labels in LABELS]
    check(rows(write_cells(tmp_path / "a.csv", cells)))


@pytest.mark.parametrize(
    "value",
    [lambda labels: {name: int(name in labels) for name in NAMES},
     lambda labels: dict.fromkeys(labels, True),
     lambda labels: {"choices": labels},
     lambda labels: [float(name in labels) for name in NAMES],
     lambda labels: [name in labels for name in NAMES],
     lambda labels: [{"name": name} for name in labels],
     lambda labels: [{"name": name, "start": 0} for name in labels],
     lambda labels: [{"name": name, "value": int(name in labels)} for name in NAMES],
     lambda labels: [{"label": name, "selected": name in labels} for name in NAMES if labels]],
    ids=["numbers", "flags", "choices", "vector", "booleans", "objects", "spans", "values", "selected"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_nested_records(tmp_path, value, form):
    """In JSON lines and in one array; a name that a mapping lacks does not apply."""
    (tmp_path / "labels.txt").write_text("\n".join(NAMES))
    records = [{"text": text, "labels": value(labels)} for text, labels in zip(TEXTS, LABELS, strict=True)]
    path = tmp_path / f"all.{form}"
    path.write_text("\n".join(map(json.dumps, records)) if form == "jsonl" else json.dumps(records))
    check(rows(path))


@pytest.mark.parametrize("column", ["label", "emotion", "Category"])
def test_one_label_a_row_under_another_name(tmp_path, column):
    """Numbers without names are numbered, with the way to name them; names are names."""
    one = [NAMES[row % 3] for row in range(20)]
    path = write_csv(tmp_path / "a.csv", ["text", column], zip(TEXTS, one, strict=True))
    targets = np.eye(3, dtype=bool)[[row % 3 for row in range(20)]]
    check(rows(path), targets=targets)
    write_csv(path, ["text", column], zip(TEXTS, [row % 3 for row in range(20)], strict=True))
    read = rows(path)
    assert read.labels == ("label_0", "label_1", "label_2")
    assert any("name them in labels.txt, one per line, or in data.label_names" in note for note in read.notes)
    check(rows(path, label_names=NAMES), targets=targets)


def test_whole_numbers_that_pandas_made_floats_are_indices(tmp_path):
    """``27.0`` in text and in parquet; ``goemotions`` names its 28."""
    frame = pd.DataFrame({"text": TEXTS, "labels": [float(row + 8) for row in range(20)]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "b.parquet")
    for name in ("a.csv", "b.parquet"):
        read = rows(tmp_path / name, label_names="goemotions")
        assert read.labels == GOEMOTIONS
        assert read.targets.argmax(axis=1).tolist() == list(range(8, 28))
        assert rows(tmp_path / name).labels[-1] == "label_27"


@pytest.mark.parametrize("separator", ["space", "#", " & "])
def test_a_separator_of_labels_that_is_asked_for(tmp_path, separator):
    """Takes names apart that would be whole otherwise."""
    join = {"space": " "}.get(separator, separator)
    cells = [join.join(labels) for labels in LABELS]
    check(rows(write_cells(tmp_path / "a.csv", cells), label_separator=separator))


# ------------------------------------------------------------------------------ columns


@pytest.mark.parametrize("column", ["comment_text", "Tweet", "was ist das"])
def test_the_text_under_another_name(tmp_path, column):
    """By a usual name, or as the only column of long texts; which it was is said."""
    lines = [(f"k{n}", t, "joy") for n, t in enumerate(TEXTS)]
    path = write_csv(tmp_path / "a.csv", ["key", column, "labels"], lines)
    read = rows(path)
    assert read.texts == TEXTS
    assert any(f"texts are read from the column {column}, " in note for note in read.notes)


def test_two_texts_are_asked_about_and_joined_when_told(tmp_path):
    """Neither is taken at random; joined, each side stays whole with a separator between."""
    path = write_csv(
        tmp_path / "a.csv", ["title", "abstract", "labels"], [(f"the title {t}", t, "joy") for t in TEXTS]
    )
    assert "several may be: title, abstract; data.columns.text names it" in problems(path)
    read = rows(path, columns={"text": ["title", "abstract"]})
    assert read.texts == [f"the title {text}\x1e{text}" for text in TEXTS]
    assert any("joined by the tokenizer's separator" in note for note in read.notes)


def test_an_unknown_column_is_refused_with_the_nearest(tmp_path):
    """All of them at once."""
    path = write_csv(tmp_path / "a.csv", ["text", "labels"], [(t, "joy") for t in TEXTS])
    found = problems(path, columns={"text": "txet", "id": "nummer", "labels": ["laebls"]})
    assert "data.columns.text: no column txet; did you mean text? Columns are text, labels" in found
    assert "data.columns.id: no column nummer" in found
    assert "data.columns.labels: no column laebls; did you mean labels?" in found


# ------------------------------------------------------------------------------ files


def zstandard(content):
    buffer = pa.BufferOutputStream()
    with pa.CompressedOutputStream(buffer, "zstd") as packed:
        packed.write(content)
    return buffer.getvalue().to_pybytes()


PACK = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard,
}


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_compressed_files(tmp_path, ending, form):
    """A split's name, its format and its compression, one after the other."""
    if form == "csv":
        plain = write_cells(tmp_path / "plain.csv", map(",".join, LABELS))
        content = plain.read_bytes()
        plain.unlink()
    else:
        records = zip(TEXTS, LABELS, strict=True)
        content = "".join(json.dumps({"text": t, "labels": v}) + "\n" for t, v in records).encode()
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.{form}.{ending}").write_bytes(PACK[ending](content))
    for split in load(tmp_path).splits():
        assert split.texts == TEXTS


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-16", ","), ("utf-8-sig", ";"), ("utf-8", "\t"), ("utf-32", "|")]
)
def test_spreadsheets_encodings_and_separators(tmp_path, encoding, separator):
    """A byte order mark says the encoding, the header the separator; both are said."""
    cells = [",".join(labels) if separator != "," else ";".join(labels) for labels in LABELS]
    plain = write_csv(
        tmp_path / "a.csv", ["text", "labels"], zip(TEXTS, cells, strict=True), delimiter=separator
    )
    plain.write_bytes(plain.read_text(encoding="utf-8").encode(encoding))
    read = rows(plain)
    check(read)
    assert any("separated by" in n for n in read.notes) == (separator != ",")
    assert any("read as UTF-" in n for n in read.notes) == (encoding in ("utf-16", "utf-32"))


@pytest.mark.parametrize(
    ("encoding", "text"), [("windows-1252", "Café “très” bien"), ("latin-1", "naïve à la carte"),
                           ("windows-1251", "Очень хорошо"), ("utf-16-le", "sehr schön")],
)  # fmt: skip
def test_an_encoding_that_nothing_says_is_refused_with_the_likely_one(tmp_path, encoding, text):
    """A guess that nobody sees would change letters; the option reads them right."""
    path = tmp_path / "a.csv"
    path.write_bytes(
        "".join(f"{line}\n" for line in ["text,labels", *([f"{text},joy"] * 20)]).encode(encoding)
    )
    likely = {"latin-1": "windows-1252"}.get(encoding, encoding)
    assert f"data.encoding: {likely}" in problems(path)
    assert rows(path, encoding=likely).texts == [text] * 20


@pytest.mark.parametrize("is_headed", [True, False])
@pytest.mark.parametrize("kind", ["indices", "names"])
@pytest.mark.parametrize("ending", ["tsv", "txt"])
def test_tabs_with_a_header_and_without(tmp_path, is_headed, kind, ending):
    """A header is never a row, and a first row never a header."""
    (tmp_path / "labels.txt").write_text("\n".join(NAMES))
    labelled = [row for row in range(20) if LABELS[row]]
    written = {name: name if kind == "names" else str(NAMES.index(name)) for name in NAMES}
    lines = [f"{TEXTS[row]}\t{','.join(written[n] for n in LABELS[row])}\tid{row}" for row in labelled]
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.{ending}").write_text(
            "\n".join(["text\tlabels\tid"] * is_headed + lines) + "\n"
        )
    for split in load(tmp_path).splits():
        assert split.texts == [TEXTS[row] for row in labelled]
        assert split.ids == [f"id{row}" for row in labelled]
        np.testing.assert_array_equal(split.targets, TARGETS[labelled])


@pytest.mark.parametrize(
    "header", [["comment", "emotion", "uid"], ["Tweet", "Labels", "nr"], ["a", "b", "c"]]
)
def test_a_header_of_other_names_is_no_label(tmp_path, header):
    """Where the rows below have indices, or the columns' names are usual, or the options name them."""
    lines = [f"{text}\t{row % 3}\t{row}" for row, text in enumerate(TEXTS)]
    (tmp_path / "a.tsv").write_text("\n".join(["\t".join(header), *lines]) + "\n")
    read = rows(tmp_path / "a.tsv", columns={"text": header[0], "labels": header[1]})
    assert read.texts == TEXTS
    assert len(read.labels) == (28 if header[2] == "uid" else 3)


@pytest.mark.parametrize("ending", ["tsv", "txt"])
@pytest.mark.parametrize("first", [["joy", "fear"], ["3", "17"], ["id1", "id2"]])
def test_texts_in_the_place_of_labels_are_refused(tmp_path, ending, first):
    """Without a header nothing says which column is which; most rows would have a label of their own."""
    lines = [f"{first[row % 2]}\t{text}\t{row}" for row, text in enumerate(TEXTS)]
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.{ending}").write_text("\n".join(lines) + "\n")
    found = problems(tmp_path)
    assert found.startswith(f"train.{ending}: 20 labels in 20 rows, as '{TEXTS[0]}', '{TEXTS[1]}'")
    assert "are likely texts; data.columns.labels says which column has labels" in found


@pytest.mark.parametrize("header", ["kommentar\tgefuehl", "kommentar\tgefuehl\tnr", "x\ty"])
def test_a_header_of_unknown_words_is_no_row(tmp_path, header):
    """Nothing below it looks so; what its columns are is asked."""
    columns = header.split("\t")
    lines = ["\t".join([text, NAMES[row % 3], "7"][: len(columns)]) for row, text in enumerate(TEXTS)]
    (tmp_path / "a.tsv").write_text("\n".join([header, *lines]) + "\n")
    assert f"no column labels. Columns are {', '.join(columns)}" in problems(tmp_path / "a.tsv")
    read = rows(tmp_path / "a.tsv", columns={"text": columns[0], "labels": columns[1]})
    assert read.texts == TEXTS
    assert sorted(read.labels) == sorted(NAMES)


def test_a_csv_without_a_header_is_told_to_have_one(tmp_path):
    """Its first row would name the columns, and be no row."""
    path = write_csv(tmp_path / "a.csv", [*TEXTS[:1], "joy"], [[text, "joy"] for text in TEXTS])
    assert "if the first line is a row, write a line of the columns' names above it" in problems(path)


def test_quotes_of_a_headed_tsv_are_text_unless_a_program_wrote_them(tmp_path):
    """Tweets quote each other; pandas quotes what holds a quote or a line break, doubling quotes inside."""
    said = ['"Well" he said', "plain", '"no', '"all of it"', "last"] * 4
    raw = "\n".join(["text\tlabels", *(f"{text}\tjoy" for text in said)]) + "\n"
    (tmp_path / "raw.tsv").write_text(raw)
    assert rows(tmp_path / "raw.tsv").texts == said
    written = ['He said "hi"', "two\nlines", 'a "tab"\tinside', "plain"] * 5
    pd.DataFrame({"text": written, "labels": "joy"}).to_csv(tmp_path / "pandas.tsv", sep="\t", index=False)
    assert rows(tmp_path / "pandas.tsv").texts == written


def test_fast_texts_lines(tmp_path):
    """Labels before the text, none where there is none, in files of either ending."""
    lines = ["".join(f"__label__{name} " for name in v) + t for t, v in zip(TEXTS, LABELS, strict=True)]
    for name in ("train.txt", "all.ft"):
        (tmp_path / name).write_text("\n".join(lines[1:] + lines[:1]) + "\n")
        order = [*range(1, 20), 0]
        check(rows(tmp_path / name), texts=[TEXTS[row] for row in order], targets=TARGETS[order])


def test_fast_texts_labels_that_commas_join_are_refused(tmp_path):
    """The second would be a part of the first one's name."""
    (tmp_path / "a.txt").write_text("".join(f"__label__joy,__label__fear {text}\n" for text in TEXTS))
    assert problems(tmp_path / "a.txt").startswith("a.txt:1: labels must be separated by spaces")


def test_label_studios_export(tmp_path):
    """One row an annotation; cancelled ones and tasks without any are left out, which is said."""
    tasks = [
        {"id": row, "data": {"text": text}, "annotations": [
            {"was_cancelled": True, "result": []},
            {"result": [{"type": "choices", "value": {"choices": labels}}]},
        ]}
        for row, (text, labels) in enumerate(zip(TEXTS, LABELS, strict=True))
    ] + [{"id": 99, "data": {"text": "nobody"}, "annotations": []}]  # fmt: skip
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    read = rows(tmp_path / "export.json")
    check(read)
    assert any("1 tasks without an annotation are left out" in note for note in read.notes)


@pytest.mark.parametrize("kind", ["choices", "textcat"])
def test_prodigys_answers(tmp_path, kind):
    """Accepted options are the labels; what was ignored is left out."""
    if kind == "choices":
        records = [{"text": t, "accept": v, "answer": "accept"} for t, v in zip(TEXTS, LABELS, strict=True)]
        records.append({"text": "no idea", "accept": ["joy"], "answer": "ignore"})
        expected = TARGETS
    else:
        records = [{"text": t, "label": NAMES[row % 3], "answer": "reject" if row % 4 == 0 else "accept"}
                   for row, t in enumerate(TEXTS)]  # fmt: skip
        expected = np.array([[row % 3 == n and row % 4 != 0 for n in range(3)] for row in range(20)])
    check(rows(write_json_lines(tmp_path / "a.jsonl", records)), targets=expected)


@pytest.mark.parametrize("shape", ["splits", "data", "columns", "pandas"])
def test_json_documents(tmp_path, shape):
    """An object with the records by split, under one key, or by column as pandas writes them."""
    records = [{"text": t, "labels": v} for t, v in zip(TEXTS, LABELS, strict=True)]
    document = {
        "splits": {"train": records, "dev": records, "test": records},
        "data": {"version": "1", "data": records},
        "columns": {"text": TEXTS, "labels": LABELS},
        "pandas": json.loads(pd.DataFrame(records).to_json()),
    }[shape]
    (tmp_path / "all.json").write_text(json.dumps(document))
    if shape == "splits":
        assert all(split.texts == TEXTS for split in load(tmp_path / "all.json").splits())
    else:
        check(rows(tmp_path / "all.json"))


# ------------------------------------------------------------------------------ splits


def small(path):
    write_cells(path, map(",".join, LABELS))


@pytest.mark.parametrize(
    "files",
    [("Train.CSV", "Dev.CSV", "Test.CSV"), ("training.csv", "development.csv", "testing.csv"),
     ("2018-E-c-En-train.csv", "2018-E-c-En-dev.csv", "2018-E-c-En-test-gold.csv"),
     ("train-00000-of-00001.csv", "validation-00000-of-00001.csv", "test-00000-of-00001.csv"),
     ("my_train.csv", "my_valid.csv", "my_test.csv")],
    ids=lambda files: files[0],
)  # fmt: skip
@pytest.mark.parametrize("inside", ["", "data", "simplified"])
def test_files_of_splits_under_other_names(tmp_path, files, inside):
    """In the folder, in ``data``, or in the folder of the only configuration."""
    folder = tmp_path / inside
    folder.mkdir(exist_ok=True)
    for name in files:
        small(folder / name)
    splits = load(tmp_path)
    assert [split.texts for split in splits.splits()] == [TEXTS] * 3
    assert splits.splitting == "official"
    assert [list(found) for found in splits.report.files.values()] == [[name] for name in files]


def test_a_folder_a_split(tmp_path):
    """With its files in it, however many."""
    for split in ("train", "val", "test"):
        (tmp_path / split).mkdir()
        for part in ("a", "b"):
            small(tmp_path / split / f"{part}.csv")
    assert [split.texts for split in load(tmp_path).splits()] == [[*TEXTS, *TEXTS]] * 3


def test_shards_are_one_table_and_a_missing_one_is_refused(tmp_path):
    """In the order of their numbers; the message names the one that is missing."""
    frame = pd.DataFrame({"text": TEXTS, "labels": LABELS})
    for split in ("train", "validation", "test"):
        for shard in range(3):
            part = frame.iloc[shard * 7 : shard * 7 + 7]
            part.to_parquet(tmp_path / f"{split}-{shard:05d}-of-00003.parquet")
    assert [split.texts for split in load(tmp_path).splits()] == [TEXTS] * 3
    (tmp_path / "train-00001-of-00003.parquet").unlink()
    assert problems(tmp_path) == "train has 2 of its 3 shards; train-00001-of-00003 is missing"


def test_numbered_parts_are_one_table(tmp_path):
    """As GoEmotions' raw ratings are published."""
    for part in (1, 2, 3):
        small(tmp_path / f"goemotions_{part}.csv")
    splits = load(tmp_path)
    assert sum(len(split) for split in splits.splits()) == 60
    assert any("read as parts of one table" in note for note in splits.report.notes)


def test_several_configurations_are_asked_about(tmp_path):
    """With their names and an example; one that is named is read."""
    for configuration in ("raw", "simplified"):
        (tmp_path / configuration).mkdir()
        for split in ("train", "validation", "test"):
            small(tmp_path / configuration / f"{split}.csv")
    assert f"holds several data sets: raw, simplified; say which, for example dir:{tmp_path}/raw" in problems(
        tmp_path
    )
    assert len(load(tmp_path / "simplified").train) == 20


@pytest.mark.parametrize(
    ("there", "missing", "lengths"),
    [(["train", "test"], "validation", [14, 6, 20]), (["train", "dev"], "test", [14, 20, 6]),
     (["train"], "both", [10, 5, 5])],
)  # fmt: skip
def test_a_missing_split_is_cut_from_train_by_seed(tmp_path, there, missing, lengths):
    """Every row of train stands once in train or in what was cut; seed and rule are recorded."""
    for split in there:
        small(tmp_path / f"{split}.csv")
    splits = load(tmp_path)
    assert [len(split) for split in splits.splits()] == lengths
    of_train = [t for s, n in zip(splits.splits(), lengths, strict=True) for t in s.texts if n < 20]
    assert sorted(of_train) == sorted(TEXTS)
    assert splits.digest == load(tmp_path).digest
    other = load_splits(str(tmp_path), seed=7)
    assert other.train.texts != splits.train.texts
    assert "seed 7" in other.splitting
    assert ("stratified 10 % of train for" in splits.splitting) == (missing != "both")


def test_a_column_says_the_split(tmp_path):
    """In any of the usual words; other values are refused, unless data.splits says what they are."""
    words = ["train"] * 12 + ["dev"] * 4 + ["test"] * 4
    lines = zip(TEXTS, map(",".join, LABELS), words, strict=True)
    write_csv(tmp_path / "a.csv", ["text", "labels", "split"], lines)
    assert [len(split) for split in load(tmp_path / "a.csv").splits()] == [12, 4, 4]
    numbers = [{"train": "0", "dev": "1", "test": "2"}[word] for word in words]
    write_csv(
        tmp_path / "a.csv",
        ["text", "labels", "part"],
        zip(TEXTS, map(",".join, LABELS), numbers, strict=True),
    )
    asked = {"columns": {"split": "part"}}
    assert "split must be train, validation or test, got '0'; data.splits says" in problems(
        tmp_path / "a.csv", **asked
    )


@pytest.mark.parametrize("other", ["unused", "", "va"])
def test_a_column_of_splits_with_other_values_is_asked_about(tmp_path, other):
    """Dealing anew would mix what somebody has split."""
    words = ["train"] * 15 + ["test"] * 3 + [other] * 2
    path = write_csv(
        tmp_path / "a.csv", ["text", "labels", "split"], zip(TEXTS, map(",".join, LABELS), words, strict=True)
    )
    assert (
        f"split holds 'train', 'test', {other!r}; data.columns.split: split and data.splits say"
        in problems(path)
    )
    asked = {"columns": {"split": "split"}, "splits": {"train": "train", "test": "test"}}
    splits = load(path, **asked)
    assert len(splits.train) + len(splits.validation) == 15
    assert splits.test.texts == TEXTS[15:18]
    assert splits.report.rows_left_out == {"of no split that data.splits names": 2}


@pytest.mark.parametrize(
    ("name", "values"), [("fold", "01234"), ("set", "abcdefgh"), ("partition", "0123456")]
)
def test_a_column_that_names_no_split_is_not_taken_and_said(tmp_path, name, values):
    """Folds and sources are no splits; with the options that make them some."""
    words = [values[row % len(values)] for row in range(20)]
    path = write_csv(
        tmp_path / "a.csv", ["text", "labels", name], zip(TEXTS, map(",".join, LABELS), words, strict=True)
    )
    assert any(f"the column {name} ('{values[0]}', " in note for note in load(path).report.notes)
    splits = load(path, columns={"split": name}, splits={"train": list(values[1:]), "test": values[0]})
    assert splits.test.texts == [text for text, word in zip(TEXTS, words, strict=True) if word == values[0]]


def test_files_that_are_not_read_are_named(tmp_path):
    """Whether they should be is for people to say."""
    for name in ("train.csv", "holdout.csv", "train_old.csv"):
        small(tmp_path / name)
    assert "not read: holdout.csv, train_old.csv" in load(tmp_path).report.notes


def test_splits_are_named_by_option(tmp_path):
    """Files and patterns; what is not named is split off from train; a missing file is a problem."""
    for name in ("jan.csv", "feb.csv", "march.csv"):
        small(tmp_path / name)
    assert "which of feb.csv, jan.csv, march.csv is train, validation and test?" in problems(tmp_path)
    splits = load(tmp_path, splits={"train": ["jan.csv", "f*.csv"], "test": "march.csv"})
    assert [len(split) for split in splits.splits()] == [32, 8, 20]
    for missing in ("april.csv", "/nowhere/april.csv", "**l.csv"):
        assert f"data.splits.test: no file {missing}; there are feb.csv, jan.csv" in problems(
            tmp_path, splits={"train": "jan.csv", "test": missing}
        )


# ------------------------------------------------------------------------------ names in metadata


def dataset(kind="list"):
    from datasets import ClassLabel, Dataset, Features, List, Value

    feature = List(ClassLabel(names=NAMES)) if kind == "list" else ClassLabel(names=NAMES)
    values = [[NAMES.index(name) for name in labels] for labels in LABELS]
    labels = values if kind == "list" else [row % 3 for row in range(20)]
    features = Features({"text": Value("string"), "labels": feature})
    return Dataset.from_dict({"text": TEXTS, "labels": labels}, features=features)


@pytest.mark.parametrize("kind", ["list", "single"])
@pytest.mark.parametrize("form", ["parquet", "dict", "single"])
def test_class_labels_name_the_indices(tmp_path, kind, form):
    """In a parquet's metadata and in folders of ``save_to_disk``, of splits and of one."""
    from datasets import DatasetDict

    data = dataset(kind)
    if form == "parquet":
        data.to_parquet(tmp_path / "all.parquet")
        read = rows(tmp_path / "all.parquet")
    elif form == "single":
        data.save_to_disk(str(tmp_path / "saved"))
        read = rows(tmp_path / "saved")
    else:
        DatasetDict(dict.fromkeys(("train", "validation", "test"), data)).save_to_disk(
            str(tmp_path / "saved")
        )
        splits = load(tmp_path / "saved")
        assert splits.splitting == "official"
        assert [split.texts for split in splits.splits()] == [TEXTS] * 3
        return
    assert read.labels == tuple(NAMES)
    expected = TARGETS if kind == "list" else np.eye(3, dtype=bool)[[row % 3 for row in range(20)]]
    check(read, targets=expected)


def test_a_label_that_nobody_knows_is_left_out(tmp_path):
    """-1 of a ClassLabel, as test splits of the hub have it, is not judged."""
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=NAMES)})
    values = [-1 if row in (2, 5) else row % 3 for row in range(20)]
    Dataset.from_dict({"text": TEXTS, "label": values}, features=features).to_parquet(tmp_path / "a.parquet")
    splits = load(tmp_path / "a.parquet")
    assert sum(len(split) for split in splits.splits()) == 18
    assert splits.report.rows_left_out == {"not judged (-1)": 2}


def test_files_that_name_their_labels_otherwise_are_refused(tmp_path):
    """Index 0 would mean one label here and another there."""
    from datasets import ClassLabel

    dataset("single").to_parquet(tmp_path / "train.parquet")
    other = dataset("single").cast_column("labels", ClassLabel(names=NAMES[::-1]))
    other.to_parquet(tmp_path / "dev.parquet")
    dataset("single").to_parquet(tmp_path / "test.parquet")
    assert "dev.parquet: names its labels differently from train.parquet" in problems(tmp_path)


# ------------------------------------------------------------------------------ texts alone


@pytest.mark.parametrize("form", ["csv", "txt", "jsonl"])
def test_texts_without_labels(tmp_path, form):
    """Each record is a row, empty texts too, and the other columns are kept."""
    texts = ['with "quotes"', "a, b", "two\nlines" if form != "txt" else "one", "", "last"]
    path = tmp_path / f"texts.{form}"
    if form == "csv":
        write_csv(path, ["nr", "text"], enumerate(texts))
    elif form == "txt":
        path.write_text("\n".join(texts) + "\n")
    else:
        path.write_text("\n".join(json.dumps({"nr": n, "text": text}) for n, text in enumerate(texts)))
    read = load_rows(str(path))
    assert read.texts == texts
    if form != "txt":
        assert [str(number) for number in read.columns["nr"]] == list("01234")
    assert "no column labels" in problems(path)


@pytest.mark.parametrize(
    ("header", "usual", "expected"),
    [
        (["nr", "body", "title"], (), ["body"]),  # by its name
        (["nr", "title", "body"], ("title", "body"), ["title", "body"]),  # what the model learned from
        (["nr", "title", "remarks"], ("title", "body"), ["remarks"]),  # which the file does not have
        (["split", "name", "labels"], (), ["name"]),  # the only one of texts
    ],
)
def test_the_column_to_predict_is_found(tmp_path, header, usual, expected):
    """By its name, as the model's own data had it, or because no other can be meant; all columns are kept."""
    cells = {"body": TEXTS, "remarks": TEXTS, "title": [f"{n}" for n in range(20)], "name": ["Ann"] * 20}
    columns = [cells.get(name, ["1"] * 20) for name in header]
    read = load_rows(str(write_csv(tmp_path / "a.csv", header, zip(*columns, strict=True))), usual_text=usual)
    assert list(read.text_columns) == expected
    assert read.texts == ["\x1e".join(row) for row in zip(*(cells[name] for name in expected), strict=True)]
    assert list(read.columns) == header
    assert [read.columns[name] for name in header] == columns


def test_all_rows_to_predict_whatever_says_that_some_do_not_count(tmp_path):
    """Splits, raters' marks, labels that are wrong or missing, tasks without annotation: each is a row."""
    lines = [[text, ("test", "train")[n % 2], 1, "{odd"] for n, text in enumerate(TEXTS)]
    path = write_csv(tmp_path / "a.csv", ["text", "split", "example_very_unclear", "labels"], lines)
    assert load_rows(str(path)).texts == TEXTS
    tasks = [{"id": n, "data": {"text": text}, "annotations": []} for n, text in enumerate(TEXTS)]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    read = load_rows(str(tmp_path / "tasks.json"))
    assert read.texts == TEXTS
    assert read.columns["id"] == list(range(20))
    answers = [{"text": text, "answer": "ignore", "accept": []} for text in TEXTS]
    assert load_rows(str(write_json_lines(tmp_path / "prodigy.jsonl", answers))).texts == TEXTS


def test_cells_may_be_arrays():
    """What a format of another package gives may hold NumPy arrays, which compare with nothing as a whole."""
    cells = [np.array(["joy", "love"]), "", None, np.array(["joy"])]
    table = Table("given", columns={"labels": cells}, lines=range(1, 5))
    columns = LabelColumns([table], ("labels",), False, DataOptions())
    assert [cell.tolist() for cell in columns.sure_cells(table)] == [["joy", "love"], ["joy"]]
