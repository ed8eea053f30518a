"""Published results: what comes with the package, and ours beside it."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from goemo.data.taxonomy import GOEMOTIONS
from goemo.evaluation import results
from goemo.metrics import table_from_counts
from goemo.published import EXAMPLES, comparison, implied_counts, studies
from goemo.thresholds import FittedThresholds


def published_split(order=range(28), missing=0):
    """Return names, scores and targets with the published supports; scores are informative noise."""
    table = studies()[0].table.iloc[list(order)]
    support = table["support"].to_numpy()
    generator = np.random.default_rng(0)
    targets = np.arange(EXAMPLES - missing)[:, None] < support
    scores = np.clip(0.2 * generator.random(targets.shape) + 0.35 * targets, 0, 1)
    return list(table["label"]), scores, targets


def judged(order=range(28), missing=0, **changes):
    labels, scores, targets = published_split(order, missing)
    honest = FittedThresholds(np.full(len(labels), 0.3), "exact", np.zeros(len(labels)))
    return {**results(changes.get("labels", labels), honest, scores, targets)}


@pytest.fixture(scope="module")
def ours():
    return judged()


def test_every_study_says_where_it_comes_from_and_how():
    """Each result has a name of its own, a source, a protocol and a macro-F1; sources are all in use."""
    known = studies()
    assert len({study.name for study in known}) == len(known)
    for study in known:
        assert study.citation
        assert study.protocol
        assert "test split" in study.split
        assert study.thresholds in {"fixed_0.5", "one", "validation", "test_tuned"}
        assert 0 < study.averages["macro"]["f1"] < 1
    raw = json.loads((resources.files("goemo.published") / "data" / "studies.json").read_text("utf-8"))
    assert {study["source"] for study in raw["studies"]} == set(raw["sources"])


def test_the_two_tables_are_of_all_labels_in_their_order():
    """Both per-label tables name the 28 labels in the order of the data set, with equal supports."""
    tables = [study.table for study in studies() if study.table is not None]
    assert len(tables) == 2
    for table in tables:
        assert tuple(table["label"]) == GOEMOTIONS
    assert tables[0]["support"].equals(tables[1]["support"])
    assert set(tables[0]["threshold"]) == {0.5}
    assert set(tables[1]["threshold"]) <= {round(0.05 * step, 2) for step in range(1, 20)}


def test_notes_warn_of_thresholds_from_test_and_of_the_improvement():
    """The notes say in words that thresholds were tuned on test, and correct the 10.5 %."""
    notes = " ".join(note for study in studies() for note in study.notes)
    assert "picked on the test split" in notes
    assert "10.5 %" in notes
    assert "8.7 %" in notes


@pytest.mark.data
def test_the_published_supports_are_those_of_the_data(goemotions):
    """Counting the labels of the real test split gives the published supports."""
    rows = [line.split("\t")[1] for line in (goemotions / "test.tsv").read_text("utf-8").splitlines()]
    support = np.bincount([int(label) for row in rows for label in row.split(",")], minlength=28)
    assert len(rows) == EXAMPLES
    assert support.tolist() == studies()[0].table["support"].tolist()


def test_counts_that_no_rounding_explains_are_refused():
    """A recall that no number of hits gives is an error that names the label."""
    row = {"label": "joy", "accuracy": 0.9, "precision": 0.5, "recall": 0.4, "f1": 0.44, "mcc": 0.4}
    with pytest.raises(ValueError, match=r"no counts of label 'joy' give recall 0.4"):
        implied_counts(pd.DataFrame([{**row, "support": 3}]), 100)


def test_counts_come_back_from_their_own_rounded_table():
    """Counts survive being printed as a table with three decimals."""
    (first, *_) = studies()
    counts = implied_counts(first.table, EXAMPLES)
    printed = table_from_counts(counts, 0.5, GOEMOTIONS).round(3)
    again = implied_counts(printed, EXAMPLES)
    assert again.tp.tolist() == counts.tp.tolist()
    assert np.abs(again.fp - counts.fp).max() <= 1  # of a frequent label, one more rounds alike


def test_like_is_compared_with_like(ours):
    """0.5 stands beside 0.5, tuned on test beside tuned on test, and the honest figure next to both."""
    compared = comparison(ours)
    found = ours["results"]
    at_half, tuned = (study.table.set_index("label")["f1"] for study in studies()[:2])
    assert [row.label for row in compared.labels] == list(GOEMOTIONS)
    for index, row in enumerate(compared.labels):
        here = {name: found[name]["per_label"][index]["f1"] for name in found}
        assert row.support == found["validation"]["per_label"][index]["support"]
        assert (row.ours_at_half, row.published_at_half) == (here["fixed_0.5"], at_half[row.label])
        assert (row.ours_test_tuned, row.published_test_tuned) == (here["test_tuned"], tuned[row.label])
        assert row.difference_at_half == pytest.approx(here["fixed_0.5"] - at_half[row.label])
        assert row.difference_test_tuned == pytest.approx(here["test_tuned"] - tuned[row.label])
        assert row.ours_validation == here["validation"]


def test_every_published_average_has_its_row(ours):
    """Each published average is there once, with ours of that protocol, its interval and the honest one."""
    compared = comparison(ours)
    rows = {(row.study, row.average, row.metric): row for row in compared.averages}
    expected = {
        (study.name, of, metric): (study, value)
        for study in studies()
        for of, values in study.averages.items()
        for metric, value in values.items()
    }
    assert rows.keys() == expected.keys()
    assert len(compared.averages) == len(rows)
    for (_, of, metric), row in rows.items():
        study, value = expected[row.study, of, metric]
        like = "fixed_0.5" if study.thresholds == "one" else study.thresholds
        assert (row.thresholds, row.like, row.citation) == (study.thresholds, like, study.citation)
        assert (row.published, row.ours) == (value, ours["results"][like][of][metric])
        assert row.difference == pytest.approx(row.ours - value)
        assert row.ours_validation == ours["results"]["validation"][of][metric]
        held = ours["results"][like]["intervals"].get(f"{of}_{metric}", [None, None])
        assert [row.ours_low, row.ours_high] == held
        assert (row.ours_low is None) == (metric == "mcc")


def test_the_comparison_is_plain_json(ours):
    """It survives strict JSON, results read from JSON give the same one, and it has notes and a source."""
    compared = comparison(ours)
    assert json.loads(json.dumps(compared.to_dict(), allow_nan=False))["labels"][0]["label"] == "admiration"
    assert comparison(json.loads(json.dumps(ours))) == compared
    assert any("10.5 %" in note for note in compared.notes)
    assert any("upper bound" in note for note in compared.notes)
    assert len(set(compared.notes)) == len(compared.notes)
    assert "CSCI 544" in compared.citation


def test_the_order_of_labels_does_not_matter():
    """Labels in another order are compared each with its own published row."""
    order = np.random.default_rng(1).permutation(28)
    moved = comparison(judged(order))
    assert [row.label for row in moved.labels] == [GOEMOTIONS[index] for index in order]
    at_half = studies()[0].table.set_index("label")["f1"]
    assert all(row.published_at_half == at_half[row.label] for row in moved.labels)


@pytest.mark.parametrize(
    "changes",
    [
        {"missing": 1},
        {"labels": [*GOEMOTIONS[:-1], "other"]},
        {"labels": [GOEMOTIONS[1], GOEMOTIONS[0], *GOEMOTIONS[2:]]},
        {"order": range(27)},
    ],
    ids=["one row less", "another label", "supports of other labels", "a label less"],
)
def test_other_data_is_not_compared(changes):
    """Results of another number of rows, of other labels or of other supports have no comparison."""
    assert comparison(judged(**changes)) is None
