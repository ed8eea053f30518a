"""Metrics: against scikit-learn, and against the published tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from goemo.metrics import (
    Counts,
    average_f1,
    averages,
    count,
    macro_f1,
    micro,
    micro_f1,
    per_label_table,
    table_from_counts,
    weighted_f1,
)

TEST_EXAMPLES = 5427

# Zhu, Zhang, Bao, Xu, He: "CSCI 544 Project Final Report: Emotion recognition", best XLNet, test split.
PUBLISHED_AT_HALF = """
admiration,0.944,0.688,0.730,0.708,0.678,504,0.5
amusement,0.980,0.774,0.841,0.806,0.796,264,0.5
anger,0.967,0.562,0.409,0.474,0.463,198,0.5
annoyance,0.939,0.461,0.203,0.282,0.279,320,0.5
approval,0.938,0.532,0.379,0.443,0.418,351,0.5
caring,0.975,0.500,0.333,0.400,0.396,135,0.5
confusion,0.974,0.551,0.353,0.430,0.428,153,0.5
curiosity,0.948,0.502,0.493,0.497,0.470,284,0.5
desire,0.988,0.667,0.410,0.507,0.517,83,0.5
disappointment,0.971,0.439,0.166,0.240,0.257,151,0.5
disapproval,0.947,0.455,0.363,0.404,0.380,267,0.5
disgust,0.979,0.566,0.350,0.432,0.435,123,0.5
embarrassment,0.994,0.667,0.378,0.483,0.500,37,0.5
excitement,0.981,0.492,0.311,0.381,0.382,103,0.5
fear,0.991,0.684,0.692,0.688,0.683,78,0.5
gratitude,0.990,0.954,0.886,0.919,0.914,352,0.5
grief,0.999,0.000,0.000,0.000,0.000,6,0.5
joy,0.979,0.672,0.547,0.603,0.595,161,0.5
love,0.982,0.765,0.836,0.799,0.790,238,0.5
nervousness,0.996,0.700,0.304,0.424,0.460,23,0.5
optimism,0.971,0.600,0.484,0.536,0.524,186,0.5
pride,0.997,0.000,0.000,0.000,0.000,16,0.5
realization,0.972,0.444,0.193,0.269,0.281,145,0.5
relief,0.998,0.000,0.000,0.000,0.000,11,0.5
remorse,0.993,0.621,0.732,0.672,0.671,56,0.5
sadness,0.976,0.591,0.519,0.553,0.542,156,0.5
surprise,0.978,0.602,0.504,0.548,0.540,141,0.5
neutral,0.779,0.744,0.503,0.600,0.472,1787,0.5
"""
PUBLISHED_TUNED = """
admiration,0.944,0.688,0.730,0.708,0.678,504,0.50
amusement,0.980,0.769,0.856,0.810,0.801,264,0.45
anger,0.961,0.472,0.505,0.488,0.468,198,0.30
annoyance,0.927,0.387,0.412,0.399,0.361,320,0.30
approval,0.932,0.474,0.433,0.452,0.417,351,0.40
caring,0.974,0.474,0.474,0.474,0.461,135,0.30
confusion,0.971,0.477,0.412,0.442,0.428,153,0.40
curiosity,0.936,0.438,0.761,0.556,0.548,284,0.25
desire,0.984,0.481,0.627,0.545,0.541,83,0.10
disappointment,0.968,0.409,0.298,0.345,0.333,151,0.35
disapproval,0.940,0.407,0.461,0.432,0.402,267,0.35
disgust,0.975,0.451,0.520,0.483,0.471,123,0.25
embarrassment,0.994,0.615,0.432,0.508,0.513,37,0.30
excitement,0.976,0.382,0.456,0.416,0.405,103,0.25
fear,0.991,0.691,0.718,0.704,0.700,78,0.45
gratitude,0.990,0.954,0.886,0.919,0.914,352,0.50
grief,0.999,0.333,0.167,0.222,0.235,6,0.05
joy,0.978,0.643,0.571,0.605,0.595,161,0.45
love,0.981,0.743,0.874,0.803,0.796,238,0.30
nervousness,0.996,0.476,0.435,0.455,0.453,23,0.25
optimism,0.968,0.526,0.645,0.580,0.566,186,0.20
pride,0.998,0.714,0.312,0.435,0.472,16,0.05
realization,0.966,0.339,0.276,0.304,0.289,145,0.25
relief,0.996,0.318,0.636,0.424,0.448,11,0.10
remorse,0.992,0.590,0.821,0.687,0.692,56,0.35
sadness,0.974,0.553,0.571,0.562,0.548,156,0.40
surprise,0.975,0.522,0.660,0.583,0.575,141,0.25
neutral,0.763,0.607,0.794,0.688,0.515,1787,0.15
"""
PUBLISHED_MEANS = {
    "at half": {
        "macro": {"precision": 0.544, "recall": 0.426, "f1": 0.468, "mcc": 0.460},
        "weighted": {"precision": 0.647, "recall": 0.509, "f1": 0.561, "mcc": 0.518},
    },
    "tuned": {
        "macro": {"precision": 0.533, "recall": 0.562, "f1": 0.537, "mcc": 0.522},
        "weighted": {"precision": 0.576, "recall": 0.658, "f1": 0.610, "mcc": 0.548},
    },
}


def published(name):
    text = {"at half": PUBLISHED_AT_HALF, "tuned": PUBLISHED_TUNED}[name]
    rows = [line.split(",") for line in text.strip().splitlines()]
    columns = ["label", "accuracy", "precision", "recall", "f1", "mcc", "support", "threshold"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype(dict.fromkeys(columns[1:], float)).astype({"support": int})


def implied_counts(row):
    """Return hits and false alarms of a label, from its recall x support and its precision.

    Both are published to three decimals, which leaves a large label a few counts to choose from: of these,
    the ones whose accuracy, F1 and MCC come nearest to the published.
    """
    half = 0.0005 + 1e-9
    candidates = [
        (hits, predicted - hits)
        for hits in range(row.support + 1)
        if abs(hits / row.support - row.recall) <= half
        for predicted in range(hits, round(hits / (row.precision - half)) + 2 if hits else 1)
        if abs(hits / max(predicted, 1) - row.precision) <= half
    ]
    tp, fp = np.array(candidates).T
    fn = row.support - tp
    counts = Counts(tp, fp, fn, TEST_EXAMPLES - tp - fp - fn)
    misfits = np.abs([counts.accuracy - row.accuracy, counts.f1 - row.f1, counts.mcc - row.mcc])
    return candidates[int(misfits.max(axis=0).argmin())]


def implied_arrays(table):
    """Return targets and predictions with the counts that a published table implies."""
    targets = np.zeros((TEST_EXAMPLES, len(table)), dtype=np.bool_)
    predictions = np.zeros_like(targets)
    for label, row in enumerate(table.itertuples()):
        hits, false = implied_counts(row)
        targets[: row.support, label] = True
        predictions[:hits, label] = True
        predictions[row.support : row.support + false, label] = True
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
    for average, values in means.items():
        precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
            targets, predictions, average=average, zero_division=0
        )
        assert [values["precision"], values["recall"], values["f1"]] == pytest.approx([precision, recall, f1])
    assert macro_f1(targets, predictions) == pytest.approx(means["macro"]["f1"])
    assert weighted_f1(targets, predictions) == pytest.approx(means["weighted"]["f1"])
    assert micro_f1(targets, predictions) == pytest.approx(means["micro"]["f1"])


def test_an_average_goes_by_its_name():
    """The name of an objective picks its function, and another name is refused."""
    arrays = imbalanced()
    assert average_f1("macro_f1", *arrays) == macro_f1(*arrays)
    assert average_f1("weighted_f1", *arrays) == weighted_f1(*arrays)
    assert average_f1("micro_f1", *arrays) == micro_f1(*arrays)
    with pytest.raises(ValueError, match=r"metric must be one of macro_f1, .*, got 'f2'"):
        average_f1("f2", *arrays)


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


@pytest.mark.parametrize("name", ["at half", "tuned"])
def test_implied_counts_give_the_published_tables(name):
    """Counts from recall x support and precision give the published figures of all 28 labels."""
    expected = published(name)
    assert len(expected) == 28
    targets, predictions = implied_arrays(expected)
    table = per_label_table(targets, predictions, expected["threshold"], list(expected["label"]))
    for column in ("accuracy", "precision", "recall", "f1", "mcc"):
        np.testing.assert_allclose(table[column], expected[column], atol=0.0005 + 1e-9, err_msg=column)
    assert list(table["support"]) == list(expected["support"])
    assert list(table["threshold"]) == list(expected["threshold"])
    means = averages(table)
    for average, values in PUBLISHED_MEANS[name].items():
        for column, value in values.items():
            assert means[average][column] == pytest.approx(value, abs=0.0006), (average, column)


def test_published_tables_have_the_published_means():
    """The means of the published tables are those published, to rounding."""
    for name, expected in PUBLISHED_MEANS.items():
        means = averages(published(name))
        for average, values in expected.items():
            for column, value in values.items():
                assert means[average][column] == pytest.approx(value, abs=0.0006), (name, average, column)


def test_the_published_weighted_improvement_divides_by_the_macro_baseline():
    """The study's 10.5 % is the weighted gain over the macro baseline; over its own it is 8.7 %."""
    before, after = PUBLISHED_MEANS["at half"], PUBLISHED_MEANS["tuned"]
    gain = after["weighted"]["f1"] - before["weighted"]["f1"]
    assert round(100 * gain / before["macro"]["f1"], 1) == 10.5
    assert round(100 * gain / before["weighted"]["f1"], 1) == 8.7
    assert round(100 * (after["macro"]["f1"] / before["macro"]["f1"] - 1), 1) == 14.7


def test_the_tables_confirm_the_corrected_improvement():
    """The weighted means of the per-label tables improve by 8.7 %, to their rounding, not by 10.5 %."""
    before, after = (averages(published(name))["weighted"]["f1"] for name in ("at half", "tuned"))
    assert 100 * (after / before - 1) == pytest.approx(8.7, abs=0.2)


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
        (lambda: per_label_table(*imbalanced(), 0.5, ["a"]), r"must name all 6 labels, got 1 names"),
        (lambda: table_from_counts(count(*imbalanced()), [0.5], list("abcdef")), r"shape \(6,\)"),
    ],
)
def test_wrong_input_is_refused(call, message):
    """Arrays, names and thresholds that do not fit each other are refused with the rule."""
    with pytest.raises(ValueError, match=message):
        call()
