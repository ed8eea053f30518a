"""What is said of a search that is allowed, but will not do what it seems to."""

from __future__ import annotations

import pytest

from tune.spec import SearchSpec, advice, load_spec, order_in_words, scheduler_in_words, shipped_spaces

SPACE = {"epochs": {"choice": [1, 2]}, "batch_size": {"choice": [8, 12, 16, 24, 32, 64]}}


def make_spec(trials, scheduler=None, algorithm="random", space=SPACE, **search):
    return SearchSpec.from_dict(
        {
            "name": "test",
            "model": {"checkpoint": "scratch:albert-tiny"},
            "space": space,
            "search": {"algorithm": algorithm, "trials": trials, **search},
            "scheduler": scheduler or {},
            "objective": {"reports": 5},
        }
    )


SAID = [
    (1, {}, "ASHA hardly helps with one trial: at a rung about one in 3 continues"),
    (2, {}, "ASHA hardly helps with 2 trials: at a rung about one in 3 continues"),
    (3, {}, None),
    (3, {"reduction_factor": 4}, "ASHA hardly helps with 3 trials: at a rung about one in 4 continues"),
    (12, {"grace": 100}, "ASHA stops no trial: with grace 100"),
    (8, {"algorithm": "hyperband"}, "Hyperband hardly helps with 8 trials: they are spread over 3 brackets"),
    (9, {"algorithm": "hyperband"}, None),
    (12, {"algorithm": "hyperband", "grace": 100}, "Hyperband stops no trial: with grace 100"),
    (
        3,
        {"algorithm": "median"},
        "The median rule stops no trial in a search of 3 trials: it compares a trial",
    ),
    (4, {"algorithm": "median"}, None),
    (12, {"algorithm": "median", "grace": 100}, "The median rule stops no trial: with grace 100"),
    (1, {"algorithm": "none"}, None),
]


@pytest.mark.parametrize(("trials", "scheduler", "sentence"), SAID)
def test_a_scheduler_that_cannot_work_is_named_with_the_reason(trials, scheduler, sentence):
    """Too few trials, or a first look at the end: one sentence, with what would help."""
    found = advice(make_spec(trials, scheduler))
    assert len(found) == (sentence is not None)
    if sentence is not None:
        assert found[0].startswith(sentence)
        assert "grace." in found[0] or "Use scheduler: " in found[0]


def test_tpe_that_never_learns_says_so():
    """As many random trials as there are trials; a warm start may shorten them, so nothing is said then."""
    (found,) = advice(make_spec(4, algorithm="tpe"))
    assert found == (
        "TPE never learns: it draws at random until it has 4 trials with a score (search.startup_trials), "
        "and the search has 4 trials."
    )
    assert advice(make_spec(5, algorithm="tpe")) == []
    assert advice(make_spec(4, algorithm="tpe", warm_start=["old"])) == []
    assert advice(make_spec(4, algorithm="tpe", startup_trials=2)) == []


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_trials_that_must_repeat_others_are_told_of(algorithm):
    """More trials than configurations: nothing is said of as many, nor of a space without an end."""
    (found,) = advice(make_spec(13, algorithm=algorithm))
    assert found.startswith("Some of the 13 trials will repeat others")
    assert "the space has 12 configurations" in found
    assert advice(make_spec(12, algorithm=algorithm)) == []
    endless = {"learning_rate": {"uniform": [1e-5, 1e-4]}}
    assert advice(make_spec(13, algorithm=algorithm, space=endless)) == []


@pytest.mark.parametrize("path", shipped_spaces(), ids=lambda p: p.stem)
def test_shipped_spaces_need_no_advice(path):
    """What we ship does what it says."""
    assert advice(load_spec(str(path))) == []


WORDS = [
    ({}, "ASHA, rungs at 20 and 60 %: about one in 3 continues, and the first to reach a rung always does"),
    ({"brackets": 2}, "ASHA in 2 brackets, rungs at 20 and 60 %: about one in 3 continues, and the first"),
    ({"algorithm": "hyperband"}, "Hyperband in all brackets, rungs at 20 and 60 %: about one in 3 continues"),
    ({"algorithm": "median"}, "stopped from 20 % on: trials below the median of the others"),
    ({"algorithm": "none"}, "no early stopping"),
]


@pytest.mark.parametrize(("scheduler", "words"), WORDS)
def test_a_scheduler_in_words(scheduler, words):
    """Who is stopped, and where; that the first at a rung goes on is said before a search starts."""
    assert scheduler_in_words(make_spec(9, scheduler)).startswith(words)


def test_an_order_in_words():
    """What is enqueued, then as the algorithm and the scheduler have it."""
    enqueue = [{"epochs": 1, "batch_size": 16}]
    none = {"algorithm": "none"}
    assert order_in_words(make_spec(3)) == "as drawn"
    assert order_in_words(make_spec(3, enqueue=enqueue)) == "1 enqueued first, then as drawn"
    assert order_in_words(make_spec(None, algorithm="grid")) == "in an order shuffled by the seed"
    assert order_in_words(make_spec(None, none, algorithm="grid")) == "the longest first"
