"""Metrics: against scikit-learn, and against the published tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from goemo.metrics import (
    AVERAGES,
    Counts,
    average,
    averages,
    count,
    macro_f1,
    micro,
    micro_f1,
    per_label_table,
    table_from_counts,
    weighted_f1,
)
from goemo.published import EXAMPLES, implied_counts, studies

COLUMNS = ("accuracy", "precision", "recall", "f1", "mcc")

# The two published per-label tables; the others have averages alone.
TABLES = {study.thresholds: study for study in studies() if study.table is not None}


def implied_arrays(table):
    """Return targets and predictions with the counts that a published table implies."""
    counts = implied_counts(table, EXAMPLES)
    targets = np.zeros((EXAMPLES, len(table)), dtype=np.bool_)
    predictions = np.zeros_like(targets)
    for label, (hits, false, missed) in enumerate(zip(counts.tp, counts.fp, counts.fn, strict=True)):
        support = hits + missed
        targets[:support, label] = True
        predictions[:hits, label] = True
        predictions[support : support + false, label] = True
    return targets, predictions


def imbalanced(n=400, labels=6, seed=0):
    generator = np.random.default_rng(seed)
    targets = generator.random((n, labels)) < np.linspace(0.01, 0.5, labels)
    return targets, targets ^ (generator.random((n, labels)) < 0.1)


def degenerate():
    """Labels without positives, without predictions, without either, with nothing but positives."""
    targets = np.array([[0, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1]], dtype=np.bool_)
    predictions = np.array([[1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=np.bool_)
    return targets, predictions


@pytest.mark.parametrize("case", [imbalanced, degenerate])
def test_columns_are_those_of_scikit_learn(case):
    """Accuracy, precision, recall, F1, MCC and support equal scikit-learn's, undefined ones being 0."""
    targets, predictions = case()
    names = [f"label {i}" for i in range(targets.shape[1])]
    table = per_label_table(targets, predictions, 0.5, names)
    assert list(table.columns) == [
        "label",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "mcc",
        "support",
        "threshold",
    ]
    assert list(table["label"]) == names
    assert set(table["threshold"]) == {0.5}
    assert table["support"].dtype == np.int64
    for i, row in enumerate(table.itertuples()):
        true, predicted = targets[:, i], predictions[:, i]
        precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
            true, predicted, average="binary", zero_division=0
        )
        mcc = sklearn_metrics.matthews_corrcoef(true, predicted) if len(np.unique(true)) > 1 else 0.0
        expected = [np.mean(true == predicted), precision, recall, f1, mcc, true.sum()]
        got = [row.accuracy, row.precision, row.recall, row.f1, row.mcc, row.support]
        np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("case", [imbalanced, degenerate])
def test_averages_are_those_of_scikit_learn(case):
    """The means over labels, the weighted means and the pooled figures equal scikit-learn's."""
    targets, predictions = case()
    table = per_label_table(targets, predictions, 0.5, ["x"] * targets.shape[1])
    means = {**averages(table), "micro": micro(targets, predictions)}
    for of, values in means.items():
        precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
            targets, predictions, average=of, zero_division=0
        )
        assert [values["precision"], values["recall"], values["f1"]] == pytest.approx([precision, recall, f1])
    assert macro_f1(targets, predictions) == pytest.approx(means["macro"]["f1"])
    assert weighted_f1(targets, predictions) == pytest.approx(means["weighted"]["f1"])
    assert micro_f1(targets, predictions) == pytest.approx(means["micro"]["f1"])


@pytest.mark.parametrize("case", [imbalanced, degenerate])
@pytest.mark.parametrize("metric", AVERAGES)
def test_averages_from_counts_are_those_of_scikit_learn(metric, case):
    """Each of the nine averages follows from hits, predictions and positives, of several sets at once."""
    targets, predictions = case()
    counts = (
        np.stack([(targets & predictions).sum(axis=0)] * 2),
        predictions.sum(axis=0),
        targets.sum(axis=0),
    )
    of, _, name = metric.partition("_")
    score = getattr(sklearn_metrics, f"{name}_score")(targets, predictions, average=of, zero_division=0)
    assert average(metric, *counts).tolist() == pytest.approx([score, score])


def test_no_positives_at_all_give_zeros():
    """Where no label has support, every average is 0, and nothing warns."""
    nothing = np.zeros((3, 2), dtype=np.bool_)
    means = averages(per_label_table(nothing, nothing, 0.5, ["a", "b"]))
    assert means["weighted"] == dict.fromkeys(["accuracy", "precision", "recall", "f1", "mcc"], 0.0)
    assert means["macro"] == {"accuracy": 1.0, "precision": 0.0, "recall": 0.0, "f1": 0.0, "mcc": 0.0}
    assert (macro_f1(nothing, nothing), weighted_f1(nothing, nothing), micro_f1(nothing, nothing)) == (
        0,
        0,
        0,
    )


def test_large_counts_do_not_overflow():
    """MCC of ten million examples is right: the product of its four sums is beyond 64 bits."""
    cells = (4_000_000, 1_000_000, 1_000_000, 4_000_000)
    counts = Counts(*(np.array([cell]) for cell in cells))
    assert counts.mcc[0] == pytest.approx(0.6)


@pytest.mark.parametrize("thresholds", TABLES)
def test_implied_counts_give_the_published_tables(thresholds):
    """Counts from recall x support and precision give the published figures of all 28 labels, to rounding."""
    expected = TABLES[thresholds].table
    assert len(expected) == 28
    targets, predictions = implied_arrays(expected)
    table = per_label_table(targets, predictions, expected["threshold"], list(expected["label"]))
    for column in COLUMNS:
        np.testing.assert_allclose(table[column], expected[column], atol=0.0005 + 1e-9, err_msg=column)
    assert list(table["label"]) == list(expected["label"])
    assert list(table["support"]) == list(expected["support"])
    assert list(table["threshold"]) == list(expected["threshold"])


@pytest.mark.parametrize("thresholds", TABLES)
def test_averages_of_the_implied_counts_are_the_published_means(thresholds):
    """The means over the 28 labels, simple and weighted, are those published, to rounding."""
    study = TABLES[thresholds]
    means = averages(per_label_table(*implied_arrays(study.table), 0.5, list(study.table["label"])))
    assert {of: set(values) for of, values in study.averages.items()} == {
        "macro": {"precision", "recall", "f1", "mcc"},
        "weighted": {"precision", "recall", "f1", "mcc"},
    }
    for of, values in study.averages.items():
        for metric, value in values.items():
            assert round(means[of][metric], 3) == value, (of, metric)


@pytest.mark.parametrize("thresholds", TABLES)
def test_published_tables_have_the_published_means(thresholds):
    """The means of the tables as printed are those published: nothing was lost in copying them."""
    study = TABLES[thresholds]
    means = averages(study.table)
    for of, values in study.averages.items():
        for metric, value in values.items():
            assert means[of][metric] == pytest.approx(value, abs=0.0006), (of, metric)


def test_the_published_weighted_improvement_divides_by_the_macro_baseline():
    """The study's 10.5 % is the weighted gain over the macro baseline; over its own it is 8.7 %."""
    before, after = TABLES["fixed_0.5"].averages, TABLES["test_tuned"].averages
    gain = after["weighted"]["f1"] - before["weighted"]["f1"]
    assert round(100 * gain / before["macro"]["f1"], 1) == 10.5
    assert round(100 * gain / before["weighted"]["f1"], 1) == 8.7
    assert round(100 * (after["macro"]["f1"] / before["macro"]["f1"] - 1), 1) == 14.7


def test_the_counts_confirm_the_corrected_improvement():
    """From the implied counts, weighted F1 improves by 8.6 to 8.7 %, far from 10.5 %."""
    before, after = (
        weighted_f1(*implied_arrays(TABLES[thresholds].table)) for thresholds in ("fixed_0.5", "test_tuned")
    )
    assert 100 * (after / before - 1) == pytest.approx(8.7, abs=0.15)


def test_label_order_permutes_the_table():
    """Labels reordered give the same rows, reordered, and the same averages."""
    targets, predictions = imbalanced()
    order = [3, 1, 5, 0, 2, 4]
    names = list("abcdef")
    table = per_label_table(targets, predictions, np.linspace(0, 1, 6), names)
    moved = per_label_table(
        targets[:, order], predictions[:, order], np.linspace(0, 1, 6)[order], [names[i] for i in order]
    )
    pd.testing.assert_frame_equal(moved, table.iloc[order].reset_index(drop=True))
    assert averages(moved)["macro"] == pytest.approx(averages(table)["macro"])


def test_counts_add_up():
    """The four cells of each label sum to the number of examples, and 1 and 0 count like true and false."""
    targets, predictions = imbalanced()
    counts = count(targets.astype(int), predictions.astype(float))
    assert set(counts.tp + counts.fp + counts.fn + counts.tn) == {len(targets)}
    assert counts.support.tolist() == targets.sum(axis=0).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: count(np.zeros((3, 2)), np.zeros((3, 1))), r"predictions must have the shape \(3, 2\)"),
        (lambda: count(np.zeros(3), np.zeros(3)), r"targets must be two-dimensional"),
        (
            lambda: count(np.zeros((3, 2)), np.full((3, 2), 0.3)),
            r"predictions must be true or .*label 0 has 0.3",
        ),
        (
            lambda: average("accuracy", *np.zeros((3, 2))),
            r"metric must be one of macro_f1, .*, got 'accuracy'",
        ),
        (
            lambda: per_label_table([[0, 1]], [[0, 2]], 0.5, ["joy", "fear"]),
            r"predictions must be true or false: label fear has 2 in example 0",
        ),
        (lambda: per_label_table([[0, 1]], [[0, 1]], [0.5, np.nan], ["joy", "fear"]), r"label fear has nan"),
        (lambda: per_label_table(*imbalanced(), 0.5, ["a"]), r"must name all 6 labels, got 1 names"),
        (lambda: table_from_counts(count(*imbalanced()), [0.5], list("abcdef")), r"shape \(6,\)"),
    ],
)
def test_wrong_input_is_refused(call, message):
    """Arrays, names and thresholds that do not fit each other are refused with the rule."""
    with pytest.raises(ValueError, match=message):
        call()
