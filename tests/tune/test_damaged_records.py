"""A damaged file of a search costs its own trial, and is named; the search goes on."""

from __future__ import annotations

import numpy as np
import pytest

from goemo.errors import GoemoError
from tune.cli.tables import left_out
from tune.ranking import leaderboard
from tune.records import DamagedTrialError, Outcome, SearchFolder
from tune.space import suggestions
from tune.spec import SearchSpec, load_spec

CONFIG = {"metric": "macro_f1", "thresholds": "exact", "checkpoint": "c", "batch_size": 8, "epochs": 1}
METRICS = ("val/macro_f1", "val/weighted_f1", "val/micro_f1", "val/macro_f1_at_0.5")
ROW = (
    b'{"progress": 50, "time": 1.0, "seconds": 1.0, "val/macro_f1": 0.5, "val/weighted_f1": 0.25, '
    b'"val/micro_f1": 0.25, "val/macro_f1_at_0.5": 0.25}\n'
)


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Four trials that have ended, the later the better."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    search = SearchFolder.create("s", load_spec("quickstart").to_dict())
    targets = np.random.default_rng(0).random((60, 3)) < 0.4
    search.write_validation(targets, ["joy", "fear", "anger"])
    for number in range(1, 5):
        noise = np.random.default_rng(number).random(targets.shape)
        scores = np.clip(targets * 0.2 * number + noise * 0.5, 0, 1)
        folder = search.trial(f"t{number:03d}")
        folder.write_config(CONFIG, {"batch_size": 8})
        row = {"progress": 100, "time": 1.0, "seconds": 1.0, **dict.fromkeys(METRICS, 0.1 * number)}
        folder.write_report(row, scores)
        folder.write_outcome(Outcome("completed", ended_at=2.0))
    return search


DAMAGE = [
    ("config.json", b"", "config.json"),
    ("config.json", b"[1, 2]", "config.json"),
    ("config.json", b'{"config": {"metric": 3, "thresholds": "exact"}, "varied": {}}', "config.metric"),
    ("config.json", b'{"config": {"metric": "macro_f1"}, "varied": {}}', "config.thresholds"),
    (
        "config.json",
        b'{"config": {"metric": "macro_f1", "thresholds": "exact", "seed": "x"}, "varied": {}}',
        "seed",
    ),
    (
        "config.json",
        b'{"config": {"metric": "macro_f1", "thresholds": "no"}, "varied": {}}',
        "config.thresholds",
    ),
    (
        "config.json",
        b'{"config": {"metric": "macro_f1", "thresholds": "exact"}, "varied": {}, "confirms": "t001"}',
        "confirms",
    ),
    ("outcome.json", b'{"stop_reason": "gave_up"}', "stop_reason"),
    ("outcome.json", b'{"stop_reason": "completed", "ended_at": NaN}', "ended_at: must hold finite numbers"),
    ("outcome.json", b'{"stop_reason": "completed", "more": 1}', "more"),
    ("history.jsonl", ROW[:20], "line 1"),
    ("history.jsonl", ROW + ROW, "line 2: progress"),
    ("history.jsonl", b'{"progress": 50, "time": 1.0, "seconds": 1.0}\n', "val/macro_f1"),
    ("history.jsonl", ROW.replace(b'"val/weighted_f1": 0.25, ', b""), "val/weighted_f1: is missing"),
    ("history.jsonl", ROW.replace(b"50", b"5000"), "progress"),
    ("history.jsonl", ROW.replace(b"0.5", b"1e999"), "finite"),
    ("history.jsonl", ROW.replace(b"0.5", b"7"), "val/macro_f1"),
    ("history.jsonl", b"\xff\xfe", "UTF-8"),
    ("scores.npz", b"no archive", "scores.npz"),
]


@pytest.mark.parametrize(("name", "content", "says"), DAMAGE)
def test_a_damaged_trial_is_left_out_and_named(search, name, content, says):
    """The leaderboard ranks the others, and says which file of which trial is wrong, and how to go on."""
    whole = leaderboard.build(search.snapshot())
    assert [row.trial_id for row in whole.rows] == ["t004", "t003", "t002", "t001"]
    (search.path / "trials" / "t004" / name).write_bytes(content)
    board = leaderboard.build(search.snapshot())
    assert [row.trial_id for row in board.rows] == ["t003", "t002", "t001"]
    (damaged,) = board.damaged
    assert damaged.trial_id == "t004"
    assert name in damaged.why
    assert says in damaged.why
    assert "\n" not in damaged.why
    told = left_out(board)
    assert f"warning: left out: {damaged.why}" in told
    assert told[-1].endswith("goemo resume s")


@pytest.mark.parametrize(
    "scores",
    [
        np.full((60, 3), np.nan, dtype=np.float16),
        np.full((60, 3), 2.0, dtype=np.float16),
        np.zeros(5, dtype=np.float16),
        np.zeros((60, 3), dtype=np.int64),
        np.zeros((60, 4), dtype=np.float16),
    ],
    ids=["nan", "above 1", "one dimension", "whole numbers", "another label"],
)
def test_scores_that_are_none_are_damage(search, scores):
    """An archive that can be read, but holds no scores, is told of like one that cannot."""
    np.savez(search.trial("t001").path / "scores.npz", scores=scores)
    with pytest.raises(DamagedTrialError, match=r"t001: .*scores.npz is damaged"):
        search.trial("t001").read().scores((60, 3))


def test_what_is_damaged_is_put_aside_and_asked_for_again(search):
    """A resumed search keeps the damaged files, and runs the trial anew under its id."""
    for trial_id, name in (("t002", "config.json"), ("t003", "scores.npz")):
        (search.trial(trial_id).path / name).write_bytes(b"{")
    moved = search.set_aside_damaged()
    assert sorted(one.trial_id for one in moved) == ["t002", "t003"]
    assert len(list((search.path / "damaged").iterdir())) == 2
    now = search.snapshot()
    assert [record.trial_id for record in now.trials] == ["t001", "t004"]
    assert now.damaged == ()
    coming = suggestions(SearchSpec.from_dict(search.spec), now.trials)
    asked = []
    while (found := coming.ask()) is not None:
        asked.append(found[0])
    assert {"t002", "t003"} <= set(asked)
    assert not {"t001", "t004"} & set(asked)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("search.yaml", "a: [1"),
        ("search.yaml", "- 1"),
        ("search.yaml", "objective: true"),
        ("search.yaml", "objective: {metric: accuracy}"),
        ("search.yaml", "seed: -1"),
        ("search.json", "{"),
        ("search.json", '{"status": "asleep"}'),
        ("search.json", '{"environment": {"versions": ["torch"]}}'),
        ("search.json", '{"data": {"report": {"notes": 3}}}'),
        ("search.json", '{"data": {"splits": {"train": {"examples": -1}}}}'),
        ("confirm.json", '{"top": 1}'),
        ("confirm.json", '{"top": 1, "seeds": 2, "trials": 4, "leaders": ["../../etc"]}'),
    ],
)
def test_a_damaged_file_of_the_search_itself_is_one_line(search, name, content):
    """What belongs to no trial cannot be done without: the file is named in a line."""
    (search.path / name).write_text(content, encoding="utf-8")
    with pytest.raises(GoemoError, match=rf"s: .*{name} is damaged") as caught:
        search.snapshot()
    assert "\n" not in str(caught.value)


def test_only_what_has_changed_is_read_again(search):
    """Two snapshots share the records of all trials whose files are the same."""
    before = search.snapshot()
    search.trial("t005").write_config(CONFIG, {"batch_size": 8})
    search.trial("t002").write_outcome(Outcome("failed", "a bug", ended_at=3.0))
    after = search.snapshot()
    same = [one is other for one, other in zip(before.trials, after.trials, strict=False)]
    assert same == [True, False, True, True]
    assert [record.trial_id for record in after.trials] == ["t001", "t002", "t003", "t004", "t005"]
    assert before.trials[1].outcome.stop_reason == "completed"  # a value stays what it was


def test_scores_of_another_shape_are_put_aside_but_never_all_of_them(search):
    """One trial's scores that do not fit are its own damage; where none fit, the targets are damaged."""
    np.savez(search.trial("t001").path / "scores.npz", scores=np.zeros((60, 4), dtype=np.float16))
    board = leaderboard.build(search.snapshot())
    assert [damaged.trial_id for damaged in board.damaged] == ["t001"]
    search.write_validation(np.zeros((60, 9), dtype=np.bool_), list("abcdefghi"))
    assert search.set_aside_damaged() == []
    search.write_validation(np.random.default_rng(0).random((60, 3)) < 0.4, ["joy", "fear", "anger"])
    assert [damaged.trial_id for damaged in search.set_aside_damaged()] == ["t001"]
