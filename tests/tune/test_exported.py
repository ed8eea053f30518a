"""Export files: what is written is read, and what is damaged is named with file, line and key."""

from __future__ import annotations

import copy
import os

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import BEST as GOOD

from goemo.errors import InputError
from tune.models.exported import plain, read_export


def written(path, values):
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values), encoding="utf-8")
    return path


def test_what_is_written_is_read(tmp_path):
    """Every part is there in its type, and as plain values it is what was written."""
    exported = read_export(written(tmp_path / "best.yaml", GOOD))
    assert (exported.origin.threads, exported.origin.max_lengths) == (1, (16, 32))
    assert exported.expected.confirmed.seeds == (42, 43)
    assert exported.data.splits["test"].digest == "1"
    assert exported.data.options.label_separator == "#"
    assert exported.configuration.learning_rate == 1e-3
    assert plain(exported.data) == GOOD["data"]


def changed(path, value):
    """Return a good export with one value that is another, or that is gone."""
    values = copy.deepcopy(GOOD)
    place = values
    for part in path[:-1]:
        place = place[part]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return values


WRONG = [
    (("expected", "value"), float("nan"), "expected.value: must be a number from -1 to 1, got nan"),
    (("expected", "value"), float("inf"), "expected.value: must be a number from -1 to 1, got inf"),
    (("expected", "value"), 7, "expected.value: must be a number from -1 to 1, got 7"),
    (
        ("expected", "confirmed", "mean"),
        "x",
        "expected.confirmed.mean: must be a number from -1 to 1",
    ),
    (
        ("configuration", "learning_rate"),
        float("nan"),
        "configuration.learning_rate: must be a number above 0",
    ),
    (("configuration", "epochs"), 10**9, "configuration.epochs: must be at most 10,000, got 1000000000"),
    (("configuration", "epohs"), 3, "configuration.epohs: unknown key; did you mean epochs?"),
    (("configuration", "checkpoint"), KeyError, "configuration.checkpoint: required: a hub id, a folder"),
    (("configuration",), 3, "configuration: must be a mapping with checkpoint, trainable"),
    (("configuration",), KeyError, "configuration: required"),
    (("origin", "threads"), KeyError, "origin.threads: required"),
    (("origin", "threads"), 0, "origin.threads: must be a whole number of at least 1, got 0"),
    (("origin", "threads"), 10**20, "origin.threads: must be at most 4,096, got 100000000000000000000"),
    (("origin", "max_lengths"), [16, "x"], "origin.max_lengths[1]: must be a whole number of at least 4"),
    (("origin", "max_lengths"), 16, "origin.max_lengths: must be a list, got 16"),
    (("origin", "search"), "\ud800", "origin.search: must hold neither half a surrogate pair"),
    (("origin", "platform"), "x" * 2000, "origin.platform: must have at most 1,000 characters"),
    (("data", "splits"), {"test": {"digest": 3}}, "data.splits.test.digest: must be text, got 3"),
    (("data", "seed"), "42", "data.seed: must be a whole number of at least 0, got '42'"),
    (("data", "digest"), [], "data.digest: must be text, got []"),
    (("versions",), ["torch"], "versions: must be a mapping, got ['torch']"),
    (("versions", "torch"), 2.13, "versions.torch: must be text, got 2.13"),
    (("more",), 1, "more: unknown key; known are: origin, expected, data, versions, configuration"),
]


@pytest.mark.parametrize(("path", "value", "problem"), WRONG, ids=lambda part: str(part)[:40])
def test_a_wrong_value_is_one_line_with_its_key(tmp_path, path, value, problem):
    """File, key, rule, value and what writes a right one; nothing is trained for it."""
    with pytest.raises(InputError) as caught:
        read_export(written(tmp_path / "best.yaml", changed(path, value)))
    (found,) = caught.value.problems
    assert found.startswith(problem)
    assert found.endswith("; write it with: goemo export NAME")
    assert caught.value.where == str(tmp_path / "best.yaml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be a mapping with origin, expected, data, versions, configuration, got nothing"),
        ("- a", "must be a mapping with origin"),
        ("a: [", "not valid YAML"),
        ("a: !!python/object/apply:os.system [echo]", "not valid YAML: could not determine a constructor"),
        ("a: " + "[" * 100 + "]" * 100, "must not nest deeper than 50"),
        ("#" * 300_000, "must be at most 256 kB"),
        ("origin: {search: a}\norigin: {search: b}\n", "origin: given twice, in lines 1 and 2"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path, text, problem):
    """Whatever the file is, the answer is a problem that names it."""
    with pytest.raises(InputError) as caught:
        read_export(written(tmp_path / "best.yaml", text))
    assert str(tmp_path / "best.yaml") in str(caught.value)
    assert any(problem in found for found in caught.value.problems)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    """A missing file, a folder and a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    for path, problem in {
        "missing": "No such file",
        ".": "directory",
        "pipe": "must be a regular file",
    }.items():
        with pytest.raises(InputError, match=problem):
            read_export(tmp_path / path)


def paths(values, path=()):
    """Yield the path of every value in nested mappings."""
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from paths(value, (*path, key))


def anything():
    numbers = st.integers() | st.floats() | st.just(10**30)
    plain = st.none() | st.booleans() | numbers | st.text(max_size=10) | st.just(KeyError)
    return st.recursive(
        plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner), max_leaves=5
    )


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(paths(GOOD))), anything())
def test_any_value_anywhere_gives_an_export_or_its_problems(tmp_path_factory, path, value):
    """Whatever stands at a key, the answer is an export or an InputError of at most 4 kB."""
    values = changed(path, value)
    try:
        text = yaml.safe_dump(values)
    except yaml.YAMLError:  # KeyError inside a list is no YAML
        return
    file = written(tmp_path_factory.getbasetemp() / "any.yaml", text)
    try:
        read_export(file)
    except InputError as error:
        assert len(str(error).encode()) <= 4096  # noqa: PT017 - either end is right
