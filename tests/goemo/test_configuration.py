"""A configuration that exists is one that can be trained."""

from __future__ import annotations

import math
from dataclasses import MISSING

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goemo.configuration import HYPERPARAMETER_DEFAULTS, Configuration
from goemo.configuration.data import DataOptions
from goemo.configuration.declared import json_schema, keys_of
from goemo.errors import InputError


def anything():
    """Plain values as a file may hold them, of any size and kind."""
    numbers = st.integers() | st.floats() | st.sampled_from([400, 5000]).map(lambda digits: 10**digits)
    plain = st.none() | st.booleans() | numbers | st.text() | st.sampled_from(["bce", "exact", "mean"])
    return st.recursive(
        plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
    )


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("checkpoint", "", "must be text"),
        ("trainable", "tail", "must be one of all, last_layer, head, got 'tail'"),
        ("pooling", "max", "must be one of auto, first, mean"),
        ("metric", "accuracy", "must be one of macro_f1"),
        ("thresholds", ["exact"], "must be one of exact"),
        ("batch_size", 0, "must be a whole number of at least 1, got 0"),
        ("batch_size", 16.0, "must be a whole number"),
        ("epochs", True, "must be a whole number"),
        ("max_length", 3, "at least 4"),
        ("seed", -1, "at least 0"),
        ("reports", 0, "must be a whole number from 1 to 100"),
        ("reports", 101, "must be a whole number from 1 to 100"),
        ("reports", None, "from 1 to 100, got nothing"),
        ("learning_rate", 0.0, "must be a number above 0"),
        ("learning_rate", "0.1", "must be a number above 0, got '0.1'"),
        ("learning_rate", math.nan, "must be a number above 0"),
        ("weight_decay", -0.1, "at least 0"),
        ("weight_decay", math.inf, "must be a number"),
        ("warmup_fraction", 1.1, "must be a number from 0 to 1, got 1.1"),
        ("label_smoothing", 0.995, "must be a number from 0 to 0.99, got 0.995"),
        ("learning_rate", 10**400, "must be a number above 0"),
        ("epochs", 10**9, "must be at most 10,000, got 1000000000"),
        ("seed", 10**19, "must be at most 2,147,483,647"),
        ("checkpoint", "a\ud800", "must hold neither half a surrogate pair"),
        ("checkpoint", "a" * 5000, "must have at most 1,000 characters, got 5,000"),
        ("loss", "focal(gama=1)", "'gama' is not an option of the loss focal"),
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


def test_a_misspelt_option_of_data_names_the_nearest():
    """Also inside another, as in a search space."""
    with pytest.raises(InputError) as error:
        DataOptions.parse({"sepratr": ",", "columns": {"txt": "a"}})
    assert sorted(error.value.problems) == [
        "columns.txt: unknown key; did you mean text?",
        "sepratr: unknown key; did you mean separator?",
    ]


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


def test_numbers_that_yaml_takes_for_text_are_numbers():
    """2e-5, which YAML 1.1 reads as text, is the number that it looks like."""
    assert Configuration(checkpoint="c", learning_rate="2e-5").learning_rate == 2e-5
    assert (
        Configuration(checkpoint="c", thresholds={"method": "grid", "step": "1e-1"}).thresholds["step"] == 0.1
    )


def test_every_key_is_declared_whole():
    """Each key has a rule in words, a meaning, and a default that keeps the rule, or none."""
    for name, key in keys_of(Configuration).items():
        assert key.rule is not None, name
        assert key.rule.words
        assert key.meaning, name
        if key.default is not MISSING and key.default is not None:
            assert key.rule.check(key.default) == key.default


@given(st.dictionaries(st.sampled_from([*keys_of(Configuration), "lr", "0"]), anything(), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_values_give_a_configuration_or_one_line(values):
    """Whatever the values, the answer is a configuration that comes back from its dict, or one short line."""
    try:
        made = Configuration(**{"checkpoint": "c"} | values)
    except ValueError as error:
        message = str(error)
    else:
        message = ""
        assert Configuration.from_dict(made.to_dict()) == made
    assert "\n" not in message
    assert len(message) < 4000


def test_the_json_schema_allows_what_the_rules_allow():
    """A validator of JSON Schema and the rules agree on values within, at and beyond the ends."""
    schema = jsonschema.Draft202012Validator(json_schema(Configuration))
    for name, value in [
        ("epochs", 1),
        ("epochs", 0),
        ("epochs", 10_001),
        ("learning_rate", 0),
        ("learning_rate", 0.1),
        ("warmup_fraction", 1),
        ("warmup_fraction", 1.01),
        ("schedule", "cosine"),
        ("schedule", "cosin"),
        ("dropout", None),
        ("dropout", 1),
        ("thresholds", "exact"),
        ("thresholds", {"method": "grid", "step": 0.1}),
        ("thresholds", {"step": 0.1}),
        ("nothing", 1),
    ]:
        values = {"checkpoint": "c", name: value}
        try:
            Configuration(**values)
            is_right = True
        except ValueError:
            is_right = False
        assert schema.is_valid(values) is is_right, (name, value)
    assert schema.schema["properties"]["epochs"]["description"] == "passes over the training split"
