"""The charts show the very numbers, compile with the Vega-Lite of the page, and survive any name."""

from __future__ import annotations

import itertools
import json
import math

import altair as alt
import jsonschema
import numpy as np
import pytest
import vl_convert
from scored_labels import scored, tables_of
from sklearn.metrics import precision_recall_fscore_support

from goemo.report import Picture, charts, search_page
from goemo.report.charts import Trial
from goemo.report.charts.support import place_names
from goemo.report.charts.thresholds import POINTS_A_LABEL, curve_thresholds
from goemo.report.scripts import VEGA_LITE, script_json, vega_bundle

NASTY = "</script><script>alert('x')</script><img src=x onerror=alert(1)> & \"quotes\" <!--"
NAMES = ["悲しみ", "الفخر", "радость", "😀 joy", "$x$ and $", "%s {0} <b>", "a.b[0]", NASTY, "long name " * 9]
OBJECTIVE = "val/macro_f1"


def of_labels(names, *, band=True):
    """Return the charts of a trial and what they are made of; the last of several labels has no positive."""
    shares = np.linspace(0.4, 0.03, len(names))
    shares[1:][-1:] = 0
    scores, targets = scored(len(names), rows=200, shares=shares)
    half, tuned, fitted = tables_of(scores, targets, names)
    ends = (fitted.values - 0.05, fitted.values + 0.05) if band else None
    made = {
        "support": charts.f1_by_support(half, tuned),
        "gain": charts.gain_per_label(half, tuned),
        "explorer": charts.threshold_explorer(scores, targets, fitted.values, names, band=ends),
        "heatmap": charts.per_label_heatmap(half, tuned),
        "panels": charts.threshold_curves(scores, targets, fitted.values, names, draws=20),
        "reliability": charts.reliability(scores, targets, names),
        "confusions": charts.confusions(targets, scores > 0.3, names),
    }
    return made, half, tuned, scores, targets, fitted


def some_trials(count, *, seed=0):
    """Return trials of every kind, with listed and continuous hyperparameters and names that mean harm."""
    generator = np.random.default_rng(seed)
    reasons = itertools.cycle(["completed", "stopped_early", "failed", None])
    found = []
    for i, reason in zip(range(count), reasons, strict=False):
        varied = {
            "batch_size": [16, 32][i // 4 % 2],
            "learning_rate": float(10 ** generator.uniform(-5, -2)),
            "loss": ["bce", "focal", NASTY][i % 3],
        }
        length = 5 if reason == "completed" else 2
        history = [{"progress": 20 * (j + 1), OBJECTIVE: float(generator.random())} for j in range(length)]
        found.append(Trial(f"t{i + 1:03d}", varied, [] if i == 7 else history, reason))
    return found


def board_of(trials):
    ranked = sorted((t for t in trials if t.is_ranked), key=lambda t: -t.best(OBJECTIVE))
    return [
        {
            "rank": rank,
            "trial_id": trial.trial_id,
            "config": {},
            "varied": trial.varied,
            "stop_reason": trial.stop_reason,
            "progress": trial.history[-1]["progress"],
            "val_macro_f1": trial.best(OBJECTIVE),
            "low": trial.best(OBJECTIVE) - 0.02,
            "high": trial.best(OBJECTIVE) + 0.01,
            "tied_with_best": rank < 4,
        }
        for rank, trial in enumerate(ranked, start=1)
    ]


def of_search(count):
    trials = some_trials(count)
    board = board_of(trials)
    names = {"objective": OBJECTIVE, "best": board[0]["trial_id"]}
    made = {
        "curves": charts.learning_curves(trials, **names),
        "intervals": charts.leaderboard_intervals(board, objective="macro_f1"),
        "against": charts.objective_by_hyperparameter(trials, **names),
        "parallel": charts.parallel_coordinates(trials, **names),
        "importance": charts.importance({"batch_size": 0.7, NASTY: 0.3}, note="Because. " * 40),
    }
    return {name: chart for name, chart in made.items() if chart is not None}, trials, board


def compiled(chart):
    """Return a chart as Vega, by the very version that the page carries; it is valid Vega-Lite."""
    jsonschema.validate(chart.spec, alt.load_schema())
    return vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)


def rows_of(chart, name):
    return chart.spec["datasets"][name]


def marks_of(node):
    """Yield every mark of a compiled chart."""
    for mark in node.get("marks", []):
        yield mark
        yield from marks_of(mark)


@pytest.mark.parametrize("names", [["joy"], ["joy", "anger", "fear", "neutral"], NAMES], ids=len)
def test_charts_of_labels_compile_for_any_names(names):
    """One label, four, or names in other scripts and with markup: valid, with no address, whole in JSON."""
    for chart in of_labels(names)[0].values():
        assert "http" not in json.dumps(chart.spec, allow_nan=False)
        assert any(True for _ in marks_of(compiled(chart)))


@pytest.mark.parametrize("count", [1, 60])
def test_charts_of_searches_compile_for_any_number_of_trials(count):
    """One trial or sixty, of every kind, with harmful values among the settings."""
    for chart in of_search(count)[0].values():
        assert "http" not in json.dumps(chart.spec, allow_nan=False)
        assert any(True for _ in marks_of(compiled(chart)))


def test_tooltips_of_what_is_nearest_name_it():
    """The invisible cells around points look their values up in the points; else texts read "undefined"."""
    found = 0
    for chart in [*of_search(8)[0].values(), *of_labels(["joy", "anger"])[0].values()]:
        for mark in marks_of(compiled(chart)):
            if mark.get("name", "").endswith("voronoi"):
                text = mark["encode"]["update"]["tooltip"]["signal"]
                assert "datum[" not in text.replace("datum.datum[", "")
                found += 1
    assert found >= 4


def test_learning_curves_have_every_report():
    """Each report of each trial is a point with its value; the best trial is the only one marked."""
    made, trials, board = of_search(9)
    rows = rows_of(made["curves"], "reports")
    wanted = {(t.trial_id, r["progress"]): r[OBJECTIVE] for t in trials for r in t.history}
    assert {(row["trial"], row["progress"]) for row in rows} == set(wanted)
    for row in rows:
        assert row["value"] == pytest.approx(wanted[row["trial"], row["progress"]], rel=1e-3)
        assert row["is_best"] == (row["trial"] == board[0]["trial_id"])
    last = {row["trial"]: row["progress"] for row in rows if row["is_last"]}
    assert last == {t.trial_id: t.history[-1]["progress"] for t in trials if t.history}


def test_a_cut_says_what_it_saved_where_that_is_known():
    """The given words replace how the trial ended, for that trial alone."""
    made = charts.learning_curves(
        some_trials(4), objective=OBJECTIVE, best="t001", ends={"t002": "stopped at 40 %, saved about 9 s"}
    )
    ended = {row["trial"]: row["ended"] for row in rows_of(made, "reports")}
    assert ended["t002"] == "stopped at 40 %, saved about 9 s"
    assert ended["t001"] == "completed"


def test_intervals_are_those_of_the_leaderboard():
    """In its order, with its ends, and told apart as it says."""
    made, _, board = of_search(12)
    rows = rows_of(made["intervals"], "trials")
    assert [row["trial"] for row in rows] == [trial["trial_id"] for trial in board]
    for row, trial in zip(rows, board, strict=True):
        assert row["low"] == pytest.approx(trial["low"], rel=1e-3)
        assert row["high"] == pytest.approx(trial["high"], rel=1e-3)
        assert row["told"].startswith("best") == trial["tied_with_best"]


def test_bars_against_a_hyperparameter_are_medians():
    """Per value for listed ones; of numbers, per fifth; each completed trial counts once, and no other."""
    made, trials, _ = of_search(60)
    ranked = [trial for trial in trials if trial.stop_reason == "completed"]
    assert any(trial.is_ranked and trial not in ranked for trial in trials)
    listed = rows_of(made["against"], "medians_0")
    for bar, value in zip(listed, (16, 32), strict=True):
        heights = [t.best(OBJECTIVE) for t in ranked if t.varied["batch_size"] == value]
        assert bar["value"] == pytest.approx(np.median(heights), rel=1e-3)
        assert bar["trials"] == len(heights)
    fifths = rows_of(made["against"], "medians_1")
    assert len(fifths) == 5
    assert sum(bar["trials"] for bar in fifths) == len(ranked)


def test_parallel_lines_pass_higher_through_higher_values():
    """On every axis of numbers the order of the places is that of the values, equal ones near each other."""
    made, trials, _ = of_search(30)
    rows = rows_of(made["parallel"], "trials")
    value = {t.trial_id: t.varied["batch_size"] for t in trials}
    places = {row["trial"]: row["place"] for row in rows if row["axis"] == "batch_size"}
    assert max(p for t, p in places.items() if value[t] == 16) < min(
        p for t, p in places.items() if value[t] == 32
    )
    heights = [(row["value"], row["place"]) for row in rows if row["axis"] == "macro-F1"]
    assert [place for _, place in sorted(heights)] == sorted(place for _, place in heights)


def test_one_configuration_has_no_parallel_lines():
    """Where nothing varies, there is nothing to draw lines through."""
    trial = Trial("t001", {}, [{"progress": 100, OBJECTIVE: 0.5}])
    assert charts.parallel_coordinates([trial], objective=OBJECTIVE, best="t001") is None
    assert charts.objective_by_hyperparameter([trial], objective=OBJECTIVE, best="t001") is None


def test_curves_of_the_explorer_are_those_of_scikit_learn():
    """Precision, recall and F1 at each threshold, wherever they are defined."""
    made, _, _, scores, targets, fitted = of_labels(["joy", "anger", "none"])
    compared = 0
    for row in rows_of(made["explorer"], "curves"):
        if "chosen" in row:
            continue
        label = row["l"]
        said = scores[:, label] >= row["t"]
        is_near = np.abs(scores[:, label] - row["t"]).min() < 1e-4  # it is drawn with four digits
        if is_near or not said.any() or not targets[:, label].any():
            continue
        wanted = precision_recall_fscore_support(targets[:, label], said, average="binary")[:3]
        assert (row["precision"], row["recall"], row["F1"]) == pytest.approx(wanted, rel=1e-3)
        compared += 1
    assert compared > 50
    assert [row["t"] for row in chosen_of(made["explorer"])] == pytest.approx(fitted.values, rel=1e-3)
    never = charts.threshold_explorer(
        scores, targets, np.array([0.4, math.inf, 0.3]), ["joy", "anger", "none"]
    )
    assert [row["l"] for row in chosen_of(never)] == [0, 2]


def test_the_chosen_cut_and_its_band_are_the_given_ones():
    """The cut stands at its threshold with the F1 that the table gives; without a band there is none."""
    made, _, tuned, _, _, fitted = of_labels(["joy", "anger"])
    for row in chosen_of(made["explorer"]):
        cut = fitted.values[row["l"]]
        assert (row["t"], row["low"], row["high"]) == pytest.approx((cut, cut - 0.05, cut + 0.05), rel=1e-3)
        if tuned["support"][row["l"]]:
            assert row["F1"] == pytest.approx(tuned["f1"][row["l"]], rel=1e-3)
        else:  # undefined without a positive
            assert row["F1"] is None
    bare = of_labels(["joy", "anger"], band=False)[0]["explorer"]
    assert all("low" not in row for row in chosen_of(bare))


def chosen_of(chart):
    return [row for row in rows_of(chart, "curves") if "chosen" in row]


@pytest.mark.parametrize("chosen", [0.37, math.inf])
@pytest.mark.parametrize("rows", [0, 1, 3, 5000])
def test_thinned_curves_keep_the_chosen_cut(rows, chosen):
    """At most a hundred thresholds for any number of examples, ascending, from 0 past the highest score."""
    scores = np.random.default_rng(0).random(rows) * 0.9
    values = curve_thresholds(scores, chosen, POINTS_A_LABEL)
    assert len(values) <= POINTS_A_LABEL
    assert (np.diff(values) > 0).all()
    assert values[0] == 0
    assert values[-1] > scores.max(initial=0)
    assert math.isinf(chosen) or chosen in values


def test_the_explorer_of_many_labels_stays_small():
    """Three hundred labels take no more than a megabyte."""
    names = [f"label {i}" for i in range(300)]
    scores, targets = scored(300, rows=400)
    chart = charts.threshold_explorer(scores, targets, np.full(300, 0.4), names)
    assert len(script_json(chart.spec)) < 1_000_000


def test_shapes_that_do_not_fit_are_refused():
    """Names, thresholds and scores must be about the same labels."""
    scores, targets = scored(3, rows=200)
    with pytest.raises(ValueError, match="with a threshold and a name a label"):
        charts.threshold_explorer(scores, targets, np.zeros(3), ["joy", "anger"])


def test_facts_of_the_explorer_are_in_words():
    """Support, threshold with its band where there is one, and both F1; or that it is never predicted."""
    _, half, tuned, _, _, fitted = of_labels(["joy", "none"])
    band = (np.array([0.1, math.inf]), np.array([0.9, math.inf]))
    facts = charts.explorer_facts(half, tuned, fitted.values, band=band)
    assert (
        f"threshold {fitted.values[0]:.3f} (95 % band 0.100 to 0.900); F1 {half['f1'][0]:.3f} at 0.5"
        in facts[0]
    )
    assert facts[1].startswith(f"0 examples have it; threshold {fitted.values[1]:.3f}; F1 0.000 at 0.5")
    never = charts.explorer_facts(half, tuned, np.array([0.4, math.inf]), band=band)
    assert never[1].startswith("0 examples have it; never predicted;")


def test_gains_fall_and_losses_come_last():
    """The largest gain is first, and each row has both F1 of its label."""
    made, half, tuned, *_ = of_labels(["a", "b", "c", "d"])
    rows = rows_of(made["gain"], "labels")
    gains = [row["f1"] - row["f1_at_half"] for row in rows]
    assert gains == sorted(gains, reverse=True)
    wanted = dict(zip(half["label"], zip(half["f1"], tuned["f1"], strict=True), strict=True))
    for row in rows:
        assert (row["f1_at_half"], row["f1"]) == pytest.approx(wanted[row["label"]], rel=1e-3)


def test_names_in_the_chart_never_lie_on_each_other():
    """Labels that stand close share the room: some get no name, and equal places never two."""
    rows = [{"label": "a name", "place": 100.0, "top": 0.5, "bottom": 0.4} for _ in range(6)]
    apart = [{"label": "far", "place": 10.0**i, "top": 0.1 * i, "bottom": 0.0} for i in range(1, 5)]
    place_names(rows)
    place_names(apart)
    assert sum("side" in row for row in rows) < len(rows)
    assert all("side" in row for row in apart)


def a_page():
    made, half, tuned, _, _, fitted = of_labels(NAMES)
    facts = charts.explorer_facts(half, tuned, fitted.values)
    explorer = Picture(NASTY, chart=made["explorer"].spec, choices=NAMES, facts=facts)
    searched, _, board = of_search(9)
    return search_page(
        name=NASTY,
        leaderboard=board,
        stop_reasons={},
        table_at_half=half,
        table=tuned,
        intervals=Picture("Intervals", chart=searched["intervals"].spec),
        figures=[
            Picture("Curves", chart=searched["curves"].spec),
            Picture("Lines", chart=searched["parallel"].spec),
        ],
        trial_figures=[explorer],
    )


def test_no_name_can_end_a_script_of_the_page():
    """Between the page's own scripts, markup in names never opens or closes one."""
    html = a_page().replace(vega_bundle(), "")
    opened, closed = html.count("<script"), html.count("</script")
    assert opened == closed == 8  # the bundle, its check, four charts, the facts, what draws them
    assert "<img" not in html
    assert "<!--" not in html


def test_the_bundle_is_inlined_once_and_only_for_charts():
    """A page with charts carries Vega once and stays near a megabyte; one without carries no script."""
    html = a_page()
    assert html.count(vega_bundle()) == 1
    assert len(html) < len(vega_bundle()) + 400_000
    _, half, tuned, *_ = of_labels(["joy"])
    board = of_search(9)[2]
    bare = search_page(name="x", leaderboard=board, stop_reasons={}, table_at_half=half, table=tuned)
    assert "<script" not in bare


def test_script_json_is_json_that_cannot_leave_its_script():
    """What goes in comes out; no sign that HTML acts on is left."""
    value = {NASTY: [NASTY, 0.5, None, "\u2028"]}
    text = script_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028") & set(text)
    with pytest.raises(ValueError, match="JSON"):
        script_json(math.nan)


def test_the_scripts_that_are_kept_are_those_that_are_made(tmp_path):
    """The first page makes the file, the next reads it; both show what a page without a folder shows."""
    made = vega_bundle(tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    assert made == vega_bundle()
    kept.write_text("kept", encoding="utf-8")
    vega_bundle.cache_clear()
    assert vega_bundle(tmp_path / "cache") == "kept"
