"""What cannot be labels or cannot be read: refused at once, with the place, the rule and the way out."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from data_files import load, problems, write_csv, write_json_lines

from goemo.configuration.data import DataOptions
from goemo.data import load_judged, load_recorded, load_splits, report_lines
from goemo.data.own_splits import assign
from goemo.data.taxonomy import GOEMOTIONS
from goemo.errors import InputError

TEXTS = [f"this is the comment of number {row}" for row in range(24)]


def write(path, cells, header=("text", "labels")):
    return write_csv(path, header, zip(TEXTS, cells, strict=False))


def cycle(*cells):
    return [cells[row % len(cells)] for row in range(24)]


# ------------------------------------------------------------------------------ names in text cells


@pytest.mark.parametrize(
    "cell",
    ["{'joy', love}", "joy [positive]", '"joy', "np.float64(x)", "joy]", "'joy'", "bag({'joy': 1})",
     "<i>joy</i><i>awe</i>", "joy&amp;awe"],
)  # fmt: skip
def test_pieces_of_lists_are_no_names(tmp_path, cell):
    """Another program's list in a cell; a name that really has brackets is given elsewhere."""
    path = write(tmp_path / "a.csv", cycle("joy", "love", "fear", cell))
    found = problems(path)
    assert found.startswith("a.csv:5: ")
    assert "is not a name but part of a list that cannot be read" in found
    assert "labels.txt may name what has brackets" in found


def test_names_with_brackets_are_meant_where_they_are_given(tmp_path):
    """In the options, in labels.txt, in JSON lists and as columns' names."""
    names = ["joy [positive]", "[other]", "NaN"]
    path = write(tmp_path / "a.csv", cycle("joy [positive]", "NaN"))
    options = {"label_names": names, "label_separator": "none"}
    assert load(path, **options).labels == tuple(names)
    (tmp_path / "labels.txt").write_text("\n".join(names))
    assert load(path).labels == tuple(names)
    (tmp_path / "labels.txt").unlink()
    records = [{"text": text, "labels": [names[row % 3]]} for row, text in enumerate(TEXTS)]
    assert set(load(write_json_lines(tmp_path / "a.jsonl", records)).labels) == set(names)
    lines = ([text, *(int(row % 3 == n) for n in range(3))] for row, text in enumerate(TEXTS))
    assert load(write_csv(tmp_path / "b.csv", ["text", *names], lines)).labels == tuple(names)


@pytest.mark.parametrize("cell", ["0.7", "-1.5", "1e5"])
def test_numbers_that_are_no_indices_are_no_names(tmp_path, cell):
    """With the option that makes labels of shares."""
    found = problems(write(tmp_path / "a.csv", cycle("joy", "love", cell)))
    assert f"a.csv:4: label '{cell}' is a number, but not a label index" in found
    assert "data.binarize" in found


@pytest.mark.parametrize("word", ["nan", "None", "NULL", "n/a", "<NA>", "-", "?"])
def test_words_for_missing_values_are_no_names(tmp_path, word):
    """Alone in a cell, and beside names."""
    assert f"a.csv:4: {word!r} is a word for a missing value; data.missing_labels" in problems(
        write(tmp_path / "a.csv", cycle("joy", "love", word))
    )
    assert f"a.csv:4: label {word!r} is a word for a missing value" in problems(
        write(tmp_path / "a.csv", cycle("joy", "love", f"joy,{word}"))
    )


def test_a_header_in_the_middle_is_a_problem_of_its_line(tmp_path):
    """Files that were joined have one."""
    lines = ["text,labels", *(f"{text},joy" for text in TEXTS), "text,labels", *(f"{t},fear" for t in TEXTS)]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    assert problems(tmp_path / "a.csv") == "a.csv:26: repeats the header (text, labels); remove the line"


@pytest.mark.parametrize("cell", ["joy:1", "joy=0", "joy: 0.7"])
def test_names_with_a_number_behind_are_no_names(tmp_path, cell):
    """Whether each applies is said by the number, which would be a part of the name; a few may be meant."""
    found = problems(write(tmp_path / "a.csv", cycle(cell, f"{cell},love:1", "fear:1")))
    assert f"label '{cell}', 'love:1', 'fear:1' is a name with a number" in found
    assert 'write a mapping in JSON, such as {"joy": 1, "fear": 0}' in found
    assert set(load(write(tmp_path / "a.csv", cycle("calm", "love", cell))).labels) == {"calm", "love", cell}


def test_indices_that_a_separator_joins_are_refused(tmp_path):
    """With the option that takes them apart; a range of numbers is a name."""
    path = write(tmp_path / "a.csv", cycle("1", "3", "0 3", "1 2", "2 3"))
    assert "labels combine others, joined by a space" in problems(path).splitlines()[0]
    assert load(path, label_separator="space").labels == ("label_0", "label_1", "label_2", "label_3")
    assert load(write(path, cycle("18-25", "26-35", "36-45"))).labels == ("18-25", "26-35", "36-45")


def test_a_name_in_a_list_that_joins_others_is_warned_of(tmp_path):
    """Names in lists are meant, and read as they stand."""
    lists = [["joy"], ["love"], ["joy,love"], ["joy", "love"]]
    records = [{"text": text, "labels": lists[row % 4]} for row, text in enumerate(TEXTS)]
    splits = load(write_json_lines(tmp_path / "a.jsonl", records))
    assert splits.labels == ("joy", "joy,love", "love")
    assert (
        "label 'joy,love' combines others, joined by ,; if it is two labels, write two list items"
        in splits.notes
    )


def test_printed_lists_in_lists_are_warned_of(tmp_path):
    """A list that was printed before it was written as an item of a list; brackets alone may be meant."""
    lists = [["['joy', 'love']"], ["[other]"], ["joy"]]
    rows = [{"text": f"row {row}", "labels": lists[row % 3]} for row in range(30)]
    warnings = load(write_json_lines(tmp_path / "a.jsonl", rows)).report.warnings
    assert [warning for warning in warnings if "printed" in warning] == [
        "label \"['joy', 'love']\" looks like a printed list; if it is one, write its names as list items"
    ]


@pytest.mark.parametrize("separator", [" ", "#", " & ", "/", "+", "-", "_", " · ", "、", " and ", "___"])
def test_labels_that_join_others_are_refused_where_most_do(tmp_path, separator):
    """With the first of them, the option that takes them apart and the one that keeps them."""
    names = ["joy", "love", "fear", "awe"]
    joined = [separator.join(pair) for pair in itertools.pairwise(names)]
    found = problems(write(tmp_path / "a.csv", cycle(*names, *joined)))
    assert f"3 of 7 labels combine others, joined by {separator.strip() or 'a space'}" in found
    assert f"'{joined[0]}' (a.csv:6)" in found
    assert "none keeps them whole" in found
    whole = load(tmp_path / "a.csv", label_separator="none")
    assert len(whole.labels) == 7
    apart = load(tmp_path / "a.csv", label_separator=separator)
    assert set(apart.labels) == set(names)


@pytest.mark.parametrize("odd", ["joy & love", "joy/love", "love joy"])
def test_a_single_label_that_joins_others_is_warned_of(tmp_path, odd):
    """It may be a name of its own: among seven, one that joins two others is read."""
    names = ["joy", "love", "fear", "awe", "very calm", odd, "rather bored"]
    splits = load(write(tmp_path / "a.csv", cycle(*names)))
    assert len(splits.labels) == 7
    assert any(f"label {odd!r} (a.csv:7) combines others" in warning for warning in splits.report.warnings)


@pytest.mark.parametrize(
    "pair", [("Joy", "joy"), ("joy\u200b", "joy"), ("re\u0301el", "r\u00e9el"), ("JOY", "joy")]
)
def test_names_that_look_alike_are_warned_of(tmp_path, pair):
    """Case, invisible characters, and the two forms of an accent; the first two split a label in two."""
    splits = load(write(tmp_path / "a.csv", cycle(*pair, "fear")))
    told = [w for w in splits.report.warnings if "differ only in case, form of accents or invisible" in w]
    assert len(told) == 1
    assert len(splits.labels) == 3


def test_labels_without_positives_are_named_for_each_split(tmp_path):
    """Once for training, and for the other splits those that training knows."""
    for split, cells in {
        "train": cycle("joy", "fear"),
        "dev": cycle("joy"),
        "test": cycle("fear", "awe"),
    }.items():
        write(tmp_path / f"{split}.csv", cells)
    assert load(tmp_path).notes[-3:] == (
        "no training row has the label awe",
        "no validation row has the label fear",
        "no test row has the label joy",
    )


def test_a_published_layout_without_goemotions_indices_is_doubted(tmp_path):
    """Three tab-separated columns with other indices: read as GoEmotions', and asked about."""
    for split in ("train", "dev", "test"):
        lines = [f"{text}\t{1 + row % 3}\tid{row}" for row, text in enumerate(TEXTS)]
        (tmp_path / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    splits = load(tmp_path)
    assert splits.labels == GOEMOTIONS
    assert any("25 of the 28 indices never occur: are these GoEmotions' labels?" in n for n in splits.notes)


# ------------------------------------------------------------------------------ files


def test_too_many_labels_are_something_else(tmp_path):
    """A column of texts or ids; the reason is said."""
    lines = [f"text number {row},name{row}" for row in range(5_001)]
    (tmp_path / "a.csv").write_text("\n".join(["text,labels", *lines]) + "\n")
    assert "has 5,001 labels, must have at most 5,000; these are probably texts or ids" in problems(
        tmp_path / "a.csv"
    )
    write(tmp_path / "b.csv", cycle("3", "7000000000"))
    assert "label indices up to 7000000000, must be below 5,000" in problems(tmp_path / "b.csv")


@pytest.mark.parametrize("name", ["train.csv", "train.jsonl", "train.parquet"])
def test_a_pipe_instead_of_a_file_is_refused_at_once(tmp_path, name):
    """Reading it would wait for ever."""
    for split in ("dev", "test"):
        write(tmp_path / f"{split}.csv", cycle("joy", "fear"))
    os.mkfifo(tmp_path / name)
    start = time.perf_counter()
    assert f"{name}: must be a regular file" in problems(tmp_path)
    assert "must be a file or a folder; write a pipe or a device to a file first" in problems(tmp_path / name)
    assert time.perf_counter() - start < 5


def test_a_device_is_refused_at_once():
    """It has no end."""
    assert "must be a file or a folder; write a pipe or a device" in problems("file:/dev/zero")


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_a_line_without_end_is_refused(tmp_path, ending):
    """Read up to a limit, not into memory."""
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"text,labels\n" + b"a" * (17 << 20) + b"\n")
    assert f"a.{ending}:2: a line must have at most 16 MB" in problems(path)


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path, monkeypatch):
    """A parquet that repeats a large text, and a compressed CSV: within a limit that the test lowers."""
    import gzip

    from goemo.data.formats import arrow, texts

    monkeypatch.setattr(arrow, "MOST_FILE_BYTES", 1 << 20)
    monkeypatch.setattr(texts, "MOST_FILE_BYTES", 1 << 20)
    pd.DataFrame({"text": ["a" * 100_000] * 1_000, "labels": "joy"}).to_parquet(tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 300_000
    assert "unpacks to more than" in problems(tmp_path / "a.parquet")
    with gzip.open(tmp_path / "b.csv.gz", "wt") as file:
        file.write("text,labels\n" + f"{'a' * 1000},joy\n" * 2000)
    assert "unpacks to more than" in problems(tmp_path / "b.csv.gz")


@pytest.mark.parametrize("ending", ["gz", "xz", "bz2", "zst"])
def test_damaged_compression_is_refused(tmp_path, ending):
    """Cut off, and no such compression at all."""
    path = tmp_path / f"a.csv.{ending}"
    path.write_bytes(b"this is not compressed at all, whatever its name says" * 10)
    assert problems(path).startswith(f"a.csv.{ending}: ")


@pytest.mark.parametrize(
    ("record", "said"),
    [({"labels": {"joy": [1], "fear": 0}}, "or a share between, got [1]"),
     ({"labels": {"joy": {"a": 1}}}, "or a share between, got {'a': 1}"),
     ({"labels": {"joy": "x" * 500}}, "or a share between, got 'xxx"),
     ({"split": ["train"]}, "no column labels"),
     ({"annotations": [{"result": 3}], "data": {}}, "no column text"),
     ({"annotations": [{"result": [{"value": {"choices": 3}}]}], "data": {}}, "no column text")],
    ids=lambda part: json.dumps(part)[:40],
)  # fmt: skip
def test_lists_and_mappings_where_none_belongs_are_refused(tmp_path, record, said):
    """Nested values, wherever they stand, are a message with its place, and a short one."""
    path = write_json_lines(tmp_path / "a.jsonl", ({"text": text, **record} for text in TEXTS))
    found = problems(path).splitlines()
    assert said in found[0]
    assert max(map(len, found)) < 300


def test_records_without_a_key_are_refused(tmp_path):
    """There are rows, but no columns."""
    (tmp_path / "a.json").write_text("[{}, {}]")
    assert problems(tmp_path) == "a.json: has no columns"


def test_a_part_without_the_column_of_splits_is_refused(tmp_path):
    """The other part says for each row which split it belongs to."""
    parts = {"a_1.jsonl": {"split": "train"}, "a_2.jsonl": {}}
    for name, split in parts.items():
        record = {"text": "a text", "labels": ["joy"], **split}
        (tmp_path / name).write_text("\n".join([json.dumps(record)] * 20))
    assert problems(tmp_path) == "a_2.jsonl: no column split. Columns are text, labels"


def test_rows_that_are_wrong_twice_are_told_once(tmp_path):
    """Rows in which text and labels are wrong are told of their text."""
    path, rows = tmp_path / "a.jsonl", 2_000
    path.write_text('{"text": null, "labels": null}\n' * rows)
    found = problems(path).splitlines()
    assert len(found) == rows
    assert all("text must be a string" in problem for problem in found)


@pytest.mark.parametrize("source", ["nowhere", "dir:nowhere", "file:no/such.csv"])
def test_a_path_that_is_not_there_is_told_before_anything_is_imported(source):
    """Neither numpy nor what reads files is needed for that."""
    program = (
        "import sys\nfrom goemo.data import check_source\nfrom goemo.errors import InputError\n"
        f"try: check_source({source!r})\nexcept InputError as error: print(error)\n"
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'torch', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    message, imported = done.stdout.strip().split("\n")
    assert "no such file or folder; sources are" in message
    assert imported == "[]"


def test_a_broken_saved_data_set_is_one_line(tmp_path):
    """A missing shard, a state that is no JSON, and one that names a file again and again."""
    from datasets import Dataset

    saved = tmp_path / "saved"
    Dataset.from_dict({"text": TEXTS, "labels": cycle(["joy"], ["fear"])}).save_to_disk(str(saved))
    next(saved.glob("*.arrow")).unlink()
    assert "not readable as a saved data set" in problems(saved)
    (saved / "state.json").write_text("{")
    assert "state.json: Expecting property name" in problems(saved)
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}] * 2}))
    assert "must name each file once" in problems(saved)


# ------------------------------------------------------------------------------ options


def test_wrong_options_come_all_at_once():
    """With the nearest key, the rule and the value."""
    with pytest.raises(InputError) as error:
        DataOptions.parse(
            {"colums": {}, "columns": {"txt": "a"}, "separator": "ab", "encoding": "base64", "binarize": 0}
        )
    assert sorted(problem.split(": ")[0] for problem in error.value.problems) == [
        "binarize", "columns.txt", "colums", "encoding", "separator",
    ]  # fmt: skip


def test_what_was_read_is_read_again_in_the_same_way(tmp_path):
    """Recorded facts with their options give the same digest; without them, another."""
    path = write(tmp_path / "a.csv", cycle("joy love", "fear", "joy", "love"), ("said", "felt"))
    options = {"columns": {"text": "said", "labels": "felt"}, "label_separator": "space"}
    splits = load(path, **options)
    facts = {
        "source": str(path),
        "taxonomy": "fine",
        "seed": 42,
        "digest": splits.digest,
        "splitting": splits.splitting,
        "options": splits.options,
    }
    assert load_recorded(json.loads(json.dumps(facts))).digest == splits.digest


def test_indices_that_had_goemotions_names_keep_them(tmp_path):
    """Of searches from before indices of a CSV were numbered; a new reading numbers them."""
    path = tmp_path / "a.csv"
    lines = [f"text number {row},{row % 28}" for row in range(60)]
    path.write_text("\n".join(["text,labels", *lines]) + "\n")
    named = load(path, label_names="goemotions")
    facts = {"source": str(path), "taxonomy": "ekman", "seed": 42, "splitting": named.splitting}
    grouped = load_splits(str(path), "ekman", options=DataOptions.parse({"label_names": "goemotions"}))
    assert load_recorded({**facts, "digest": grouped.digest}).labels == grouped.labels
    assert load_recorded({**facts, "taxonomy": "fine", "digest": named.digest}).labels == GOEMOTIONS
    assert load(path).labels[3] == "label_3"


def test_the_report_has_what_was_read_in_plain_values(tmp_path):
    """It goes through JSON, and its lines name labels with positives, shortened in the middle past forty."""
    lines = [f"text number {row},name{row % 50:02d}" for row in range(500)]
    (tmp_path / "a.csv").write_text("\n".join(["text,labels", *lines]) + "\n")
    splits = load(tmp_path / "a.csv")
    plain = json.loads(json.dumps(splits.report.to_dict()))
    assert plain == splits.report.to_dict()
    told = "\n".join(report_lines(plain))
    assert "50 labels, named by the rows, with positives in train / validation / test: name00 " in told
    assert "... 10 more ..." in told
    assert "name25" not in told
    counts = np.array([list(by.values()) for by in plain["labels"].values()])
    assert counts.sum() == 500


# ------------------------------------------------------------------------------ own splits


@pytest.mark.parametrize(
    "shares", [{"train": 0.8, "validation": 0.1, "test": 0.1}, {"train": 0.9, "test": 0.1}]
)
def test_rows_are_dealt_by_shares_and_seed(shares):
    """Every row once, in the shares' numbers; the same for the same seed and another for another."""
    targets = np.zeros((203, 2), dtype=bool)
    texts = [str(row) for row in range(203)]
    first = assign(texts, targets, shares, 1)
    assert np.bincount(first).tolist()[1:] == [20] * (len(shares) - 1)
    np.testing.assert_array_equal(first, assign(texts, targets, shares, 1))
    assert (first != assign(texts, targets, shares, 2)).any()


def known(splits):
    """Return what a bundle records of the data that it was trained on."""
    each = {part.name: {"examples": len(part), "digest": part.digest} for part in splits.splits()}
    return {**splits.facts, "seed": 42, "splits": each}


def test_rows_that_judge_a_model(tmp_path):
    """Of three splits the one that is asked for, of a file all; of what it was trained on never its train."""
    for split in ("train", "dev", "test"):
        write(tmp_path / f"{split}.csv", cycle("joy", "fear"))
    read = load_judged(str(tmp_path), "validation", {})
    assert (read.split, read.texts, read.targets.shape) == ("validation", TEXTS, (24, 2))
    file = tmp_path / "test.csv"
    other = load_judged(str(file), "test", known(load_splits("sample:300")))
    assert (other.split, other.texts) == ("all", TEXTS)
    assert any(f"{file} has no splits: all 24 rows are evaluated" in note for note in other.notes)
    own = load_splits(str(file))
    judged = load_judged(str(file), "test", known(own))
    assert (judged.split, judged.texts) == ("test", own.test.texts)
    assert any("only its test rows are evaluated" in note for note in judged.notes)
    dealt = load_splits(str(file), seed=0)
    assert load_judged(str(file), "test", known(dealt) | {"seed": 0}).texts == dealt.test.texts


def test_rows_that_a_model_has_seen_are_warned_of(tmp_path):
    """A file of its own train split, with whatever other name, is judged with a warning."""
    for split, labels in (
        ("train", ["joy", "fear"]),
        ("dev", ["joy", "joy", "fear"]),
        ("test", ["fear", "joy"]),
    ):
        write(tmp_path / f"{split}.csv", cycle(*labels))
    facts = known(load_splits(str(tmp_path)))
    (tmp_path / "new.csv").write_bytes((tmp_path / "train.csv").read_bytes())
    seen = load_judged(str(tmp_path / "new.csv"), "test", facts)
    assert any("these are the train rows that the model has seen" in note for note in seen.notes)
    fresh = load_judged(str(tmp_path / "test.csv"), "test", facts)
    assert not any("has seen" in note for note in fresh.notes)


@pytest.mark.parametrize("labels", [("joy", "sadness"), ("admiration", "remorse")])
def test_labels_of_a_taxonomy(tmp_path, labels):
    """Data in the groups of the model's taxonomy is taken as it is, other names are refused by name."""
    write(tmp_path / "a.csv", cycle(*labels))
    if labels == ("joy", "sadness"):
        assert load_judged(str(tmp_path / "a.csv"), "test", {"taxonomy": "ekman"}).labels == labels
    else:
        with pytest.raises(InputError, match="ekman groups the 28 GoEmotions labels"):
            load_judged(str(tmp_path / "a.csv"), "test", {"taxonomy": "ekman"})
