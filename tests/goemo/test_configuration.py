"""A configuration that exists is one that can be trained."""

from __future__ import annotations

import math

import numpy as np
import pytest

from goemo.configuration import HYPERPARAMETER_DEFAULTS, Configuration


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("checkpoint", "", "must be a name"),
        ("trainable", "tail", "must be one of all, last_layer, head, got 'tail'"),
        ("pooling", "max", "must be one of first, mean"),
        ("metric", "accuracy", "must be one of macro_f1"),
        ("thresholds", ["exact"], "must be one of exact"),
        ("batch_size", 0, "must be a whole number of at least 1, got 0"),
        ("batch_size", 16.0, "must be a whole number"),
        ("epochs", True, "must be a whole number"),
        ("max_length", 3, "at least 4"),
        ("seed", -1, "at least 0"),
        ("reports", 0, "at least 1"),
        ("reports", 101, "must be at most 100"),
        ("reports", None, "at least 1"),
        ("learning_rate", 0.0, "must be a number above 0"),
        ("learning_rate", "2e-5", "must be a number above 0, got '2e-5'"),
        ("learning_rate", math.nan, "must be a number above 0"),
        ("weight_decay", -0.1, "at least 0"),
        ("weight_decay", math.inf, "must be a number"),
        ("warmup_fraction", 1.1, "must lie in [0, 1], got 1.1"),
    ],
)
def test_every_promise_is_kept(name, value, rule):
    """Each range and each list of words, with the field and the value."""
    with pytest.raises(ValueError, match=name) as error:
        Configuration(**{"checkpoint": "c"} | {name: value})
    assert rule in str(error.value)
    with pytest.raises(ValueError, match=name):
        Configuration.from_dict({"checkpoint": "c"} | {name: value})


def test_all_problems_come_at_once():
    """Three wrong values are three parts of one message."""
    with pytest.raises(ValueError, match="epochs") as error:
        Configuration(checkpoint="c", epochs=0, batch_size=0, warmup_fraction=2)
    assert len(str(error.value).split("; ")) == 3


def test_the_ends_of_the_ranges_and_numpy_numbers_are_allowed():
    """As searchers give them."""
    Configuration(checkpoint="c", **HYPERPARAMETER_DEFAULTS)
    Configuration(
        checkpoint="c",
        batch_size=np.int64(1),
        learning_rate=np.float64(1),
        max_length=4,
        warmup_fraction=1,
        weight_decay=0,
        seed=0,
        reports=100,
    )
