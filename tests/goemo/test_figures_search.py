"""The pictures of a search beyond its curves: parallel coordinates and importance."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from goemo.report import figures
from goemo.report.figures import Trial


def trial(name, objective, reason="completed", **varied):
    return Trial(name, varied, [{"progress": 100, "val/macro_f1": objective}], reason)


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def segments(axes, style):
    """Return the lines of the trials drawn solid or dashed, each (axes, 2)."""
    dashed = style == "dashed"
    collections = [c for c in axes.collections if isinstance(c, mpl.collections.LineCollection)]
    return [
        line
        for c in collections
        if (c.get_linestyles()[0][1] is not None) == dashed
        for line in c.get_segments()
    ]


def test_parallel_coordinates_place_values_by_size_and_the_objective_last():
    """Every ranked trial crosses each axis where its value lies; equal configurations stay apart."""
    generator = np.random.default_rng(0)
    rates = np.exp(generator.uniform(np.log(1e-6), np.log(1e-3), 20))
    trials = [
        trial(f"t{i:03d}", 0.2 + 0.01 * i, learning_rate=rate, batch_size=16 * (1 + i % 2), epochs=3)
        for i, rate in enumerate(rates)
    ]
    (axes,) = figures.parallel_coordinates(trials).axes
    lines = np.array(segments(axes, "solid"))  # all but the best, from the worst
    assert lines.shape == (19, 3, 2)  # batch size, learning rate, objective: epochs does not differ
    batch_size, learning_rate, objective = lines[:, :, 1].T
    assert (np.argsort(learning_rate) == np.argsort(rates[:19])).all()
    expected = np.log(rates[:19] / rates.min()) / np.log(rates.max() / rates.min())
    np.testing.assert_allclose(learning_rate, expected)
    np.testing.assert_allclose(objective, np.arange(19) / 19)
    assert (batch_size[::2] < 0.1).all()
    assert (batch_size[1::2] > 0.9).all()
    assert len(set(batch_size)) == 19


def test_parallel_coordinates_tell_cut_trials_and_the_best_apart():
    """Cut trials are dashed and end in a cross, the best has markers and a star, failed ones are absent."""
    trials = [
        trial("t001", 0.3, batch_size=16),
        trial("t002", 0.2, "stopped_early", batch_size=32),
        trial("t003", 0.4, batch_size=32),
        trial("t004", 0.9, "diverged", batch_size=64),
    ]
    figure = figures.parallel_coordinates(trials)
    (axes,) = figure.axes
    assert len(segments(axes, "solid")) == 1
    assert len(segments(axes, "dashed")) == 1
    (cross,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert list(cross.get_ydata()) == [0]
    (star,) = [line for line in axes.lines if line.get_marker() == "*"]
    assert list(star.get_ydata()) == [1]
    assert {"best: t003", "stopped early", "completed", "16", "32"} <= set(texts(figure))
    assert "64" not in texts(figure)


def test_parallel_coordinates_darken_with_the_objective():
    """In greyscale too: the better the trial, the darker its line."""
    trials = [trial(f"t{i:03d}", 0.1 * i, batch_size=2**i) for i in range(6)]
    (axes,) = figures.parallel_coordinates(trials).axes
    (colours,) = [c.get_colors() for c in axes.collections if len(c.get_colors()) == 5]
    lightness = colours[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness) < -0.02).all()


def test_equal_objectives_and_single_values_are_drawn():
    """No span to divide by: a level line, not an error."""
    trials = [trial("t001", 0.3, batch_size=16), trial("t002", 0.3, batch_size=32)]
    figures.png(figures.parallel_coordinates(trials))
    assert "No hyperparameter differs between the trials." in texts(figures.parallel_coordinates(trials[:1]))


def test_importance_bars_are_as_long_as_the_shares():
    """One bar a hyperparameter in the order given, with its share in per cent."""
    figure = figures.importance({"learning_rate": 0.75, "batch_size": 0.25}, note="All trials at 20 %.")
    first, second = figure.axes[0].patches
    assert first.get_width() == pytest.approx(3 * second.get_width())
    assert first.get_y() < second.get_y()
    assert {"75 %", "25 %", "learning_rate", "All trials at 20 %."} <= set(texts(figure))


def test_importance_without_shares_says_why():
    """The note stands alone."""
    figure = figures.importance({}, note="This needs 8 trials.")
    assert not figure.axes[0].patches
    assert "This needs 8 trials." in texts(figure)
