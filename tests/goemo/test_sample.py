"""The built-in corpus."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from goemo.data import load_splits, sample
from goemo.data.sample import generator, phrases
from goemo.data.taxonomy import GOEMOTIONS


@pytest.fixture(scope="module")
def examples():
    return sample.generate(sample.DEFAULT_ROWS, 42)


def test_same_seed_gives_the_same_rows_in_another_process():
    """Neither hash randomisation nor set order leaks into the texts."""
    program = "from goemo.data import load_splits; print(load_splits('sample:600', seed=7).digest)"
    root = Path(__file__).resolve().parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {load_splits("sample:600", seed=7).digest}


def test_another_seed_gives_other_texts(examples):
    """Few rows of two seeds coincide, and the label counts that rows lead are the same."""
    texts = {text for text, _ in examples}
    others = sample.generate(sample.DEFAULT_ROWS, 43)
    assert sum(text in texts for text, _ in others) < 0.05 * len(others)


def test_shares_follow_the_published_ones(examples):
    """Ordered by frequency, labels correlate with GoEmotions; neutral leads by far."""
    counts = Counter(label for _, labels in examples for label in labels)
    published = [phrases.PUBLISHED_ROWS[label] for label in GOEMOTIONS]
    assert np.corrcoef([counts[label] for label in GOEMOTIONS], published)[0, 1] > 0.98
    assert counts["neutral"] > 2 * counts.most_common(2)[1][1]


@pytest.mark.data
def test_published_counts_are_those_of_the_real_data(goemotions):
    """The shares that the corpus copies equal a count over the real training file."""
    rows = (goemotions / "train.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    counts = Counter(int(index) for row in rows for index in row.split("\t")[1].split(","))
    assert {label: counts[index] for index, label in enumerate(GOEMOTIONS)} == phrases.PUBLISHED_ROWS


def test_about_a_sixth_of_the_rows_have_two_labels(examples):
    """As in GoEmotions (16.4 % of the training rows)."""
    assert 0.13 < np.mean([len(labels) > 1 for _, labels in examples]) < 0.20


def test_rows_have_one_or_two_different_labels_in_published_order(examples):
    """No row is without a label, none names one twice."""
    for _, labels in examples:
        columns = [GOEMOTIONS.index(label) for label in labels]
        assert columns == sorted(set(columns))
        assert 1 <= len(columns) <= 2


@pytest.mark.parametrize("rows", [1_000, 2_345, sample.DEFAULT_ROWS])
def test_every_label_is_in_every_split(rows):
    """The rarest label has a row in each split from 1,000 rows on, four by default."""
    least = 4 if rows == sample.DEFAULT_ROWS else 1
    for split in load_splits(f"sample:{rows}").splits():
        assert split.targets.sum(axis=0).min() >= least


@pytest.mark.parametrize("rows", [sample.LEAST_ROWS, 1_001, 1_009])
def test_as_many_rows_as_asked_for(rows):
    """The splits sum to the rows asked for, a tenth each in validation and test."""
    train, validation, test = (len(split) for split in load_splits(f"sample:{rows}").splits())
    assert train + validation + test == rows
    assert validation == test == round(rows / 10)


def test_no_slot_is_left_open(examples):
    """Every slot in the phrase banks has a filler, and no text is empty."""
    for text, _ in examples:
        assert text.strip()
        assert "{" not in text


def test_every_phrase_bank_can_be_filled():
    """A misspelt slot in any phrase would fail here, however rarely it is drawn."""
    every = [phrase for bank in phrases.PHRASES.values() for phrase in bank]
    every += [phrase for _, bank in phrases.SHARED for phrase in bank]
    every += [*phrases.MENTIONS, *phrases.REMARKS]
    every += [filler for fillers in phrases.SLOTS.values() for filler in fillers]
    assert all("{" not in generator._fill(random.Random(0), phrase) for phrase in every)


def test_test_texts_are_rarely_training_texts():
    """Fewer than 3 % of the test texts stand in train, so a model cannot score by memory."""
    splits = load_splits("sample:")
    train = set(splits.train.texts)
    assert np.mean([text in train for text in splits.test.texts]) < 0.03


def test_it_reads_like_a_forum(examples):
    """Placeholders, emoji, lower case and stretched vowels are all there, in a minority of rows."""
    texts = [text for text, _ in examples]
    for is_there in (
        lambda text: "[NAME]" in text,
        lambda text: any(ord(character) > 0x2000 for character in text),
        lambda text: text.replace("[NAME]", "").islower(),
        lambda text: any(vowel * 3 in text for vowel in "aeiou"),
    ):
        assert 0.02 < np.mean([is_there(text) for text in texts]) < 0.5


def test_words_tell_much_but_not_all():
    """A bag of words beats predicting every label everywhere, and stays far from perfect."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.metrics import f1_score
    from sklearn.naive_bayes import ComplementNB

    splits = load_splits("sample:2000")
    vectorizer = CountVectorizer(min_df=2)
    train, test = vectorizer.fit_transform(splits.train.texts), vectorizer.transform(splits.test.texts)
    first_label = splits.train.targets.argmax(axis=1)
    predicted = ComplementNB().fit(train, first_label).predict(test)
    predictions = np.eye(len(GOEMOTIONS), dtype=bool)[predicted]
    chance = f1_score(splits.test.targets, np.ones_like(predictions), average="macro")
    assert 2 * chance < f1_score(splits.test.targets, predictions, average="macro", zero_division=0) < 0.75


def test_too_few_rows_are_refused():
    """The floor is in the message."""
    with pytest.raises(ValueError, match="at least 300, got 299"):
        sample.generate(299, 0)
