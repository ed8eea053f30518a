"""The pages: whole in one file, escaped, and saying first what a reader asks first."""

from __future__ import annotations

import io
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from scored_labels import picture, scored, tables_of

from goemo import evaluation, metrics, thresholds
from goemo.report import Picture, search_page, trial_page
from goemo.report.savings import duration, savings_sentence, seconds_saved

NASTY = "<script>alert('x')</script> & \"quotes\" {{ 7 * 6 }}"
VOID = {"meta", "img", "br", "hr"}


class Page(HTMLParser):
    """Reads a page, checks that its tags close, and keeps what a browser would show and load."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.loaded, self.parts, self.rows = [], [], [], [], 0
        self.links, self.anchors = [], []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.parts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = [value for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}]
        self.links += [value[1:] for value in found if value.startswith("#")]
        self.loaded += [value for value in found if not value.startswith("#")]
        self.anchors += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.parts.append(data)


def tables(labels):
    return tables_of(*scored(len(labels), rows=80), labels)[:2]


def on_test(labels):
    scores, targets = scored(len(labels), rows=80)
    fitted = thresholds.fit_thresholds(scores[:40], targets[:40])
    return evaluation.results(labels, fitted, scores[40:], targets[40:])


def entry(rank, value, *, tied=False, reason="completed", message="", **varied):
    return {
        "rank": rank,
        "trial_id": f"t{rank or 99:03d}",
        "config": {"checkpoint": "scratch:albert-tiny", "thresholds": "exact", **varied},
        "varied": varied,
        "stop_reason": reason,
        "progress": 100 if reason == "completed" else 40,
        "val_macro_f1": value,
        "low": None if value is None else value - 0.01,
        "high": None if value is None else value + 0.01,
        "tied_with_best": tied,
        "message": message,
    }


def a_trial_page(labels=("anger", "joy"), **changes):
    half, tuned = tables(list(labels))
    values = {
        "title": "quickstart t004",
        "config": {"checkpoint": "scratch:albert-tiny", "learning_rate": 2e-5, "metric": "macro_f1"},
        "metrics": {"val/macro_f1": 0.4567, "val/macro_f1_at_0.5": 0.3456, "val/loss": 0.1234},
        "history": [
            {"progress": 50, "val/macro_f1": 0.4, "seconds": 3.2, "time": 1.7e9},
            {"progress": 100, "val/macro_f1": 0.4567, "train/loss": 0.2, "seconds": 6.1, "time": 1.7e9},
        ],
        "stop_reason": "completed",
        "table_at_half": half,
        "table": tuned,
        "figures": {"Per label": picture()},
    }
    return trial_page(**{**values, **changes})


@pytest.mark.parametrize("count", [1, 4, 28])
def test_trial_page_is_whole_and_complete(count):
    """It parses, loads nothing from elsewhere, needs no script, and has a row a label."""
    labels = [f"emotion {i}" for i in range(count)]
    html = a_trial_page(labels)
    page = Page(html)
    assert all(value.startswith("data:image/png;base64,") for value in page.loaded)
    assert page.loaded
    assert not re.search(r"https?://|@import|url\(", html)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert all(page.text.count(label) for label in labels)
    assert "0.457" in page.text
    assert "0.346" in page.text
    assert "time" not in re.findall(r"<th>([^<]*)</th>", html)


def test_trial_page_says_on_what_the_thresholds_were_fitted():
    """Other rows of validation than those that the tuned numbers are about."""
    assert "Tuned rows are cross-fitted" in Page(a_trial_page()).text


def test_trial_page_names_the_labels_whose_thresholds_are_borrowed():
    """Escaped like everything from outside; without such labels nothing is said."""
    assert "borrowed" not in a_trial_page()
    html = a_trial_page(borrowed=["anger", "<b>odd"])
    assert "No validation example has anger , <b>odd : the threshold is borrowed" in Page(html).text
    assert "<b>odd" not in html


def test_averages_of_the_trial_page_are_those_of_metrics():
    """Simple and weighted means, at 0.5 and tuned, as `goemo.metrics.averages` gives them."""
    half, tuned = tables(["anger", "joy"])
    page = Page(a_trial_page())
    for table in (half, tuned):
        for mean in metrics.averages(table).values():
            assert (
                f"{mean['precision']:.3f} {mean['recall']:.3f} {mean['f1']:.3f} {mean['mcc']:.3f}"
                in page.text
            )


def test_degenerate_tables_are_shown_in_words():
    """A threshold of infinity is "never"; a label without positives is a row like any other."""
    _, tuned = tables(["anger", "joy"])
    tuned.loc[0, ["threshold", "support", "f1"]] = [np.inf, 0, 0.0]
    text = Page(a_trial_page(table=tuned)).text
    assert "anger 0 never 0.000" in text
    assert "inf" not in text.split()
    assert "nan" not in text


def test_tables_of_different_labels_are_refused():
    """The tables at 0.5 and tuned must be about the same labels."""
    half, _ = tables(["anger", "joy"])
    with pytest.raises(ValueError, match="same labels in the same order"):
        a_trial_page(["anger", "grief"], table_at_half=half)


def test_trial_page_says_why_the_trial_ended():
    """The reason in words, how far it got, and the message."""
    text = Page(a_trial_page(stop_reason="out_of_memory", message="batch of 64")).text
    assert "Out of memory after 100 % of its training: batch of 64" in text


def test_everything_from_outside_is_escaped():
    """Markup and template signs in names, texts, messages, notes and commands come out as text."""
    errors = [{"text": NASTY, "missed": {NASTY: 0.1}, "wrong": {NASTY: 0.9}, "confidence": 0.9}]
    outside = {"worst_errors": errors, "environment": {NASTY: NASTY}, "commands": [NASTY]}
    trial = a_trial_page(
        [NASTY, "joy"],
        title=NASTY,
        config={NASTY: NASTY},
        figures={NASTY: picture()},
        message=NASTY,
        **outside,
    )
    search = search_html(
        [entry(1, 0.5, **{NASTY: NASTY}), entry(None, None, reason="failed", message=NASTY)],
        [NASTY, "joy"],
        name=NASTY,
        description=NASTY,
        test_results=on_test([NASTY, "joy"]),
        figures=[Picture(NASTY, picture())],
        warnings=[NASTY],
        insights=[NASTY],
        notes=[NASTY],
        **outside,
    )
    for html, least in ((trial, 10), (search, 20)):
        page = Page(html)
        assert "script" not in page.tags
        assert page.text.count(NASTY) >= least


def test_long_texts_are_cut():
    """A text of ten thousand signs does not fill the page."""
    errors = [{"text": "word " * 2000, "missed": {"joy": 0.1}, "wrong": {}, "confidence": 0.4}]
    assert Page(a_trial_page(worst_errors=errors)).text.count("word") == 80


def search_html(leaderboard, labels=("anger", "joy"), **changes):
    half, tuned = tables(list(labels))
    reasons = Counter(trial["stop_reason"] or "running" for trial in leaderboard)
    known = {"name": "quickstart", "stop_reasons": reasons, "table_at_half": half, "table": tuned}
    return search_page(leaderboard=leaderboard, **{**known, **changes})


def a_search_page(leaderboard, **changes):
    return Page(search_html(leaderboard, **changes))


def test_search_page_opens_with_the_answer():
    """Best configuration, score with interval, how many are tied, how trials ended and why."""
    page = a_search_page(
        [
            entry(1, 0.5, tied=True, batch_size=16),
            entry(2, 0.495, tied=True, batch_size=32),
            entry(3, 0.4, reason="stopped_early", batch_size=64),
            entry(None, None, reason="diverged", message="loss is NaN", batch_size=1),
        ]
    )
    opening = page.text.split("Leaderboard")[0]
    assert "Best: t001, with batch_size 16" in opening
    assert "0.500 (95 % interval 0.490 to 0.510)" in opening
    assert "The other completed trial is statistically tied with it" in opening
    assert (
        "One trial has not run to its end (stopped at 40 %): how it would have ended is not known." in opening
    )
    assert "2 completed, 1 stopped early, 1 diverged" in opening
    assert "t099 diverged: loss is NaN." in opening
    assert page.text.split("rank trial")[1].count(" tied ") == 1


@pytest.mark.parametrize(
    ("leaderboard", "words"),
    [
        ([entry(1, 0.5)], "the only trial that can be ranked"),
        ([entry(1, 0.5), entry(2, 0.1)], "The other completed trial is behind it by more than chance (95 %)"),
        (
            [entry(1, 0.5), entry(2, 0.49, tied=True)],
            "The other completed trial is statistically tied with it",
        ),
        (
            [entry(1, 0.5), *(entry(i, 0.3) for i in range(2, 61))],
            "The other 59 completed trials are behind it by more than chance",
        ),
        ([entry(1, 0.5, reason=None)], "1 running"),
        (
            [entry(1, 0.5), entry(2, 0.49, tied=True), entry(3, 0.1)],
            "2 completed trials, 1 is statis",
        ),
        (
            [entry(1, 0.5, reason="stopped_early"), entry(2, 0.1)],
            "not run to its end itself: stopped at 40 %",
        ),
        ([entry(1, 0.5), entry(2, 0.3, reason=None)], "No other trial ran to its end. One trial has not run"),
        (
            [entry(1, 0.5), *(entry(i, 0.3, reason="stopped_early", tied=i < 4) for i in range(2, 22))],
            "20 trials have not run to their end (20 stopped at 40 %): 2 of them are statis",
        ),
    ],
)
def test_search_page_words_fit_the_outcome(leaderboard, words):
    """One, few or sixty trials; all tied or none."""
    assert words in a_search_page(leaderboard).text


def test_search_page_names_the_upper_bound_as_one():
    """The result has thresholds from validation; tuning on test stands beside it, called what it is."""
    test = on_test(["anger", "joy"])
    page = a_search_page([entry(1, 0.5)], test_results=test)
    results = test["results"]
    assert f"On the test split its macro-F1 is {results['validation']['macro']['f1']:.3f}" in page.text
    for source, words in (("validation", "(the result)"), ("test_tuned", "(upper bound)")):
        assert f"{words} {results[source]['macro']['f1']:.3f}" in page.text
    assert "On the test split" not in a_search_page([entry(1, 0.5)]).text


def test_search_page_ranks_by_another_objective():
    """The leaderboard's key and the words follow the objective."""
    trial = {**entry(1, None), "val_weighted_f1": 0.61, "low": 0.6, "high": 0.62}
    page = a_search_page([trial], objective="weighted_f1")
    assert "validation weighted-F1 is 0.610" in page.text


def test_tables_read_from_csv_work_too():
    """What was logged as per_label.csv gives the same page as the table in memory."""
    half, tuned = tables(["anger", "joy"])
    tuned.loc[0, "threshold"] = np.inf
    read = [pd.read_csv(io.StringIO(table.to_csv(index=False))) for table in (half, tuned)]
    assert a_trial_page(table_at_half=read[0], table=read[1]) == a_trial_page(table_at_half=half, table=tuned)


def opening(page):
    """Return what stands before the first heading, which is the answer."""
    return page.text.split("Leaderboard")[0]


def test_warnings_stand_beside_the_answer():
    """What limits the answer is read with it, not somewhere below."""
    page = a_search_page([entry(1, 0.5)], warnings=["learning_rate 5e-05 is the highest of the grid."])
    assert "learning_rate 5e-05 is the highest of the grid." in opening(page)


def stopped(progress, seconds, *, rank=2):
    return {**entry(rank, 0.4, reason="stopped_early"), "progress": progress, "seconds": seconds}


def test_a_cut_saves_what_was_left_at_the_trials_own_pace():
    """A trial at 20 % after 30 s had 120 s to go; one that ended by itself, or has no pace, saved nothing."""
    assert seconds_saved(stopped(20, 30.0)) == pytest.approx(120.0)
    assert seconds_saved(stopped(50, 30.0)) == pytest.approx(30.0)
    for trial in ({**entry(1, 0.5), "seconds": 30.0}, stopped(0, 30.0), stopped(20, 0.0)):
        assert seconds_saved(trial) is None


def test_the_page_says_what_early_stopping_saved():
    """The sum in the answer, of the whole that would have been trained; each stop on the leaderboard."""
    board = [{**entry(1, 0.5), "seconds": 100.0}, stopped(20, 20.0), stopped(50, 40.0, rank=3)]
    page = a_search_page(board)
    assert "ended 2 trials early and saved about 2 min of 5 min of trial time (43 %)" in opening(page)
    assert "stopped early at 20 %, saved 80 s" in page.text
    assert "stopped early at 50 %, saved 40 s" in page.text
    assert savings_sentence([entry(1, 0.5)]) == ""
    assert "Early stopping ended" not in a_search_page([entry(1, 0.5)]).text


def confirmed(rank, trial_id, values, *, tied=False, lost=(), waiting=0, **varied):
    mean = sum(values) / len(values)
    return {
        "rank": rank,
        "trial_id": trial_id,
        "varied": varied,
        "seeds": list(range(42, 42 + len(values))),
        "values": values,
        "mean": mean,
        "low": mean - 0.02 if len(values) > 1 else None,
        "high": mean + 0.02 if len(values) > 1 else None,
        "deviation": 0.01 if len(values) > 1 else None,
        "tied_with_best": tied,
        "lost": lost,
        "waiting": waiting,
    }


def test_the_confirmed_best_is_the_answer():
    """Its mean, interval and seeds open the page; the seeds that failed are named; each leader has a row."""
    lost = [{"trial_id": "t001-s43", "seed": 43, "stop_reason": "diverged", "message": "loss is NaN"}]
    leaders = [
        confirmed(1, "t002", [0.48, 0.5, 0.52], tied=True, batch_size=32),
        confirmed(2, "t001", [0.5, 0.46], tied=True, lost=lost, batch_size=16),
    ]
    board = [entry(1, 0.5, tied=True, batch_size=16), entry(2, 0.48, tied=True, batch_size=32)]
    page = a_search_page(board, confirmed=leaders)
    start = page.text.split("The leaders with further seeds")[0]
    assert "Best: t002, with batch_size 32." in start
    assert "Over 3 seeds, its mean validation macro-F1 is 0.500 (95 % interval 0.480 to 0.520" in start
    assert "In the search, with one seed, it had 0.480 and rank 2." in start
    assert "All other confirmed leaders are statistically tied with it" in start
    assert "t001 tied 0.4800 0.460 to 0.500 2 of 3 0.0100 0.5000, rank 1 16" in page.text
    assert "t001-s43 diverged: loss is NaN." in page.text


def test_leaders_that_are_being_confirmed_are_not_the_answer_yet():
    """Until all seeds have ended the search's best is the answer, and the page says why."""
    leaders = [confirmed(1, "t002", [0.6], waiting=2), confirmed(2, "t001", [0.5], waiting=2)]
    page = a_search_page([entry(1, 0.5, tied=True), entry(2, 0.48)], confirmed=leaders)
    assert "Best: t001" in page.text
    assert "some have not ended yet" in page.text
    assert "1 of 3" in page.text


def test_what_early_stopping_cut_is_shown_trial_by_trial():
    """The report at the stop, the bar, what the best had there, what was saved; a dash if it is not known."""
    stop = {
        "trial_id": "t002",
        "varied": {},
        "progress": 20,
        "objective": 0.3,
        "bar": 0.35,
        "place": 5,
        "of": 9,
        "low": 0.28,
        "high": 0.32,
        "best_there": 0.4,
        "overlaps": False,
        "expected": 0.45,
        "expected_low": 0.43,
        "expected_high": 0.47,
        "steps_saved": 1234,
        "seconds_saved": 80.0,
    }
    unknown = dict.fromkeys(["bar", "expected", "expected_low", "expected_high", "steps_saved"])
    other = {**stop, **unknown, "trial_id": "t003", "overlaps": True}
    board = [{**entry(1, 0.5), "seconds": 100.0}, stopped(20, 20.0), stopped(20, 20.0, rank=3)]
    page = a_search_page(board, early_stops=[stop, other], risk="It may be among them.")
    text = page.text.split("Trials that were stopped early")[-1]
    assert text.strip().startswith("It may be among them.")
    assert "t002 20 % 0.3000 0.3500 5 of 9 0.280 to 0.320 0.4000 0.4500 0.430 to 0.470 1,234 80 s" in text
    dash = "\N{EN DASH}"
    assert f"t003 tied 20 % 0.3000 {dash} 5 of 9 0.280 to 0.320 0.4000 {dash} {dash} {dash} 80 s" in text
    assert "Trials that were stopped early" not in a_search_page(board).text


def test_the_contents_lead_to_every_part_and_nowhere_else():
    """Each heading of the page has one link, in their order; no anchor stands twice; without parts, none."""
    html = search_html(
        [entry(1, 0.5), entry(2, 0.4)],
        name=NASTY,
        test_results=on_test(["joy", "anger"]),
        worst_errors=[{"text": "<h2 id='x'>no</h2>", "missed": {"joy": 0.1}, "wrong": {}, "confidence": 0.4}],
        commands=["goemo export s"],
    )
    page = Page(html)
    assert page.links == page.anchors
    assert len(set(page.anchors)) == len(page.anchors)
    assert len(page.links) == page.tags.count("h2") >= 6
    assert html.index('class="answer"') < html.index("<nav") < html.index("<h2")
    bare = Page(a_trial_page())
    assert bare.links == bare.anchors


def test_durations_are_read_easily():
    """Seconds, minutes or hours: never more than three digits before the point."""
    assert [duration(seconds) for seconds in (0.4, 99, 150, 5400, 7200, 100_000)] == [
        "0 s",
        "99 s",
        "2 min",
        "90 min",
        "2.0 h",
        "27.8 h",
    ]


def test_intervals_of_all_averages_are_shown():
    """Macro, weighted and micro-F1 stand with their intervals, and each label with its own."""
    test = on_test(["anger", "joy"])
    page = a_search_page([entry(1, 0.5)], test_results=test)
    result = test["results"]["validation"]
    for average in ("macro_f1", "weighted_f1", "micro_f1"):
        low, high = result["intervals"][average]
        assert f"{low:.3f} to {high:.3f}" in page.text
    for row in result["per_label"]:
        assert f"{row['f1']:.3f} {row['f1_low']:.3f} to {row['f1_high']:.3f}" in page.text


def test_a_record_of_an_older_version_is_shown_without_the_intervals_it_lacks():
    """Macro-F1 keeps its interval; columns that would be empty are left out."""
    test = on_test(["anger", "joy"])
    for result in test["results"].values():
        del result["intervals"]
        for row in result["per_label"]:
            del row["f1_low"], row["f1_high"]
    page = a_search_page([entry(1, 0.5)], test_results=test)
    low, high = test["results"]["validation"]["macro_f1_interval"]
    assert f"{low:.3f} to {high:.3f}" in page.text
    assert "F1 F1 at 0.5 F1 upper bound" in page.text
    assert page.text.count("95 % interval") == 4  # twice in the answer, of macro-F1, on the leaderboard


def test_all_published_columns_are_there_at_half_and_tuned():
    """For validation and for test: every label in each table, and both means below it."""
    test = on_test(["anger", "joy"])
    page = a_search_page([entry(1, 0.5)], test_results=test)
    columns = "label accuracy precision recall F1 MCC support threshold"
    assert page.text.count(columns) == 5
    means = [metrics.averages(table) for table in tables(["anger", "joy"])] + list(test["results"].values())
    for found in means:
        for kind, words in (("macro", "simple mean"), ("weighted", "weighted by support")):
            numbers = " ".join(
                f"{found[kind][m]:.3f}" for m in ("accuracy", "precision", "recall", "f1", "mcc")
            )
            assert f"{words} {numbers}" in page.text


def average(**changes):
    values = {
        "study": "XLNet at 0.5",
        "citation": "Somebody",
        "average": "macro",
        "metric": "f1",
        "published": 0.468,
        "ours": 0.5,
        "difference": 0.032,
        "ours_low": 0.48,
        "ours_high": 0.52,
        "ours_validation": 0.49,
    }
    return {**values, **changes}


COMPARED = {
    "labels": [
        {
            "label": "joy",
            "support": 161,
            "ours_at_half": 0.5,
            "published_at_half": 0.603,
            "difference_at_half": -0.103,
            "ours_test_tuned": 0.6,
            "published_test_tuned": 0.605,
            "difference_test_tuned": -0.005,
            "ours_validation": 0.58,
        }
    ],
    "averages": [average(), average(metric="mcc", ours_low=None, ours_high=None)],
    "notes": ["Figures tuned on the test split are upper bounds."],
    "citation": "Somebody",
}


def test_published_results_stand_beside_ours_with_their_notes():
    """Published, ours, interval, difference and the honest figure, per average and per label."""
    text = a_search_page([entry(1, 0.5)], test_results=on_test(["joy"]), comparison=COMPARED).text
    assert "XLNet at 0.5 F1, simple mean 0.468 0.500 0.480 to 0.520 +0.032 0.490" in text
    assert "XLNet at 0.5 MCC, simple mean 0.468 0.500 +0.032 0.490" in text
    assert "joy 161 0.500 0.603 −0.103 0.600 0.605 −0.005 0.580" in text  # noqa: RUF001 - as the page writes it
    assert "Figures tuned on the test split are upper bounds." in text
    assert "Somebody" in text
    assert "published" not in a_search_page([entry(1, 0.5)]).text.lower()


def test_a_choice_without_its_fact_is_refused():
    """The list of an explorer and its sentences must fit together."""
    with pytest.raises(ValueError, match="one fact per choice, got 1 facts for 2 choices"):
        Picture("Explorer", choices=["anger", "joy"], facts=["one"])


def test_pages_of_trials_carry_no_scripts():
    """The page that is logged for every trial stays small: pictures alone, well under a megabyte."""
    html = a_trial_page([f"emotion {i}" for i in range(28)])
    assert "<script" not in html
    assert len(html) < 100_000
