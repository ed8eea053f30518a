"""Leaders trained again with further seeds, from records made by hand: who, in which order, what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from goemo.evaluation import validation_metrics
from goemo.thresholds import threshold_options
from tune import space
from tune.cli.tables import confirmed_table, left_out
from tune.engine.schedulers import build_scheduler
from tune.models.export import write_export
from tune.models.exported import read_export
from tune.ranking import confirm, leaderboard
from tune.ranking.confirmed import confirmed_best
from tune.records import Outcome, SearchFolder
from tune.reporting.report import write_report
from tune.spec import ConfirmSpec, SearchSpec, configuration
from tune.tracking import content

SPACE = {
    "name": "s",
    "model": {"checkpoint": "scratch:albert-tiny"},
    "data": {"source": "sample:600", "taxonomy": "sentiment"},
    "space": {"batch_size": {"grid": [8, 16, 32, 64]}},
    "confirm": {"top": 2, "seeds": 3},
}
LABELS = ("joy", "anger", "neutral")


def finish(search, trial_id, noise, reason="completed", *, progress=100, message="", draw=0):
    """Give a trial a report with scores that know the targets up to some noise, and an end."""
    targets, _ = search.validation()
    rng = np.random.default_rng(draw)
    scores = np.clip(targets * 0.4 + 0.3 + noise * rng.normal(size=targets.shape), 0, 1).astype(np.float16)
    folder = search.trial(trial_id)
    options = threshold_options(folder.read().config["thresholds"])
    metrics = validation_metrics(scores.astype(np.float32), targets, **options)
    row = {"progress": progress, "time": 1.0 + progress, "seconds": 2.0, **metrics}
    if reason in {"completed", "stopped_early"}:
        for reached in sorted({20, progress}):
            folder.write_report({**row, "progress": reached}, scores)
    folder.write_outcome(Outcome(reason, message, ended_at=2.0))
    return metrics["val/macro_f1"]


@pytest.fixture
def spec():
    return SearchSpec.from_dict(SPACE)


@pytest.fixture
def search(tmp_path, monkeypatch, spec):
    """Return a search of four trials: t002 first, then t004, which was stopped, then t003 and t001."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    made = SearchFolder.create("s", spec.to_dict())
    made.write_validation(np.random.default_rng(0).random((300, 3)) < 0.3, LABELS)
    made.add_facts(
        data={
            "source": "sample:600",
            "taxonomy": "sentiment",
            "seed": 42,
            "splitting": "s",
            "digest": "d",
            "splits": {"train": {"examples": 480}},
            "notes": [],
        },
        environment={"versions": {}, "platform": "p", "gpus": [], "git_commit": None},
        status="complete",
    )
    for number, (noise, reason) in enumerate(
        [(0.4, "completed"), (0.1, "completed"), (0.3, "completed"), (0.2, "stopped_early")], start=1
    ):
        varied = {"batch_size": [8, 16, 32, 64][number - 1]}
        made.trial(f"t{number:03d}").write_config(configuration(spec, varied).to_dict(), varied)
        finish(made, f"t{number:03d}", noise, reason, progress=100 if reason == "completed" else 20)
    return made


def ask_all(spec, search):
    """Return the ids that are asked for, having written down each."""
    further, found = confirm.confirmations(spec, search), []
    while (asked := further.ask()) is not None:
        found.append(asked[0])
    return found


def test_leaders_that_were_trained_to_their_end_get_further_seeds_in_turns(spec, search):
    """A trial that was stopped early is passed over; each leader gets its second seed before any its third.

    The configuration is the leader's but for the seed, and the record tells whom it confirms.
    """
    assert ask_all(spec, search) == ["t002-s43", "t003-s43", "t002-s44", "t003-s44"]
    leader, repeat = search.trial("t002").read(), search.trial("t002-s43").read()
    assert repeat.confirms == "t002"
    assert repeat.config == {**leader.config, "seed": 43}
    assert repeat.varied == {"batch_size": 16, "seed": 43}


def test_a_configuration_that_was_drawn_again_is_one_leader(spec, search):
    """With the same seed it has the same result: the place is that of the next configuration."""
    leader = search.trial("t002").read()
    search.trial("t005").write_config(leader.config, leader.varied)
    finish(search, "t005", 0.1)
    assert ask_all(spec, search) == ["t002-s43", "t003-s43", "t002-s44", "t003-s44"]


def test_confirmations_are_no_trials_of_the_search(spec, search):
    """Nothing that ranks, learns or cuts is given them, however good they are."""
    before = leaderboard.build(search.snapshot())
    for trial_id in ask_all(spec, search):
        finish(search, trial_id, 0.0)
    after = leaderboard.build(search.snapshot())
    assert [record.trial_id for record in search.snapshot().trials] == ["t001", "t002", "t003", "t004"]
    assert (after.rows, after.reasons) == (before.rows, before.reasons)
    assert space.suggestions(spec, search.snapshot().trials).ask() is None
    brackets = build_scheduler(spec, search.snapshot().trials).brackets
    assert any(rung for rungs in brackets for rung in rungs.values())
    assert not any("-s" in trial_id for rungs in brackets for rung in rungs.values() for trial_id in rung)


def test_nothing_is_confirmed_before_the_search_has_ended_or_unasked(spec, search):
    """A trial that has not ended may yet lead; a space without the section asks for nothing."""
    assert confirm.confirmations(replace(spec, confirm=ConfirmSpec(top=0)), search) is None
    assert confirm.remaining(replace(spec, confirm=ConfirmSpec(top=0)), search.snapshot()) == 0
    (search.trial("t001").path / "outcome.json").unlink()
    assert confirm.confirmations(spec, search) is None
    assert confirm.remaining(spec, search.snapshot()) == 4  # the most there may be
    assert search.confirming is None


def test_a_resumed_search_goes_on_with_the_leaders_that_were_chosen(spec, search):
    """What has ended does not come again; what was under way does, as it was; nobody else takes the place."""
    assert confirm.remaining(spec, search.snapshot()) == 4
    ask_all(spec, search)
    written = (search.trial("t003-s43").path / "config.json").stat().st_mtime_ns
    finish(search, "t002-s43", 0.1)
    finish(search, "t001", 0.0)  # as if its record had been mended since
    assert confirm.remaining(spec, search.snapshot()) == 3
    assert ask_all(spec, search) == ["t003-s43", "t002-s44", "t003-s44"]
    assert (search.trial("t003-s43").path / "config.json").stat().st_mtime_ns == written
    for trial_id in ("t003-s43", "t002-s44", "t003-s44"):
        finish(search, trial_id, 0.1)
    assert confirm.remaining(spec, search.snapshot()) == 0
    assert ask_all(spec, search) == []


def test_more_trials_are_a_reason_to_choose_leaders_again(spec, search):
    """An extended search confirms whoever leads then; what a former leader has is not trained again."""
    for trial_id in ask_all(spec, search):
        finish(search, trial_id, 0.2)
    varied = {"batch_size": 128}
    search.trial("t005").write_config(configuration(spec, varied).to_dict(), varied)
    assert leaderboard.build(search.snapshot()).confirmed == ()
    finish(search, "t005", 0.05)
    assert ask_all(spec, search) == ["t005-s43", "t005-s44"]
    assert search.confirming.leaders == ["t005", "t002"]


def test_what_a_former_leader_has_begun_is_given_up(spec, search):
    """Interrupted, then extended: it is neither waited for nor counted, and its checkpoint goes."""
    begun = [search.trial(trial_id) for trial_id in ask_all(spec, search)]
    for folder in begun:
        (folder.path / "checkpoint").mkdir()
    finish(search, "t003-s43", 0.2)
    varied = {"batch_size": 128}
    search.trial("t005").write_config(configuration(spec, varied).to_dict(), varied)
    finish(search, "t005", 0.05)
    further = confirm.confirmations(spec, search)
    assert further.leaders == ["t005", "t002"]
    assert (further.total, further.remaining) == (5, 4)
    assert {path.parent.name for path in search.path.glob("trials/*/checkpoint")} == {"t002-s43", "t002-s44"}
    for trial_id in ask_all(spec, search):
        finish(search, trial_id, 0.2)
    assert len(confirm.ended_ids(search.snapshot())) == further.total
    assert confirm.remaining(spec, search.snapshot()) == 0


def test_leaders_rank_by_their_mean_and_the_best_of_them_is_the_one_to_take(spec, search):
    """The search's best was lucky: the second leader has the higher mean, and everything takes it."""
    ask_all(spec, search)
    expected = {"t002": [], "t003": []}
    for leader, noise, draw in (("t002", 0.5, 1), ("t003", 0.15, 2)):
        expected[leader].append(search.trial(leader).read().objective)
        for seed in (43, 44):
            assert leaderboard.build(search.snapshot()).best.trial_id == "t002"  # until all seeds have ended
            expected[leader].append(finish(search, f"{leader}-s{seed}", noise, draw=draw + seed))
    board = leaderboard.build(search.snapshot())
    first, second = board.confirmed
    assert (first.trial_id, second.trial_id) == ("t003", "t002")
    for leader in (first, second):
        assert leader.values == tuple(expected[leader.trial_id])
        assert leader.mean == pytest.approx(np.mean(leader.values), abs=1e-12)
        assert leader.deviation == pytest.approx(np.std(leader.values, ddof=1))
        assert leader.low < leader.mean < leader.high
        assert leader.seeds == (42, 43, 44)
    assert board.is_confirmed
    assert board.best.trial_id == "t003"
    assert board.best.rank == 3
    assert confirmed_best(search.snapshot()).trial_id == "t003"
    told = leaderboard.summary(board)
    assert f"Confirmed best: t003 (batch_size 32), mean validation macro_f1 {first.mean:.4f}" in told
    assert "rank 3 of the search" in told


def test_every_format_tells_of_the_confirmation(spec, search, tmp_path):
    """JSON, CSV, pandas, the page, its twin and the export have mean, interval and seeds."""
    for trial_id in ask_all(spec, search):
        finish(search, trial_id, 0.1 if "t002" in trial_id else 0.3, draw=3)
    board = leaderboard.build(search.snapshot())
    leader = board.confirmed[0]
    shape = json.loads(board.to_json())["confirmed"]
    assert [one["trial_id"] for one in shape] == ["t002", "t003"]
    assert (shape[0]["mean"], shape[0]["low"], shape[0]["seeds"]) == (leader.mean, leader.low, [42, 43, 44])
    frame = board.to_pandas().set_index("trial_id")
    assert frame.loc["t002", "confirmed_mean"] == leader.mean
    assert frame.loc["t002", "confirmed_seeds"] == 3
    assert frame["confirmed_rank"].isna().sum() == 2
    assert "confirmed_mean" in board.to_csv().splitlines()[0]
    path = tmp_path / "best.yaml"
    assert "mean of 3 seeds" in write_export(search, path)
    exported = read_export(path)
    assert exported.origin.trial == "t002"
    assert exported.expected.value == board.best.objective  # of the seed that the configuration has
    assert exported.expected.confirmed.mean == leader.mean
    assert exported.expected.confirmed.values == tuple(leader.values)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["configuration"]["seed"] == 42
    page, twin = write_report(search, tmp_path / "s.html")
    told = json.loads(twin.read_text(encoding="utf-8"))
    assert told["confirmed"] == shape
    assert told["chosen"]["trial_id"] == "t002"
    text = page.read_text(encoding="utf-8")
    assert "The leaders with further seeds" in text
    assert f"Over 3 seeds, its mean validation macro-F1 is <strong>{leader.mean:.3f}</strong>" in text


def test_a_seed_that_failed_is_told_of_and_the_others_count(spec, search):
    """The mean is that of what there is; a leader with its own seed alone is no match for a confirmed one."""
    ask_all(spec, search)
    finish(search, "t002-s43", 0.0, "diverged", message="the loss is NaN")
    finish(search, "t002-s44", 0.0, "failed", message="a bug")
    finish(search, "t003-s43", 0.3)
    finish(search, "t003-s44", 0.0, "diverged", message="the loss is NaN")
    board = leaderboard.build(search.snapshot())
    steady, alone = board.confirmed
    assert board.is_confirmed
    assert (steady.trial_id, steady.seeds, len(steady.lost)) == ("t003", (42, 43), 1)
    assert (alone.trial_id, alone.seeds, alone.low) == ("t002", (42,), None)
    assert alone.mean > steady.mean
    assert alone.tied_with_best  # one seed tells nothing apart
    lines = left_out(board)
    assert "t003-s44, t002-s43 diverged: the loss is NaN" in lines
    assert "t002-s44 failed: a bug" in lines
    assert "3 of the trainings with further seeds gave no score" in leaderboard.summary(board)
    assert [row[4] for row in confirmed_table(board).rows] == ["2 of 3", "1 of 3"]
    assert confirm.remaining(spec, search.snapshot()) == 0


def test_weights_of_the_confirmed_best_are_kept_and_others_go(spec, search):
    """As many as asked for, the confirmed first; not before all seeds have ended."""
    for trial_id in ("t002", "t003"):
        (search.trial(trial_id).path / "model").mkdir()
    for trial_id in ask_all(spec, search):
        confirm.drop_weights(spec, search.snapshot())
        assert (search.trial("t002").path / "model").is_dir()
        finish(search, trial_id, 0.5 if "t002" in trial_id else 0.1)
    confirm.drop_weights(spec, search.snapshot())
    assert [path.parent.name for path in search.path.glob("trials/*/model")] == ["t003"]


def test_a_search_of_failures_has_nothing_to_confirm(spec, search):
    """No trial has completed: that is decided too, and the search is complete."""
    for number in range(1, 5):
        search.trial(f"t{number:03d}").write_outcome(Outcome("failed", "a bug"))
    assert ask_all(spec, search) == []
    assert confirm.remaining(spec, search.snapshot()) == 0
    assert leaderboard.build(search.snapshot()).confirmed == ()


def test_a_confirmation_is_named_by_what_varies_and_its_seed(spec, search):
    """In MLflow it is found beside its leader, and says whom it confirms and how to export that one."""
    ask_all(spec, search)
    finish(search, "t002-s43", 0.1)
    record = search.trial("t002-s43").read()
    assert content.run_name(record) == "bs16 seed43"
    described = content.trial_description(record)
    assert described.startswith("Confirms t002 with seed 43. ")
    assert "goemo export s --trial t002 " in described
