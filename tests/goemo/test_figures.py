"""The pictures show what they claim, for any number of labels and trials, and touch nothing global."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from goemo.report import figures
from goemo.report.figures import Trial, names
from goemo.significance.threshold_stability import threshold_band, threshold_draws

LONG = "a very long label name that would never fit beside its row"
FOREIGN = ["悲しみ", "الفخر", "радость", "😀 joy", "한국어", "$x$ and $", "%s {0} <b>", LONG]


def tables(labels, *, seed=0):
    generator = np.random.default_rng(seed)
    n = len(labels)
    columns = {
        "label": list(labels),
        **{name: generator.random(n) for name in ("accuracy", "precision", "recall", "f1", "mcc")},
        "support": generator.permutation(n) ** 2 + 1,
    }
    half = pd.DataFrame({**columns, "threshold": 0.5})
    tuned = pd.DataFrame({**columns, "f1": generator.random(n), "threshold": generator.random(n)})
    return half, tuned


def scored(labels, *, rows=300, seed=0):
    generator = np.random.default_rng(seed)
    targets = generator.random((rows, labels)) < np.linspace(0.02, 0.4, labels)
    scores = np.clip(generator.random((rows, labels)) * 0.6 + 0.3 * targets, 0, 1).astype(np.float32)
    return scores, targets, np.linspace(0.1, 0.9, labels)


def trial(name, objectives, reason="completed", **varied):
    history = [{"progress": 20 * (i + 1), "val/macro_f1": value} for i, value in enumerate(objectives)]
    return Trial(name, varied, history, reason)


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def lines(axes, **properties):
    return [
        line
        for line in axes.lines
        if all(getattr(line, f"get_{name}")() == value for name, value in properties.items())
    ]


def curves(figure):
    """Return precision, recall and F1 of each label shown, points of (threshold, value), as drawn."""
    (axes,) = figure.axes
    named = [c for c in axes.collections if not c.get_label().startswith("_")]
    return {c.get_label(): c.get_segments() for c in named}


def size_of(figure):
    return Image.open(io.BytesIO(figures.png(figure))).size


@pytest.mark.parametrize("count", [1, 4, 28])
def test_heatmap_has_a_row_a_label_and_a_number_a_cell(count):
    """Eight cells a label, each with its value in two digits, the most frequent label first."""
    half, tuned = tables([f"emotion {i}" for i in range(count)])
    figure = figures.per_label_heatmap(half, tuned)
    assert sum(mesh.get_array().size for mesh in figure.axes[0].collections) == 8 * count
    written = texts(figure)
    for column in ("precision", "recall", "f1", "mcc"):
        for table in (half, tuned):
            assert all(f"{value:.2f}" in written for value in table[column])
    rows = [text for text in figure.axes[0].texts if text.get_text().startswith("emotion")]
    downwards = [text.get_text() for text in sorted(rows, key=lambda text: text.get_position()[1])]
    assert downwards == list(tuned.sort_values("support", ascending=False)["label"])


def test_heatmap_calls_an_infinite_threshold_never():
    """A label that is never predicted says so, and an undefined number leaves its cell empty."""
    half, tuned = tables(["anger", "grief"])
    tuned.loc[1, "threshold"] = np.inf
    tuned.loc[1, "precision"] = np.nan
    written = texts(figures.per_label_heatmap(half, tuned))
    assert written.count("never") == 1
    assert "nan" not in written


@pytest.mark.parametrize("draw", [figures.per_label_heatmap, figures.f1_by_support])
def test_tables_of_different_labels_are_refused(draw):
    """The two tables must list the same labels in the same order."""
    half, tuned = tables(["anger", "grief"])
    with pytest.raises(ValueError, match="same labels in the same order"):
        draw(half, tuned.iloc[::-1])


def test_support_figure_joins_both_f1_over_the_support():
    """Points lie at (support, F1) of both tables, and each label is named or counted as not named."""
    half, tuned = tables([f"emotion {i}" for i in range(28)])
    figure = figures.f1_by_support(half, tuned)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    (at_half,) = lines(axes, marker="o")
    (at_tuned,) = lines(axes, marker="D")
    np.testing.assert_array_equal(at_half.get_xydata(), np.column_stack([half["support"], half["f1"]]))
    np.testing.assert_array_equal(at_tuned.get_xydata(), np.column_stack([tuned["support"], tuned["f1"]]))
    named = [text for text in texts(figure) if text.startswith("emotion")]
    assert len(named) == 28 or f"({28 - len(named)} of 28 labels not named" in " ".join(texts(figure))


def test_names_beside_the_points_overlap_neither_each_other_nor_a_point():
    """However crowded, what is written can be read; what has no room is left out and counted."""
    half, tuned = tables([f"emotion {i}" for i in range(120)])
    half["support"] = tuned["support"] = 100 + np.arange(120)
    figure = figures.f1_by_support(half, tuned)
    (axes,) = figure.axes
    figure.canvas.draw()
    named = [text for text in axes.texts if text.get_text().startswith("emotion")]
    boxes = [text.get_window_extent().extents for text in named]
    points = axes.transData.transform(np.column_stack([tuned["support"], tuned["f1"]]))
    for i, (left, bottom, right, top) in enumerate(boxes):
        assert not any(
            left < other[2] and other[0] < right and bottom < other[3] and other[1] < top
            for other in boxes[i + 1 :]
        )
        x, y = points.T
        assert not ((x > left) & (x < right) & (y > bottom) & (y < top)).any()
    assert 5 < len(boxes) < 120
    assert f"({120 - len(boxes)} of 120 labels not named" in " ".join(texts(figure))


def test_labels_without_support_stand_over_zero():
    """A logarithmic axis has no 0, so such labels get a place and a tick of their own."""
    half, tuned = tables(["anger", "grief", "joy"])
    half["support"] = tuned["support"] = [10, 0, 1000]
    figure = figures.f1_by_support(half, tuned)
    (axes,) = figure.axes
    position = lines(axes, marker="D")[0].get_xdata()[1]
    below = [t for t in axes.texts if t.get_transform() == axes.get_xaxis_transform()]
    assert {t.get_position()[0]: t.get_text() for t in below}[position] == "0"
    assert position < 10


def test_threshold_curves_equal_a_loop_over_the_cuts():
    """Each curve's points are precision, recall and F1 of ``score >= cut``, counted naively."""
    scores, targets, thresholds = scored(3)
    scores[::7] = 0  # equal to the first cut, which predicts them
    figure = figures.threshold_curves(scores, targets, thresholds, ["a", "b", "c"])
    marks = {line.get_label(): line for line in figure.axes[0].lines}
    for i, (label, drawn) in enumerate(curves(figure).items()):
        precision, recall, f1 = drawn
        for k in range(0, 160, 13):
            predicted = scores[:, i].astype(np.float64) >= f1[k, 0]
            hits = np.sum(predicted & targets[:, i])
            assert recall[k, 1] == pytest.approx(hits / targets[:, i].sum())
            assert f1[k, 1] == pytest.approx(2 * hits / (predicted.sum() + targets[:, i].sum()))
            if predicted.any():
                assert precision[k, 1] == pytest.approx(hits / predicted.sum())
        (cut, height) = marks[label].get_xydata()[1]
        assert cut == thresholds[i]
        assert np.interp(cut, *f1.T) == pytest.approx(height, abs=0.05)


def test_threshold_curves_stand_in_their_frames_under_their_names():
    """On paper, each plot's curves fill its own place: two rows of four, left to right, under the name."""
    scores, targets, thresholds = scored(8)
    figure = figures.threshold_curves(scores, targets, thresholds, list("abcdefgh"))
    (axes,) = figure.axes
    titles = {text.get_text(): text.get_position() for text in axes.texts}
    corners = []
    for collection in axes.collections:
        label = collection.get_label()
        if not label.startswith("_"):
            to_inches = collection.get_transform() - axes.transData
            x, y = to_inches.transform(np.concatenate(collection.get_segments())).T
            left, top = titles[label]
            assert (x.min(), y.min()) == pytest.approx((left, top + 0.46), abs=0.05)
            assert (np.ptp(x), np.ptp(y)) == pytest.approx((2.48, 1.27), abs=0.05)
            corners.append((round(top, 3), round(left, 3)))
    assert corners == sorted(set(corners))
    assert [len({corner[k] for corner in corners}) for k in (0, 1)] == [2, 4]


def test_threshold_curves_show_the_rarest_and_the_most_gained():
    """Of many labels, eight: half for being rare, half for gaining most from 0.5."""
    scores, targets, thresholds = scored(28)
    labels = [f"label number {i}" for i in range(28)]
    gain = 5
    scores[:, 20] *= 0.4  # nothing of it is found at 0.5, so it gains most
    thresholds[20] = 0.2
    figure = figures.threshold_curves(scores, targets, thresholds, labels)
    shown = list(curves(figure))
    assert len(shown) == 8
    assert set(shown) <= set(texts(figure))
    order = np.argsort(targets.sum(axis=0), kind="stable")
    assert [labels[i] for i in order[:3]] == shown[:3]
    assert "label number 20" in shown[gain - 1 :]
    assert len(curves(figures.threshold_curves(scores, targets, thresholds, labels, most=3))) == 3


def test_threshold_curves_without_positives_or_cut():
    """A label without a positive has no curve, one that is never predicted no mark; both say so."""
    scores, targets, _ = scored(2)
    targets[:, 0] = False
    figure = figures.threshold_curves(scores, targets, np.array([np.inf, np.inf]), ["none", "never"])
    written = texts(figure)
    assert "no positive example" in written
    assert sum("never predicted" in text for text in written) == 2
    assert not any(lines(axes, marker="D") for axes in figure.axes)


def test_threshold_curves_show_the_labels_that_are_named():
    """The caller's labels come in the caller's order; a name that is no label is an error that says so."""
    scores, targets, thresholds = scored(5)
    figure = figures.threshold_curves(scores, targets, thresholds, list("abcde"), shown=["d", "b"])
    assert list(curves(figure)) == ["d", "b"]
    with pytest.raises(ValueError, match="a, b, c, d, e, got 'f'"):
        figures.threshold_curves(scores, targets, thresholds, list("abcde"), shown=["f"])


def test_threshold_band_is_that_of_the_resamples():
    """The shaded span is the middle 95 % of the drawn thresholds; without draws there is none."""
    scores, targets, thresholds = scored(3)
    figure = figures.threshold_curves(scores, targets, thresholds, list("abc"), shown=list("abc"), draws=50)
    low, high = threshold_band(threshold_draws(scores, targets, draws=50))
    assert [span.get_label() for span in figure.axes[0].patches] == list("abc")
    for span, a, b in zip(figure.axes[0].patches, low, high, strict=True):
        assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx((a, b), abs=0.005)
    bare = figures.threshold_curves(scores, targets, thresholds, list("abc"), draws=0)
    assert not any(axes.patches for axes in bare.axes)


def test_threshold_curves_refuse_shapes_that_do_not_fit():
    """A label too many is an error, with the shapes in its message."""
    scores, targets, thresholds = scored(3)
    with pytest.raises(ValueError, match=r"\(300, 3\).*3 thresholds and 4 names"):
        figures.threshold_curves(scores, targets, thresholds, list("abcd"))


def test_learning_curves_tell_the_ends_apart():
    """Stopped trials are dashed with a cross at the cut, failed ones dotted, the best has its peak marked."""
    trials = [
        trial("t001", [0.1, 0.2, 0.3]),
        trial("t002", [0.1, 0.15], "stopped_early"),
        trial("t003", [0.2, 0.4, 0.35]),
        trial("t004", [0.9], "diverged"),
        trial("t005", [], "out_of_memory"),
        trial("t006", [0.1], None),
    ]
    figure = figures.learning_curves(trials)
    (axes,) = figure.axes
    (stopped,) = lines(axes, marker="x")
    assert stopped.get_linestyle() == "--"
    assert stopped.get_markevery() == [-1]
    np.testing.assert_array_equal(stopped.get_xydata(), [[20, 0.1], [40, 0.15]])
    assert [line.get_linestyle() for line in lines(axes, marker="v")] == [":"]
    (best,) = lines(axes, marker="o")
    assert list(best.get_ydata()) == [0.2, 0.4, 0.35]
    (peak,) = lines(axes, marker="*")
    assert (peak.get_xdata()[0], peak.get_ydata()[0]) == (40, 0.4)
    assert {
        "best: t003",
        "stopped early (1)",
        "failed or diverged (1)",
        "running (1)",
        "no report: 1",
    } <= set(texts(figure))


def test_learning_curves_count_the_cuts_of_each_rung():
    """Above every progress at which ASHA stopped trials stands how many."""
    trials = [trial(f"t{i:03d}", [0.1] * (1 + i % 2), "stopped_early") for i in range(5)]
    trials += [trial("t005", [0.1, 0.2, 0.3]), trial("t006", [0.1], "diverged")]
    figure = figures.learning_curves(trials)
    counted = {text.xy[0]: text.get_text() for text in figure.axes[0].texts}
    assert counted == {20: "3 stopped", 40: "2 stopped"}


def test_the_best_can_be_named_from_outside():
    """The leaderboard decides which trial is best, if it says so."""
    trials = [trial("t001", [0.3]), trial("t002", [0.2])]
    assert "best: t001" in texts(figures.learning_curves(trials))
    assert "best: t002" in texts(figures.learning_curves(trials, best="t002"))
    assert "best: t001" in texts(figures.learning_curves([*reversed([trial("t002", [0.3]), trials[0]])]))


def test_hyperparameter_panels_show_every_ranked_trial_and_the_median():
    """One panel a hyperparameter that differs; all ranked trials in each; one median a value."""
    trials = [
        trial(
            f"t{i:03d}",
            [0.1 * i],
            batch_size=16 * (1 + i % 2),
            learning_rate=2e-5,
            pooling="mean" if i else "first",
        )
        for i in range(5)
    ]
    trials.append(trial("t005", [0.05], "stopped_early", batch_size=16, learning_rate=2e-5, pooling="mean"))
    trials.append(trial("t006", [0.9], "diverged", batch_size=64, learning_rate=1.0, pooling="cls"))
    figure = figures.objective_by_hyperparameter(trials)
    assert [axes.get_xlabel() for axes in figure.axes] == ["batch_size", "pooling"]
    axes = figure.axes[0]
    hollow, filled = lines(axes, marker="o")
    assert (len(hollow.get_xdata()), len(filled.get_xdata())) == (1, 5)
    medians = sorted(line.get_ydata()[0] for line in axes.lines if line.get_linewidth() == 3)
    assert medians == pytest.approx(sorted([np.median([0.0, 0.2, 0.4, 0.05]), np.median([0.1, 0.3])]))
    (star,) = lines(axes, marker="*")
    assert star.get_ydata()[0] == pytest.approx(0.4)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "32"]


def test_values_spread_over_powers_get_a_logarithmic_axis():
    """Many distinct learning rates read by their ratio, many warm-up fractions by their difference."""
    generator = np.random.default_rng(0)
    trials = [
        trial(
            f"t{i:03d}",
            [0.1],
            learning_rate=10 ** generator.uniform(-6, -3),
            warmup_fraction=generator.uniform(0, 0.2),
        )
        for i in range(60)
    ]
    scales = {a.get_xlabel(): a.get_xscale() for a in figures.objective_by_hyperparameter(trials).axes}
    assert scales == {"learning_rate": "log", "warmup_fraction": "linear"}


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_any_number_of_trials_can_be_drawn(count):
    """No trial, one or many: there is a figure, and it can be written."""
    trials = [trial(f"t{i:03d}", [0.01 * i, 0.02 * i], batch_size=i) for i in range(count)]
    assert min(size_of(figures.learning_curves(trials))) > 100
    assert min(size_of(figures.objective_by_hyperparameter(trials))) > 100
    assert min(size_of(figures.parallel_coordinates(trials))) > 100


def test_names_in_any_script_draw_without_a_warning():
    """Long names are cut, signs are taken literally, and missing letters never become boxes or warnings."""
    half, tuned = tables(FOREIGN)
    scores, targets, thresholds = scored(len(FOREIGN))
    for figure in (
        figures.per_label_heatmap(half, tuned),
        figures.f1_by_support(half, tuned),
        figures.threshold_curves(scores, targets, thresholds, FOREIGN),
        figures.gain_per_label(half, tuned),
        figures.confusions(targets, scores > 0.3, FOREIGN),
        figures.reliability(scores, targets, FOREIGN),
        figures.importance(dict.fromkeys(FOREIGN, 0.1)),
        figures.parallel_coordinates(
            [trial(f"t{i}", [0.1], **{"pooling": p, LONG: i}) for i, p in enumerate(FOREIGN)]
        ),
        figures.objective_by_hyperparameter(
            [trial(f"t{i}", [0.1], pooling=p) for i, p in enumerate(FOREIGN)]
        ),
    ):
        figures.png(figure)  # a missing letter would warn here, and warnings are errors
        assert any("$x$ and $" in text for text in texts(figure))
        assert LONG not in texts(figure)


def test_a_name_of_which_no_letter_can_be_drawn_reads_by_its_position(monkeypatch):
    """The position is that in the list of labels, counted from one."""
    monkeypatch.setattr(names, "_family_with", lambda c: names.FAMILY if c.isascii() else None)
    assert names.drawable(["joy", "悲しみ", "喜 joy", "!"]) == (
        ["joy", "label 2", "joy", "label 4"],
        [names.FAMILY],
    )


def confused(labels):
    scores, targets, _ = scored(len(labels))
    return figures.confusions(targets, scores > 0.3, labels)


def shares_of(labels):
    return figures.importance(dict.fromkeys(labels, 1.0), note="Because of all that is known. " * 9)


@pytest.mark.parametrize(
    "draw",
    [
        lambda labels: figures.per_label_heatmap(*tables(labels)),
        lambda labels: figures.gain_per_label(*tables(labels)),
        confused,
        shares_of,
    ],
)
@pytest.mark.parametrize("labels", [["joy"], FOREIGN, [f"{LONG} {i}" for i in range(60)]])
def test_grids_grow_with_labels_and_keep_all_texts_inside(draw, labels):
    """However many labels with whatever names: no text is clipped by the figure's edge."""
    figure = draw(labels)
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for text in figure.axes[0].texts:
        left, bottom, right, top = text.get_window_extent().extents
        assert left >= 0
        assert bottom >= 0
        assert right <= width
        assert top <= height


@pytest.mark.parametrize(
    "draw", [figures.threshold_curves, lambda s, t, _, names: figures.reliability(s, t, names)]
)
def test_the_legend_of_a_single_panel_has_room(draw):
    """With one label there is one panel or two, and the whole legend above them is still in the figure."""
    figure = draw(*scored(1), ["joy"])
    figure.canvas.draw()
    legend = [artist for artist in figure.artists if isinstance(artist, mpl.text.Text)]
    assert len(legend) > 3
    assert max(text.get_window_extent().x1 for text in legend) <= figure.canvas.get_width_height()[0]


def test_settings_of_matplotlib_are_left_alone():
    """Drawing changes no global setting, and loads neither pyplot nor a window system."""
    code = (
        "import sys, matplotlib as m, numpy as np\n"
        "from goemo import figures as f\n"
        # Reading the backend would make matplotlib choose one, and load pyplot for it.
        "settings = lambda: {k: m.rcParams[k] for k in m.rcParams if k != 'backend'}\n"
        "before = settings()\n"
        "f.png(f.threshold_curves(np.eye(4), np.eye(4, dtype=bool), np.full(4, .5), list('abcd')))\n"
        "f.png(f.learning_curves([f.Trial('t1', {}, [{'progress': 1, 'val/macro_f1': .1}])]))\n"
        "assert settings() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_threads_draw_what_one_thread_draws(tmp_path):
    """Four threads at once give the same bytes as one after the other."""
    half, tuned = tables([f"emotion {i}" for i in range(6)])

    def draw(name):
        figures.save(figures.f1_by_support(half, tuned), tmp_path / "figures" / f"{name}.png")

    threads = [threading.Thread(target=draw, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    draw("alone")
    alone = (tmp_path / "figures" / "alone.png").read_bytes()
    assert all((tmp_path / "figures" / f"{i}.png").read_bytes() == alone for i in range(4))
    width, height = Image.open(io.BytesIO(alone)).size
    assert (width, height) == (round(8.6 * figures.DPI), round(5.6 * figures.DPI))
