"""Losses, threshold methods, metrics and sources of other packages, installed for the test."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from goemo.configuration import Configuration
from goemo.configuration.losses import loss_options
from goemo.configuration.plugins import LOSS, plugins
from goemo.configuration.rules import Thresholds
from goemo.configuration.thresholds import option_problems
from goemo.data import load_splits
from goemo.errors import GoemoError, InputError
from goemo.evaluation import validation_metrics
from goemo.thresholds import fit_thresholds
from goemo.training.losses import Loss
from tune.driver.facts import added_to, check_added
from tune.environment import versions
from tune.records import SearchFolder
from tune.spec import SearchSpec

MODULE = """
import numpy as np

def scaled(positives, examples, *, factor=2.0):
    return lambda logits, smooth, targets: factor * ((logits.sigmoid() - smooth) ** 2).mean()

def quantile(scores, targets, *, share=1.0):
    wanted = np.clip(targets.mean(axis=0) * share, 0, 1)
    return np.array([np.quantile(column, 1 - part) for column, part in zip(scores.T, wanted)])

def wrong(scores, targets):
    return [2.0]

def exact_match(targets, predictions):
    return (targets == predictions).all(axis=1).mean()

def never_asked(targets, predictions):
    raise AssertionError("the built-in metric of this name is measured")

def halves(place):
    from datasets import Dataset, DatasetDict
    texts = [f"{place} {n}" for n in range(40)]
    rows = {"text": texts, "labels": [["joy"] if n % 2 else ["anger"] for n in range(40)]}
    return DatasetDict({split: Dataset.from_dict(rows) for split in ("train", "validation", "test")})

def without(positives, examples, *, name="x"):
    return None
"""

ENTRIES = """
[goemo.losses]
scaled = mine_of_test:scaled
Poly-1 = mine_of_test:scaled
without = mine_of_test:without
lost = mine_of_test:nothing
[goemo.threshold_methods]
quantile = mine_of_test:quantile
wrong = mine_of_test:wrong
exact = mine_of_test:wrong
[goemo.metrics]
exact_match = mine_of_test:exact_match
macro_f1 = mine_of_test:never_asked
[goemo.sources]
halves = mine_of_test:halves
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Have a package installed, in a folder of its own on the path."""
    site = tmp_path / "site"
    info = site / "mine_of_test-1.5.dist-info"
    info.mkdir(parents=True)
    (site / "mine_of_test.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine-of-test\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(site)
    plugins.cache_clear()
    yield site
    plugins.cache_clear()
    sys.modules.pop("mine_of_test", None)


def test_a_loss_trains_with_its_options(package):
    """By name, with its options in brackets, their defaults else; wrong ones are refused."""
    assert loss_options("scaled") == ("scaled", {"factor": 2.0})
    assert loss_options("Poly-1(factor=1)") == ("Poly-1", {"factor": 1.0})
    logits, targets = torch.zeros(2, 3), torch.ones(2, 3)
    loss = Loss("scaled(factor=3)", np.ones((2, 3), bool))
    assert float(loss(logits, targets)) == pytest.approx(3 * 0.25)
    assert Configuration(checkpoint="x", loss="scaled(factor=3)").loss == "scaled(factor=3)"
    with pytest.raises(ValueError, match="'gamma' is not an option of the loss scaled, which takes factor"):
        loss_options("scaled(gamma=1)")
    with pytest.raises(ValueError, match=r"must be one of bce, .*, scaled, without, got 'scale'"):
        loss_options("scale")


def test_a_threshold_method_fits_and_is_judged_on_other_rows(package):
    """As any method is, options included."""
    rng = np.random.default_rng(0)
    scores = rng.random((200, 3)).astype(np.float32)
    targets = rng.random((200, 3)) < scores
    fitted = fit_thresholds(scores, targets, method="quantile", share=0.5)
    wanted = [np.quantile(scores[:, n], 1 - targets[:, n].mean() / 2) for n in range(3)]
    np.testing.assert_allclose(fitted.values, wanted)
    assert fitted.options == {"share": 0.5}
    assert validation_metrics(scores, targets, method="quantile")["val/macro_f1"] > 0.5
    assert [key for key, _ in option_problems({"method": "quantile", "shares": 1})] == [("shares",)]
    assert "quantile" in Thresholds().json_schema()["anyOf"][0]["enum"]


def test_the_name_of_a_built_in_stays_its_own(package):
    """Another package cannot change what `exact` means."""
    scores = np.array([[0.2], [0.4], [0.8]], np.float32)
    fitted = fit_thresholds(scores, np.array([[False], [False], [True]]), method="exact")
    assert 0.4 < fitted.values[0] < 0.8


def test_thresholds_that_are_none_are_refused(package):
    """With the package that gave them."""
    rule = r"wrong of mine-of-test 1\.5 \(\w{12}\) must return 1 thresholds"
    with pytest.raises(GoemoError, match=rule):
        fit_thresholds(np.array([[0.2], [0.8]]), np.array([[False], [True]]), method="wrong")


def test_a_metric_is_measured_beside_the_others(package):
    """Of the same cross-fitted predictions; it does not take the place of one that is there."""
    scores = np.tile([[0.9, 0.1], [0.1, 0.9]], (20, 1)).astype(np.float32)
    found = validation_metrics(scores, scores > 0.5)
    assert found["val/exact_match"] == found["val/macro_f1"] == 1.0


def test_a_source_is_read_like_a_data_set_of_the_hub(package):
    """By its name and place."""
    splits = load_splits("halves:words")
    assert splits.labels == ("anger", "joy")
    assert splits.train.texts[3] == "words 3"
    with pytest.raises(InputError, match=r"unknown kind of source.*halves"):
        load_splits("halve:words")


@pytest.mark.parametrize(
    ("name", "said"),
    [("lost", "cannot be imported"), ("without", "must have a number as the default of name")],
)
def test_what_cannot_be_used_is_refused_with_its_entry_point(package, name, said):
    """A function that is not there, and options that are no numbers."""
    with pytest.raises(InputError, match=f"goemo.losses: {name} = mine_of_test:.*{said}"):
        loss_options(name)


def test_a_search_goes_on_only_with_the_code_that_it_began_with(package, tmp_path, monkeypatch):
    """Version and digest are recorded, of what the search names and of nothing else."""
    monkeypatch.chdir(tmp_path)
    spec = SearchSpec.from_dict(
        {
            "name": "with_plugins",
            "model": {"checkpoint": "scratch:albert-tiny"},
            "data": {"source": "halves:words"},
            "space": {"loss": {"choice": ["bce", "scaled(factor=3)"]}},
            "objective": {"thresholds": {"method": "cross_fit", "of": "exact"}},
        }
    )
    added = added_to(spec)
    assert list(added) == ["goemo.losses:scaled", "goemo.sources:halves"]
    assert versions()["mine-of-test"] == "1.5"
    search = SearchFolder.create(spec.name, spec.to_dict(), facts={"added": added})
    check_added(spec, search)
    (package / "mine_of_test.py").write_text(MODULE + "\n# changed\n")
    with pytest.raises(InputError, match=r"(?s)goemo.losses:scaled was mine-of-test 1.5 \(.*start a new one"):
        check_added(spec, search)
    assert plugins(LOSS)["scaled"].version != added["goemo.losses:scaled"]
