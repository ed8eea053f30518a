"""The pictures of one trial beyond its tables: gains, reliability, confusions."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from goemo import calibration
from goemo.report import confusion, figures
from goemo.report.figures.palette import reduced


def table(labels, f1, *, support=10):
    return pd.DataFrame({"label": labels, "f1": f1, "support": support})


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def test_gains_stand_in_order_and_losses_look_different():
    """The largest gain comes first; a loss points to the left and is hatched; no change has no bar."""
    labels = ["anger", "grief", "joy", "love"]
    figure = figures.gain_per_label(table(labels, [0.1, 0.5, 0.2, 0.3]), table(labels, [0.2, 0.4, 0.6, 0.3]))
    (axes,) = figure.axes
    rows = sorted((t for t in axes.texts if t.get_text() in labels), key=lambda text: text.get_position()[1])
    assert [text.get_text() for text in rows] == ["joy", "anger", "love", "grief"]
    joy, anger, grief = axes.patches
    assert joy.get_width() == pytest.approx(4 * anger.get_width())
    assert grief.get_width() == pytest.approx(-anger.get_width())
    assert [bar.get_hatch() is not None for bar in (joy, anger, grief)] == [False, False, True]
    written = texts(figure)
    assert {"+0.40", "+0.10", "0", "-0.10", "0.20 → 0.60"} <= set(written)
    assert "mean over labels: 0.275 → 0.375; better: 2, worse: 1" in written


def test_gains_of_a_model_that_learned_nothing():
    """All F1 are 0, before and after: no bar, and no division by the largest gain."""
    figure = figures.gain_per_label(table(["a", "b"], [0.0, 0.0]), table(["a", "b"], [0.0, 0.0]))
    assert not figure.axes[0].patches
    figures.png(figure)


def test_gains_refuse_tables_of_different_labels():
    """The two tables must list the same labels in the same order."""
    with pytest.raises(ValueError, match="same labels in the same order"):
        figures.gain_per_label(table(["a", "b"], [0, 0]), table(["b", "a"], [0, 0]))


def scored(rows=400, labels=3, seed=0):
    generator = np.random.default_rng(seed)
    scores = generator.random((rows, labels)) ** 2
    return scores, generator.random((rows, labels)) < scores


def test_reliability_shows_all_labels_and_the_worst():
    """The first panel pools all decisions; the others are the labels with the largest error, in order."""
    scores, targets = scored(labels=4)
    targets[:, 2] = ~targets[:, 2]
    targets[:, 0] = False
    figure = figures.reliability(scores, targets, list("abcd"), most=2, bins=5)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["all labels together", "c", "a"]
    pooled = calibration.reliability(scores.reshape(-1, 1), targets.reshape(-1, 1), bins=5)
    (line,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(line.get_xydata(), pooled[["mean_score", "positive_share"]].to_numpy())
    errors = calibration.expected_calibration_error(scores, targets, bins=5)
    assert any(f"ECE {errors[2]:.3f}" in text for text in texts(figure))


def test_reliability_of_constant_scores_and_empty_labels():
    """One bin, no positive, one example: a figure all the same."""
    for rows in (1, 50):
        figure = figures.reliability(np.full((rows, 2), 0.03), np.zeros((rows, 2), dtype=bool), ["a", "b"])
        figures.png(figure)
        assert len(figure.axes) == 3


def test_reliability_refuses_names_that_are_not_one_a_label():
    """A name too few is an error with both numbers."""
    with pytest.raises(ValueError, match="all 3 labels, got 2 names"):
        figures.reliability(*scored(), ["a", "b"])


def test_confusions_write_the_shares_of_the_misses():
    """A label missed four times, thrice with the same wrong one, reads 75; what is never missed is blank."""
    targets = np.array([[1, 0, 0]] * 4 + [[0, 1, 0]], dtype=bool)
    predictions = np.array([[0, 1, 0]] * 3 + [[0, 0, 0]] + [[0, 1, 0]], dtype=bool)
    figure = figures.confusions(targets, predictions, ["grief", "sadness", "joy"])
    alone, together = (mesh.get_array() for mesh in figure.axes[0].collections)
    found = confusion.confusions(targets, predictions)
    np.testing.assert_array_equal(together[0, 1:], found.shares[0, 1:])
    assert alone[0, 0] == 0.25
    assert together.mask[1:].all()
    assert together.mask.diagonal().all()
    written = texts(figure)
    assert written.count("75") == 1
    assert written.count("75 %") == 1
    assert written.count("grief") == 3  # its row, its column, and the strongest pair


def test_confusions_without_an_error_say_so():
    """A perfect model, and one label alone, have no pair to name."""
    targets = np.eye(4, dtype=bool)
    assert "no pair on three examples" in texts(figures.confusions(targets, targets, list("abcd")))
    figures.png(figures.confusions(targets[:, :1], ~targets[:, :1], ["a"]))


def test_confusions_of_many_labels_show_those_with_the_most_errors():
    """Beyond the most that can be read, the labels without errors go first, and the title says it."""
    generator = np.random.default_rng(0)
    targets = generator.random((200, 50)) < 0.2
    predictions = targets.copy()
    predictions[:, 10:] ^= generator.random((200, 40)) < 0.1
    figure = figures.confusions(targets, predictions, [f"label {i}." for i in range(50)])
    written = texts(figure)
    assert any("(40 of 50 labels" in text for text in written)
    assert not {f"label {i}." for i in range(10)} & set(written)


def on_paper(pixels):
    """Return pixels as a canvas has them, opaque."""
    return np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], axis=2)


def test_a_palette_loses_nothing_of_256_colours():
    """The image with a palette has the very pixels, whatever their number and order."""
    generator = np.random.default_rng(0)
    colours = generator.integers(0, 256, (256, 3), dtype=np.uint8)
    pixels = colours[generator.integers(0, 256, (30, 50))]
    np.testing.assert_array_equal(np.asarray(reduced(on_paper(pixels)).convert("RGB")), pixels)


def test_a_palette_keeps_areas_and_small_marks():
    """Of thousands of colours, those of areas and that of a mark far from all others stay as they are."""
    ramp = np.arange(64, dtype=np.uint8)
    pixels = np.zeros((128, 64, 3), dtype=np.uint8)
    pixels[:64, :, 0] = ramp
    pixels[:64, :, 1] = ramp[:, None]
    pixels[64:] = 255
    pixels[70:73, 3:6] = (213, 94, 0)
    found = np.asarray(reduced(on_paper(pixels)).convert("RGB"))
    np.testing.assert_array_equal(found[64:], pixels[64:])
    assert np.abs(found.astype(int) - pixels).max() <= 8


def test_files_are_lean_and_on_white_paper():
    """A picture has at most 256 colours, and its paper is pure white."""
    figure = figures.reliability(*scored(), list("abc"))
    image = Image.open(io.BytesIO(figures.png(figure)))
    assert image.mode == "P"
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
