"""A choice of thresholds with options, on its way from the YAML to the model folder."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import yaml

from goemo.configuration import Configuration
from goemo.configuration.thresholds import DEFAULT_METHOD, threshold_options
from goemo.errors import InputError
from goemo.evaluation import validation_metrics
from goemo.thresholds import FittedThresholds, fit_thresholds
from tune.driver.plan import plan
from tune.models.exported import read_export
from tune.records import TrialFolder
from tune.spec import SearchSpec, configuration, load_spec
from tune.tracking.content import space_params

MINIMAL = "model: {checkpoint: scratch:albert-tiny}\n"
CHOICE = {"method": "cross_fit", "of": "shrunk", "strength": 5, "folds": 3, "fallback": "top1"}


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return load_spec(str(path), overrides=overrides)

    return load


def with_choice(choice):
    return MINIMAL + yaml.safe_dump({"objective": {"thresholds": choice}}, sort_keys=False)


def test_silence_is_the_default(load):
    """A file that says nothing, and a configuration that says nothing, take the default method."""
    assert load(MINIMAL).objective.thresholds == DEFAULT_METHOD
    assert Configuration(checkpoint="c").thresholds == DEFAULT_METHOD


def test_a_mapping_survives_all_that_a_search_makes_of_it(load, tmp_path):
    """YAML, spec, configuration, record, MLflow's params, export and retrain say the same."""
    spec = load(with_choice(CHOICE))
    assert spec.objective.thresholds == CHOICE
    assert SearchSpec.from_dict(yaml.safe_load(yaml.safe_dump(spec.to_dict()))) == spec
    assert "cross_fit (of shrunk, strength 5, folds 3, fallback top1) thresholds" in plan(spec)
    assert yaml.safe_load(space_params(spec.to_dict())["objective.thresholds"]) == CHOICE

    asked = configuration(spec, {})
    folder = TrialFolder(tmp_path / "t001")
    folder.write_config(asked.to_dict(), {})
    recorded = folder.read().config
    assert recorded == asked.to_dict() == json.loads(json.dumps(recorded))
    assert yaml.safe_load(str(recorded["thresholds"])) == CHOICE  # a param of the trial in MLflow

    parts = {
        "origin": {"search": "s", "trial": "t001", "threads": 1},
        "expected": {"metric": "val/macro_f1", "value": 0.5},
        "data": {"source": "sample:", "taxonomy": "fine", "seed": 42, "digest": "0"},
        "configuration": recorded,
        "versions": {},
    }
    path = tmp_path / "best.yaml"
    path.write_text(yaml.safe_dump(parts, sort_keys=False), encoding="utf-8")
    again = read_export(path).configuration
    assert again == asked
    assert dataclasses.replace(again, seed=7).thresholds == CHOICE

    generator = np.random.default_rng(0)
    targets = generator.random((60, 3)) < 0.3
    scores = np.clip(generator.random((60, 3)) * 0.6 + 0.3 * targets, 0, 1)
    fitted = fit_thresholds(scores, targets, **threshold_options(again.thresholds))
    kept = FittedThresholds.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert (kept.method, kept.fallback, kept.options["strength"]) == ("cross_fit", "top1", 5)
    metrics = validation_metrics(scores, targets, **threshold_options(again.thresholds))
    assert 0 < metrics["val/macro_f1"] <= 1


def test_a_configuration_keeps_its_own_copy():
    """Changing the mapping that was given changes no configuration; a wrong one is refused with its path."""
    given = dict(CHOICE)
    asked = Configuration(checkpoint="c", thresholds=given)
    given["strength"] = 1
    assert asked.thresholds == CHOICE
    with pytest.raises(
        ValueError, match=r"thresholds.step must lie in \[0.0001, 1\), got 2; thresholds.vlaue is"
    ):
        Configuration(checkpoint="c", thresholds={"method": "grid", "step": 2, "vlaue": 1})


def test_all_that_is_wrong_in_the_mapping_is_said_at_once(load):
    """Each problem has its path, its line and the nearest right name, beside those of other keys."""
    text = MINIMAL + (
        "objective:\n  reports: 0\n  thresholds:\n    method: shrunk\n"
        "    strenght: 5\n    strength: -1\n    target: mc\n"
    )
    with pytest.raises(InputError) as caught:
        load(text)
    problems = list(caught.value.problems)
    assert len(problems) == 4
    paths = [problem.partition(": ")[0] for problem in problems]
    within = [f"objective.thresholds.{key}" for key in ("strenght", "strength", "target")]
    assert sorted(paths) == sorted(["objective.reports", *within])
    by_path = dict(zip(paths, problems, strict=True))
    assert by_path[within[0]].endswith("did you mean strength? (line 6)")
    assert by_path[within[1]].endswith("must be a number in [0, inf), got -1 (line 7)")
    assert by_path[within[2]].endswith("must be one of f1, f_beta, mcc, got 'mc'; did you mean mcc? (line 8)")


def test_a_value_given_twice_names_both_lines(load):
    """As everywhere in the file."""
    text = MINIMAL + "objective:\n  thresholds:\n    method: grid\n    step: 0.1\n    step: 0.2\n"
    with pytest.raises(InputError, match=r"objective.thresholds.step: given twice, in lines 5 and 6"):
        load(text)


@pytest.mark.parametrize(
    ("text", "overrides", "expected"),
    [
        (MINIMAL, ["objective.thresholds=grid"], "grid"),
        (MINIMAL, ["objective.thresholds={method: grid, step: 1e-1}"], {"method": "grid", "step": 0.1}),
        (
            MINIMAL,
            ["objective.thresholds=grid", "objective.thresholds.step=0.1"],
            {"method": "grid", "step": 0.1},
        ),
        (with_choice(CHOICE), ["objective.thresholds.folds=9"], {**CHOICE, "folds": 9}),
        (with_choice(CHOICE), ["objective.thresholds=exact"], "exact"),
    ],
)
def test_the_command_line_changes_the_choice_or_a_part_of_it(load, text, overrides, expected):
    """A dotted key reaches into the mapping, and makes a bare method one."""
    assert load(text, *overrides).objective.thresholds == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("objective.thresholds.stpe=0.1", "unknown key; did you mean objective.thresholds.step?"),
        ("objective.thresholds.step=2", "step=2: .*belongs to the method grid"),
        ("objective.thresholds=exakt", "got 'exakt'; did you mean exact?"),
        ("objective.thresholds=[grid]", r"or a mapping with method and options, got \['grid'\]"),
        ("objective.treshold=exact", "unknown key; did you mean objective.thresholds?"),
    ],
)
def test_a_wrong_option_on_the_command_line_is_named(load, override, message):
    """The option itself is what is wrong."""
    with pytest.raises(InputError, match=message):
        load(MINIMAL, override)
