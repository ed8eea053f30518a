"""What is to be seen of data, against counts made by hand and by brute force."""

from __future__ import annotations

import json

import numpy as np
import pytest

from goemo.data import load_splits
from goemo.data.near import near_groups, plain_text
from goemo.errors import InputError
from goemo.looking import look, looked_lines
from goemo.looking.duplicates import contradictions
from goemo.looking.labels import rarest_beside
from goemo.looking.scripts import scripts

ROWS = {
    "train": ["Good!,joy", "good,love", "good,joy", "bad,anger", "fine,joy"],
    "dev": ["GOOD,joy", "new,love", "x,anger"],
    "test": ["bad...,anger", "other,joy", "y,love", ",joy"],
}


@pytest.fixture
def looked(tmp_path):
    for split, lines in ROWS.items():
        (tmp_path / f"{split}.csv").write_text("\n".join(["text,labels", *lines]) + "\n")
    return look(load_splits(str(tmp_path), leaves_out_unreadable=True))


def test_duplicates_by_hand(looked):
    """Exact and near ones within and across splits, and the one group that contradicts itself."""
    found = looked["duplicates"]
    assert found["exact"]["within"] == {"train": 1, "validation": 0, "test": 0}
    assert found["near"]["within"] == {"train": 2, "validation": 0, "test": 0}
    assert found["near"]["across"] == {
        "validation in train": 1,
        "test in train": 1,
        "test in validation": 0,
    }
    assert found["contradicting"] == {"train": 1, "validation": 0, "test": 0}
    assert [row["labels"] for row in found["examples"][0]] == [["joy"], ["love"], ["joy"]]


def test_unreadable_rows_are_shown_and_all_goes_through_json(looked):
    """The empty text is told with its place, in values that are plain and in lines for people."""
    assert looked["unreadable"] == ["test.csv:5: empty text"]
    assert looked["splits"] == {"train": 5, "validation": 3, "test": 3}
    assert json.loads(json.dumps(looked))["source"] == looked["source"]
    assert "  test.csv:5: empty text" in looked_lines(looked)


def test_contradictions_are_those_of_brute_force():
    """Every group with two different sets of labels, and no other."""
    random = np.random.default_rng(0)
    texts = [f"{'!' * int(random.integers(3))}t{random.integers(80)}" for _ in range(200)]
    targets = random.random((200, 3)) < 0.2
    sets: dict[str, set[tuple[bool, ...]]] = {}
    for text, row in zip(texts, targets.tolist(), strict=True):
        sets.setdefault(plain_text(text), set()).add(tuple(row))
    expected = sum(len(of) > 1 for of in sets.values())
    assert 0 < expected < len(sets)
    assert len(contradictions(near_groups(texts), targets)) == expected


def test_what_stands_beside_the_rarest():
    """Labels without a positive are not the rarest; the others come with what they share rows with."""
    targets = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0]], dtype=bool)
    found = rarest_beside(["a", "b", "c"], targets)
    assert [(rare["label"], rare["positives"], rare["beside"]) for rare in found] == [
        ("b", 2, {"a": 2}),
        ("a", 3, {"b": 2}),
    ]


def test_scripts_are_those_of_most_letters():
    """Of a text with several, the one of most letters; digits and signs have none."""
    russian, japanese = "\u043f\u0440\u0438\u0432\u0435\u0442", "\u3042\u3042"
    texts = ["hello", "caf\u00e9", f"{russian} ok", japanese, "12 !"]
    assert scripts(texts) == {"Latin": 2, "Cyrillic": 1, "Hiragana": 1, "no letters": 1}


def test_lengths_are_those_of_the_tokenizer_and_the_page_has_them(tmp_path):
    """Truncated shares agree with lengths counted one by one; the suggestion truncates at most 1 %."""
    pytest.importorskip("altair")
    from goemo.looking.lengths import lengths
    from goemo.models import load_tokenizer, resolve_checkpoint
    from goemo.report.data_page import data_page

    splits = load_splits("sample:300")
    checkpoint = resolve_checkpoint("scratch:albert-tiny", texts=splits.train.texts, cache=tmp_path)
    tokenizer = load_tokenizer(checkpoint)
    texts = [" ".join(splits.train.texts[: 1 + row % 7]) for row in range(100)]
    found = lengths(texts, tokenizer)
    counted = np.array([len(tokenizer(text)["input_ids"]) for text in texts])
    assert all(share == np.mean(counted > maximum) for maximum, share in found["truncated"].items())
    assert found["quantiles"][100] == counted.max()
    assert found["suggestion"] == next(
        maximum for maximum, share in found["truncated"].items() if share <= 0.01
    )
    page = data_page(look(splits, tokenizer, "<albert>"), cache=tmp_path)
    assert "&lt;albert&gt;" in page
    assert page.count('<div class="shown" data-chart>') == 2


@pytest.mark.parametrize("cells", [["0.2 0.8", "0.4 0.1"], ["nan"], ["joy|"]])
def test_data_of_which_no_row_can_be_read_is_refused_with_the_reason(tmp_path, cells):
    """Not with the number of rows that are left."""
    lines = [f"text number {row},{cells[row % len(cells)]}" for row in range(20)]
    (tmp_path / "a.csv").write_text("\n".join(["text,labels", *lines]) + "\n")
    with pytest.raises(InputError) as error:
        load_splits(str(tmp_path / "a.csv"), leaves_out_unreadable=True)
    found = "\n".join(error.value.problems)
    assert any(word in found for word in ("data.binarize", "data.missing_labels", "single commas"))
