"""Search space files: what they may say, and what is said about those that are wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from goemo.configuration import HYPERPARAMETER_DEFAULTS, HYPERPARAMETERS, Configuration
from goemo.data.taxonomy import TAXONOMIES
from goemo.errors import InputError
from tune import spec as spec_module
from tune.spec import (
    SearchSpec,
    configuration,
    load_spec,
    one_or_several,
    report_progress,
    shipped_spaces,
    tried_of,
)
from tune.spec.sections import SchedulerSpec

MINIMAL = "model: {checkpoint: scratch:albert-tiny}\n"
SHIPPED = [
    "minilm_full",
    "minilm_head",
    "paper",
    "paper_albert",
    "paper_xlnet",
    "quickstart",
    "quickstart_scratch",
    "roberta_tpe",
]


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides, **options):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return load_spec(str(path), overrides=overrides, **options)

    return load


@pytest.fixture
def problems(load):
    """Return all problems of a file, or of a minimal file with overrides."""

    def problems(text, *overrides, **options):
        with pytest.raises(InputError) as caught:
            load(text, *overrides, **options)
        return list(caught.value.problems)

    return problems


# --- Shipped spaces -------------------------------------------------------------------------------


def test_the_shipped_spaces_are_those_we_promise():
    """Each promised search space is found, and no other."""
    assert [p.stem for p in shipped_spaces()] == SHIPPED


@pytest.mark.parametrize("path", shipped_spaces(), ids=lambda p: p.stem)
def test_every_shipped_space_loads_and_opens_with_its_command(path):
    """A shipped space is valid, comes back from its dict, names its schema, and says what runs it."""
    spec = load_spec(path.stem)
    assert load_spec(f"{path.stem}.yaml") == spec == load_spec(str(path))
    assert SearchSpec.from_dict(spec.to_dict()) == spec
    assert spec.text == path.read_text(encoding="utf-8")
    editor, first = spec.text.splitlines()[:2]
    assert editor == "# yaml-language-server: $schema=schema.json"
    command = first.removeprefix("# ").split()
    assert command[:3] == ["goemo", "search", path.stem]
    assert spec.name == path.stem.replace("_", "-")


@pytest.mark.parametrize("path", shipped_spaces(), ids=lambda p: p.stem)
def test_every_shipped_space_gives_whole_configurations(path):
    """The first and last listed values, and the ends of ranges, make configurations of the right types."""
    spec = load_spec(str(path))
    for end in (0, -1):
        config = configuration(spec, {name: domain.values[end] for name, domain in spec.varying.items()})
        assert config.checkpoint in one_or_several(spec.model.checkpoint)
        for name, hyperparameter in HYPERPARAMETERS.items():
            value = getattr(config, name)
            assert type(value) is hyperparameter.type or value is HYPERPARAMETER_DEFAULTS[name] is None


@pytest.mark.parametrize("name", ["paper_albert", "paper_xlnet"])
def test_the_paper_spaces_are_the_published_grid(name):
    """27 trials: batch 16/32/64, length 16/32/64, rate 2e-5/3e-5/5e-5, 5 epochs, decay 1e-4, 10 % warm-up."""
    spec = load_spec(name)
    assert spec.total == 27
    assert spec.space["batch_size"].values == spec.space["max_length"].values == (16, 32, 64)
    assert spec.space["learning_rate"].values == (2e-5, 3e-5, 5e-5)
    config = configuration(spec, {n: d.values[0] for n, d in spec.varying.items()})
    assert (config.epochs, config.weight_decay, config.warmup_fraction) == (5, 1e-4, 0.1)
    assert config.trainable == "all"


def test_the_paper_space_is_both_published_grids():
    """Its trials are those of the two single spaces, each once."""
    whole = load_spec("paper")
    both = [load_spec(name) for name in ("paper_albert", "paper_xlnet")]
    members = [{configuration(spec, member) for member in spec.members} for spec in (whole, *both)]
    assert whole.total == len(members[0]) == 54
    assert members[0] == members[1] | members[2]


def test_quickstart_has_at_least_twelve_trials_and_early_stopping():
    """The quickstart shows ASHA at work on the built-in sample, also with a scratch encoder."""
    spec = load_spec("quickstart", overrides=["model.checkpoint=scratch:albert-tiny", "model.trainable=all"])
    assert spec.total >= 12
    assert spec.scheduler.algorithm == "asha"
    assert spec.data.source == "sample:"
    assert (spec.model.checkpoint, spec.model.trainable) == ("scratch:albert-tiny", "all")


def test_a_misspelt_space_names_the_nearest():
    """A name that is neither file nor shipped is answered with what there is."""
    with pytest.raises(
        InputError, match=r"^quickstrat: no such file.*; did you mean quickstart\?.*roberta_tpe"
    ):
        load_spec("quickstrat")


# --- Defaults, overrides, round trip --------------------------------------------------------------


def test_defaults_fill_a_minimal_file(load):
    """A checkpoint is enough; the name is the file's, and the one trial has the default values."""
    spec = load(MINIMAL)
    assert spec.name == "mine"
    assert spec.total == 1
    assert configuration(spec, {}) == Configuration(
        checkpoint="scratch:albert-tiny", **HYPERPARAMETER_DEFAULTS
    )
    assert spec.to_dict() == {
        "name": "mine",
        "model": {
            "checkpoint": "scratch:albert-tiny",
            "trainable": "all",
            "pooling": "auto",
            "mixed_precision": "auto",
            "cuda_graphs": False,
        },
        "data": {"source": "sample:", "taxonomy": "fine"},
        "space": {},
        "search": {"algorithm": "grid"},
        "scheduler": {
            "algorithm": "asha",
            "grace": 20,
            "reduction_factor": 3,
            "brackets": 1,
            "keep_ties": True,
        },
        "objective": {"metric": "macro_f1", "thresholds": "proportional", "reports": 5, "test": "chosen"},
        "resources": {"cpus_per_trial": 1, "gpus_per_trial": "auto", "prefix_limit_gb": 20.0},
        "confirm": {"top": 0, "seeds": 5},
        "baseline": "words",
        "experiment": "goemo",
        "seed": 42,
        "keep_models": 1,
        "checkpoint_every_s": 300,
    }


def test_every_kind_of_domain_survives_a_round_trip(load):
    """A spec, its dict as YAML, and the spec read from that are equal."""
    spec = load(
        MINIMAL + "search: {algorithm: tpe, trials: 7}\n"
        "space: {batch_size: {choice: [16, 32]}, learning_rate: {log_uniform: [1.0e-5, 1.0e-3]},\n"
        "  epochs: {int: [1, 4]}, max_length: {grid: [32]}, weight_decay: 0,\n"
        "  warmup_fraction: {uniform: [0, 1]}}\n"
    )
    assert SearchSpec.from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict(), sort_keys=False))) == spec
    assert list(spec.varying) == ["batch_size", "learning_rate", "epochs", "warmup_fraction"]


def test_settings_of_the_baseline_are_values_or_lists_and_may_be_set(load):
    """As lists in their types, in the file and from the command line, in place of a name too."""
    spec = load(MINIMAL + "baseline: {C: [1e0, 4], word_ngrams: 3}\n")
    assert spec.baseline == tried_of(spec.baseline) == {"C": [1.0, 4.0], "word_ngrams": [3]}
    assert SearchSpec.from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict()))) == spec
    changed = load(MINIMAL + "baseline: words\n", "baseline.C=[2, 8]", "baseline.char_ngrams=0")
    assert changed.baseline == {"C": [2.0, 8.0], "char_ngrams": [0]}
    assert tried_of("words") == tried_of("none") == {}


def test_numbers_that_yaml_takes_for_text_are_numbers(load):
    """2e-5 and 1E3, which YAML 1.1 reads as strings, are the numbers that they look like."""
    text = MINIMAL + "space: {learning_rate: {grid: [2e-5, 5E-05, 1.0e-4]}, weight_decay: 1e-2}\n"
    assert isinstance(yaml.safe_load(text)["space"]["weight_decay"], str)
    spec = load(text)
    assert spec.space["learning_rate"].values == (2e-5, 5e-5, 1e-4)
    assert spec.space["weight_decay"].values == (0.01,)


def test_a_byte_order_mark_is_no_part_of_the_file(load):
    """What some editors put before UTF-8 text changes nothing."""
    assert load("\ufeff" + MINIMAL) == load(MINIMAL)
    assert load("\ufeff" + MINIMAL).text == MINIMAL


def test_overrides_win_in_order_and_options_win_over_them(load):
    """--set replaces domains and values, the last of equals wins, --data and --name win over all."""
    spec = load(
        MINIMAL + "space: {epochs: {grid: [1, 2]}, batch_size: {grid: [16, 32]}}\nscheduler: none\n",
        "space.epochs=9",
        "space.epochs=3",
        "space.batch_size.int=[8, 16]",
        "space.learning_rate=2e-5",
        "search=random",
        "search.trials=4",
        "scheduler.grace=40",
        "data.source=sample:100",
        "name=theirs",
        data="dir:folder",
        name="ours",
    )
    assert spec.to_dict()["space"] == {"epochs": 3, "batch_size": {"int": [8, 16]}, "learning_rate": 2e-5}
    assert spec.search.algorithm == "random"
    assert spec.total == 4
    assert (spec.scheduler.algorithm, spec.scheduler.grace) == ("none", 40)
    assert (spec.name, spec.data.source) == ("ours", "dir:folder")


def test_a_repaired_file_is_right(load):
    """An override that replaces a wrong value leaves no problem of it."""
    assert load(MINIMAL + "seed: -1\n", "seed=1").seed == 1


def test_varied_values_must_be_those_of_the_space(load):
    """A configuration is refused values for what does not vary, and a lack of values for what does."""
    spec = load(MINIMAL + "space: {epochs: {grid: [1, 2]}}\n")
    assert configuration(spec, {"epochs": 2}).epochs == 2
    for varied in ({}, {"epochs": 1, "batch_size": 8}):
        with pytest.raises(ValueError, match="the space varies"):
            configuration(spec, varied)


# --- What is refused -------------------------------------------------------------------------------

WRONG = {
    # One line of YAML beside the model, and the problem.
    "objectiv: {}": "objectiv: unknown key; did you mean objective? (line 2)",
    "checkpoint: a": "checkpoint: unknown key; did you mean model.checkpoint? (line 2)",
    "data: {sauce: x}": "data.sauce: unknown key; did you mean source? (line 2)",
    "space: {learning_rte: 1}": "space.learning_rte: unknown key; did you mean learning_rate? (line 2)",
    "space: {epochs: {gird: [1]}}": "space.epochs.gird: unknown key; did you mean grid? (line 2)",
    "space: {zzz: 1}": "space.zzz: unknown key; known are: batch_size, learning_rate",
    "space: [1]": "space: must be a mapping of hyperparameters to domains, got [1]",
    "data: sample": "data: must be a mapping with source, taxonomy, columns, ",
    "space: {epochs: {grid: []}}": "space.epochs.grid: must not be empty, got []",
    "space: {epochs: {choice: []}}": "space.epochs.choice: must not be empty, got []",
    "space: {epochs: {grid: 3}}": "space.epochs.grid: must be a list, got 3",
    "space: {epochs: [1, 2]}": "space.epochs: a list must say how it is meant: {grid: [1, 2]}",
    "space: {epochs: {}}": "space.epochs: must have exactly one of grid, choice, uniform, log_uniform, int",
    "space: {epochs: {only_if: {batch_size: [1]}}}": "space.epochs: must have exactly one of grid, choice, "
    "uniform, log_uniform, int, got ['only_if']",
    "space: {epochs: {grid: [1], choice: [1]}}": "space.epochs: must have exactly one of grid, choice",
    "space: {epochs: {grid: [1, 2, 1]}}": "space.epochs.grid: values must differ, got 1 more than once",
    "space: {epochs: {grid: [1, 2.5]}}": "space.epochs.grid[1]: must be a whole number of at least 1, got 2",
    "space: {epochs: yes}": "space.epochs: must be a whole number of at least 1, got true",
    "space: {epochs: 0}": "space.epochs: must be a whole number of at least 1, got 0",
    "space: {batch_size: 0}": "space.batch_size: must be a whole number of at least 1, got 0",
    "space: {batch_size: '16'}": "space.batch_size: must be a whole number of at least 1, got '16'",
    "space: {max_length: 3}": "space.max_length: must be a whole number of at least 4, got 3",
    "space: {learning_rate: 0}": "space.learning_rate: must be a number above 0, got 0",
    "space: {learning_rate: .inf}": "space.learning_rate: must be a number above 0, got inf",
    "space: {learning_rate: .nan}": "space.learning_rate: must be a number above 0, got nan",
    "space: {learning_rate: }": "space.learning_rate: must be a number above 0, got nothing",
    "space: {weight_decay: -1}": "space.weight_decay: must be a number of at least 0, got -1",
    "space: {warmup_fraction: 1.5}": "space.warmup_fraction: must be a number from 0 to 1, got 1.5",
    "search: {algorithm: grit}": "search.algorithm: must be one of grid, random, tpe, got 'grit'; "
    "did you mean grid?",
    "search: {trials: 0}": "search.trials: must be a whole number of at least 1, got 0",
    "search: {trials: 5}": "search.trials: a grid search runs its whole product",
    "scheduler: {grace: 0}": "scheduler.grace: must be a whole number from 1 to 100, got 0",
    "scheduler: {grace: 101}": "scheduler.grace: must be a whole number from 1 to 100, got 101",
    "scheduler: {grace: 30}": "scheduler.grace: must be the progress of a report; with objective.reports 5 "
    "these are [20, 40, 60, 80, 100], got 30",
    "objective: {reports: 4}": "scheduler.grace: must be the progress of a report; with objective.reports 4 "
    "these are [25, 50, 75, 100], got 20",
    "scheduler: {reduction_factor: 1}": "scheduler.reduction_factor: must be a number of at least 1.1, got 1",
    "scheduler: off": "scheduler: must be a mapping with algorithm, grace, reduction_factor, brackets,",
    "scheduler: ahsa": "scheduler.algorithm: must be one of asha, median, hyperband, none, got 'ahsa'; did "
    "you mean asha?",
    "scheduler: {brackets: 0}": "scheduler.brackets: must be a whole number of at least 1, got 0",
    "scheduler: {brackets: 4}": "scheduler.brackets: must be at most 3: one for each of the 2 rungs that "
    "grace 20 and reduction factor 3 make, and one that stops no trial; got 4",
    "scheduler: {algorithm: median, brackets: 2}": "scheduler.brackets: the median rule has no brackets",
    "scheduler: {algorithm: median, keep_ties: false}": "scheduler.keep_ties: the median rule has no rungs",
    "scheduler: {algorithm: median, reduction_factor: 4}": "scheduler.reduction_factor: the median rule has",
    "scheduler: {algorithm: median, grace: 30}": "scheduler.grace: must be the progress of a report",
    "scheduler: {algorithm: hyperband, brackets: 2}": "scheduler.brackets: hyperband always uses all",
    "scheduler: {algorithm: hyperband, grace: 30}": "scheduler.grace: must be the progress of a report",
    "objective: {metric: f1}": "objective.metric: must be one of macro_f1, weighted_f1, micro_f1, got 'f1'",
    "objective: {thresholds: best}": "objective.thresholds: must be one of exact, grid, global, fixed",
    "objective: {reports: 0}": "objective.reports: must be a whole number from 1 to 100, got 0",
    "objective: {test: true}": "objective.test: must be one of chosen, every_trial, got true",
    "resources: {cpus_per_trial: 0}": "resources.cpus_per_trial: must be a number above 0, got 0",
    "resources: {cpus_per_trial: 1.5}": "resources.cpus_per_trial: must be a whole number where it is",
    "resources: {gpus_per_trial: all}": 'resources.gpus_per_trial: must be "auto" or a number of at least 0',
    "resources: {gpus_per_trial: -1}": 'resources.gpus_per_trial: must be "auto" or a number of at least 0',
    "seed: -1": "seed: must be a whole number of at least 0, got -1",
    "seed: true": "seed: must be a whole number of at least 0, got true",
    "keep_models: 1.0": "keep_models: must be a whole number of at least 0, got 1.0",
    "checkpoint_every_s: 0": "checkpoint_every_s: must be a number above 0, got 0",
    "data: {taxonomy: plutchik}": "data.taxonomy: must be one of fine, ekman, sentiment, got 'plutchik'",
    "data: {source: 3}": "data.source: must be text, got 3",
    "name: 3": "name: must be up to 100 letters",
    "name: a/b": "name: must be up to 100 letters",
    "name: ..": "name: must be up to 100 letters",
    "name: a..b": "name: must be up to 100 letters",
    "seed: 1\nseed: 2": "seed: given twice, in lines 2 and 3",
    "space:\n  epochs: 1\n  epochs: 2": "space.epochs: given twice, in lines 3 and 4",
    "1: 2": "1: unknown key; known are: name, model, data, space",
}


@pytest.mark.parametrize(("line", "problem"), WRONG.items(), ids=WRONG)
def test_a_wrong_line_has_one_problem_that_names_path_rule_and_value(problems, line, problem):
    """Each rule is refused by itself, with the path, the rule, the value and the line."""
    found = problems(MINIMAL + line + "\n")
    assert len(found) == 1
    assert found[0].startswith(problem)


WRONG_TPE = {
    "epochs: {int: [1, 2.5]}": "space.epochs.int[1]: must be a whole number of at least 1, got 2.5",
    "epochs: {int: [3, 3]}": "space.epochs.int: low must be below high, got [3, 3]",
    "epochs: {int: [3]}": "space.epochs.int: must be [low, high], got [3]",
    "epochs: {uniform: [1, 3]}": "space.epochs.uniform: epochs takes whole numbers; use int",
    "learning_rate: {int: [1, 3]}": "space.learning_rate.int: learning_rate takes real numbers; use uniform",
    "weight_decay: {uniform: [0.2, 0.1]}": "space.weight_decay.uniform: low must be below high, got [0.2,",
    "weight_decay: {log_uniform: [0, 0.1]}": "space.weight_decay.log_uniform: low must be above 0",
    "warmup_fraction: {uniform: [0, 2]}": "space.warmup_fraction.uniform[1]: must be a number from 0 to 1",
    "epochs: {grid: [3]}": "space: must vary something for search.algorithm tpe, got only constants",
}


@pytest.mark.parametrize(("domain", "problem"), WRONG_TPE.items(), ids=WRONG_TPE)
def test_a_wrong_range_has_one_problem(problems, domain, problem):
    """Ranges have two ends in order, inside the hyperparameter's own range and of its type."""
    found = problems(f"{MINIMAL}search: {{algorithm: tpe, trials: 5}}\nspace: {{{domain}}}\n")
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_random_and_tpe_need_a_number_of_trials(problems, algorithm):
    """Without an end of its own, a search must be given one."""
    text = f"{MINIMAL}space: {{epochs: {{grid: [1, 2]}}}}\nsearch: {{algorithm: {algorithm}}}\n"
    assert problems(text) == [
        f"search.trials: required by search.algorithm {algorithm}: how many trials (line 3)"
    ]


@pytest.mark.parametrize("domain", ["epochs: {int: [1, 3]}", "learning_rate: {log_uniform: [1e-5, 1e-3]}"])
def test_a_grid_refuses_ranges(problems, domain):
    """A product needs lists."""
    (found,) = problems(f"{MINIMAL}space: {{{domain}}}\n")
    assert ": a grid search needs listed values, {grid: [...]}; for a range, use" in found


def test_a_grid_that_nobody_can_run_is_refused(problems):
    """Lists multiply: five of eleven values are more than any machine does."""
    names = ("batch_size", "epochs", "accumulation_steps", "learning_rate", "weight_decay")
    lists = ", ".join(f"{name}: {{grid: {list(range(1, 12))}}}" for name in names)
    (found,) = problems(f"{MINIMAL}space: {{{lists}}}\n")
    assert found.startswith("space: the product of its lists must have at most 100,000 members, got 161,051;")


def test_asha_is_only_asked_about_its_rungs_when_it_runs(load):
    """Without ASHA, grace may be anything in its range."""
    assert load(MINIMAL + "scheduler: {algorithm: none, grace: 30}\n").scheduler.grace == 30


def test_a_key_given_twice_names_both_lines(problems):
    """YAML would keep the last in silence."""
    assert problems(MINIMAL + "seed: 1\nseed: 2\n") == ["seed: given twice, in lines 2 and 3"]
    space = "space: {epochs: {grid: [1, 2]}}\n"
    enqueued = "search:\n  enqueue:\n  - epochs: 1\n    epochs: 2\n"
    assert problems(MINIMAL + space + enqueued) == ["search.enqueue[0].epochs: given twice, in lines 5 and 6"]


def test_a_checkpoint_is_required(problems):
    """What trains has no default."""
    assert problems("seed: 1\n") == [
        "model.checkpoint: required: a hub id, a folder, package:NAME or scratch:albert-tiny"
    ]


def test_all_problems_come_at_once(load, tmp_path):
    """The message opens with the file and the count, and has one indented line for each problem."""
    with pytest.raises(InputError) as caught:
        load("modle: {}\nspace: {epochs: 0, batch_size: {grid: []}}\nseed: x\n", "space.epohs=3")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path / 'mine.yaml'}: 6 problems"
    assert len(lines) == 7
    assert all(line.startswith("  ") for line in lines[1:])
    assert lines[-1] == "  --set space.epohs=3: unknown key; did you mean space.epochs?"


WRONG_SET = {
    "space.epohs=3": "--set space.epohs=3: unknown key; did you mean space.epochs?",
    "epochs=3": "--set epochs=3: unknown key; did you mean space.epochs?",
    "space.epochs.gird=[3]": "--set space.epochs.gird=[3]: unknown key; did you mean space.epochs?",
    "space.epochs=0": "--set space.epochs=0: must be a whole number of at least 1, got 0",
    "space.epochs.grid=[]": "--set space.epochs.grid=[]: space.epochs.grid: must not be empty, got []",
    "model={}": "--set model={}: model.checkpoint: required: a hub id, a folder",
    "space.epochs": "--set space.epochs: must be KEY=VALUE, such as space.epochs=3",
    "=3": "--set =3: must be KEY=VALUE, such as space.epochs=3",
    "space.epochs=[": "--set space.epochs=[: the value must be YAML, got '['",
}


@pytest.mark.parametrize(("override", "message"), WRONG_SET.items(), ids=WRONG_SET)
def test_a_wrong_override_is_named_as_such(load, override, message):
    """When only an option is wrong, the message is about the option and not about the file."""
    with pytest.raises(InputError) as caught:
        load(MINIMAL, override)
    assert str(caught.value).startswith(message)


def test_wrong_options_are_named_together(load):
    """Several wrong options are the command line's problems."""
    with pytest.raises(InputError) as caught:
        load(MINIMAL, "seed=x", name="a/b", data=" ")
    assert caught.value.where == "command line"
    assert [p.split(": ")[0] for p in caught.value.problems] == ["--name a/b", "--data  ", "--set seed=x"]


NOT_A_FILE = {
    b"": "must be a mapping with model, data, space, ..., got nothing",
    b"- a\n": "must be a mapping with model, data, space, ..., got ['a']",
    b"a: [1\n": "not valid YAML: expected ',' or ']'",
    b"a: b: c\n": "not valid YAML: mapping values are not allowed here (line 1)",
    b"a: !!python/object:os.system x\n": "not valid YAML: could not determine a constructor",
    b"a: 2001-99-99\n": "not valid YAML: month must be in 1..12",
    b"a: \x07\n": "not valid YAML: unacceptable character",
    b"\xff\xfe: 1\n": "must be UTF-8 text: invalid start byte at byte 0",
    b"[" * 5000: "not valid YAML: ",
}


@pytest.mark.parametrize(("content", "message"), NOT_A_FILE.items(), ids=lambda v: str(v)[:20])
def test_what_is_no_mapping_of_text_is_refused(tmp_path, content, message):
    """Not UTF-8, not YAML, not safe or not a mapping: one problem, never a traceback."""
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_spec(str(path))
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_file_that_contains_itself_is_refused(problems):
    """A recursive anchor neither hangs nor overflows."""
    assert problems(MINIMAL + "space: &a {epochs: *a}\n")
    assert problems(MINIMAL + "space: {epochs: {grid: &a [*a]}}\n")


def test_a_folder_is_no_search_space(tmp_path):
    """A folder is refused as one."""
    with pytest.raises(InputError, match="is a folder"):
        load_spec(str(tmp_path))


def test_values_from_elsewhere_are_checked_like_a_file():
    """from_dict refuses what a file would be refused for, and leaves what it was given alone."""
    values = {"name": "n", "model": {"checkpoint": "c"}, "search": "tpe"}
    with pytest.raises(InputError, match=r"^search space: 2 problems\n  search\.trials: required"):
        SearchSpec.from_dict(values)
    assert values["search"] == "tpe"
    with pytest.raises(InputError, match="name: required"):
        SearchSpec.from_dict({"model": {"checkpoint": "c"}})


# --- Agreement with the other parts ----------------------------------------------------------------


def test_hyperparameters_and_taxonomies_are_those_of_goemo():
    """Each hyperparameter has a rule, whose type its default has; taxonomies are the domain's."""
    assert list(HYPERPARAMETERS) == list(HYPERPARAMETER_DEFAULTS)
    for name, value in HYPERPARAMETER_DEFAULTS.items():
        assert value is None or type(value) is HYPERPARAMETERS[name].type
    assert tuple(TAXONOMIES) == spec_module.TAXONOMIES


@pytest.mark.parametrize(
    ("reports", "progress"), [(1, (100,)), (3, (33, 67, 100)), (5, (20, 40, 60, 80, 100))]
)
def test_reports_fall_at_equal_fractions(reports, progress):
    """The last report is at the end; the others divide the training evenly, rounded to a per cent."""
    assert report_progress(reports) == progress


def test_reading_a_space_imports_nothing_heavy():
    """Importing tune.spec loads no numpy, torch, ray, optuna or mlflow."""
    code = (
        "import sys, tune.spec; tune.spec.load_spec('quickstart'); "
        "print([m for m in ('numpy', 'torch', 'ray', 'optuna', 'mlflow') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"


def test_what_another_rule_takes_is_dropped_by_the_option_that_the_message_names():
    """A shipped space moves to the median rule by what its refusal says to type."""
    with pytest.raises(InputError) as error:
        load_spec("minilm_head", overrides=["scheduler.algorithm=median"])
    (named,) = re.findall(r"--set (scheduler=\w+)", str(error.value))
    moved = load_spec("minilm_head", overrides=[named]).scheduler
    assert moved == SchedulerSpec(algorithm="median")
