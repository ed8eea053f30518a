"""A choice of thresholds: what is allowed, and how what is not is refused."""

from __future__ import annotations

import numpy as np
import pytest

from goemo.configuration.thresholds import (
    CHOICE_KEYS,
    DEFAULT_METHOD,
    METHODS,
    filled_options,
    known_options,
    option_problems,
    threshold_options,
    words,
)
from goemo.thresholds import fit_thresholds


@pytest.mark.parametrize("method", METHODS)
def test_a_word_is_the_method_with_its_defaults(method):
    """A method by its name, alone or in a mapping, gives the same thresholds as nothing but the method."""
    scores, targets = np.random.default_rng(0).random((40, 2)), np.eye(40, 2, dtype=np.bool_)
    assert threshold_options(method) == threshold_options({"method": method}) == {"method": method}
    fitted = fit_thresholds(scores, targets, **threshold_options(method))
    defaults = filled_options({"method": method})
    assert fitted.options == {k: v for k, v in defaults.items() if k not in ("target", "fallback")}
    assert set(CHOICE_KEYS) >= {"method", *known_options({"method": method})}


def test_the_default_is_a_method():
    """What the harness takes where nothing is said can be fitted."""
    assert DEFAULT_METHOD in METHODS


def test_options_are_handed_on_as_given():
    """The keywords are the mapping's, without defaults, in a dict of their own."""
    choice = {"method": "cross_fit", "of": "shrunk", "strength": 5, "target": "mcc", "fallback": "top1"}
    options = threshold_options(choice)
    assert options == choice
    assert options is not choice


@pytest.mark.parametrize(
    ("choice", "problems"),
    [
        (3, [((), "must be one of exact, .*or a mapping with method and options, got 3")]),
        (None, [((), "got None")]),
        ("exakt", [((), "must be one of exact, .*got 'exakt'; did you mean exact?")]),
        ({}, [(("method",), "must be one of exact, .*got nothing")]),
        ({"step": 0.1}, [(("method",), "got nothing")]),
        ({"method": "gird"}, [(("method",), "got 'gird'; did you mean grid?")]),
        ({"method": ["grid"]}, [(("method",), r"got \['grid'\]")]),
        (
            {"method": "grid", "stpe": 1},
            [(("stpe",), "not an option of the method grid.*did you mean step?")],
        ),
        ({"method": "exact", "step": 1}, [(("step",), "which takes target, fallback; .*the method grid")]),
        ({"method": "grid", "beta": 2}, [(("beta",), "belongs to the target f_beta")]),
        ({"method": "grid", 3: 1}, [(("3",), "not an option of the method grid")]),
        ({"method": "grid", "step": True}, [(("step",), r"must lie in \[0.0001, 1\), got True")]),
        ({"method": "grid", "step": "0.1"}, [(("step",), "got '0.1'")]),
        ({"method": "grid", "step": 1}, [(("step",), r"must lie in \[0.0001, 1\), got 1")]),
        ({"method": "grid", "step": float("nan")}, [(("step",), "got nan")]),
        ({"method": "fixed", "value": -0.1}, [(("value",), r"must lie in \[0, 1\], got -0.1")]),
        ({"method": "fixed", "target": "f1"}, [(("target",), "not an option of the method fixed")]),
        ({"method": "shrunk", "strength": -1}, [(("strength",), r"must be a number in \[0, inf\), got -1")]),
        ({"method": "shrunk", "strength": float("inf")}, [(("strength",), "got inf")]),
        ({"method": "smoothed", "a": -1, "b": -1}, [(("a",), "got -1"), (("b",), "got -1")]),
        ({"method": "fbr", "fbr": 1.5}, [(("fbr",), r"must lie in \[0, 1\], got 1.5")]),
        ({"method": "plug_in", "calibration": "plat"}, [(("calibration",), "did you mean platt?")]),
        ({"method": "cross_fit", "folds": 1}, [(("folds",), "must be a whole number of at least 2, got 1")]),
        ({"method": "cross_fit", "folds": 2.0}, [(("folds",), "must be a whole number")]),
        ({"method": "cross_fit", "of": "cross_fit"}, [(("of",), "must be one of exact, .*got 'cross_fit'")]),
        ({"method": "cross_fit", "strength": 1}, [(("strength",), "belongs to the method shrunk")]),
        (
            {"method": "exact", "target": "f_bta"},
            [(("target",), "must be one of f1, .*did you mean f_beta?")],
        ),
        ({"method": "fbr", "target": "mcc"}, [(("target",), "must be one of f1, f_beta, got 'mcc'")]),
        ({"method": "exact", "target": "f_beta"}, [(("beta",), "got nothing; the target f_beta needs it")]),
        ({"method": "exact", "target": "f_beta", "beta": 0}, [(("beta",), r"a number in \(0, inf\), got 0")]),
        (
            {"method": "exact", "target": "precision_at_recall", "recall": 0},
            [(("recall",), r"must lie in \(0, 1\], got 0")],
        ),
        (
            {"method": "exact", "target": "recall_at_precision", "recall": 1},
            [(("recall",), "target precision_at_recall"), (("precision",), "got nothing")],
        ),
        ({"method": "exact", "fallback": "top2"}, [(("fallback",), "must be one of none, top1.*mean top1?")]),
        (
            {"method": "fbr", "fbr": 2, "fallbck": "top1", "target": "f3"},
            [(("fbr",), "got 2"), (("fallbck",), "mean fallback?"), (("target",), "got 'f3'")],
        ),
    ],
)
def test_what_is_wrong_is_said_all_at_once(choice, problems):
    """Each problem has its key, rule, value and the nearest right name; the message has them all."""
    found = list(option_problems(choice))
    assert [path for path, _ in found] == [path for path, _ in problems]
    with pytest.raises(ValueError, match=r"got|not an option") as error:
        threshold_options(choice)
    for (path, message), (_, pattern) in zip(found, problems, strict=True):
        with pytest.raises(ValueError, match=pattern):
            raise ValueError(message)
        assert " ".join([*path, message]) in str(error.value)


def test_numpy_numbers_are_numbers():
    """As a benchmark or a searcher gives them."""
    threshold_options({"method": "shrunk", "strength": np.float32(3)})
    threshold_options({"method": "cross_fit", "folds": np.int64(3)})


def test_a_choice_in_words():
    """The method, and the options that were given."""
    assert words("exact") == "exact"
    assert words({"method": "grid", "step": 0.1}) == "grid (step 0.1)"
    assert words({"method": "cross_fit", "of": "grid", "folds": 3}) == "cross_fit (of grid, folds 3)"
