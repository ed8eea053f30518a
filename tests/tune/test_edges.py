"""A best value on the edge of the space: what is said of it, and how to search on from there."""

from __future__ import annotations

import itertools
import shlex

import pytest
import yaml

from goemo.errors import InputError
from tune.ranking.edges import edges, search_on
from tune.spec import SEARCHABLE, SearchSpec, load_spec

GRID = {"batch_size": {"grid": [16, 32, 64]}, "learning_rate": {"grid": [1e-5, 3e-5, 1e-4]}}


def spec(space, **sections):
    return SearchSpec.from_dict({"name": "s", "model": {"checkpoint": "c"}, "space": space, **sections})


def drawn(space):
    return spec(space, search={"algorithm": "random", "trials": 20})


def sentences(of, best, tied=()):
    return [edge.sentence for edge in edges(of, best, tied)]


def test_a_best_value_on_the_edge_of_a_list_is_told_with_its_direction():
    """At either end of a grid or a list of three values; the order in which they are written is no matter."""
    space = {"batch_size": {"grid": [64, 16, 32]}, "learning_rate": {"choice": [2e-5, 3e-5, 5e-5]}}
    chosen = drawn(space | {"batch_size": {"choice": [64, 16, 32]}})
    assert sentences(chosen, {"batch_size": 16, "learning_rate": 5e-5}) == [
        "batch_size 16 is the lowest of the list; try lower values.",
        "learning_rate 5e-05 is the highest of the list; try higher values.",
    ]
    grid = spec({"learning_rate": {"grid": [2e-5, 3e-5, 5e-5]}})
    assert sentences(grid, {"learning_rate": 5e-5}) == [
        "learning_rate 5e-05 is the highest of the grid; try higher values."
    ]
    assert sentences(chosen, {"batch_size": 32, "learning_rate": 3e-5}) == []


def test_names_have_no_edge():
    """A list of losses has no highest one; the numbers beside it are still looked at."""
    space = {"loss": {"choice": ["bce", "focal", "positive_weighted"]}, "epochs": {"choice": [2, 3, 4]}}
    for loss in space["loss"]["choice"]:
        assert sentences(drawn(space), {"loss": loss, "epochs": 4}, [{"loss": "bce", "epochs": 4}]) == [
            "epochs 4 is the highest of the list; try higher values."
        ]


def test_two_values_have_no_inside():
    """With two values the best is always at an end, which says nothing."""
    assert sentences(spec({"epochs": {"grid": [2, 4]}}), {"epochs": 4}) == []


@pytest.mark.parametrize(
    ("domain", "value", "expected"),
    [
        ({"log_uniform": [1e-6, 1e-2]}, 1.4e-6, "lower bound of the range, 1e-06; try lower"),
        ({"log_uniform": [1e-6, 1e-2]}, 1e-5, None),
        ({"log_uniform": [1e-6, 1e-2]}, 7e-3, "upper bound of the range, 0.01; try higher"),
        ({"uniform": [0.001, 0.101]}, 0.105 - 0.008, "upper bound of the range, 0.101; try higher"),
        ({"uniform": [0.001, 0.101]}, 0.09, None),
    ],
)
def test_near_a_bound_is_measured_on_the_scale_of_the_range(domain, value, expected):
    """Within a twentieth of the width, in logarithms where the range is logarithmic."""
    found = sentences(drawn({"learning_rate": domain}), {"learning_rate": value})
    assert len(found) == (expected is not None)
    assert all(expected in sentence for sentence in found)


def test_whole_numbers_are_on_the_edge_at_the_bound_itself():
    """Of 2 to 60 epochs, 59 is not the edge, although it is near."""
    epochs = drawn({"epochs": {"int": [2, 60]}})
    assert sentences(epochs, {"epochs": 59}) == []
    assert sentences(epochs, {"epochs": 60}) == [
        "epochs 60 lies at the upper bound of the range, 60; try higher values."
    ]


@pytest.mark.parametrize(
    ("name", "domain", "value"),
    [
        ("warmup_fraction", {"uniform": [0.0, 0.2]}, 0.001),
        ("warmup_fraction", {"grid": [0.5, 0.8, 1.0]}, 1.0),
        ("weight_decay", {"grid": [0.0, 0.01, 0.1]}, 0.0),
        ("epochs", {"int": [1, 9]}, 1),
        ("max_length", {"grid": [4, 8, 16]}, 4),
    ],
)
def test_there_is_no_warning_where_nothing_lies_beyond(name, domain, value):
    """A share cannot exceed 1, and nothing falls below the least value that is allowed."""
    assert sentences(drawn({name: domain}), {name: value}) == []


def test_a_tied_trial_elsewhere_is_mentioned():
    """The edge is no proof where a trial as good as the best does not lie on it."""
    grid = spec(GRID)
    best = {"batch_size": 16, "learning_rate": 1e-4}
    tied = [{"batch_size": 16, "learning_rate": 1e-4}, {"batch_size": 64, "learning_rate": 1e-4}]
    first, second = sentences(grid, best, tied)
    assert first.endswith("try lower values, although a trial with 64 is statistically tied with the best.")
    assert second == "learning_rate 0.0001 is the highest of the grid; try higher values."


def test_whole_numbers_are_shown_whole():
    """Thousands, too."""
    grid = spec({"max_length": {"grid": [512, 1024, 2048]}})
    (sentence,) = sentences(grid, {"max_length": 2048}, [{"max_length": 1024}])
    assert sentence.startswith("max_length 2048 is the highest of the grid; try higher values, although")
    assert "a trial with 1024 is" in sentence


@pytest.mark.parametrize(
    ("name", "domain", "best", "expected"),
    [
        ("batch_size", {"grid": [16, 32, 64]}, 64, "grid=[32, 64, 128, 256]"),
        ("batch_size", {"grid": [64, 16, 32]}, 16, "grid=[4, 8, 16, 32]"),
        ("learning_rate", {"choice": [1e-4, 1e-3, 1e-2]}, 1e-4, "choice=[1e-06, 1e-05, 0.0001, 0.001]"),
        ("epochs", {"grid": [2, 3, 4]}, 4, "grid=[3, 4, 5, 6]"),
        ("epochs", {"grid": [2, 3, 4]}, 2, "grid=[1, 2, 3]"),
        ("warmup_fraction", {"grid": [0.0, 0.1, 0.2]}, 0.2, "grid=[0.1, 0.2, 0.3, 0.4]"),
        ("warmup_fraction", {"grid": [0.5, 0.7, 0.9]}, 0.9, "grid=[0.7, 0.9, 0.95, 0.975]"),
        ("weight_decay", {"grid": [0.0, 0.01, 0.1]}, 0.1, "grid=[0.01, 0.1, 1, 10]"),
        ("beta2", {"grid": [0.9, 0.99, 0.999]}, 0.999, "grid=[0.99, 0.999, 0.9995, 0.99975]"),
        ("epochs", {"int": [2, 60]}, 60, "int=[45, 75]"),
        ("epochs", {"int": [2, 4]}, 2, "int=[1, 3]"),
        ("learning_rate", {"log_uniform": [1e-6, 1e-2]}, 9.9e-3, "log_uniform=[0.001, 0.1]"),
        ("warmup_fraction", {"uniform": [0.1, 0.9]}, 0.89, "uniform=[0.7, 0.95]"),
    ],
)
def test_the_search_goes_on_in_the_ratio_or_the_step_of_the_list(name, domain, best, expected):
    """Two values beyond the edge, which lies inside; of a range, half its width around the bound."""
    (edge,) = edges(drawn({name: domain}), {name: best})
    assert edge.override == f"space.{name}.{expected}"


def numeric():
    return [name for name, key in SEARCHABLE.items() if key.type in {int, float}]


@pytest.mark.parametrize("name", numeric())
def test_what_is_proposed_is_always_allowed_and_further(name):
    """For every hyperparameter and many lists, each value passes its check, and one lies beyond the edge."""
    rule, found = SEARCHABLE[name], 0
    for start, step in itertools.product((0.0, 0.005, 0.3, 0.9, 4, 8, 60000), (0.001, 0.05, 0.3, 2, 50)):
        values = [start + step * i for i in range(3)]
        if rule.type is int:
            values = [round(value) for value in values]
        try:
            of = drawn({name: {"grid": [rule.check(value) for value in values]}})
        except (InputError, ValueError):  # this list itself is not allowed
            continue
        for best, side in ((min(values), -1), (max(values), 1)):
            for edge in edges(of, {name: best}):
                proposed = edge.domain.values
                assert [rule.check(value) for value in proposed] == list(proposed) == sorted(set(proposed))
                assert best in proposed[1:] if side < 0 else best in proposed[:-1]
                assert any(side * (value - best) > 0 for value in proposed)
                found += 1
    assert found


def recorded(of, runs):
    """Return the folder of a search, whose file is really there."""
    folder = runs / of.name
    folder.mkdir()
    (folder / "search.yaml").write_text(yaml.safe_dump(of.to_dict()), encoding="utf-8")
    return folder


@pytest.mark.parametrize("enqueue", [[], [{"batch_size": 16, "learning_rate": 3e-5}]])
def test_the_command_is_one_that_the_search_takes(tmp_path, enqueue):
    """Read as the shell reads it, it gives the same search over the new domains, under another name."""
    of = spec(GRID, search={"algorithm": "random", "trials": 20, "enqueue": enqueue})
    found = edges(of, {"batch_size": 64, "learning_rate": 1e-4})
    words = shlex.split(search_on(of, recorded(of, tmp_path), found))
    assert words[:2] == ["goemo", "search"]
    overrides = [word for before, word in itertools.pairwise(words) if before == "--set"]
    again = load_spec(words[2], overrides=overrides, name=words[words.index("--name") + 1])
    assert again.name == "s-wider"
    assert {name: domain.values for name, domain in again.space.items()} == {
        "batch_size": (32, 64, 128, 256),
        "learning_rate": (3e-5, 1e-4, pytest.approx(3.2e-4), pytest.approx(0.001, rel=0.05)),
    }
    assert again.search.enqueue == ()
    assert again.model == of.model


def test_a_command_that_would_be_refused_is_not_given(tmp_path):
    """Another hyperparameter needs a value that the new space lacks; without an edge there is none."""
    of = drawn(
        {
            "batch_size": {"choice": [16, 32, 64]},
            "dropout": {"choice": [0.1, 0.2, 0.3], "only_if": {"batch_size": [16]}},
        }
    )
    found = edges(of, {"batch_size": 64, "dropout": 0.2})
    assert [edge.name for edge in found] == ["batch_size"]
    assert search_on(of, recorded(of, tmp_path), found) == ""
    assert search_on(of, tmp_path, []) == ""
