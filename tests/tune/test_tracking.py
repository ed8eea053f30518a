"""The MLflow store ends equal to the records, whatever failed on the way."""

from __future__ import annotations

import functools
import json
import shutil
import threading
import time
from pathlib import Path

import pytest

from goemo.configuration import Configuration
from goemo.errors import GoemoError, InputError
from tune import tracking
from tune.driver import facts as search_facts
from tune.records import BLEND, Outcome, SearchFolder
from tune.spec import EXPERIMENT
from tune.tracking import content, tracker, views, writer

START = 1_700_000_000.0
REPORTS = (20, 40, 60, 80, 100)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory) -> Path:
    """Return a database with MLflow's tables, which take seconds to make, for tests to copy."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    tracking.Store(f"sqlite:///{path}", None).client().search_experiments()
    return path


@pytest.fixture
def runs(tmp_path, monkeypatch, empty_database) -> Path:
    folder = tmp_path / "my runs"  # a space, as in many a home folder
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    monkeypatch.setenv("GOEMO_RUNS", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(tracker, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(tracker, "LONGEST_PAUSE_S", 0.2)
    monkeypatch.setattr(tracker, "SEARCH_EVERY_S", 0.05)
    return folder


def make_search(name: str = "tiny", trials: int = 3) -> SearchFolder:
    search = SearchFolder.create(
        name,
        {
            "name": name,
            "model": {"checkpoint": "scratch:albert-tiny", "trainable": "all"},
            "data": {"source": "sample:", "taxonomy": "fine"},
            "space": {"batch_size": {"grid": [16, 32]}, "learning_rate": {"grid": [2e-5, 3e-5]}, "epochs": 1},
            "search": {"algorithm": "grid", "trials": None},
            "objective": {"metric": "macro_f1"},
            "seed": 42,
        },
    )
    search.add_facts(
        data={
            "source": "sample:",
            "taxonomy": "fine",
            "splitting": "official",
            "digest": "d" * 64,
            "splits": {
                split: {"examples": 10, "digest": split[0] * 64} for split in ("train", "validation", "test")
            },
        },
        environment={"versions": {"torch": "2.13.0"}, "platform": "Linux", "cpus": 2, "gpus": []},
    )
    for number in range(1, trials + 1):
        add_trial(search, number)
    return search


def add_trial(search: SearchFolder, number: int) -> str:
    trial_id = f"t{number:03d}"
    varied = {"batch_size": 16 * number, "learning_rate": 2e-5}
    config = Configuration(checkpoint="scratch:albert-tiny", **varied)
    search.trial(trial_id).write_config(config.to_dict(), varied)
    return trial_id


def report(search: SearchFolder, trial_id: str, progress: int, f1: float | None = None) -> None:
    value = progress / 200 + int(trial_id[1:]) / 100 if f1 is None else f1
    row = {
        "progress": progress,
        "time": START + progress,
        "seconds": progress / 10,
        "val/macro_f1": value,
        "val/loss": 1 - value,
        "train/loss": 1.5 - value,
    }
    search.trial(trial_id).write_report(row, None)


def end(search: SearchFolder, trial_id: str, reason: str = "completed", message: str = "") -> None:
    folder = search.trial(trial_id)
    (folder.path / "artifacts" / "figures").mkdir(parents=True, exist_ok=True)
    (folder.path / "artifacts" / "config.yaml").write_text("batch_size: 16\n")
    (folder.path / "artifacts" / "figures" / "one.png").write_bytes(b"png")
    details = "" if reason in {"completed", "stopped_early"} else "Traceback: boom"
    folder.write_outcome(Outcome(reason, message, details, ended_at=START + 200))


def finish(search: SearchFolder) -> None:
    for record in search.snapshot().trials:
        for progress in REPORTS:
            report(search, record.trial_id, progress)
        end(search, record.trial_id)
    search.add_facts(status="complete")


def stored(search: SearchFolder) -> dict[str, dict]:
    """Return all that the store holds of a search, by trial id; doubles are found by the assertion."""
    client = tracking.find_store().client()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found: dict[str, dict] = {}
    for run in client.search_runs([experiment.experiment_id], f"tags.`goemo.search` = '{search.name}'"):
        key = content.key_of_run(run.data.tags)
        assert key not in found, f"two runs for {key}"
        history = {
            metric: [
                (m.step, m.timestamp, m.value) for m in client.get_metric_history(run.info.run_id, metric)
            ]
            for metric in run.data.metrics
        }
        found[key] = {
            "run_id": run.info.run_id,
            "name": run.info.run_name,
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": history,
            "inputs": sorted((i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs),
            "artifacts": sorted(files(client, run.info.run_id)),
        }
    return found


def files(client, run_id: str, path: str | None = None) -> list[str]:
    entries = client.list_artifacts(run_id, path)
    return [f for e in entries for f in (files(client, run_id, e.path) if e.is_dir else [e.path])]


class Flaky:
    """A client whose calls fail as told: before they reach the store, or after, when the answer is lost."""

    def __init__(self, client, fails):
        self.client = client
        self.fails = fails

    def __getattr__(self, name):
        call = getattr(self.client, name)

        @functools.wraps(call)
        def wrapped(*args, **kwargs):
            when = self.fails(name)
            if when == "before":
                raise ConnectionError("the store is away")
            answer = call(*args, **kwargs)
            if when == "after":
                raise ConnectionError("the answer is lost")
            return answer

        return wrapped


@pytest.fixture
def failing(monkeypatch):
    """Return a function that makes the clients of later writers fail where ``fails(name)`` says so."""
    original = tracking.Store.client

    def use(fails):
        monkeypatch.setattr(tracking.Store, "client", lambda self: Flaky(original(self), fails))

    yield use
    monkeypatch.setattr(tracking.Store, "client", original)


class TestContent:
    def test_a_trial_is_named_by_what_varies(self, runs):
        """Short names for the known hyperparameters, the key for others, the id where nothing varies."""
        search = make_search(trials=0)
        folder = search.trial("t001")
        varied = {"batch_size": 16, "learning_rate": 2e-05, "max_length": 32, "dropout": 0.123456}
        folder.write_config({"metric": "macro_f1", "thresholds": "exact"}, varied)
        assert content.run_name(folder.read()) == "bs16 lr2e-05 len32 drop0.1235"
        folder.write_config({"metric": "macro_f1", "thresholds": "exact"}, {})
        assert content.run_name(folder.read()) == "t001"

    def test_the_best_objective_never_falls(self, runs):
        """``best/...`` at a step is the highest objective up to it, so that the latest value ranks."""
        search = make_search(trials=1)
        for progress, value in zip(REPORTS, (0.1, 0.4, 0.3, 0.5, 0.2), strict=True):
            report(search, "t001", progress, value)
        rows = content.metrics_by_step(search.trial("t001").read())
        assert [metrics["best/macro_f1"] for _, _, metrics in rows] == [0.1, 0.4, 0.4, 0.5, 0.5]
        assert [step for step, _, _ in rows] == list(REPORTS)

    def test_reports_say_their_epoch_and_optimizer_step(self, runs):
        """So that runs can be laid over others'; the step only where the size of the data is known."""
        search = make_search(trials=1)
        for progress in REPORTS:
            report(search, "t001", progress, 0.1)
        record = search.trial("t001").read()
        epochs, batch = record.config["epochs"], record.config["batch_size"]
        rows = content.metrics_by_step(record, train_examples=100)
        assert rows[-1][2]["epoch"] == epochs
        assert rows[-1][2]["optimizer_step"] == epochs * -(-100 // batch)
        assert rows[0][2]["epoch"] == pytest.approx(epochs / 5)
        assert "optimizer_step" not in content.metrics_by_step(record)[0][2]

    def test_a_search_has_its_best_at_each_end_of_a_trial(self, runs):
        """Whenever it is written: step n is the best objective when n trials had ended, failures included."""
        search = make_search(trials=4)
        for number, (value, moment) in enumerate([(0.3, 40), (0.2, 20), (0.4, 30)], start=1):
            report(search, f"t{number:03d}", 100, value)
            search.trial(f"t{number:03d}").write_outcome(Outcome("completed", ended_at=START + moment))
        search.trial("t004").write_outcome(Outcome("failed", "no", ended_at=START + 10))
        assert content.best_by_ended(search.snapshot().trials) == [
            (2, int((START + 20) * 1000), {"best/macro_f1": 0.2}),
            (3, int((START + 30) * 1000), {"best/macro_f1": 0.4}),
            (4, int((START + 40) * 1000), {"best/macro_f1": 0.4}),
        ]

    def test_a_trial_says_how_it_ended(self, runs):
        """Its description has the best report, the reason with its message, and the command that takes it."""
        search = make_search(trials=1)
        for progress, value in ((20, 0.1), (40, 0.4), (60, 0.3)):
            report(search, "t001", progress, value)
        end(search, "t001", "diverged", "loss is NaN at step 7")
        text = content.trial_description(search.trial("t001").read())
        assert "**0.4000**, at 40 %" in text
        assert "Ended at 60 %, diverged: loss is NaN at step 7" in text
        assert "goemo export tiny --trial t001" in text

    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            ("<img src=x onerror=y>", "&lt;img src=x onerror=y&gt;"),
            ("[click](https://x.example)", "\\[click\\](https\\://x.example)"),
            ("a\n\n# big *b* `c`", "a \\# big \\*b\\* \\`c\\`"),
        ],
    )
    def test_a_message_is_no_markdown(self, runs, message, shown):
        """HTML, links and headings of a message are text in the trial's description."""
        search = make_search(trials=1)
        end(search, "t001", "failed", message)
        assert f", failed: {shown}. Figures" in content.trial_description(search.trial("t001").read())

    def test_the_data_is_named_without_its_folder(self):
        """The tag has the last part of a path, and a name of the hub as it is."""
        named = {"file:/home/me/a.csv": "file:a.csv", "dir:../deep/b": "dir:b", "hub:o/n:c": "hub:o/n:c"}
        for source, shown in named.items():
            assert content.fact_tags({"data": {"source": source}})["data.source"] == shown

    def test_the_fingerprint_sees_every_change(self, runs):
        """Another report, an outcome, and another message each change the fingerprint."""
        search = make_search(trials=1)
        seen = {content.fingerprint(search.trial("t001").read())}
        report(search, "t001", 20)
        seen.add(content.fingerprint(search.trial("t001").read()))
        for message in ("", "again"):
            end(search, "t001", "failed", message)
            seen.add(content.fingerprint(search.trial("t001").read()))
        assert len(seen) == 4

    def test_a_long_description_fits_into_a_tag(self, runs):
        """However much there is to say, it stays under MLflow's limit."""
        search = make_search()
        assert len(content.description(search.snapshot(), "x" * 10_000)) == content.TEXT_LIMIT


class TestSync:
    def test_the_store_holds_what_the_records_say(self, runs):
        """One parent, one child a trial: params, stepped metrics, tags, data, artifacts, status and times."""
        search = make_search(trials=3)
        finish(search)
        (search.path / "artifacts" / "plots").mkdir(parents=True)
        (search.path / "artifacts" / "plots" / "curves.png").write_bytes(b"png")
        tracking.sync_all(search)
        found = stored(search)
        assert set(found) == {"search", "t001", "t002", "t003"}
        parent, child = found["search"], found["t002"]
        assert parent["name"] == "tiny"
        assert parent["status"] == "FINISHED"
        assert parent["params"]["space.batch_size"] == "grid [16, 32]"
        assert parent["params"]["space.epochs"] == "fixed 1"
        assert parent["artifacts"] == ["plots/curves.png", "search.yaml"]
        assert parent["tags"]["goemo.kind"] == "search"
        assert parent["tags"]["goemo.best_trial"].startswith("t003 ")
        assert "t003" in parent["tags"]["mlflow.note.content"]
        assert parent["metrics"]["best/macro_f1"][-1][2] == pytest.approx(0.53)
        assert child["name"] == "bs32 lr2e-05"
        assert child["status"] == "FINISHED"
        assert child["times"][1] == int((START + 200) * 1000)
        record = search.trial("t002").read()
        assert child["params"] == {key: str(value) for key, value in record.config.items()}
        for metric in ("val/macro_f1", "val/loss", "train/loss"):
            expected = [(row["progress"], int(row["time"] * 1000), row[metric]) for row in record.history]
            assert child["metrics"][metric] == expected
        assert child["metrics"]["duration_s"][-1][2] == 10
        assert child["tags"]["mlflow.parentRunId"] == parent["run_id"]
        assert child["tags"]["goemo.stop_reason"] == "completed"
        assert child["tags"]["version.torch"] == "2.13.0"
        assert child["artifacts"] == ["config.yaml", "figures/one.png"]
        assert child["inputs"] == [(f"sample {s}", s[0] * 16) for s in ("test", "train", "validation")]

    def test_syncing_again_changes_nothing(self, runs):
        """A second process finds everything there, to the last time stamp."""
        search = make_search()
        finish(search)
        tracking.sync_all(search)
        before = stored(search)
        tracking.sync_all(search)
        assert stored(search) == before

    def test_a_trial_grows_report_by_report(self, runs):
        """Syncing after every report, each time as a new process, gives the same as syncing once."""
        search = make_search(trials=1)
        for progress in REPORTS:
            report(search, "t001", progress)
            tracking.sync_all(search)
            child = stored(search)["t001"]
            assert child["status"] == "RUNNING"
            assert "goemo.stop_reason" not in child["tags"]
            assert [step for step, _, _ in child["metrics"]["val/macro_f1"]] == [
                p for p in REPORTS if p <= progress
            ]
        end(search, "t001", "stopped_early")
        tracking.sync_all(search)
        child = stored(search)["t001"]
        assert (child["status"], child["tags"]["goemo.stop_reason"]) == ("FINISHED", "stopped_early")
        assert [step for step, _, _ in child["metrics"]["val/macro_f1"]] == list(REPORTS)

    def test_a_report_made_again_after_a_restart_is_not_doubled(self, runs):
        """The trial goes back to 40 % and reports 60 % again, equal but at another time: one point stays."""
        search = make_search(trials=1)
        for progress in (20, 40, 60):
            report(search, "t001", progress)
        tracking.sync_all(search)
        search.trial("t001").truncate_history(40)
        row = {"progress": 60, "time": START + 999, "val/macro_f1": 0.31, "seconds": 6.0}
        search.trial("t001").write_report(row, None)
        tracking.sync_all(search)
        points = stored(search)["t001"]["metrics"]["val/macro_f1"]
        assert [(step, stamp) for step, stamp, _ in points] == [
            (p, int((START + p) * 1000)) for p in (20, 40, 60)
        ]

    @pytest.mark.parametrize("reason", ["failed", "diverged", "out_of_memory"])
    def test_a_failure_says_why(self, runs, reason):
        """The run is FAILED, with the reason, the message and the traceback; no report is needed."""
        search = make_search(trials=1)
        end(search, "t001", reason, "loss is NaN at step 7")
        tracking.sync_all(search)
        child = stored(search)["t001"]
        assert (child["status"], child["tags"]["goemo.stop_reason"]) == ("FAILED", reason)
        assert child["tags"]["goemo.message"] == "loss is NaN at step 7"
        assert "traceback.txt" in child["artifacts"]

    def test_more_reports_than_a_batch_takes(self, runs, monkeypatch):
        """A hundred reports go in several batches, each report whole."""
        monkeypatch.setattr(writer, "METRICS_PER_BATCH", 50)
        search = make_search(trials=1)
        for progress in range(1, 101):
            report(search, "t001", progress)
        tracking.sync_all(search)
        steps = [step for step, _, _ in stored(search)["t001"]["metrics"]["train/loss"]]
        assert steps == list(range(1, 101))

    def test_a_search_of_the_same_name_starts_new_runs(self, runs):
        """A search deleted and begun again under its old name does not write into the old runs."""
        search = make_search(trials=1)
        tracking.sync_all(search)
        old = stored(search)["t001"]["run_id"]
        shutil.rmtree(search.path)
        search = make_search(trials=1)
        tracking.sync_all(search)
        client = tracking.find_store().client()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        children = client.search_runs([experiment.experiment_id], "tags.`goemo.trial_id` = 't001'")
        assert len(children) == 2
        assert old in {run.info.run_id for run in children}

    def test_another_blend_is_another_run_and_none_is_none(self, runs):
        """After more trials the blend may be of others, or not be offered any more."""
        search = make_search(trials=1)
        finish(search)
        for value, members in ((0.5, {"t001": 0.6, "baseline": 0.4}), (0.6, {"t002": 0.3, "t001": 0.7})):
            shutil.rmtree(search.trial(BLEND).path, ignore_errors=True)
            config = {"checkpoint": BLEND, "metric": "macro_f1", "members": members}
            config |= {"thresholds": "proportional", "seed": 42}
            search.trial(BLEND).write_config(config, members)
            report(search, BLEND, 100, value)
            end(search, BLEND)
            tracking.sync_all(search)
            found = stored(search)
            assert found[BLEND]["metrics"]["val/macro_f1"][-1][2] == value
            assert found[BLEND]["params"]["members"] == str(members)
            assert f"{value:.4f}" in found[BLEND]["tags"]["mlflow.note.content"]
        shutil.rmtree(search.trial(BLEND).path)
        tracking.sync_all(search)
        assert set(stored(search)) == {tracking.SEARCH, "t001"}

    def test_a_saved_view_that_the_user_changed_is_kept(self, runs):
        """The views are put into the experiment once, and never again."""
        search = make_search(trials=1)
        tracking.sync_all(search)
        for key in (views.TREE_VIEW, f"{views.DATA_VIEW}{'d' * 12}-macro_f1"):
            client, experiment = the_experiment()
            assert saved_view(key)["orderByAsc"] is False
            client.set_experiment_tag(experiment.experiment_id, views.VIEW_TAG + key, "mine")
            tracking.sync_all(search)
            assert the_experiment()[1].tags[views.VIEW_TAG + key] == "mine"

    def test_trials_on_different_data_are_never_in_one_ranking(self, runs):
        """Each data set has a view of its own, and the one of earlier versions, of all trials, goes."""
        client = tracking.find_store().client()
        experiment = client.create_experiment(EXPERIMENT)
        mixed = f"{views.VIEW_TAG}goemo-trials-macro_f1"
        client.set_experiment_tag(experiment, mixed, "{}")
        ids = {}
        for name, digest, taxonomy in (("fine", "a" * 64, "fine"), ("coarse", "b" * 64, "ekman")):
            search = make_search(name, trials=2)
            search.add_facts(data=search.facts["data"] | {"digest": digest, "taxonomy": taxonomy})
            tracking.sync_all(search)
            ids[name] = search.facts["search_id"]
        _, found = the_experiment()
        assert mixed not in found.tags
        assert set(views.titles(found.tags).values()) == {
            "Trials on sample: (aaaaaa) by best macro_f1",
            "Trials on sample:, ekman (bbbbbb) by best macro_f1",
        }
        keys = {
            name: f"{views.DATA_VIEW}{letter * 12}-macro_f1" for name, letter in zip(ids, "ab", strict=True)
        }
        for name, key in keys.items():
            for view in (key, views.SEARCH_VIEW + ids[name]):
                state = saved_view(view)
                assert state["orderByKey"] == "metrics.`best/macro_f1`"
                runs_in_it = client.search_runs([experiment], state["searchFilter"])
                assert [run.data.tags["goemo.search"] for run in runs_in_it] == [name, name]

    def test_the_view_of_a_search_has_the_hyperparameters_that_it_varies(self, runs):
        """And not the others, whose columns would be the same in every row."""
        search = make_search(trials=1)
        tracking.sync_all(search)
        columns = saved_view(views.SEARCH_VIEW + search.facts["search_id"])["selectedColumns"]
        assert columns[:3] == ["metrics.`best/macro_f1`", "params.`batch_size`", "params.`learning_rate`"]
        assert "params.`epochs`" not in columns


def the_experiment():
    """Return a client on the store, and the experiment."""
    client = tracking.find_store().client()
    return client, client.get_experiment_by_name(EXPERIMENT)


def saved_view(key):
    """Return the state of a saved view, as MLflow's UI reads it."""
    _, experiment = the_experiment()
    return json.loads(json.loads(experiment.tags[views.VIEW_TAG + key])["state"])


class TestFailures:
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize(
        "call",
        ["create_experiment", "create_run", "log_batch", "log_inputs", "log_artifacts", "set_terminated"],
    )
    def test_dying_at_any_call_loses_and_doubles_nothing(self, runs, failing, call, when):
        """Every call of a kind fails once, before or after it took effect, and a new process goes on."""
        search = make_search(trials=2)
        finish(search)
        reached = 0

        def fails_at(turn):
            count = 0

            def fails(name):
                nonlocal count, reached
                if name != call:
                    return None
                count += 1
                reached = max(reached, count)
                return when if count == turn else None

            return fails

        for turn in range(1, 4):
            failing(fails_at(turn))
            try:
                tracking.sync_all(search)
            except GoemoError as error:
                assert "the store is away" in str(error) or "the answer is lost" in str(error)  # noqa: PT017
        assert reached, "the call was never made: this test cannot fail"
        failing(lambda _: None)
        tracking.sync_all(search)
        found = stored(search)
        assert set(found) == {"search", "t001", "t002"}
        for trial_id in ("t001", "t002"):
            child = found[trial_id]
            assert child["status"] == "FINISHED"
            assert all([s for s, _, _ in points] == list(REPORTS) for points in child["metrics"].values())
            assert child["artifacts"] == ["config.yaml", "figures/one.png"]
            assert len(child["inputs"]) == 3
            assert child["tags"]["mlflow.parentRunId"] == found["search"]["run_id"]

    def test_a_doubled_run_is_removed(self, runs):
        """A creation that the store carried out late leaves one run in the end."""
        search = make_search(trials=1)
        finish(search)
        tracking.sync_all(search)
        child = stored(search)["t001"]
        client = tracking.find_store().client()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        tags = {key: value for key, value in child["tags"].items() if key != writer.MARK}
        client.create_run(experiment.experiment_id, start_time=int(time.time() * 1000) + 10_000, tags=tags)
        tracking.sync_all(search)
        assert stored(search)["t001"]["run_id"] == child["run_id"]


class TestTracker:
    def test_writes_while_the_search_runs(self, runs):
        """What is noticed is written soon; `close` writes the rest and the parent's status."""
        search = make_search(trials=2)
        followed = tracking.Tracker(search)
        followed.start()
        report(search, "t001", 20)
        followed.notice("t001")
        wait_until(lambda: not followed.waiting)
        assert len(stored(search)["t001"]["metrics"]["val/macro_f1"]) == 1
        assert stored(search)["search"]["status"] == "RUNNING"
        finish(search)
        assert followed.close(is_complete=True) == ()
        assert followed.trouble is None
        assert {run["status"] for run in stored(search).values()} == {"FINISHED"}

    def test_a_store_that_is_away_loses_nothing(self, runs, failing):
        """It fails for the first 25 calls in the middle of the search, then everything arrives, once."""
        search = make_search(trials=3)
        left = 25
        lock = threading.Lock()

        def fails(name):
            nonlocal left
            with lock:
                left -= 1
                return ("before", "after")[left % 2] if left >= 0 else None

        failing(fails)
        followed = tracking.Tracker(search)
        followed.start()
        wait_until(lambda: followed.trouble is not None)
        assert "the" in followed.trouble
        for progress in REPORTS:
            for number in (1, 2, 3):
                report(search, f"t{number:03d}", progress)
                followed.notice(f"t{number:03d}")
        finish(search)
        assert followed.close(is_complete=True) == ()
        assert left < 0
        found = stored(search)
        assert set(found) == {"search", "t001", "t002", "t003"}
        for record in search.snapshot().trials:
            points = found[record.trial_id]["metrics"]["val/macro_f1"]
            assert [step for step, _, _ in points] == [row["progress"] for row in record.history]

    def test_a_lost_answer_does_not_double_a_run(self, runs, failing):
        """Every other creation and batch takes effect but its answer is lost; the same process goes on."""
        search = make_search(trials=3)
        finish(search)
        turn = {"create_run": 0, "log_batch": 0}

        def fails(name):
            if name not in turn:
                return None
            turn[name] += 1
            return "after" if turn[name] % 2 else None

        failing(fails)
        followed = tracking.Tracker(search)
        followed.start()
        assert followed.close(is_complete=True) == ()
        found = stored(search)
        assert set(found) == {"search", "t001", "t002", "t003"}
        assert all(len(found["t001"]["metrics"][name]) == len(REPORTS) for name in found["t001"]["metrics"])

    def test_a_store_that_stays_away_is_reported(self, runs, failing):
        """`close` gives up in time and names what is missing; a later process writes it."""
        search = make_search(trials=2)
        finish(search)
        failing(lambda _: "before")
        followed = tracking.Tracker(search)
        followed.start()
        seen: list[int] = []
        started = time.monotonic()
        missing = followed.close(is_complete=True, timeout_s=1.0, on_progress=seen.append)
        assert time.monotonic() - started < 5
        assert set(missing) == {"search", "t001", "t002"}
        assert seen
        assert max(seen) == 3
        assert followed.trouble == "the store is away"
        failing(lambda _: None)
        later = tracking.Tracker(search)
        later.start()
        assert later.close(is_complete=True) == ()
        assert set(stored(search)) == {"search", "t001", "t002"}

    def test_one_bad_trial_does_not_stand_before_the_others(self, runs):
        """A hook that fails for one trial leaves that one out, and says so; the others are complete."""
        search = make_search(trials=3)
        finish(search)

        def prepare(trial_id):
            if trial_id == "t001":
                raise ValueError("no figure")

        followed = tracking.Tracker(search, prepare_artifacts=prepare)
        followed.start()
        missing = followed.close(is_complete=True, timeout_s=3.0)
        assert missing == ("t001",)
        found = stored(search)
        assert found["t003"]["status"] == found["search"]["status"] == "FINISHED"
        assert found["t001"]["status"] == "RUNNING"

    def test_artifacts_are_prepared_before_they_are_logged_and_once(self, runs):
        """The hook runs in the writer's thread for each ended trial, and not again when nothing changed."""
        search = make_search(trials=2)
        finish(search)
        calls: list[tuple[str, str]] = []

        def prepare(trial_id):
            calls.append((trial_id, threading.current_thread().name))
            (search.trial(trial_id).path / "artifacts" / "late.txt").write_text("here")

        for _ in range(2):
            followed = tracking.Tracker(search, prepare_artifacts=prepare)
            followed.start()
            assert followed.close(is_complete=True) == ()
        assert calls == [("t001", "mlflow-writer"), ("t002", "mlflow-writer")]
        assert "late.txt" in stored(search)["t002"]["artifacts"]

    def test_an_interrupted_search_is_shown_as_such_and_resumes(self, runs):
        """Trials under way are KILLED with their search, and RUNNING again when it goes on."""
        search = make_search(trials=1)
        report(search, "t001", 20)
        followed = tracking.Tracker(search, describe=lambda _: "Best: nobody yet.")
        followed.start()
        assert followed.close(is_complete=False) == ()
        assert {run["status"] for run in stored(search).values()} == {"KILLED"}
        assert "Best: nobody yet." in stored(search)["search"]["tags"]["mlflow.note.content"]
        followed = tracking.Tracker(search)
        followed.start()
        wait_until(lambda: not followed.waiting)
        assert {run["status"] for run in stored(search).values()} == {"RUNNING"}
        followed.close(is_complete=False)


class TestStore:
    def test_the_default_is_in_the_runs_folder(self, tmp_path, monkeypatch):
        """Without a URI and the variable: a SQLite file and an artifacts folder, under $GOEMO_RUNS."""
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.setenv("GOEMO_RUNS", str(tmp_path / "runs"))
        store = tracking.find_store()
        assert store.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
        assert store.artifact_location == (tmp_path / "runs" / "artifacts").as_uri()

    def test_the_option_wins_over_the_variable(self, tmp_path, monkeypatch):
        """The URI given wins, then the variable; a server decides itself where artifacts go."""
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://one:5000/")
        assert tracking.find_store() == tracking.Store("http://one:5000", None)
        assert tracking.find_store("https://two").uri == "https://two"
        monkeypatch.chdir(tmp_path)
        assert tracking.find_store("sqlite:///mine.db").uri == f"sqlite:///{tmp_path}/mine.db"

    def test_passwords_are_not_shown(self):
        """Messages name the store without its password."""
        store = tracking.Store("postgresql://me:secret@host/db", None)
        assert store.shown == "postgresql://me:***@host/db"

    @pytest.mark.parametrize(
        ("uri", "shown"),
        [
            ("postgresql://me:p@ss:w/ord@host/db", "postgresql://me:***@host/db"),
            ("https://token-of-mine@host/path", "https://***@host/path"),
            ("https://me:se%40cret@host:5000", "https://me:***@host:5000"),
            (
                "mysql+pymysql://host/db?user=me&password=secret&ssl_key=/etc/key",
                "mysql+pymysql://host/db?user=me&password=***&ssl_key=***",
            ),
            ("http://host:5000", "http://host:5000"),
            ("sqlite:////data/me@home/x.db", "sqlite:////data/me@home/x.db"),
            ("", ""),
        ],
    )
    def test_whatever_lets_in_is_hidden(self, uri, shown):
        """A password with an @, a token in its place, secrets of the query: in the URI and in any message."""
        store = tracking.Store(uri, None)
        assert store.shown == shown
        assert store.hide(f"cannot reach {uri} now") == f"cannot reach {shown} now"

    def test_a_secret_is_hidden_where_it_stands_alone_and_a_short_one_breaks_no_words(self):
        """Drivers tell a password without its URI; one of three letters would be found in any text."""
        assert tracking.Store("mysql://me:secret@host/db", None).hide("wrong: 'secret'") == "wrong: '***'"
        assert tracking.Store("mysql://me:is@host/db", None).hide("this is wrong") == "this is wrong"

    def test_a_search_goes_on_with_the_password_of_the_environment(self, tmp_path, monkeypatch):
        """A recorded URI has no password; the variable's has. If it is another store, it is asked for."""
        monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
        search = SearchFolder.create("s", {})
        search.add_facts(tracking_uri="postgresql://me:***@host/db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/db")
        assert search_facts.same_store(search, None) is None
        assert search_facts.same_store(search, "http://other:5000") == "http://other:5000"
        for another in ("postgresql://me:secret@elsewhere/db", ""):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", another)
            with pytest.raises(InputError, match="with its password, which was not stored"):
                search_facts.same_store(search, None)

    @pytest.mark.parametrize("name", ["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "credentials"])
    def test_a_login_goes_only_where_the_user_sends_it(self, tmp_path, monkeypatch, name):
        """A record that names a server gets no login, unless the call or the environment names it too."""
        monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
        for variable in (*search_facts.LOGINS, "MLFLOW_TRACKING_URI"):
            monkeypatch.delenv(variable, raising=False)
        search = SearchFolder.create("s", {})
        search.add_facts(tracking_uri="http://strange:5000")
        assert search_facts.same_store(search, None) == "http://strange:5000"  # nothing to send
        if name == "credentials":
            (tmp_path / ".mlflow").mkdir()
            (tmp_path / ".mlflow" / "credentials").write_text("[mlflow]\nmlflow_tracking_password = x\n")
        else:
            monkeypatch.setenv(name, "secret")
        for elsewhere in ("", "http://other:5000", "http://strange:5001", "https://strange:5000"):
            monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
            with pytest.raises(InputError, match="to send it there: --tracking-uri http://strange:5000"):
                search_facts.same_store(search, None)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://strange:5000")
        assert search_facts.same_store(search, None) == "http://strange:5000"
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        assert search_facts.same_store(search, "http://strange:5000") == "http://strange:5000"

    @pytest.mark.parametrize(
        ("uri", "remedy"),
        [
            (
                "file:///srv/old",
                "mlflow migrate-filestore --source /srv/old --target sqlite:////srv/mlflow.db",
            ),
            ("./mlruns", "mlflow migrate-filestore"),
            ("ftp://host", "http"),
            ("sqlite:////nowhere/at/all/x.db", "/nowhere/at/all"),
        ],
    )
    def test_a_store_that_cannot_be_used_is_refused(self, uri, remedy):
        """With exit code 2 and a way out."""
        with pytest.raises(InputError, match=remedy):
            tracking.find_store(uri)

    def test_an_old_file_store_in_the_runs_folder_is_refused_until_migrated(self, tmp_path, monkeypatch):
        """mlruns/0/meta.yaml without a database: MLflow's own migration is named, and its result accepted."""
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
        (tmp_path / "0").mkdir()
        (tmp_path / "0" / "meta.yaml").write_text("experiment_id: 0\n")
        with pytest.raises(InputError, match=r"migrate-filestore .* --target sqlite:///"):
            tracking.find_store()
        (tmp_path / "mlflow.db").touch()
        assert tracking.find_store().database == tmp_path / "mlflow.db"

    def test_a_file_that_is_no_database_is_refused(self, tmp_path):
        """Before a search starts, not after."""
        (tmp_path / "x.db").write_text("hello, this is no database")
        with pytest.raises(InputError, match="not a SQLite database"):
            tracking.find_store(f"sqlite:///{tmp_path}/x.db")

    def test_a_server_that_is_not_there_is_named(self):
        """A tracking server that does not answer is told in one line; port 9 answers nobody."""
        with pytest.raises(GoemoError, match=r"http://127\.0\.0\.1:9: the MLflow server does not answer"):
            tracking.check_store("http://127.0.0.1:9")

    def test_importing_the_package_does_not_import_mlflow(self):
        """Seconds that `goemo --help` and the start of a search do not pay."""
        import subprocess
        import sys

        code = "import sys, tune.tracking, tune.tracking.ui; sys.exit('mlflow' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def wait_until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_search_is_in_the_experiment_that_its_space_names(runs):
    """Other searches, and those of before there was a choice, are in the usual one."""
    named, usual = make_search("named", trials=1), make_search("usual", trials=1)
    named.write_spec({**named.spec, "experiment": "emotions/late"})
    for search in (named, usual):
        finish(search)
        tracking.sync_all(search)
    client = tracking.find_store().client()
    for experiment, name in (("emotions/late", "named"), (EXPERIMENT, "usual")):
        found = client.get_experiment_by_name(experiment)
        searches = {run.data.tags["goemo.search"] for run in client.search_runs([found.experiment_id])}
        assert searches == {name}
        assert found.tags["mlflow.experimentKind"] == "custom_model_development"
