"""What a search writes, and that one which does not fit is refused before it starts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from goemo.errors import InputError
from tune.driver import resume_search, run_search
from tune.engine.preparation import ModelCheck
from tune.forecast import disk_need
from tune.forecast.disk_need import ARTIFACT_BYTES, check_disk, disk_needed, free_bytes
from tune.records import SearchFolder
from tune.spec import ConfirmSpec, SearchSpec, load_spec


@pytest.fixture
def spec():
    return load_spec("quickstart_scratch")


@pytest.fixture
def check():
    """One million weights, of which a tenth trains."""
    return ModelCheck(weights=1_000_000, trained=100_000, trial_bytes=1e9, gpu_bytes=())


def disk_with(monkeypatch, free):
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(disk_need.shutil, "disk_usage", lambda _: usage)


def test_a_need_is_the_sum_of_its_files(spec, check):
    """By hand: thrice the scores of a trial, twice its other files, weights of leaders, checkpoints."""
    need = disk_needed(
        spec, check, labels=10, rows=(200, 300), at_once=2, frozen_output=7e6, is_checkpointed=True
    )
    scores = 10 * 200 * 2
    assert need.records == pytest.approx(spec.total * (3 * scores + 2 * ARTIFACT_BYTES), abs=2e7)
    assert need.weights == (spec.keep_models + 2) * 1_000_000 * 4
    assert need.checkpoints == 2 * 2 * 4 * 100_000 * 4
    assert need.total == need.records + need.weights + need.checkpoints + 7e6


def test_what_is_not_kept_takes_no_room(spec, check):
    """Without leaders there are no weights; short trials write no checkpoints; a test split costs scores."""
    few = disk_needed(replace(spec, keep_models=0), check, labels=10, rows=(200, 300), at_once=2)
    assert (few.weights, few.checkpoints, few.frozen_output) == (0, 0, 0)
    tested = replace(spec, keep_models=0, objective=replace(spec.objective, test="every_trial"))
    more = disk_needed(tested, check, labels=10, rows=(200, 300), at_once=2)
    assert more.records - few.records == spec.total * 10 * 300 * 2


def test_only_trials_that_the_search_has_leave_anything(spec, check):
    """However many may be kept and confirmed, there are no more leaders than trials."""
    small = replace(spec, space={}, keep_models=100, confirm=ConfirmSpec(top=20, seeds=5))
    assert small.total == 1
    need = disk_needed(small, check, labels=10, rows=(200, 300), at_once=2)
    assert need.weights == (1 + 2) * 1_000_000 * 4
    confirmed = replace(small, confirm=ConfirmSpec(top=1, seeds=5))
    assert need.records == disk_needed(confirmed, check, labels=10, rows=(200, 300), at_once=2).records


def test_what_trials_have_left_is_not_needed_again(spec, check):
    """Half of them have ended: the other half writes its files, and what may lead is there already."""
    sizes = {"labels": 10, "rows": (200, 300), "at_once": 0}
    whole, rest = disk_needed(spec, check, **sizes), disk_needed(spec, check, ended=6, **sizes)
    of_search = disk_needed(spec, check, ended=spec.total, **sizes).records
    assert spec.total == 12
    assert rest.records - of_search == pytest.approx((whole.records - of_search) / 2)
    assert (whole.weights, rest.weights) == (spec.keep_models * 4e6, 0)


SPLITS = SimpleNamespace(labels=("a",) * 10, validation=[0] * 200, test=[0] * 300)


def test_a_search_that_does_not_fit_is_refused_with_what_to_change(spec, check, monkeypatch):
    """Needed and free, the largest part first, and what makes it smaller."""
    large = replace(check, weights=750_000_000)
    disk_with(monkeypatch, 4e9)
    check_disk(spec, SPLITS, large)
    disk_with(monkeypatch, 2.9e9)
    with pytest.raises(InputError) as error:
        check_disk(spec, SPLITS, large)
    text = str(error.value)
    assert "needs about 3.0 GB and the disk has 2.9 GB free" in text
    assert text.index("leaders' weights") < text.index("trials' files")
    assert "keep_models" in text
    assert "GOEMO_RUNS" in text
    disk_with(monkeypatch, 1e6)
    with pytest.raises(InputError) as error:
        check_disk(replace(spec, keep_models=0), SPLITS, large)
    assert "weights" not in str(error.value)
    assert "keep_models" not in str(error.value)


def test_free_bytes_of_a_folder_that_is_not_there_yet(tmp_path):
    """They are those of the disk on which it will be."""
    assert free_bytes(tmp_path / "not" / "there") == pytest.approx(free_bytes(tmp_path), rel=0.01)


def test_the_check_returns_what_must_be_left_for_the_trials(spec, check, monkeypatch):
    """It is all but what the encoder writes, and what only long or lucky trials write."""
    disk_with(monkeypatch, 10**12)
    needed = check_disk(spec, SPLITS, check)
    assert needed == disk_needed(spec, check, labels=10, rows=(200, 300), at_once=0).total
    disk_with(monkeypatch, int(needed) - 1)
    with pytest.raises(InputError, match="make room"):
        check_disk(spec, SPLITS, check)


@pytest.mark.slow
def test_a_full_disk_stops_a_search_before_its_first_trial(tmp_path, monkeypatch):
    """Nothing is left of it: after room was made, the same command starts it."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    path = tmp_path / "tiny.yaml"
    path.write_text(
        'model: {checkpoint: "scratch:albert-tiny"}\ndata: {source: "sample:300"}\n', encoding="utf-8"
    )
    disk_with(monkeypatch, 1000)
    with pytest.raises(InputError, match="the search needs about"):
        run_search(load_spec(str(path)), tracking_uri="none")
    assert not (tmp_path / "searches").exists()


@pytest.mark.slow
def test_a_full_disk_stops_a_resumed_search_too(tmp_path, monkeypatch):
    """Before its trials, which stay as they are."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    values = {"name": "s", "model": {"checkpoint": "scratch:albert-tiny"}, "data": {"source": "sample:300"}}
    spec = SearchSpec.from_dict(values)
    search = SearchFolder.create("s", spec.to_dict())
    disk_with(monkeypatch, 1000)
    with pytest.raises(InputError, match=r"the search needs about .* make room, then: goemo resume s$"):
        resume_search("s", tracking_uri="none")
    assert search.snapshot().trials == ()
