"""What no search space means: sizes, numbers and texts beyond all use are refused with key and reason."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from goemo.configuration import HYPERPARAMETERS
from goemo.errors import InputError
from tune.spec import SearchSpec, load_spec
from tune.spec.keys import dotted_keys

MINIMAL = "model: {checkpoint: scratch:albert-tiny}\n"
LONG = "9" * 400

BEYOND = {
    "seed: 12345678901234567890": "seed: must be at most 2,147,483,647, got 12345678901234567890",
    f"seed: {LONG}": "seed: must be at most 2,147,483,647, got 9999",
    f"space: {{learning_rate: {LONG}}}": "space.learning_rate: must be a number above 0, got 9999",
    f"space: {{learning_rate: {LONG}.0}}": "space.learning_rate: must be a number above 0, got inf",
    "space: {learning_rate: 1e400}": "space.learning_rate: must be a number above 0, got '1e400'",
    "space: {epochs: 1000000000}": "space.epochs: must be at most 10,000, got 1000000000",
    "space: {epochs: 1e9}": "space.epochs: must be a whole number of at least 1, got '1e9'",
    "space: {batch_size: 9223372036854775808}": "space.batch_size: must be at most 65,536, got 922337",
    "space: {epochs: {grid: [1, 2]}}\nsearch: {algorithm: random, trials: 1000000000}": "search.trials: must "
    "be at most 100,000, got 1000000000",
    "resources: {cpus_per_trial: 1.0e-9}": "resources.cpus_per_trial: must be at least 0.01, got 1e-09",
    "resources: {gpus_per_trial: 1.0e-9}": "resources.gpus_per_trial: must be at least 0.01, got 1e-09",
    "resources: {cpus_per_trial: .nan}": "resources.cpus_per_trial: must be a number above 0, got nan",
    "scheduler: {reduction_factor: 1.00001}": "scheduler.reduction_factor: must be a number of at least "
    "1.1, got 1.00001",
    "scheduler: {brackets: 1000000}": "scheduler.brackets: must be at most 100, got 1000000",
    'data: {source: "dir:\\ud800"}': "data.source: must hold neither half a surrogate pair nor a zero byte",
    'data: {source: "dir:\\0"}': "data.source: must hold neither half a surrogate pair nor a zero byte",
    f"data: {{source: {'x' * 5000}}}": "data.source: must have at most 1,000 characters, got 5,000",
    f"{'k' * 300}: 1": f"{'k' * 77}...: unknown key; known are: name, model",
    '"\\e[31mred": 1': "\\x1b[31mred: unknown key; known are: name, model",
    f"name: {'n' * 101}": "name: must be up to 100 letters",
    "checkpoint_every_s: 1.0e+300": "checkpoint_every_s: must be at most 100,000,000, got 1e+300",
    f"space: {{epochs: {{grid: [{', '.join(map(str, range(1, 1500)))}]}}}}": "space.epochs.grid: must have "
    "at most 1,000 values, got 1,499",
    "baseline: bag": "baseline: must be words, none, or a mapping with C, word_ngrams,",
    "baseline: {}": "baseline: must be words, none, or a mapping",
    "baseline: [C]": "baseline: must be words, none, or a mapping",
    "baseline: {c: 1}": "baseline.c: unknown key; known are: C, word_ngrams, char_ngrams, least_rows",
    "baseline: {epochs: 1}": "baseline.epochs: unknown key; did you mean space.epochs?",
    "baseline: {C: 0}": "baseline.C: must be a number above 0, got 0",
    "baseline: {C: []}": "baseline.C: must not be empty, got []",
    "baseline: {C: [1, 1.0]}": "baseline.C[1]: values must differ, got 1.0 more than once",
    "baseline: {C: [1, .nan]}": "baseline.C[1]: must be a number above 0, got nan",
    "baseline: {char_ngrams: [0, 9]}": "baseline.char_ngrams[1]: must be a whole number from 0 to 8, got 9",
    "baseline: {least_rows: [1, 2, 3, 4, 5, 6], word_ngrams: [1, 2, 3, 4, 5], char_ngrams: [0, 3, 4, 5]}": (
        "baseline: must have at most 100 combinations of its lists"
    ),
}


@pytest.mark.parametrize(("line", "problem"), BEYOND.items(), ids=lambda value: value[:40])
def test_what_is_beyond_all_use_has_one_problem(tmp_path, line, problem):
    """One line that names the key, the rule and the value."""
    (found,) = refused(tmp_path, MINIMAL + line + "\n")
    assert found.startswith(problem)
    assert len(found) < 500


def refused(folder, text, *overrides):
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_spec(str(path), overrides=overrides)
    assert len(str(caught.value).encode()) <= 4096
    return list(caught.value.problems)


def nested_merges(levels):
    lines = ["a0: &a0 {k: 1, l: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], m{n}: 1}}" for n in range(1, levels + 1)]
    return "\n".join(lines)


def nested_aliases(levels):
    lines = ["a0: &a0 [1, 2]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels + 1)]
    return "\n".join(lines)


BOMBS = {
    "merges": (nested_merges(12), "must stand for at most 20,000 values, anchors and merges included"),
    "aliases": (nested_aliases(12), "must stand for at most 20,000 values, anchors and merges included"),
    "depth": ("space: " + "[" * 60 + "]" * 60, "must not nest deeper than 50 (line 1)"),
    "endless": ("space: " + "[" * 100_000, "must not nest deeper than 50 (line 1)"),
    "many": ("space: [" + "1," * 60_000 + "]", "must have at most 20,000 values"),
    "large": ("#" * 300_000, "must be at most 256 kB"),
}


@pytest.mark.parametrize(("text", "problem"), BOMBS.values(), ids=BOMBS)
def test_files_that_unfold_are_refused_at_once(tmp_path, text, problem):
    """Anchors in anchors, depth and size end in one line within seconds."""
    started = time.process_time()
    (found,) = refused(tmp_path, text)
    assert problem in found
    assert time.process_time() - started < 10


def test_anchors_in_moderation_are_fine(tmp_path):
    """A value that is used twice, and a merge, are read."""
    path = tmp_path / "s.yaml"
    path.write_text(
        "model: &m {checkpoint: c}\nspace:\n  batch_size: &sizes {grid: [16, 32]}\n"
        "  max_length: *sizes\n  epochs: {<<: *sizes}\n"
    )
    assert load_spec(str(path)).total == 8


def test_an_override_is_as_bounded_as_the_file(tmp_path):
    """What --set gives is read like a file."""
    (found,) = refused(tmp_path, MINIMAL, "space.epochs=" + "[" * 60 + "]" * 60)
    assert found.startswith("the value must be YAML")
    (found,) = refused(tmp_path, MINIMAL, "space.epochs=" + "9" * 30)
    assert found.startswith("must be at most 10,000")


@pytest.mark.parametrize(
    ("override", "name", "value"),
    [
        ("lr=1e-4", "learning_rate", 1e-4),
        ("space.lr=1e-4", "learning_rate", 1e-4),
        ("bs=8", "batch_size", 8),
        ("len=16", "max_length", 16),
        ("ep=2", "epochs", 2),
    ],
)
def test_short_names_set_hyperparameters(tmp_path, override, name, value):
    """`--set lr=1e-4` and `--set space.lr=1e-4` are `--set space.learning_rate=1e-4`."""
    path = tmp_path / "s.yaml"
    path.write_text(MINIMAL)
    assert load_spec(str(path), overrides=[override]).space[name].values == (value,)
    assert load_spec(str(path), overrides=["ep.grid=[1, 2]"]).space["epochs"].values == (1, 2)


def test_a_short_name_in_a_file_names_the_hyperparameter(tmp_path):
    """`lr` in a file is not `loss`."""
    (found,) = refused(tmp_path, MINIMAL + "space: {lr: 1.0e-3}\n")
    assert found == "space.lr: unknown key; did you mean learning_rate? (line 2)"


def anything():
    """Plain values as YAML may hold them, of any size and kind."""
    numbers = st.integers() | st.floats() | st.sampled_from([30, 400]).map(lambda digits: 10**digits)
    words = st.sampled_from(["grid", "choice", "only_if", "asha", "tpe", "auto", *HYPERPARAMETERS])
    plain = st.none() | st.booleans() | numbers | st.text(max_size=20) | words
    return st.recursive(
        plain,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=5), inner, max_size=4)
        ),
        max_leaves=12,
    )


@given(
    st.lists(st.tuples(st.sampled_from([*dotted_keys(), "space.epochs.grid", "x"]), anything()), max_size=5)
)
@settings(max_examples=150, deadline=None)
def test_any_values_give_a_search_or_its_problems(changes):
    """Whatever stands at the keys, the answer is a search that comes back from its dict, or an InputError."""
    values = {"name": "n", "model": {"checkpoint": "c"}}
    for key, value in changes:
        *inside, last = key.split(".")
        place = values
        for part in inside:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[last] = value
    try:
        spec = SearchSpec.from_dict(values)
    except InputError as error:
        message = str(error)
    else:
        message = ""
        assert SearchSpec.from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict()))) == spec
    assert len(message.encode()) <= 4096
