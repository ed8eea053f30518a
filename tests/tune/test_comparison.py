"""Several searches in one ranking, on the same validation rows or not at all."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from goemo.configuration import HYPERPARAMETER_DEFAULTS
from goemo.errors import GoemoError, InputError
from goemo.evaluation import validation_metrics
from goemo.significance import paired_difference
from goemo.thresholds import cross_fitted_predictions, threshold_options
from tune.cli.tables import comparison_table
from tune.ranking import comparison, leaderboard
from tune.records import Outcome, SearchFolder

LABELS = ("joy", "anger", "neutral")
TARGETS = np.random.default_rng(0).random((300, 3)) < 0.3


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))


def make(
    name,
    checkpoint,
    noises,
    *,
    metric="macro_f1",
    targets=TARGETS,
    labels=LABELS,
    digest="d",
    thresholds="exact",
    varied=("batch_size",),
):
    """Make a search whose trials know the targets up to some noise each."""
    search = SearchFolder.create(name, {"objective": {"metric": metric}})
    search.write_validation(targets, labels)
    search.add_facts(data={"splits": {"validation": {"digest": digest}}})
    config = {"metric": metric, "thresholds": thresholds, "checkpoint": checkpoint, "trainable": "all"}
    for number, noise in enumerate(noises, start=1):
        rng = np.random.default_rng(len(name) + number)
        scores = np.clip(targets * 0.4 + 0.3 + noise * rng.normal(size=targets.shape), 0, 1)
        kept = scores.astype(np.float16)
        folder = search.trial(f"t{number:03}")
        values = dict.fromkeys(varied, number)
        folder.write_config({**config, **values}, values)
        metrics = validation_metrics(kept.astype(np.float32), targets, **threshold_options(thresholds))
        folder.write_report({"progress": 100, "time": 1.0, "seconds": 2.0, **metrics}, kept)
        folder.write_outcome(Outcome("completed"))
    return search


def compared(searches):
    """Compare searches as their records stand now."""
    return comparison.compare([search.snapshot() for search in searches])


def test_the_encoders_of_one_search_stand_in_the_order_of_their_best_trials():
    """Each encoder has its best trial, and is behind the best of all by what two searches would say."""
    search = make("both", "a", [0.3, 0.25])
    make("other", "x", [0.35, 0.15, 0.3]).trial("t002").path.rename(search.path / "trials" / "t004")
    found = comparison.compare([search.snapshot()], by="checkpoint")
    assert [(c.group, c.trial_id, c.trials) for c in found.contenders] == [("x", "t004", 1), ("a", "t002", 2)]
    best, other = found.contenders
    apart = paired_difference(TARGETS, *(predictions(search, c.trial_id) for c in (best, other)))
    assert (other.behind, other.behind_low, other.behind_high) == pytest.approx(
        (apart.difference, apart.low, apart.high)
    )
    assert found.to_dict()["by"] == "checkpoint"
    assert "Best: t004 of x, " in comparison.summary(found)
    table = comparison_table(found)
    assert table.columns[0].name == "checkpoint"
    assert [row[0] for row in table.rows] == ["x", "a"]


def predictions(search, trial_id):
    scores = search.trial(trial_id).read().scores()
    return cross_fitted_predictions(scores, TARGETS, **threshold_options("exact"))


def test_searches_stand_in_the_order_of_their_best_trials():
    """All trials of all searches are in one ranking, and each search is represented by its best."""
    albert, xlnet = make("albert", "a", [0.3, 0.25]), make("xlnet", "x", [0.35, 0.15, 0.3])
    found = compared([albert, xlnet])
    assert [c.search for c in found.contenders] == ["xlnet", "albert"]
    assert [c.trials for c in found.contenders] == [3, 2]
    for contender in found.contenders:
        own = leaderboard.build(SearchFolder.open(contender.search).snapshot()).best
        assert (contender.trial_id, contender.objective) == (own.trial_id, own.objective)
        assert (contender.low, contender.high) == (own.low, own.high)
    objectives = [row.objective for row in found.rows]
    assert objectives == sorted(objectives, reverse=True)
    assert [row.rank for row in found.rows] == [1, 2, 3, 4, 5]
    assert {(row.search, row.trial_id) for row in found.rows} == {
        *(("albert", f"t00{i}") for i in (1, 2)),
        *(("xlnet", f"t00{i}") for i in (1, 2, 3)),
    }


def test_what_is_damaged_is_left_out_and_named():
    """Scores that cannot be read cost their trial, in one search and across several, and nothing else."""
    albert, xlnet = make("albert", "a", [0.3, 0.25]), make("xlnet", "x", [0.35, 0.15, 0.3])
    path = xlnet.trial("t002").path / "scores.npz"
    path.write_bytes(b"no archive")
    for found in (compared([albert, xlnet]), comparison.compare([xlnet.snapshot()], by="checkpoint")):
        assert "t002" not in {row.trial_id for row in found.rows if row.search == "xlnet"}
        (damaged,) = found.to_dict()["damaged"]
        assert damaged["trial_id"] == "t002"
        assert str(path) in damaged["why"]
    assert "t002" in {row.trial_id for row in compared([albert, xlnet]).rows}  # albert's


def test_the_gap_is_the_paired_difference_on_the_same_rows():
    """How far a search is behind equals the paired bootstrap between the two best trials."""
    searches = {s.name: s for s in (make("albert", "a", [0.3]), make("xlnet", "x", [0.25]))}
    first, second = compared(list(searches.values())).contenders
    predictions = [
        cross_fitted_predictions(searches[c.search].trial(c.trial_id).read().scores(), TARGETS)
        for c in (first, second)
    ]
    expected = paired_difference(TARGETS, *predictions, metric="macro_f1")
    assert second.behind == pytest.approx(expected.difference, abs=1e-12)
    assert (second.behind_low, second.behind_high) == (expected.low, expected.high)
    assert second.probability_best_beats_it == expected.probability_a_beats_b
    assert (first.behind, first.probability_best_beats_it) == (0, None)


def test_the_summary_says_who_wins_and_whether_that_is_sure():
    """A clear gap is called one; a gap whose interval holds 0 is called a tie."""
    clear = compared([make("good", "a", [0.1]), make("bad", "b", [0.6])])
    assert "bad (t001) is behind by" in comparison.summary(clear)
    close = compared([make("one", "a", [0.2]), make("two", "b", [0.2])])
    assert "statistically tied" in comparison.summary(close)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "micro_f1"}, "other ranks by micro_f1, first by macro_f1"),
        ({"labels": ("a", "b", "c")}, "other has 3 labels, first has 3, and they are not the same"),
        ({"digest": "e"}, "other was measured on other validation rows than first"),
        ({"targets": ~TARGETS}, "other was measured on other validation rows than first"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes, message):
    """Searches with another metric, other labels or other validation rows are not put in one table."""
    with pytest.raises(InputError, match=message):
        compared([make("first", "a", [0.3]), make("other", "b", [0.3], **changes)])


def test_a_search_named_twice_is_refused():
    """A search is not compared with itself."""
    search = make("first", "a", [0.3])
    with pytest.raises(InputError, match="first is named twice"):
        compared([search, search])


def test_a_search_without_scores_is_named():
    """A search none of whose trials has reported stops the comparison with its name."""
    with pytest.raises(GoemoError, match="empty: no trial has a score"):
        compared([make("first", "a", [0.3]), make("empty", "b", [])])


def test_every_format_tells_the_same():
    """JSON and CSV hold the same trials in the same order, with the search and the model of each."""
    found = compared([make("albert", "a", [0.3, 0.2]), make("xlnet", "x", [0.25])])
    shape = json.loads(found.to_json())
    lines = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [(t["search"], t["trial_id"]) for t in shape["trials"]] == [
        (line["search"], line["trial_id"]) for line in lines
    ]
    assert [line["checkpoint"] for line in lines] == [t["config"]["checkpoint"] for t in shape["trials"]]
    assert shape["searches"] == [c["search"] for c in shape["best_of_each"]]
    assert list(lines[0])[:5] == ["rank", "search", "trial_id", "checkpoint", "batch_size"]


def test_what_an_older_record_lacks_is_its_default():
    """Where one search varies what the records of another do not know, the column holds what that one did."""
    newer = make("newer", "a", [0.3], varied=("batch_size", "label_smoothing"))
    found = compared([newer, make("older", "b", [0.25])])
    lines = {line["search"]: line for line in csv.DictReader(io.StringIO(found.to_csv()))}
    assert float(lines["older"]["label_smoothing"]) == HYPERPARAMETER_DEFAULTS["label_smoothing"]
    assert lines["newer"]["label_smoothing"] == "1"


def test_other_ways_to_fit_thresholds_are_told():
    """Searches whose thresholds are fitted differently come with that note, in words; others without it."""
    grid = {"method": "grid", "step": 0.1}
    one, two = make("one", "a", [0.2]), make("two", "b", [0.3], thresholds=grid)
    told = comparison.summary(compared([one, two]))
    assert "Part of the difference may come from how thresholds are fitted" in told
    assert "one by exact" in told
    assert "two by grid (step 0.1)" in told
    same = compared([one, make("three", "c", [0.3])])
    assert "fitted" not in comparison.summary(same)
