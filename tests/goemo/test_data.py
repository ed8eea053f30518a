"""Loading splits: every source, every format, and every way in which a row can be unreadable."""

from __future__ import annotations

import csv
import json
import time

import numpy as np
import pytest
from data_files import write_csv

from goemo.configuration.data import DataOptions
from goemo.data import load_splits
from goemo.data.sources import hub
from goemo.data.taxonomy import GOEMOTIONS
from goemo.errors import GoemoError, InputError

MISSING_LABELS = "data.missing_labels: leave_out skips such rows, no_labels reads them as having none"
MOODS = ["merry", "grumpy", "calm"]  # not sorted: the order of labels.txt counts
ROWS = [
    ('Such a day, "really"', ["merry"]),
    ("it's raining; again", ["grumpy", "calm"]),
    ("fine, I guess\u2028no?", ["calm"]),
    ("\u201cyay\u201d 🎉", ["merry", "calm"]),
]  # fmt: skip


def write_tsv(folder, **splits):
    for name, lines in splits.items():
        (folder / f"{name}.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """A valid folder in the published layout, to be broken."""
    lines = [
        f"{text}\t{','.join(str(MOODS.index(label)) for label in labels)}\tid{row}"
        for row, (text, labels) in enumerate(ROWS)
    ]
    (tmp_path / "labels.txt").write_text("".join(f"{mood}\n" for mood in MOODS))
    write_tsv(tmp_path, train=lines, dev=lines[:2], test=lines[2:])
    return tmp_path


def problems(source, **arguments):
    with pytest.raises(InputError) as error:
        load_splits(str(source), **arguments)
    return list(error.value.problems)


def expected_targets(rows, labels):
    return np.array([[label in row for label in labels] for _, row in rows])


# ------------------------------------------------------------------------------------ real data


@pytest.mark.data
def test_real_data_is_read_to_the_last_row(goemotions):
    """All 43,410 / 5,426 / 5,427 rows, quotes included, equal a plain reading of the lines, in seconds."""
    start = time.perf_counter()
    splits = load_splits(f"dir:{goemotions}")
    seconds = time.perf_counter() - start
    assert [len(split) for split in splits.splits()] == [43_410, 5_426, 5_427]
    assert splits.labels == GOEMOTIONS
    assert splits.splitting == "official"
    for split, file in zip(splits.splits(), ("train", "dev", "test"), strict=True):
        raw = (goemotions / f"{file}.tsv").read_bytes().decode().rstrip("\n").split("\n")
        texts, indices, ids = zip(*(line.split("\t") for line in raw), strict=True)
        assert (split.texts, split.ids) == (list(texts), list(ids))
        rows = [",".join(str(column) for column in np.flatnonzero(row)) for row in split.targets]
        assert rows == list(indices)
    assert seconds < 10  # 0.3 s on a quiet core


@pytest.mark.data
def test_real_overlaps_are_counted(goemotions):
    """The notes give the published number of texts that stand in two splits."""
    assert load_splits(f"dir:{goemotions}").notes == (
        "41 texts are in both train and validation",
        "32 texts are in both train and test",
        "10 texts are in both validation and test",
    )


# ------------------------------------------------------------------------------------ formats


def save(folder, name, form, rows):
    path = folder / f"{name}.{form}"
    if form == "jsonl":
        lines = [json.dumps({"labels": labels, "text": text}) for text, labels in rows]
        path.write_text("\n".join(lines) + "\n")
    elif form == "parquet":
        import pandas as pd

        pd.DataFrame(rows, columns=["text", "labels"]).to_parquet(path)
    else:
        write_csv(path, ("text", "labels"), ((text, ",".join(map(str, labels))) for text, labels in rows))


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("kind", ["names", "indices"])
def test_every_format_gives_the_same_data(folder, tmp_path_factory, form, kind):
    """Names or indices, in CSV, parquet or JSON lines: texts, targets and digests equal the .tsv's."""
    other = tmp_path_factory.mktemp(form)
    (other / "labels.txt").write_text("".join(f"{mood}\n" for mood in MOODS))
    for name, rows in {"train": ROWS, "validation": ROWS[:2], "test": ROWS[2:]}.items():
        converted = [(text, [MOODS.index(label) for label in row]) for text, row in rows]
        save(other, name, form, rows if kind == "names" else converted)
    published, splits = load_splits(f"dir:{folder}"), load_splits(f"dir:{other}")
    assert splits.train.texts == [text for text, _ in ROWS]
    np.testing.assert_array_equal(splits.train.targets, expected_targets(ROWS, MOODS))
    assert splits.digest == published.digest
    assert splits.source != published.source


@pytest.mark.parametrize(
    "written",
    ["merry,calm", "merry;calm", " merry | calm ", "['merry', 'calm']", '["merry","calm"]',
     "['merry' 'calm']", "(merry, calm,)", "[merry, calm]", "[2 0]", "[2, 0]", "2,0", "['merry', 2]",
     "('merry', \"calm\")", '["merry" "calm"]', "[0,\n 2]"],
)  # fmt: skip
def test_ways_to_write_labels_in_a_csv(folder, written):
    """Separators, and lists as Python and NumPy print them, all mean the same two labels."""
    (folder / "dev.tsv").unlink()
    lines = [("a7", written, "hello"), ("a8", "grumpy", "no")]
    write_csv(folder / "dev.csv", ("id", "labels", "text"), lines)
    splits = load_splits(str(folder))
    assert splits.validation.targets.tolist() == [[True, False, True], [False, True, False]]
    assert splits.validation.ids == ["a7", "a8"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("['joy' 'calm', 'merry']", "must quote every name or none"),
        ("['merry', calm]", "must quote every name or none"),
        ("['merry', 'calm", "must end in ]"),
        ("['merry', ['calm']]", "must quote every name or none"),
        ("['merry', None]", "a label must be an index or a name, got None"),
        ("['merry', 'mery']", "unknown label name 'mery'"),
        ("[0, 7]", "label index 7, must be 0 to 2"),
        ("merry,calm,merry", "label merry appears more than once; name it once"),
        ("[0, '0']", "label 0 appears more than once"),
        ("[0, 0, 1]", "label 0 appears more than once; a row of 0 and 1, one per label, must be written as"),
        ("['merry', 'ca\\nlm']", "contains a control character"),
    ],
)
def test_a_list_of_labels_is_read_whole_or_refused(folder, written, message):
    """No label of a row is dropped, joined with its neighbour, or read as something else."""
    (folder / "dev.tsv").unlink()
    write_csv(folder / "dev.csv", ("labels", "text"), [(written, "hello"), ("grumpy", "no")])
    found = problems(folder)
    assert [problem for problem in found if problem.startswith("dev.csv:2: ") and message in problem]


@pytest.mark.parametrize("labels", [2, 3])
def test_rows_of_zeros_and_ones_are_not_taken_for_indices(tmp_path, labels):
    """As indices, every row would have labels 0 and 1: three are one a label, of two nobody knows."""
    rows = [(f"row {row}", [int(row % labels == column) for column in range(labels)]) for row in range(30)]
    (tmp_path / "labels.txt").write_text("".join(f"{mood}\n" for mood in MOODS[:labels]))
    save(tmp_path, "all", "jsonl", rows)
    if labels == 2:
        assert all("must be written as the indices of its ones" in problem for problem in problems(tmp_path))
    else:
        for split in load_splits(str(tmp_path)).splits():
            at = [int(text.split()[1]) % labels for text in split.texts]
            np.testing.assert_array_equal(split.targets, np.eye(labels, dtype=bool)[at])
    save(tmp_path, "all", "jsonl", [*((f"row {row}", [0, 1]) for row in range(20)), ("last", [1])])
    assert load_splits(str(tmp_path)).train.targets.any()


def test_a_long_text_in_a_csv_is_a_text(folder):
    """Beyond the limit that Python's csv module has by default, which stays as it was."""
    (folder / "dev.tsv").unlink()
    save(folder, "dev", "csv", [("a" * 200_000, ["merry"]), ("b", ["calm"])])
    limit = csv.field_size_limit()
    assert len(load_splits(str(folder)).validation.texts[0]) == 200_000
    assert csv.field_size_limit() == limit


def test_one_row_of_validation_is_refused_before_anything_trains(folder):
    """Thresholds cannot be fitted on one row and judged on another."""
    write_tsv(folder, dev=["hello\t1\tx"])
    assert problems(folder)[0].startswith("validation must have at least 2 rows, got 1;")


def test_csv_with_quoted_line_breaks_and_a_byte_order_mark(folder):
    """A text over two lines is one row, and the mark that spreadsheets write is not a column name."""
    (folder / "dev.tsv").unlink()
    (folder / "dev.csv").write_bytes('\ufefftext,labels\r\n"a, ""b""\nc",calm\r\n\r\nd,\r\n'.encode())
    validation = load_splits(f"dir:{folder}").validation
    assert validation.texts == ['a, "b"\nc', "d"]
    assert validation.targets.tolist() == [[False, False, True], [False, False, False]]


def test_only_a_line_feed_ends_a_row(folder):
    """Carriage returns inside a text, and Unicode's other separators, stay in it; one at the end goes."""
    (folder / "dev.tsv").write_bytes("a\rb\x0bc\u2028d\x85e\t1\tx\r\nf\t2\ty\r\n".encode())
    validation = load_splits(f"dir:{folder}").validation
    assert validation.texts == ["a\rb\x0bc\u2028d\x85e", "f"]
    assert validation.ids == ["x", "y"]


def test_names_without_a_label_file_are_sorted_over_all_splits(tmp_path):
    """A label of the test split alone is a label too, with a note that training never sees it."""
    save(tmp_path, "train", "jsonl", [("a", ["merry"]), ("b", ["calm"])])
    save(tmp_path, "val", "jsonl", [("c", ["calm"]), ("e", ["calm"])])
    save(tmp_path, "test", "jsonl", [("d", ["grumpy"])])
    splits = load_splits(f"dir:{tmp_path}")
    assert splits.labels == ("calm", "grumpy", "merry")
    assert splits.notes == (
        "no training row has the label grumpy",
        "no validation row has the label merry",
        "no test row has the label calm, merry",
    )


def test_the_28_names_keep_the_published_order(tmp_path):
    """Names found in the rows are sorted, unless they are GoEmotions', whose neutral comes last."""
    for name in ("train", "dev", "test"):
        save(tmp_path, name, "csv", [(f"{name} {label}", [label]) for label in GOEMOTIONS])
    assert load_splits(f"dir:{tmp_path}").labels == GOEMOTIONS


def test_indices_without_names_are_goemotions_only_where_they_fit(folder):
    """In the published layout indices below 28 are read as the 28, with a note; 28 needs labels.txt."""
    (folder / "labels.txt").unlink()
    splits = load_splits(f"dir:{folder}")
    assert splits.labels == GOEMOTIONS
    assert "labels.txt is missing: the indices are read as the 28 GoEmotions labels" in splits.notes
    write_tsv(folder, dev=["hello\t28\tx"])
    assert "label indices up to 28 and no names; put labels.txt" in problems(folder)[0]


@pytest.mark.parametrize("last", [2, 27])
def test_indices_in_a_csv_are_not_given_the_names_of_another_data_set(tmp_path, last):
    """They are numbered, which is said with the way to name them; data.label_names does."""
    save(tmp_path, "all", "csv", [(f"row {row}", [row % (last + 1)]) for row in range(60)])
    splits = load_splits(str(tmp_path))
    assert splits.labels == tuple(f"label_{index}" for index in range(last + 1))
    assert any("or in data.label_names" in note for note in splits.report.notes)
    names = [f"mood {index}" for index in range(last + 1)]
    named = load_splits(str(tmp_path), options=DataOptions.parse({"label_names": names}))
    assert named.labels == tuple(names)
    np.testing.assert_array_equal(named.train.targets, splits.train.targets)


# ------------------------------------------------------------------------------------ splitting

SEVEN = ["awe", "boredom", "calm", "dread", "envy", "fun", "guilt"]


@pytest.fixture
def lone_csv(tmp_path):
    save(tmp_path, "comments", "csv", [(f"row {row}", [SEVEN[row % 7]]) for row in range(203)])
    return tmp_path / "comments.csv"


def test_one_file_is_split_by_seed_and_says_so(lone_csv):
    """A CSV of seven labels, through its folder or itself: 80/10/10, every row once, recorded."""
    splits = load_splits(f"file:{lone_csv}")
    assert splits.labels == tuple(SEVEN)
    assert [len(split) for split in splits.splits()] == [161, 21, 21]  # three positives of each label
    about = "; shares are approximate because of equal texts or rare labels"
    assert splits.splitting == f"stratified 80/10/10, seed 42{about}"
    texts = [text for split in splits.splits() for text in split.texts]
    assert sorted(texts) == sorted(f"row {row}" for row in range(203))
    for split in splits.splits():
        found = [splits.labels[column] for column in split.targets.argmax(axis=1)]
        assert found == [SEVEN[int(text.split()[1]) % 7] for text in split.texts]
    for same in (f"dir:{lone_csv.parent}", str(lone_csv), str(lone_csv.parent)):
        assert load_splits(same).digest == splits.digest


def test_the_split_depends_on_the_seed_alone(lone_csv):
    """The same seed gives the same split, another seed another one with its number in the record."""
    first, again, other = (load_splits(str(lone_csv), seed=seed) for seed in (1, 1, 2))
    assert first.test.texts == again.test.texts
    assert first.test.texts != other.test.texts
    assert other.splitting.startswith("stratified 80/10/10, seed 2")


def test_too_few_rows_to_split(tmp_path):
    """Of fourteen rows validation would get one; of fifteen it gets two, and so does test."""
    save(tmp_path, "all", "csv", [(f"row {row}", ["calm"]) for row in range(14)])
    assert problems(tmp_path) == ["must have at least 15 rows to be split, got 14"]
    save(tmp_path, "all", "csv", [(f"row {row}", [SEVEN[row % 5]]) for row in range(15)])
    assert [len(split) for split in load_splits(str(tmp_path)).splits()] == [11, 2, 2]


def test_copies_of_two_texts_cannot_be_split_and_why_is_said(tmp_path):
    """Near duplicates stay in one split: it is other texts that are missing, not rows."""
    copies = [("what a day", ["joy"]), ("What a day!", ["joy"]), ("leave me alone", ["anger"])]
    save(tmp_path, "all", "csv", copies * 20)
    (found,) = problems(tmp_path)
    assert "would have no rows: near-duplicate texts stay in one split" in found
    assert found.endswith("only 3 of 60 are distinct; add other texts")


# ------------------------------------------------------------------------------------ digests


def test_digest_follows_the_content_and_not_the_place(folder, tmp_path_factory):
    """A copy elsewhere has the same digests; one changed text or label changes its split's alone."""
    copy = tmp_path_factory.mktemp("copy")
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    original = load_splits(f"dir:{folder}")
    assert load_splits(f"dir:{copy}").digest == original.digest
    lines = (copy / "dev.tsv").read_text(encoding="utf-8").splitlines()
    for changed in (["x" + lines[0], lines[1]], [lines[0].replace("\t0\t", "\t1\t"), lines[1]]):
        write_tsv(copy, dev=changed)
        splits = load_splits(f"dir:{copy}")
        assert splits.validation.digest != original.validation.digest
        assert splits.train.digest == original.train.digest
        assert splits.digest != original.digest


def test_digest_follows_the_label_names(folder):
    """Renaming a label changes every digest: a model for other names is another model."""
    before = load_splits(f"dir:{folder}")
    (folder / "labels.txt").write_text("jolly\ngrumpy\ncalm\n")
    after = load_splits(f"dir:{folder}")
    assert all(a.digest != b.digest for a, b in zip(before.splits(), after.splits(), strict=True))


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hello\t28\tx", "label index 28, must be 0 to 2 (labels.txt has 3 names)"),
        ("hello\t0,-1\tx", "label index -1, must be 0 to 2 (labels.txt has 3 names)"),
        ("hello", "1 column, must be 3: text, labels, id, separated by tabs"),
        ("", "1 column, must be 3: text, labels, id, separated by tabs"),
        ("hello\t1\tx\ty", "4 columns, must be 3: text, labels, id, separated by tabs"),
        (" \t1\tx", "empty text"),
        ("hello\t\tx", "no label; the second column must hold at least one"),
        ("hello\tmery\tx", "unknown label name 'mery', not in labels.txt; did you mean merry?"),
        ("hello\t1,,2\tx", "labels must be separated by single commas, got '1,,2'"),
    ],
)
def test_unreadable_tsv_rows(folder, line, message):
    """File, line, rule and value; the rows around it are not at fault."""
    write_tsv(folder, dev=["fine\t1\ta", line, "fine too\t2\tb"])
    assert problems(folder) == [f"dev.tsv:2: {message}"]


def test_goemotions_index_28_names_the_28(folder):
    """The message of the one mistake that everybody makes."""
    (folder / "labels.txt").write_text("\n".join(GOEMOTIONS))
    write_tsv(folder, train=["hello\t28\tx"])
    assert problems(folder) == ["train.tsv:1: label index 28, must be 0 to 27 (labels.txt has 28 names)"]


@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl"])
def test_not_utf8_is_located(folder, suffix):
    """Every line that is not UTF-8 is given with the byte and its offset in the file."""
    (folder / "dev.tsv").unlink()
    (folder / f"dev.{suffix}").write_bytes(b"caf\xc3\xa9\t0\ta\ncaf\xe9\t0\tb\n\xff\t0\tc\n")
    found = [problem for problem in problems(folder) if "UTF-8" in problem]
    assert found == [
        f"dev.{suffix}:2: not UTF-8: byte 0xe9 at offset 13 of the file",
        f"dev.{suffix}:3: not UTF-8: byte 0xff at offset 19 of the file",
    ]


def test_all_problems_of_all_files_come_at_once(folder):
    """In the order of files and lines, whichever stage found them."""
    write_tsv(folder, train=["a\t7\tx", "b"], dev=["c\t0\tx", "\t1\ty"], test=["d\tmerry\tx", "e\tgrumpi\ty"])
    assert [problem.split(": ")[0] for problem in problems(folder)] == [
        "train.tsv:1", "train.tsv:2", "dev.tsv:2", "test.tsv:2",
    ]  # fmt: skip


def test_many_problems_are_counted_and_not_shown(folder):
    """Twenty in full, the others as a number."""
    write_tsv(folder, dev=["hello\t9\tx"] * 50)
    with pytest.raises(InputError) as refused:
        load_splits(str(folder))
    told = str(refused.value).splitlines()
    assert told[0].endswith("50 problems")
    assert told[21] == "  and 30 more"


def test_a_missing_train_file_is_an_error(folder):
    """The message names the split, the files that were looked for, those that are there, and the way out."""
    (folder / "train.tsv").unlink()
    (found,) = problems(folder)
    assert found.startswith("no train file: looked for train.tsv, and the same as .csv, .parquet")
    assert found.endswith("beside dev.tsv, test.tsv; data.splits names the files of each split")


@pytest.mark.parametrize("missing", ["dev", "test"])
def test_a_missing_split_cannot_be_cut_from_too_few_rows(folder, missing):
    """It is train that is too short, and why it is to be split is said."""
    (folder / f"{missing}.tsv").unlink()
    name = "validation" if missing == "dev" else missing
    why = f"from which {name} is split off, as there is none"
    rule = f"train must have at least 15 rows to be split, {why}, got 4"
    assert problems(folder) == [rule]


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    """The names and the endings."""
    (found,) = problems(tmp_path)
    assert found.startswith("no data files: looked for train.csv, validation.csv, test.csv and others")


def test_two_files_for_one_split_are_ambiguous(folder):
    """Having dev and validation beside each other: the user chooses."""
    write_tsv(folder, validation=["hello\t1\tx"])
    way_out = "data.splits names the files of each split"
    assert problems(folder) == [f"validation has dev.tsv and validation.tsv; keep one, or {way_out}"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "labels.txt: is empty; must name one label per line"),
        (b"calm\nmerry\ncalm\n", "labels.txt:3: label 'calm' is already in line 1"),
        (b"calm\n\nmerry\n", "labels.txt:2: empty line; every line must name one label"),
        (
            b"calm\nm\x07\n",
            "labels.txt:2: label 'm\\x07' contains a control character, which no name may have",
        ),
        (b"calm\nm\xe9\n", "labels.txt:2: not UTF-8: byte 0xe9 at offset 6 of the file"),
    ],
)
def test_bad_label_files(folder, content, message):
    """Reported as such, without a wrong complaint about every row."""
    (folder / "labels.txt").write_bytes(content)
    assert problems(folder) == [message]


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        (
            "csv",
            "text,label\nhello,calm\n",
            "dev.csv: no column labels; did you mean label? Columns are text, label",
        ),
        (
            "csv",
            "text,labels\nhello, you,calm\n",
            "dev.csv:2: 3 columns, must be 2 (quote cells that contain a comma)",
        ),
        (
            "csv",
            'text,labels\n"a\nb",calm\nhello\n',
            "dev.csv:4: 1 column, must be 2 (quote cells that contain a comma)",
        ),
        ("csv", 'text,labels\nhello,calm\n"open', "dev.csv:3: not readable as CSV (unexpected end of data)"),
        ("csv", "text,labels\n  ,calm\n", "dev.csv:2: empty text"),
        ("csv", "text,labels,text\na,calm,b\n", "dev.csv: has 2 columns called text; keep one"),
        ("csv", "text,labels\n", "dev.csv: has no rows"),
        ("csv", "", "dev.csv: has no rows"),
        ("jsonl", "[1]", "dev.jsonl:1: must be an object with text and labels, got [1]"),
        ("jsonl", '{"text": "a"}', "dev.jsonl: no column labels. Columns are text"),
        ("jsonl", '{"text": "a", "labels": []}\n{"text": "b"}', "dev.jsonl:2: no labels"),
        ("jsonl", '{"text": 3, "labels": []}', "dev.jsonl:1: text must be a string, got 3"),
        (
            "jsonl",
            '{"text": "\\ud83d", "labels": []}',
            "dev.jsonl:1: text contains half a surrogate pair, which is not a character",
        ),
        (
            "jsonl",
            '{"text": "a", "labels": null}',
            f"dev.jsonl:1: labels must be indices or names, or a list of them, got None; {MISSING_LABELS}",
        ),
        (
            "jsonl",
            '{"text": "a", "labels": [true]}',
            "dev.jsonl:1: a label must be an index or a name, got True",
        ),
        (
            "jsonl",
            '{"text": "a", "labels": [1.5]}',
            "dev.jsonl:1: a label must be an index or a name, got 1.5",
        ),
        (
            "jsonl",
            '\n{"text": "a", "labels": [3]}',
            "dev.jsonl:2: label index 3, must be 0 to 2 (labels.txt has 3 names)",
        ),
    ],
)
def test_unreadable_rows_of_other_formats(folder, form, content, message):
    """As in a .tsv: file, line, rule and value."""
    (folder / "dev.tsv").unlink()
    (folder / f"dev.{form}").write_text(content)
    assert problems(folder) == [message]


def test_broken_json_and_parquet_are_located(folder):
    """The parser's own reason stands in the message."""
    (folder / "dev.tsv").unlink()
    (folder / "test.tsv").unlink()
    (folder / "dev.jsonl").write_text('{"text": "a", "labels": []}\n{"text": \n')
    (folder / "test.parquet").write_bytes(b"not parquet at all")
    first, second = problems(folder)
    assert first.startswith("dev.jsonl:2: not JSON (")
    assert second.startswith("test.parquet: not readable as parquet (")


def test_a_name_that_almost_stands_in_train_is_a_misspelling(tmp_path):
    """Without labels.txt a new name outside train is a label, unless it is a slip of one of train's."""
    save(tmp_path, "train", "csv", [("a", ["merry"]), ("b", ["calm"])])
    save(tmp_path, "dev", "csv", [("c", ["merrry"])])
    save(tmp_path, "test", "csv", [("d", ["envy"])])
    assert problems(tmp_path) == [
        "dev.csv:2: unknown label name 'merrry', not in train.csv; did you mean merry? If not, add labels.txt"
    ]


def test_names_and_indices_do_not_mix_without_a_label_file(tmp_path):
    """What index 1 means among sorted names is nobody's guess."""
    save(tmp_path, "all", "csv", [*((f"row {row}", ["calm"]) for row in range(10)), ("odd", [1])])
    assert problems(tmp_path) == [
        "all.csv:12: label index 1, but other rows have names and there is no labels.txt to number them"
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "no such file or folder; sources are sample:"),
        ("nowhere", "no such file or folder; sources are sample:"),
        ("dir:", "no such file or folder"),
        ("dir:nowhere", "no such file or folder"),
        ("hubb:a/b", "unknown kind of source; did you mean hub?"),
        ("s3://bucket", "unknown kind of source"),
        ("hub:", "must be hub:OWNER/NAME"),
        ("hub:a/b/c", "must be hub:OWNER/NAME"),
        ("sample:many", "rows must be a whole number from 300 to 1000000, got 'many'"),
        ("sample:-5", "rows must be a whole number"),
        ("sample:10", "rows must be a whole number"),
    ],
)
def test_bad_sources(tmp_path, monkeypatch, source, message):
    """Each with the rule and, for a slip, the nearest right word."""
    monkeypatch.chdir(tmp_path)
    assert problems(source)[0].startswith(message)


def test_a_file_of_another_kind_is_refused(tmp_path):
    """The endings that can be read are listed."""
    path = tmp_path / "data.xlsx"
    path.write_bytes(b"PK")
    (found,) = problems(path)
    assert found.startswith("data.xlsx: must end in .tsv, .csv, .parquet, .jsonl, ")
    assert found.endswith(", got .xlsx")


# ------------------------------------------------------------------------------------ the hub


def dataset_dict(names, *splits):
    from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

    features = Features(
        {"text": Value("string"), "labels": List(ClassLabel(names=names)), "id": Value("string")}
    )
    rows = [(f"{text} {number}", labels) for number in range(5) for text, labels in ROWS]
    columns = {
        "text": [text for text, _ in rows],
        "labels": [[names.index(label) for label in labels] for _, labels in rows],
        "id": [f"c{row}" for row in range(len(rows))],
    }
    return DatasetDict({split: Dataset.from_dict(columns, features=features) for split in splits})


def test_hub_data_gives_names_in_the_order_of_its_features(monkeypatch):
    """A ClassLabel's own order is kept, not sorted; targets, texts and ids are those of the rows."""
    names = ["merry", "calm", "grumpy"]
    loaded = dataset_dict(names, "test", "validation", "train")
    monkeypatch.setattr(hub, "_load_from_hub", lambda *_: loaded)
    splits = load_splits("hub:someone/moods")
    assert splits.labels == tuple(names)
    assert splits.splitting == "official"
    np.testing.assert_array_equal(splits.test.targets[:4], expected_targets(ROWS, names))
    assert splits.test.texts[0] == f"{ROWS[0][0]} 0"
    assert splits.test.ids[-1] == "c19"


def test_hub_data_with_train_alone_is_split(monkeypatch):
    """No official splits: own ones, recorded; of two splits, the missing one is split off from train."""
    monkeypatch.setattr(hub, "_load_from_hub", lambda *_: dataset_dict(MOODS, "train"))
    splits = load_splits("hub:someone/moods", seed=5)
    assert [len(split) for split in splits.splits()] == [11, 5, 4]
    assert splits.splitting.startswith("stratified 80/10/10, seed 5")
    monkeypatch.setattr(hub, "_load_from_hub", lambda *_: dataset_dict(MOODS, "train", "test"))
    splits = load_splits("hub:someone/moods", seed=5)
    assert [len(split) for split in splits.splits()] == [16, 4, 20]
    cut = "stratified 10 % of train for validation, seed 5"
    assert splits.splitting.startswith(f"official train and test; {cut}")
    monkeypatch.setattr(hub, "_load_from_hub", lambda *_: dataset_dict(MOODS, "validation", "test"))
    assert "it has validation, test" in problems("hub:someone/moods")[0]


def test_hub_data_without_the_columns_is_refused(monkeypatch):
    """The message lists the columns that are there."""
    loaded = dataset_dict(MOODS, "train", "validation", "test").rename_column("labels", "moods")
    monkeypatch.setattr(hub, "_load_from_hub", lambda *_: loaded)
    assert problems("hub:a/b")[0].startswith("train: no column labels. Columns are text, moods, id;")


def test_hub_labels_with_control_characters_are_refused(monkeypatch):
    """A name is a cell of tables and a line of files."""
    monkeypatch.setattr(hub, "_load_from_hub", lambda *_: dataset_dict([*MOODS, "a\nb"], "train"))
    assert problems("hub:a/b") == [
        "train: label 'a\\nb' contains a control character or line break, which no name may have"
    ]


@pytest.mark.parametrize(("length", "is_read"), [(300, True), (500, True), (501, False), (5_000, False)])
def test_the_longest_name_of_a_label(monkeypatch, length, is_read):
    """A name is a key of records, so there is a limit to it; the message has its start and its length."""
    name = "x" * length
    monkeypatch.setattr(hub, "_load_from_hub", lambda *_: dataset_dict([*MOODS, name], "train"))
    if is_read:
        assert name in load_splits("hub:a/b").labels
    else:
        assert f"must have at most 500 characters, got {length:,}" in problems("hub:a/b")[0]


def test_a_data_set_that_is_a_script_is_an_input_error(monkeypatch):
    """The datasets library runs none any more, and says so in a RuntimeError."""
    import datasets

    def refuse(*_):
        raise RuntimeError("Dataset scripts are no longer supported, but found moods.py")

    monkeypatch.setattr(hub, "_hub_failure", lambda _: None)
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    assert problems("hub:someone/moods")[0].startswith("cannot be used (Dataset scripts are no longer")


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of the datasets library, and a hub that does not answer."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_hub_failure", lambda _: "no route to host")
    return tmp_path / "cache"


def test_an_unreachable_hub_is_one_clear_line(hub_cache):
    """Exit code 1 rather than 2, within seconds, with a remedy, and later calls may try the hub again."""
    import datasets

    start = time.perf_counter()
    with pytest.raises(GoemoError, match=r"cannot be reached \(no route to host\).*use dir:PATH") as error:
        load_splits("hub:google-research-datasets/go_emotions")
    assert not isinstance(error.value, InputError)
    assert "\n" not in str(error.value)
    assert time.perf_counter() - start < 10
    assert not datasets.config.HF_HUB_OFFLINE


def test_offline_mode_counts_as_unreachable(monkeypatch):
    """The probe answers with a reason at once and raises nothing."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "offline mode is enabled" in hub._hub_failure("google-research-datasets/go_emotions")


def test_a_cached_copy_works_without_the_hub(hub_cache, tmp_path):
    """What datasets has cached once loads with the network gone."""
    import datasets

    names = ["merry", "calm", "grumpy"]
    files = {}
    for split, rows in dataset_dict(names, "train", "validation", "test").items():
        files[split] = str(tmp_path / f"{split}.parquet")
        rows.to_parquet(files[split])
    datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "elsewhere"))
    built = next((tmp_path / "elsewhere" / "parquet").glob("*/*/*/dataset_info.json")).parent
    cached = hub_cache / "someone___moods" / "default" / built.parent.name / built.name
    cached.parent.mkdir(parents=True)
    built.rename(cached)
    for arrow in cached.glob("parquet-*.arrow"):
        arrow.rename(cached / arrow.name.replace("parquet-", "moods-"))

    splits = load_splits("hub:someone/moods")

    assert splits.labels == tuple(names)
    assert [len(split) for split in splits.splits()] == [20, 20, 20]
