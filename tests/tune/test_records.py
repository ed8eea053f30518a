"""The records of a search."""

from __future__ import annotations

import numpy as np
import pytest

from goemo.errors import GoemoError, InputError
from tune.records import (
    Outcome,
    SearchFolder,
    TrialFolder,
    leaders_beaten_by,
    runs_folder,
    search_names,
    write_json,
)
from tune.records.writing import write_arrays

CONFIG = {"metric": "macro_f1", "thresholds": "exact"}


@pytest.fixture(autouse=True)
def _own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "runs"))


def report(progress, objective, **more):
    return {"progress": progress, "time": 1.0, "seconds": float(progress), "val/macro_f1": objective, **more}


def trial(tmp_path, name="t001"):
    folder = TrialFolder(tmp_path / name)
    folder.write_config(CONFIG, {"batch_size": 16})
    return folder


def test_a_report_that_is_made_again_replaces_itself_and_what_came_after(tmp_path):
    """A trial that went on from 20 % leaves one row a progress, in order."""
    folder = trial(tmp_path)
    for progress, objective in [(20, 0.1), (40, 0.2), (60, 0.3), (40, 0.25)]:
        folder.write_report(report(progress, objective), None)
    assert [(r["progress"], r["val/macro_f1"]) for r in folder.read().history] == [(20, 0.1), (40, 0.25)]


def test_truncating_keeps_what_the_checkpoint_has_seen(tmp_path):
    """Reports after the checkpoint go, because they will be made again."""
    folder = trial(tmp_path)
    for progress in (20, 40, 60):
        folder.write_report(report(progress, 0.1), None)
    folder.truncate_history(40)
    assert folder.read().progress == 40


def test_the_best_report_is_the_earliest_of_equals(tmp_path):
    """Of two reports with the same objective the first counts, as its scores were kept."""
    folder = trial(tmp_path)
    for progress, objective in [(20, 0.1), (40, 0.3), (60, 0.3)]:
        folder.write_report(report(progress, objective), None)
    assert folder.read().best["progress"] == 40
    assert folder.read().objective == 0.3


def test_scores_come_back_as_they_were_rounded(tmp_path):
    """Scores that float16 can hold survive the file to the last bit."""
    folder = trial(tmp_path)
    scores = np.random.default_rng(0).random((7, 3)).astype(np.float16)
    folder.write_report(report(20, 0.1), scores)
    np.testing.assert_array_equal(folder.read().scores(), scores.astype(np.float32))


def test_a_trial_without_scores_says_so(tmp_path):
    """Asking for the scores of a trial that never reported names the trial and the reason."""
    with pytest.raises(GoemoError, match="t001: no scores"):
        trial(tmp_path).read().scores()


def test_damaged_scores_name_the_trial_and_the_way_out(tmp_path):
    """A file that is cut short, empty, of other bytes, or without scores is told of in one line."""
    folder = trial(tmp_path)
    folder.write_report(report(20, 0.1), np.random.default_rng(0).random((50, 3)))
    path = folder.path / "scores.npz"
    whole = path.read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 255
    for content in (whole[:200], b"", b"not an archive", bytes(middle)):
        path.write_bytes(content)
        with pytest.raises(GoemoError, match=r"t001: .*scores.npz is damaged"):
            folder.read().scores()
    np.savez(path, other=np.zeros(3))
    with pytest.raises(GoemoError, match=r"t001: .*scores.npz is damaged"):
        folder.read().scores()


def test_an_outcome_ends_a_trial_and_frees_its_checkpoint(tmp_path):
    """Once a trial has ended, nothing can need its checkpoint, which may be gigabytes."""
    folder = trial(tmp_path)
    (folder.path / "checkpoint").mkdir()
    folder.write_outcome(Outcome("diverged", "loss is NaN", ended_at=2.0))
    assert not (folder.path / "checkpoint").exists()
    assert folder.read().outcome == Outcome("diverged", "loss is NaN", ended_at=2.0)
    assert not folder.read().is_ranked


def test_nan_never_reaches_a_file(tmp_path):
    """A report with NaN is refused, because nothing can rank by it and JSON cannot hold it."""
    folder = trial(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_report(report(20, float("nan")), None)
    assert folder.read().history == ()


def test_a_search_is_found_by_name_and_taken_names_are_refused():
    """A second search of the same name would overwrite the first."""
    search = SearchFolder.create("first", {"seed": 1})
    assert SearchFolder.open("first").spec == {"seed": 1}
    assert search.path == runs_folder() / "searches" / "first"
    with pytest.raises(InputError, match=r"'first' exists.*goemo resume first"):
        SearchFolder.create("first", {})
    with pytest.raises(InputError, match="there are: first"):
        SearchFolder.open("second")
    assert search_names() == ["first"]


def test_records_come_in_order_of_their_ids():
    """The order does not depend on which trial ran first."""
    search = SearchFolder.create("s", {})
    for trial_id in ("t010", "t002", "t001"):
        search.trial(trial_id).write_config(CONFIG, {})
    assert [r.trial_id for r in search.snapshot().trials] == ["t001", "t002", "t010"]


def test_only_leaders_keep_their_weights():
    """With two models kept, a third trial must reach the worse of them; with none kept, nobody may."""
    search = SearchFolder.create("s", {})
    challenger = search.trial("t003")
    assert leaders_beaten_by(challenger, 0.0)  # nobody leads yet
    search.write_leaders({"t001": 0.3, "t002": 0.2}, keep=2)
    assert leaders_beaten_by(challenger, 0.25)
    assert leaders_beaten_by(challenger, 0.2)  # a tie is decided by trial id, when the trial has ended
    assert not leaders_beaten_by(challenger, 0.19)
    search.write_leaders({"t001": 0.3}, keep=2)
    assert leaders_beaten_by(challenger, 0.0)
    search.write_leaders({}, keep=0)
    assert not leaders_beaten_by(challenger, 1.0)


def test_validation_targets_come_back_with_their_labels():
    """Every number can be computed again from the search's folder alone."""
    search = SearchFolder.create("s", {})
    with pytest.raises(GoemoError, match="not been prepared"):
        search.validation()
    targets = np.array([[True, False], [False, False]])
    search.write_validation(targets, ["joy", "Ärger"])
    found, labels = search.validation()
    np.testing.assert_array_equal(found, targets)
    assert labels == ("joy", "Ärger")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_damaged_validation_targets_are_told_of_with_the_way_out(content):
    """A full disk or a loss of power may leave any part of a file; the driver can write it again."""
    search = SearchFolder.create("s", {})
    (search.path / "validation.npz").write_bytes(content)
    with pytest.raises(GoemoError, match=r"s: .*validation\.npz is damaged .*goemo resume s$"):
        search.validation()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    """A value that JSON cannot hold is refused before the file is touched."""
    path = tmp_path / "facts.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("inf")})
    assert path.read_text(encoding="utf-8") == '{\n  "a": 1\n}\n'


def test_half_an_archive_is_not_kept(tmp_path, monkeypatch):
    """A disk that fills up leaves the archive that was there, and nothing that nobody reads."""
    path = tmp_path / "scores.npz"
    write_arrays(path, scores=np.ones(3))

    def fill_up(file, **arrays):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fill_up)
    with pytest.raises(OSError, match="No space left"):
        write_arrays(path, scores=np.zeros(3))
    with np.load(path, allow_pickle=False) as archive:
        assert archive["scores"].tolist() == [1, 1, 1]
    assert [*tmp_path.iterdir()] == [path]
