"""The charts of labels hold the very numbers, and show themselves as pictures and in notebooks."""

from __future__ import annotations

import io
import itertools
import math

import numpy as np
import pytest
from PIL import Image
from scored_labels import scored, tables_of
from sklearn.metrics import precision_recall_fscore_support

from goemo import metrics, thresholds
from goemo.report import charts
from goemo.report.charts.confusion_grid import LEAST_EXAMPLES
from goemo.report.charts.drawing import SCALE, Chart, names_of
from goemo.report.charts.heatmap import METRICS, MOST, STEP

LABELS = ["joy", "anger", "fear", "never said"]
DIGITS = 6e-4  # what is left of a number of four digits, relatively


@pytest.fixture(scope="module")
def made():
    """Return scores and targets; the last label has no positive."""
    return scored(len(LABELS), rows=300, shares=[0.4, 0.2, 0.05, 0], seed=3)


@pytest.fixture(scope="module")
def tables(made):
    """Return the tables at 0.5 and at fitted thresholds."""
    return tables_of(*made, LABELS)[:2]


def rows_of(chart, name):
    return chart.spec["datasets"][name]


def nothing_or(value):
    """Return what a chart has for a number that a table may not have."""
    return pytest.approx(value, rel=DIGITS) if math.isfinite(value) else None


def test_cells_of_the_heatmap_are_those_of_the_tables(tables):
    """Each metric of each label at 0.5 and tuned, every cell once; what is undefined is no number."""
    half, tuned = (table.set_index("label") for table in tables)
    cells = rows_of(charts.per_label_heatmap(*tables), "cells")
    places = {name: metric for metric, name in METRICS.items()}
    found = {(cell["label"], cell["metric"], cell["thresholds"]) for cell in cells}
    assert len(found) == len(cells) == len(LABELS) * len(METRICS) * 2
    for cell in cells:
        of = {"at 0.5": half, "tuned": tuned}[cell["thresholds"]]
        assert cell["value"] == nothing_or(of.at[cell["label"], places[cell["metric"]]])


def test_cells_of_the_heatmap_stand_side_by_side(tables):
    """The tuned cell lies right of that at 0.5, one metric right of the last, and none on another."""
    cells = [c for c in rows_of(charts.per_label_heatmap(*tables), "cells") if c["label"] == "joy"]
    cells.sort(key=lambda cell: cell["x"])
    wanted = [(metric, words) for metric in METRICS.values() for words in ("at 0.5", "tuned")]
    assert [(cell["metric"], cell["thresholds"]) for cell in cells] == wanted
    assert all(left["x2"] <= right["x"] for left, right in itertools.pairwise(cells))
    assert cells[2]["x"] - cells[0]["x"] == pytest.approx(STEP)


def test_rows_of_the_heatmap_are_the_most_frequent_labels(tables):
    """By falling support, with threshold in words; of a hundred labels the sixty most frequent."""
    _, tuned = tables
    rows = rows_of(charts.per_label_heatmap(*tables), "labels")
    by_support = tuned.sort_values("support", ascending=False, kind="stable")
    assert [(row["label"], row["support"]) for row in rows] == list(
        zip(by_support["label"], by_support["support"], strict=True)
    )
    cuts = dict(zip(tuned["label"], tuned["threshold"], strict=True))
    for row in rows:
        if math.isfinite(cuts[row["label"]]):
            assert float(row["threshold"]) == pytest.approx(cuts[row["label"]], abs=0.006)
        else:
            assert row["threshold"] == "never"
    generator = np.random.default_rng(0)
    targets = generator.random((300, 100)) < np.linspace(0.01, 0.5, 100)
    many = metrics.per_label_table(targets, targets, 0.5, [f"l{i}" for i in range(100)])
    chart = charts.per_label_heatmap(many, many)
    assert len(rows_of(chart, "labels")) == MOST
    assert min(row["support"] for row in rows_of(chart, "labels")) >= np.sort(targets.sum(axis=0))[-MOST]
    assert chart.notes == (f"{MOST} of 100 labels: the most frequent",)


def test_reliability_has_the_share_of_positives_in_each_bin(made):
    """Mean score, share of positives and examples of each bin, by hand; the first panel holds all labels."""
    scores, targets = made
    rows = rows_of(charts.reliability(scores, targets, LABELS, bins=5), "bins")
    panels = dict.fromkeys(row["panel"].split("\n")[0] for row in rows)
    assert next(iter(panels)) == "all labels together"
    assert set(panels) == {"all labels together", *LABELS}
    for panel in panels:
        keep = slice(None) if panel not in LABELS else LABELS.index(panel)
        of_scores, of_targets = scores[:, keep].ravel(), targets[:, keep].ravel()
        bins = np.minimum((of_scores * 5).astype(int), 4)
        of_panel = [row for row in rows if row["panel"].startswith(panel)]
        assert sum(row["examples"] for row in of_panel) == len(of_scores)
        assert len(of_panel) == len(set(bins.tolist()))
        for row in of_panel:
            inside = bins == round(row["from"] * 5)
            assert row["examples"] == np.count_nonzero(inside)
            assert row["share"] == pytest.approx(of_targets[inside].mean(), rel=DIGITS)
            assert row["score"] == pytest.approx(of_scores[inside].mean(), rel=DIGITS)
            assert row["low"] <= row["share"] <= row["high"]


def test_panels_of_reliability_are_the_labels_furthest_from_it(made):
    """The largest expected calibration errors first, by hand, as the headings say them."""
    scores, targets = made

    def error(label):
        bins = np.minimum((scores[:, label] * 10).astype(int), 9)
        gaps = [(bins == b).sum() * abs((scores - targets)[bins == b, label].mean()) for b in set(bins)]
        return sum(gaps) / len(scores)

    order = sorted(range(len(LABELS)), key=error, reverse=True)[:2]
    rows = rows_of(charts.reliability(scores, targets, LABELS, most=2), "bins")
    shown = [panel.split("\n") for panel in dict.fromkeys(row["panel"] for row in rows)][1:]
    wanted = [f"{targets[:, i].sum()} positive, ECE {error(i):.3f}" for i in order]
    assert shown == [[LABELS[i], text] for i, text in zip(order, wanted, strict=True)]


def test_confusions_hold_the_counts(made):
    """Examples on which one label is missed and another wrongly predicted, and their share of the misses."""
    scores, targets = made
    predictions = scores > 0.35
    chart = charts.confusions(targets, predictions, LABELS)
    cells = {}
    for cell in rows_of(chart, "cells"):
        missed, _, misses = cell["missed"].rpartition(" ")
        cells[missed, cell["predicted"]] = (cell["examples"], cell["share"])
        assert int(misses.strip("()")) == np.count_nonzero(
            targets[:, LABELS.index(missed)] & ~predictions[:, LABELS.index(missed)]
        )
    wrong = predictions & ~targets
    expected = {}
    for i, missed in enumerate(LABELS):
        lost = targets[:, i] & ~predictions[:, i]
        together = {name: np.count_nonzero(lost & wrong[:, j]) for j, name in enumerate(LABELS) if j != i}
        together["no other label"] = np.count_nonzero(lost & ~wrong.any(axis=1))
        for instead, count in together.items():
            if count:
                expected[missed, instead] = (count, pytest.approx(count / lost.sum(), rel=DIGITS))
    assert expected
    assert cells == expected


def test_strongest_pairs_rest_on_several_examples():
    """A pair on two examples is no pair, however large its share."""
    targets, predictions = np.zeros((2, 20, 3), dtype=bool)
    targets[:10, 0] = predictions[:LEAST_EXAMPLES, 1] = True  # 3 of 10 misses
    targets[10:12, 2] = predictions[10:12, 1] = True  # 2 of 2
    chart = charts.confusions(targets, predictions, ["joy", "anger", "fear"])
    assert chart.notes[-2:] == ("strongest, missed: predicted", "joy: anger (30 %)")


def test_threshold_curves_are_those_of_scikit_learn(made):
    """Precision, recall and F1 at each cut of each panel, wherever they are defined."""
    scores, targets = made
    cuts = thresholds.fit_thresholds(scores, targets).values
    chart = charts.threshold_curves(scores, targets, cuts, LABELS, draws=0)
    compared = 0
    for row in rows_of(chart, "curves"):
        label = LABELS.index(row["panel"].split("\n")[0])
        if not targets[:, label].any():
            assert row["F1"] is None
            continue
        cut = cuts[label] if "chosen" in row else row["t"]
        said = scores[:, label] >= cut
        if "chosen" not in row and np.abs(scores[:, label] - cut).min() < 1e-4:
            continue  # the cut is drawn with four digits
        if not said.any():
            assert row["precision"] is None
            continue
        wanted = precision_recall_fscore_support(targets[:, label], said, average="binary", zero_division=0)
        assert (row["precision"], row["recall"], row["F1"]) == pytest.approx(wanted[:3], rel=DIGITS)
        compared += 1
    assert compared > 50
    chosen = {row["panel"].split("\n")[0]: row["t"] for row in rows_of(chart, "curves") if "chosen" in row}
    assert chosen == pytest.approx(dict(zip(LABELS, cuts, strict=True)), rel=DIGITS)


def test_threshold_curves_say_what_a_panel_shows(made):
    """The heading has the positives, F1 at 0.5 and tuned; a label that is never predicted has no cut."""
    scores, targets = made
    cuts = np.array([0.45, 0.4, 0.3, math.inf])
    chart = charts.threshold_curves(scores, targets, cuts, LABELS, draws=0)
    headings = {row["panel"].split("\n")[0]: row["panel"].split("\n")[1:] for row in rows_of(chart, "curves")}
    for label, name in enumerate(LABELS[:3]):
        at_half, tuned = (
            precision_recall_fscore_support(
                targets[:, label], scores[:, label] >= cut, average="binary", zero_division=0
            )[2]
            for cut in (0.5, cuts[label])
        )
        positives = f"{targets[:, label].sum()} positive, F1 {at_half:.2f} to {tuned:.2f}"
        assert headings[name] == [positives, f"threshold {cuts[label]:.2f}"]
    assert headings["never said"] == ["no positive example", "never predicted"]
    assert all("never said" not in row["panel"] for row in rows_of(chart, "curves") if "chosen" in row)


def test_panels_of_threshold_curves_are_the_rarest_and_the_most_gained():
    """Of ten labels two are drawn: the rarest, and that whose F1 gains most from its threshold."""
    generator = np.random.default_rng(1)
    targets = generator.random((400, 10)) < np.linspace(0.05, 0.5, 10)
    scores = np.clip(0.5 * generator.random(targets.shape) + 0.4 * targets, 0, 1)
    scores[:, 6] = 0.4 * targets[:, 6]  # told apart without an error, and never at 0.5
    cuts = np.full(10, 0.5)
    cuts[6] = 0.2
    names = [f"l{i}" for i in range(10)]
    rows = rows_of(charts.threshold_curves(scores, targets, cuts, names, most=2, draws=0), "curves")
    rarest = int(targets.sum(axis=0).argmin())
    assert {row["panel"].split("\n")[0] for row in rows} == {names[rarest], "l6"}


AWKWARD = [
    "a (3)",
    "a",
    "a",
    "a (4)",
    "a (5)",
    "a",
    "",
    " ",
    "\n",
    "label 7",
    "b\nc",
    "b c",
    "\u202egnirts",
    "😀",
    7,
    None,
]


def test_names_are_unique_and_readable():
    """One name a label: a line, not empty, without signs that cannot be seen; good names stay as they are."""
    names = names_of(AWKWARD)
    assert len(names) == len(AWKWARD)
    assert len(set(names)) == len(names)
    for name in names:
        assert name.strip() == name != ""
        assert "\n" not in name
        assert "\u202e" not in name
    good = ["joy", "悲しみ", "الفخر", "😀 joy", "a (2)"]
    assert names_of(good) == good
    assert names[:2] == ["a (3)", "a"]


def test_names_do_not_depend_on_those_that_follow():
    """A label is called the same whether others follow or not."""
    for end in range(len(AWKWARD) + 1):
        assert names_of(AWKWARD[:end]) == names_of(AWKWARD)[:end]


def test_a_chart_is_a_png_of_its_size(tables, tmp_path):
    """As wide as it says, with room for axes; as high as its rows; few colours; the same bytes again."""
    chart = charts.per_label_heatmap(*tables)
    png = chart.png()
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        assert image.mode == "P"
        assert chart.width * SCALE <= image.width <= 1.3 * chart.width * SCALE
        assert len(LABELS) * 20 * SCALE <= image.height <= len(LABELS) * 20 * SCALE + 150 * SCALE
        assert len(image.convert("RGB").getcolors()) > 10  # it is not blank
    assert chart.png() == png
    chart.save(tmp_path / "new" / "heatmap.png")
    assert (tmp_path / "new" / "heatmap.png").read_bytes() == png


def test_a_chart_shows_itself_in_a_notebook(tables):
    """As Vega-Lite with its data, title and a width of its own, and as the picture that it would save."""
    chart = charts.gain_per_label(*tables)
    shown = chart._repr_mimebundle_()
    spec = shown["application/vnd.vegalite.v6+json"]
    assert shown["image/png"] == chart.png()
    assert spec["datasets"] == chart.spec["datasets"]
    assert spec["title"]["text"] == chart.title
    assert spec["width"] == chart.width
    assert chart.spec["width"] == "container"  # on a page it fits its place


def test_notes_stand_under_the_title_of_a_picture():
    """A picture says itself what a page says beside the chart."""
    plain = Chart("Title", {"config": {}})
    noted = Chart("Title", {"config": {}}, notes=("one", "two"))
    assert "subtitle" not in plain.alone()["title"]
    assert noted.alone()["title"]["subtitle"] == ["one", "two"]
