"""A search with more trials than it was given."""

from __future__ import annotations

import pytest

from goemo.errors import InputError
from tune.driver import search as driver
from tune.records import SearchFolder
from tune.spec import SearchSpec, extended, load_spec


def make_spec(algorithm, trials=None, **search):
    return SearchSpec.from_dict(
        {
            "name": "s",
            "model": {"checkpoint": "scratch:albert-tiny"},
            "space": {"epochs": {"grid": [1, 2]}, "batch_size": {"grid": [8, 16]}},
            "search": {"algorithm": algorithm, "trials": trials, **search},
        }
    )


@pytest.fixture
def make_search(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    return lambda spec: SearchFolder.create(spec.name, spec.to_dict())


@pytest.mark.parametrize("given", [None, 7])
def test_startup_trials_stay_what_they_were(given):
    """They would go with the total; an extended TPE draws the trials that it had left as before."""
    spec = make_spec("tpe", 15, startup_trials=given)
    more = extended(spec, 100)
    assert more.total == 115
    assert more.startup_trials == spec.startup_trials == (given or 5)
    assert extended(more, 1).startup_trials == spec.startup_trials


def test_a_random_search_only_gets_longer():
    """Nothing else changes, and what comes out is a search space as any other."""
    spec = make_spec("random", 4, enqueue=[{"epochs": 2}])
    more = extended(spec, 3)
    assert more.to_dict() == {**spec.to_dict(), "search": {**spec.to_dict()["search"], "trials": 7}}
    assert SearchSpec.from_dict(more.to_dict()) == more


def test_a_grid_has_no_more_to_give():
    """It is refused with the reason, and so is a number that adds nothing."""
    with pytest.raises(InputError, match=r"^s: a grid search ends with its whole product, 4 trials; to"):
        extended(make_spec("grid"), 3)
    for trials in (0, -2):
        with pytest.raises(InputError, match=f"--trials: must be a whole number of at least 1, got {trials}"):
            extended(make_spec("random", 4), trials)


def test_a_crash_right_after_leaves_a_search_that_goes_on_with_all(make_search, monkeypatch, capsys):
    """The trials are added before anything is run: what resumes finds them."""
    search = make_search(make_spec("random", 4))
    called = {}

    def crash(name, **options):
        called[name] = options
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(driver, "resume_search", crash)
    with pytest.raises(RuntimeError, match="the power is gone"):
        driver.extend_search("s", 3, tracking_uri="none")
    assert SearchSpec.from_dict(search.spec).total == 7
    assert called["s"]["tracking_uri"] == "none"
    assert capsys.readouterr().err == "s: 7 trials now, 3 more\n"


def test_what_is_refused_changes_nothing(make_search):
    """A grid's file stays as it is; a search that is not there is named as such."""
    search = make_search(make_spec("grid"))
    before = (search.path / "search.yaml").read_bytes()
    with pytest.raises(InputError):
        driver.extend_search("s", 3)
    assert (search.path / "search.yaml").read_bytes() == before
    with pytest.raises(InputError, match="no search of that name"):
        driver.extend_search("t", 3)


def test_a_search_from_a_file_can_be_extended(make_search):
    """The file's text is no part of what is run."""
    spec = load_spec("quickstart", overrides=["search={algorithm: random, trials: 5}"], name="s")
    assert extended(spec, 2).total == 7
