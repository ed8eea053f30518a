"""Splits that data does not have: stratified, near duplicates together; older searches keep theirs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from data_files import load, write_csv

from goemo.configuration.data import DataOptions
from goemo.data import load_recorded, load_splits
from goemo.data.near import near_groups, plain_text
from goemo.data.own_splits import assign, split_sizes
from goemo.errors import InputError

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def many(rows, labels, seed):
    random = np.random.default_rng(seed)
    return random.random((rows, labels)) < np.geomspace(0.4, 0.01, labels)


@pytest.mark.parametrize("seed", range(5))
def test_every_split_gets_its_share_of_every_label(seed):
    """At least three positives of labels that have nine; nearer to a tenth than by chance."""
    targets = many(2000, 28, seed)
    split = assign([f"text {row}" for row in range(2000)], targets, SHARES, seed)
    counts = np.array([targets[split == part].sum(axis=0) for part in range(3)])
    assert (counts[:, targets.sum(axis=0) >= 9] >= 3).all()
    by_chance = assign([f"text {row}" for row in range(2000)], targets, SHARES, seed, "seeded")
    chance = np.array([targets[by_chance == part].sum(axis=0) for part in range(3)])
    wanted = np.array([0.8, 0.1, 0.1])[:, None] * targets.sum(axis=0)
    assert np.abs(counts - wanted).sum() < 0.5 * np.abs(chance - wanted).sum()
    assert np.abs(np.bincount(split) - split_sizes(2000, SHARES)).max() <= 10


def test_labels_that_all_have_nine_come_before_the_shares():
    """A hundred and fifty labels of nine rows each: three everywhere, though that is no tenth."""
    targets = np.eye(150, dtype=bool).repeat(9, axis=0)
    split = assign([str(row) for row in range(len(targets))], targets, SHARES, 1)
    assert all((targets[split == part].sum(axis=0) == 3).all() for part in range(3))


def small_table(random):
    """Return texts, some three times, and targets of a table so small that labels compete for rows."""
    rows, labels = int(random.integers(30, 160)), int(random.integers(2, 9))
    targets = random.random((rows, labels)) < random.uniform(0.05, 0.5, labels)
    repeats = random.random() < 0.4
    return [f"text {row // 3 if repeats and row < rows // 2 else row}" for row in range(rows)], targets


def test_small_tables_give_each_split_three_positives_where_they_can():
    """Swaps find what dealing alone misses: 200 tables in which labels compete for few rows."""
    random = np.random.default_rng(0)
    for seed in range(200):
        texts, targets = small_table(random)
        assignment = assign(texts, targets, SHARES, seed)
        counts = np.stack([targets[assignment == split].sum(axis=0) for split in range(3)])
        assert (counts[:, targets.sum(axis=0) >= 9] >= 3).all(), seed


def test_labels_that_cannot_have_three_positives_in_each_split_are_named(tmp_path):
    """Nine texts that are one text stay in one split, and a warning says what that costs."""
    rows = [("so happy" + "!" * row, "joy") for row in range(9)]
    rows += [(f"a comment of number {row}", ("anger", "fear")[row % 2]) for row in range(60)]
    splits = load(write_csv(tmp_path / "a.csv", ("text", "labels"), rows))
    (note,) = [note for note in splits.report.warnings if "fewer than 3 positives" in note]
    joy = splits.labels.index("joy")
    counts = "/".join(str(split.targets[:, joy].sum()) for split in splits.splits())
    assert f"(train/validation/test) of joy ({counts})" in note
    assert "anger" not in note


def test_near_duplicates_and_ratings_stay_together():
    """Case, punctuation and white space make no new text; however rows are ordered."""
    words = [f"number {row}" for row in range(100)]
    texts = [form for word in words for form in (word, f"{word.title()}!", f" {word}  ...")]
    targets = many(300, 6, 3)
    split = assign(texts, targets, SHARES, 1).reshape(100, 3)
    assert (split == split[:, :1]).all()
    assert len(set(split[:, 0].tolist())) == 3


def test_the_order_of_labels_does_not_matter():
    """A layout that names the labels in another order is split alike."""
    targets, texts = many(400, 9, 1), [f"text {row}" for row in range(400)]
    first = assign(texts, targets, SHARES, 1)
    np.testing.assert_array_equal(first, assign(texts, targets[:, ::-1], SHARES, 1))


@pytest.mark.parametrize(
    ("one", "other", "is_near"),
    [("Oh NO!!", "oh, no", True), ("Straße\t1", "STRASSE 1", True), ("don't", "don t", True),
     ("(s)", "s", True),
     ("no", "now", False), ("!!!", "???", False), ("\N{CRYING FACE}", "\N{PILE OF POO}", False)],
)  # fmt: skip
def test_what_near_duplicates_are(one, other, is_near):
    """Equal after case, punctuation, symbols and white space; nothing else is compared as it is."""
    assert (plain_text(one) == plain_text(other)) == is_near
    assert near_groups([one, other, one]).tolist() == [0, 0 if is_near else 1, 0]


def test_older_searches_keep_their_splits(tmp_path):
    """Facts that tell of seeded splits load those; new facts load stratified ones; both as they were."""
    rows = [(f"text number {row}", "abcdefg"[row % 7]) for row in range(120)]
    path = write_csv(tmp_path / "a.csv", ("text", "labels"), rows)
    order = np.random.default_rng(42).permutation(120)
    tests = [rows[row][0] for row in sorted(order[96:108].tolist())]  # the older rule, written out
    facts = {"source": str(path), "taxonomy": "fine", "seed": 42, "splitting": "seeded 80/10/10, seed 42"}
    older, newer = load_recorded(facts), load_splits(str(path))
    assert tests in (older.test.texts, older.validation.texts)
    assert [len(split) for split in older.splits()] == [96, 12, 12]
    assert newer.digest != older.digest
    assert (
        load_recorded({**facts, "splitting": newer.splitting, "digest": newer.digest}).digest == newer.digest
    )
    assert load_recorded({**facts, "digest": older.digest}).digest == older.digest


def test_unreadable_rows_are_left_out_to_look_at_data(tmp_path):
    """Each with its place and reason; what is wrong with a whole file is refused all the same."""
    path = tmp_path / "a.csv"
    cells = itertools.islice(itertools.cycle("ab"), 40)
    lines = [f"text number {row},{cell}" for row, cell in enumerate(cells)]
    path.write_text("\n".join(["text,labels", *lines, ",a", "more text,a"]) + "\n")
    splits = load_splits(str(path), leaves_out_unreadable=True)
    assert splits.unreadable == ("a.csv:42: empty text",)
    assert sum(len(split) for split in splits.splits()) == 41


def test_unreadable_rows_are_left_out_of_training_where_that_is_asked_for(tmp_path):
    """They are counted and shown, the same rows are read from the record, and who did not ask is told how."""
    path = tmp_path / "a.csv"
    lines = [
        f"text number {row},{cell}" for row, cell in enumerate(itertools.islice(itertools.cycle("ab"), 40))
    ]
    path.write_text("\n".join(["text,labels", *lines, *[",a"] * 22, "more text,a"]) + "\n")
    options = DataOptions(unreadable="leave_out")
    splits = load_splits(f"file:{path}", options=options)
    assert sum(len(split) for split in splits.splits()) == 41
    (note,) = [note for note in splits.notes if "left out" in note]
    assert note.startswith("22 rows left out: a.csv:42: empty text, ... 20 more ..., a.csv:63: empty text")
    assert load_recorded(splits.facts | {"seed": 42}).digest == splits.digest
    with pytest.raises(InputError) as refused:
        load_splits(f"file:{path}")
    told = str(refused.value).splitlines()
    assert told[0].endswith("22 problems")
    assert told[-2:] == [
        "  and 2 more",
        "  data.unreadable: leave_out in the search space leaves such rows out",
    ]
