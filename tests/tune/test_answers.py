"""What a search answers beside its trials: the baseline and the blend, as records, rows and sentences."""

from __future__ import annotations

import html
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml
from rich.console import Console
from scipy.special import expit

from goemo import bundle
from goemo.configuration import Configuration
from goemo.data import load_splits
from goemo.errors import InputError
from goemo.evaluation import validation_metrics
from goemo.significance import paired_difference
from goemo.thresholds import cross_fitted_predictions, fit_thresholds
from goemo.words import WordsConfiguration, fit_into, fit_words, read_cached
from tune.answer.baseline import BaselineFit, cache_folder
from tune.answer.blend import candidates, judge_blend
from tune.cli.tables import leaderboard_table
from tune.driver.facts import data_facts
from tune.environment import describe
from tune.models.blend import train_blend
from tune.models.evaluating import evaluate_bundle
from tune.models.export import write_export
from tune.models.exported import read_export
from tune.models.registry.logged_model import pyfunc
from tune.models.retrain import retrain
from tune.models.trained import Trained
from tune.ranking import leaderboard
from tune.ranking.answers import BaselineRow, BlendRow, Gain, better_answer
from tune.records import BASELINE, BLEND, Outcome, SearchFolder
from tune.reporting.report import write_search_artifacts
from tune.spec import SearchSpec

SPACE = {
    "name": "answers",
    "model": {"checkpoint": "scratch:albert-tiny"},
    "data": {"source": "sample:300"},
    "space": {"batch_size": {"grid": [16, 32]}, "max_length": 16, "epochs": 1},
    "objective": {"thresholds": "exact"},
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "none")
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def splits():
    return load_splits("sample:300")


@pytest.fixture(scope="module")
def words(splits, tmp_path_factory):
    """A bag of words of the same data, as an earlier search has left it in its cache."""
    folder = tmp_path_factory.mktemp("cache") / "words"
    train, validation = splits.train, splits.validation
    fit_into(folder, train.texts, train.targets, validation.texts, labels=splits.labels, seed=42)
    return folder


@pytest.fixture
def search(runs, splits, words):
    """A search whose trials have not begun, on data that was searched before."""
    shutil.copytree(words, cache_folder(splits, 42))
    spec = SearchSpec.from_dict(SPACE)
    folder = SearchFolder.create(spec.name, spec.to_dict())
    folder.write_validation(splits.validation.targets, splits.labels)
    folder.add_facts(data=data_facts(splits, spec.seed), environment=describe())
    return folder


def spec_of(search):
    return SearchSpec.from_dict(search.spec)


def add_trial(search, trial_id, scores, **changes):
    """Record a trial that has completed with these scores."""
    targets, _ = search.validation()
    config = Configuration(checkpoint="scratch:albert-tiny", thresholds="exact", max_length=16, epochs=1)
    folder = search.trial(trial_id)
    folder.write_config({**config.to_dict(), **changes}, {"batch_size": 16})
    row = {"progress": 100, "time": 1.0, "seconds": 1.0, **validation_metrics(scores, targets)}
    folder.write_report(row, scores)
    folder.write_outcome(Outcome("completed", ended_at=1.0))


def noisy(targets, noise, seed):
    random = np.random.default_rng(seed)
    return expit(2 * targets - 1.5 + noise * random.standard_normal(targets.shape)).astype(np.float16)


def fitted(search, splits, **options):
    """Let the baseline be fitted, and return its record and what was heard of it."""
    heard = []
    with BaselineFit(spec_of(search), search, splits, heard.append, **options) as fit:
        fit.wait()
    assert fit.trouble is None
    return search.snapshot().answers.get(BASELINE), heard


def test_the_baseline_is_that_of_the_words_room_and_no_trial(search, splits):
    """A process fits it; the record has the scores that a fit here has, and is not one of the trials."""
    shutil.rmtree(cache_folder(splits, 42))
    record, heard = fitted(search, splits)
    now = search.snapshot()
    assert [one.trial_id for one in heard] == [BASELINE]
    assert (now.trials, now.ended, now.asked_for) == ((), 0, 0)
    settings = WordsConfiguration.from_dict(record.config).settings
    model = fit_words(splits.train.texts, splits.train.targets, settings)
    expected = model.scores(splits.validation.texts).astype(np.float16)
    np.testing.assert_array_equal(record.scores().astype(np.float16), expected)
    figures = validation_metrics(record.scores(), splits.validation.targets)
    assert record.objective == pytest.approx(figures["val/macro_f1"])
    assert record.outcome.stop_reason == "completed"


def test_a_second_search_takes_it_from_the_cache(search, splits, monkeypatch):
    """No process starts where the data is the same; a damaged cache is made again."""
    first, _ = fitted(search, splits)
    other = SearchFolder.create("other", {**search.spec, "name": "other"})
    other.write_validation(splits.validation.targets, splits.labels)
    with monkeypatch.context() as patched:
        patched.setattr("tune.answer.baseline.subprocess.Popen", None)
        second, _ = fitted(other, splits)
    assert second.history[-1]["val/macro_f1"] == first.history[-1]["val/macro_f1"]
    assert second.seconds == first.seconds
    (cache_folder(splits, 42) / "fitted.json").write_text("{")
    third = SearchFolder.create("third", {**search.spec, "name": "third"})
    third.write_validation(splits.validation.targets, splits.labels)
    again, _ = fitted(third, splits)
    assert again.objective == first.objective


def test_settings_that_a_search_names_are_those_that_are_tried(search, splits):
    """Each choice has a place of its own in the cache, and its record has what was chosen."""
    usual, _ = fitted(search, splits)
    asked = {"C": [0.5], "char_ngrams": [0], "word_ngrams": [1]}
    other = SearchFolder.create("single", {**search.spec, "name": "single", "baseline": asked})
    other.write_validation(splits.validation.targets, splits.labels)
    record, _ = fitted(other, splits)
    assert {name: [record.config[name]] for name in asked} == asked
    assert usual.config != record.config
    assert cache_folder(splits, 42, asked).is_dir()
    assert cache_folder(splits, 42, asked) != cache_folder(splits, 42)


def test_none_asks_for_none_and_a_known_one_is_not_fitted_again(search, splits, monkeypatch):
    """Neither starts anything."""
    fitted(search, splits)
    monkeypatch.setattr("tune.answer.baseline.read_cached", None)
    assert fitted(search, splits)[1] == []
    without = SearchFolder.create("without", {**search.spec, "name": "without", "baseline": "none"})
    record, heard = fitted(without, splits)
    assert (record, heard) == (None, [])


def test_leaving_the_block_stops_the_process(search, splits, monkeypatch):
    """A search that is stopped leaves nothing behind that still computes, and no record."""
    shutil.rmtree(cache_folder(splits, 42))
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    started = []

    def start(command, **options):
        started.append(subprocess.Popen(sleeper, **options))
        return started[-1]

    monkeypatch.setattr("tune.answer.baseline.subprocess", type("s", (), {"Popen": start, "DEVNULL": -3}))
    with BaselineFit(spec_of(search), search, splits) as fit:
        while not started and fit.is_running:
            time.sleep(0.01)
    assert started[0].wait(10) == -signal.SIGTERM
    assert not fit.is_running
    assert BASELINE not in search.snapshot().answers


def test_a_process_that_fails_is_told_and_costs_nothing_else(search, splits, monkeypatch):
    """In one line, with its last words."""
    shutil.rmtree(cache_folder(splits, 42))
    monkeypatch.setattr("tune.answer.baseline._rows", lambda *_: {"texts": 1})
    with BaselineFit(spec_of(search), search, splits) as fit:
        fit.wait()
    assert "its process exited with code 1" in fit.trouble
    assert "\n" not in fit.trouble


def test_where_both_are_equal_on_every_row_a_bag_of_words_is_enough(search, splits):
    """A trial with the baseline's own scores is not told to try a larger encoder."""
    record, _ = fitted(search, splits)
    add_trial(search, "t001", record.scores())
    told = leaderboard.summary(leaderboard.build(search.snapshot()))
    assert "the best trial does as well and no better: a bag of words is enough here." in told
    assert "Try" not in told


def test_the_leaderboard_says_by_how_much_the_best_trial_beats_it(search, splits):
    """Paired on the same rows, as the significance room pairs them; worse trials get the advice."""
    record, _ = fitted(search, splits)
    targets = splits.validation.targets
    assert leaderboard.build(search.snapshot()).baseline.best_minus_baseline is None
    bad = np.random.default_rng(0).random(targets.shape).astype(np.float16)
    add_trial(search, "t001", bad)
    board = leaderboard.build(search.snapshot())
    assert [row.trial_id for row in board.rows] == ["t001"]
    assert "no trial beats a bag of words" in leaderboard.summary(board)
    assert "Try training all weights, a larger encoder, or more epochs." in leaderboard.summary(board)
    good = noisy(targets, 0.3, 1)
    add_trial(search, "t002", good)
    board = leaderboard.build(search.snapshot())
    expected = paired_difference(
        targets,
        cross_fitted_predictions(good.astype(np.float32), targets),
        cross_fitted_predictions(record.scores(), targets),
    )
    found = json.loads(board.to_json())["baseline"]
    assert found["best_minus_baseline"] == pytest.approx(
        {"value": expected.difference, "low": expected.low, "high": expected.high}
    )
    assert found["trial_id"] == BASELINE
    assert found["low"] <= found["val_macro_f1"] <= found["high"]
    assert "better on the same rows." in leaderboard.summary(board)


def test_a_damaged_baseline_leaves_the_trials_alone(search, splits):
    """It is named, set aside with the rest, and fitted again."""
    fitted(search, splits)
    add_trial(search, "t001", noisy(splits.validation.targets, 1, 1))
    (search.trial(BASELINE).path / "history.jsonl").write_text("{")
    now = search.snapshot()
    assert [one.trial_id for one in now.damaged] == [BASELINE]
    assert now.asked_for == 1
    assert leaderboard.build(now).baseline is None
    assert [one.trial_id for one in search.set_aside_damaged()] == [BASELINE]
    assert fitted(search, splits)[0].objective is not None


def test_one_kind_has_no_blend_and_the_leaderboard_says_why(search, splits):
    """Trials of one encoder: nothing is offered, once judged it is not judged again."""
    targets = splits.validation.targets
    assert judge_blend(search) is False  # nothing to judge yet
    for number in range(3):
        add_trial(search, f"t00{number}", noisy(targets, 1, number))
    assert judge_blend(search) is False
    board = leaderboard.build(search.snapshot())
    assert board.blend is None
    assert json.loads(board.to_json())["blend"] is None
    assert "No blend: no other model improves" in leaderboard.summary(board)
    with pytest.raises(InputError, match="offers no blend"):
        write_export(search, search.path / "blend.yaml", trial_id=BLEND)


def test_kinds_that_err_apart_are_offered_as_a_blend(search, splits, monkeypatch):
    """Two encoders of independent noise: a record, a row, a sentence; weights make 1."""
    targets = splits.validation.targets
    large = np.tile(targets, (20, 1))
    search.write_validation(large, splits.labels)
    for number in (1, 2):
        scores = noisy(large, 1.2, number)
        add_trial(search, f"t00{number}", scores, trainable=["all", "head"][number - 1])
    assert judge_blend(search) is True
    monkeypatch.setattr("tune.answer.blend.find_blend", None)
    assert judge_blend(search) is False
    now = search.snapshot()
    row = leaderboard.build(now).blend
    assert {part.trial_id for part in row.members} == {"t001", "t002"}
    monkeypatch.undo()
    (search.trial(BLEND).path / "scores.npz").write_bytes(b"no archive")
    assert [one.trial_id for one in search.set_aside_damaged()] == [BLEND]
    assert judge_blend(search) is True  # its record is made again
    assert search.snapshot().answers[BLEND].objective == row.objective
    assert sum(part.weight for part in row.members) == pytest.approx(1)
    assert row.minus_best_single.low > 0
    assert now.answers[BLEND].objective == row.objective == pytest.approx(row.val_macro_f1)
    assert now.answers[BLEND].scores().shape == large.shape
    assert "Blend, 0." in leaderboard.summary(leaderboard.build(now))
    assert len(now.trials) == 2


def test_few_of_a_kind_are_candidates_and_the_baseline_is_one(search, splits):
    """The best five of each kind, and the bag of words."""
    fitted(search, splits)
    for number in range(8):
        add_trial(search, f"t00{number}", noisy(splits.validation.targets, 1, number))
    ids = [record.trial_id for record in candidates(search.snapshot())]
    assert len(ids) == 6
    assert ids[-1] == BASELINE


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def test_the_baseline_is_exported_retrained_and_evaluated(search, splits, tmp_path, console):
    """The bundle gives the record's scores, taken from the cache, and its YAML reads back."""
    record, _ = fitted(search, splits)
    path = tmp_path / "baseline.yaml"
    assert "baseline of answers" in write_export(search, path, trial_id=BASELINE)
    assert read_export(path).configuration.settings == read_cached(cache_folder(splits, 42)).settings
    done = retrain(path, tmp_path / "model", seeds=2, console=console)
    said = console.file.getvalue()
    assert "taken from the cache" in said
    assert "the same for every seed" in said
    loaded = bundle.load(tmp_path / "model")
    scores = loaded.scores(splits.validation.texts).astype(np.float16)
    np.testing.assert_array_equal(scores, record.scores().astype(np.float16))
    again = evaluate_bundle(tmp_path / "model", console=console)
    assert again["results"]["validation"] == done.results["results"]["validation"]
    assert loaded.provenance["origin"]["trial"] == BASELINE


def test_a_wrong_key_in_the_export_of_words_is_named(search, splits, tmp_path):
    """With the nearest right one, as in any export."""
    fitted(search, splits)
    path = tmp_path / "baseline.yaml"
    write_export(search, path, trial_id=BASELINE)
    values = yaml.safe_load(path.read_text())
    values["configuration"]["word_ngram"] = values["configuration"].pop("word_ngrams")
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match="did you mean word_ngrams"):
        read_export(path)


@pytest.fixture
def blended(search, splits):
    """A search whose blend of the baseline and a trial counts as offered."""
    fitted(search, splits)
    add_trial(search, "t001", noisy(splits.validation.targets, 1, 1))
    judge_blend(search)
    verdict = search.blended
    members = [{"trial_id": BASELINE, "tenths": 7}, {"trial_id": "t001", "tenths": 3}]
    search.write_blended(
        type(verdict).model_validate(verdict.model_dump() | {"is_offered": True, "members": members})
    )
    return search


def test_baseline_and_blend_have_their_rows_and_sentences(blended, splits):
    """On the terminal beneath the trials, with their own scores, and at the top of the report."""
    board = leaderboard.build(blended.snapshot())
    out = io.StringIO()
    Console(file=out, width=80).print(leaderboard_table(board))
    lines = out.getvalue().splitlines()
    (blend,) = [line for line in lines if line.strip().startswith("blend")]
    (baseline,) = [line for line in lines if line.strip().startswith("baseline")]
    assert f"{board.blend.objective:.4f}" in blend
    assert f"{board.baseline.objective:.4f}" in baseline
    assert lines.index(blend) + 1 == lines.index(baseline)
    assert max(map(len, lines)) <= 80
    write_search_artifacts(blended.snapshot(), board, splits)
    page = (blended.path / "artifacts" / "report.html").read_text(encoding="utf-8")
    answer, _ = page.split('<h2 id="leaderboard">')
    for sentence in (board.baseline.sentence, board.blend.sentence):
        assert html.escape(sentence, quote=False) in answer


def test_an_export_names_what_is_better_than_the_best_trial(blended, tmp_path):
    """The blend where it is offered; nobody is told who has named a trial."""
    path = tmp_path / "best.yaml"
    board = leaderboard.build(blended.snapshot())
    written = write_export(blended, path)
    assert written.splitlines()[1:] == [
        f"note: {board.blend.sentence}",
        f"to export it: goemo export answers --trial blend -o {path}",
    ]
    assert "note" not in write_export(blended, path, trial_id=board.best.trial_id)


@pytest.mark.parametrize(("high", "is_named"), [(-0.01, True), (0.01, False)])
def test_a_baseline_is_named_where_it_is_shown_to_be_better(high, is_named):
    """Not where it is tied with the best trial, and not before there is a blend that is better still."""
    row = BaselineRow("baseline", 0.5, 0.5, 0.4, 0.6, 1.0, Gain(-0.1, -0.2, high))
    assert better_answer(row, None) == (("baseline", row.sentence) if is_named else None)
    assert better_answer(replace(row, best_minus_baseline=None), None) is None
    blend = BlendRow("blend", (), 0.6, 0.6, 0.5, 0.7, "baseline", Gain(0.1, 0.05, 0.2))
    assert better_answer(row, blend) == ("blend", blend.sentence)


def test_seeds_of_members_are_kept_until_the_blend_is_saved(blended, splits, tmp_path, console):
    """A disk that is full after the first member costs no training of it."""
    path = tmp_path / "blend.yaml"
    write_export(blended, path, trial_id=BLEND)
    scores, forgotten = noisy(splits.validation.targets, 1, 1), []

    def trained(member):
        name = member.origin.trial
        return Trained(
            validation=scores,
            test=scores,
            thresholds=fit_thresholds(scores, splits.validation.targets),
            data={},
            facts={},
            reports=[],
            save=lambda *_, **__: None,
            forget=lambda: forgotten.append(name),
        )

    blend = train_blend(read_export(path), splits, trained, on="train", console=console)
    with pytest.raises(FileNotFoundError):  # nothing was written of the members
        blend.save(tmp_path / "model", {}, None)
    assert forgotten == []
    blend.forget()
    assert forgotten == [BASELINE, "t001"]


@pytest.mark.slow
def test_a_blend_is_retrained_from_its_members_exports(blended, splits, tmp_path, console):
    """Each member is trained; the bundle's scores are the blend of its members', served as predicted."""
    path = tmp_path / "blend.yaml"
    assert "blend of answers" in write_export(blended, path, trial_id=BLEND)
    done = retrain(path, tmp_path / "model", console=console)
    loaded = bundle.load(tmp_path / "model")
    assert [member.tenths for member in loaded.members] == [7, 3]
    texts = ["thank you so much", "", *splits.test.texts[:20]]
    parts = [one.scores(texts).astype(np.float16).astype(np.float64) for one in loaded.bundles]
    mean = sum(w * np.log(p / (1 - p)) for w, p in zip((0.7, 0.3), parts, strict=True))
    np.testing.assert_allclose(loaded.scores(texts), expit(mean), atol=1e-3)
    again = evaluate_bundle(tmp_path / "model", console=console)
    assert again["results"]["validation"]["macro"] == pytest.approx(
        done.results["results"]["validation"]["macro"], abs=1e-6
    )
    pyfunc()  # first: its own import warns
    from tune.models.registry import pyfunc_model

    served = pyfunc_model._opened(tmp_path / "model", len(loaded.labels))
    np.testing.assert_allclose(served.scores(texts), loaded.scores(texts), atol=1e-3)
