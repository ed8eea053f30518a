"""How busy the machine is while a search runs stands in its parent run, once for every sample."""

from __future__ import annotations

import time

import pytest

from tune import tracking
from tune.records import SearchFolder
from tune.spec import EXPERIMENT
from tune.tracking import content, tracker
from tune.tracking.system import SystemMonitor


@pytest.fixture
def search(tmp_path, monkeypatch) -> SearchFolder:
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(tracker, "FIRST_PAUSE_S", 0.01)
    return SearchFolder.create("busy", {"name": "busy", "space": {}, "objective": {"metric": "macro_f1"}})


def wait_until(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def monitored(search: SearchFolder, samples: int) -> None:
    """Track a search until it has that many samples."""
    followed = tracking.Tracker(search, is_monitored=True)
    followed.start()
    wait_until(lambda: len(search.system_samples()) >= samples)
    assert followed.close(is_complete=True) == ()


def stored(search: SearchFolder) -> dict[str, list[tuple[int, int, float]]]:
    """Return the system metrics of the parent run: (step, timestamp in ms, value)."""
    client = tracking.find_store().client()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`goemo.search` = '{search.name}'")
    return {
        name: [(m.step, m.timestamp, m.value) for m in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
        if name.startswith("system/")
    }


def test_a_sample_has_mlflows_names_and_possible_values(search):
    """CPU and memory in per cent, under the names that MLflow's own pages of system metrics show."""
    noticed: list[int] = []
    monitor = SystemMonitor(search, lambda: noticed.append(1))
    monitor.start()
    wait_until(lambda: len(noticed) >= 2)
    monitor.stop()
    rows = search.system_samples()
    assert len(rows) == len(noticed)
    assert [row["step"] for row in rows] == list(range(len(rows)))
    for row in rows:
        assert 0 <= row["system/cpu_utilization_percentage"] <= 100
        assert 0 < row["system/system_memory_usage_percentage"] <= 100
        assert row["system/system_memory_usage_megabytes"] > 0
    assert content.SYSTEM_METRIC in rows[0]


def test_the_first_sample_measures_too(search, monkeypatch):
    """It is the use of the CPU since the beginning, not the zero of a first call: this test computes."""
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.5")
    monitor = SystemMonitor(search, lambda: None)
    monitor.start()
    while not search.system_samples():
        sum(range(100_000))
    monitor.stop()
    assert search.system_samples()[0]["system/cpu_utilization_percentage"] > 0


def test_the_last_moment_is_sampled(search, monkeypatch):
    """A search shorter than the interval still has a sample."""
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "3600")
    monitor = SystemMonitor(search, lambda: None)
    monitor.start()
    monitor.stop()
    assert len(search.system_samples()) == 1


def test_the_store_has_every_sample_once_also_after_a_second_process(search):
    """Samples go to the parent run as they are recorded, and those of a resumed search count on."""
    monitored(search, 3)
    monitored(search, len(search.system_samples()) + 3)
    rows = search.system_samples()
    assert [row["step"] for row in rows] == list(range(len(rows)))
    found = stored(search)
    assert set(found) == {name for name in rows[0] if "/" in name}
    for name, points in found.items():
        assert points == [(row["step"], int(row["time"] * 1000), row[name]) for row in rows]


def test_samples_that_the_store_did_not_take_follow_later(search, monkeypatch):
    """Every other batch is refused or its answer is lost: each sample arrives, once."""
    original = tracking.Store.client
    batches = 0

    class Flaky:
        def __init__(self, client):
            self.client = client

        def __getattr__(self, name):
            return getattr(self.client, name)

        def log_batch(self, *arguments, **options):
            nonlocal batches
            batches += 1
            if batches % 3 == 1:
                raise ConnectionError("the store is away")
            self.client.log_batch(*arguments, **options)
            if batches % 3 == 2:
                raise ConnectionError("the answer is lost")

    monkeypatch.setattr(tracking.Store, "client", lambda self: Flaky(original(self)))
    monitored(search, 8)
    monkeypatch.setattr(tracking.Store, "client", original)
    rows = search.system_samples()
    assert batches >= 3  # one refused, one whose answer was lost, one that went well
    assert [step for step, _, _ in stored(search)[content.SYSTEM_METRIC]] == [row["step"] for row in rows]


def test_a_search_that_only_brings_its_store_up_to_date_is_not_sampled(search):
    """Nothing runs, so that there is nothing to measure."""
    followed = tracking.Tracker(search)
    followed.start()
    followed.close(is_complete=True)
    assert search.system_samples() == []
    assert stored(search) == {}


def test_a_monitor_that_cannot_start_costs_its_metrics_alone(search, monkeypatch, caplog):
    """The search is logged as ever, without system metrics, and the log says why there are none."""

    def fail(_):
        raise OSError("no such device\nand more")

    monkeypatch.setattr(SystemMonitor, "start", fail)
    followed = tracking.Tracker(search, is_monitored=True)
    followed.start()
    assert followed.close(is_complete=True) == ()
    assert stored(search) == {}
    assert "no system metrics: no such device" in caplog.text


def test_a_monitor_that_fails_later_ends_its_samples_alone(search, monkeypatch, caplog):
    """A full disk stops the samples and nothing else."""

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(SearchFolder, "add_system_sample", fail)
    followed = tracking.Tracker(search, is_monitored=True)
    followed.start()
    wait_until(lambda: "system metrics end here: no space left" in caplog.text)
    assert followed.close(is_complete=True) == ()
    assert stored(search) == {}


def test_a_torn_line_costs_its_own_sample_alone(search):
    """What a loss of power left half written is skipped; samples before and after it stand."""
    search.add_system_sample({"step": 0, "time": 1.0})
    search.add_system_sample({"step": 1, "time": 2.0})
    path = search.path / "system.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    search.add_system_sample({"step": 1, "time": 3.0})
    assert [row["time"] for row in search.system_samples()] == [1.0, 3.0]


class TestOff:
    """`none` in place of a URI."""

    def test_nothing_reaches_a_store_but_the_artifacts_are_made(self, search, monkeypatch):
        """No store; the files of an ended trial and the samples stand in the records, and nothing waits."""
        from goemo.configuration import Configuration
        from tune.records import Outcome

        folder = search.trial("t001")
        folder.write_config(Configuration(checkpoint="scratch:albert-tiny").to_dict(), {})
        folder.write_outcome(Outcome("failed", "no", ended_at=1.0))
        search.trial("t002").write_config(Configuration(checkpoint="scratch:albert-tiny").to_dict(), {})
        prepared: list[str] = []
        followed = tracking.Tracker(search, "none", is_monitored=True, prepare_artifacts=prepared.append)
        followed.start()
        followed.notice("t001")
        assert followed.close(is_complete=True) == ()
        assert set(prepared) == {"t001"}
        assert search.system_samples()
        assert not (search.path.parent.parent / "mlflow.db").exists()
        assert search.facts["status"] == "complete"

    def test_it_is_taken_from_the_variable_too(self, search, monkeypatch):
        """$MLFLOW_TRACKING_URI can say it, in any case."""
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "None")
        assert tracking.find_store().is_off
        assert tracking.check_store() == "none"
        assert not tracking.find_store("http://one:5000").is_off

    def test_it_cannot_be_asked_for_runs(self, search):
        """Who needs a store is told that there is none, and how to name one."""
        from goemo.errors import InputError

        with pytest.raises(InputError, match="tracking is off"):
            tracking.find_store("none").client()
        with pytest.raises(InputError, match="tracking is off"):
            tracking.sync_all(search, "none")
        assert not list(search.path.parent.parent.glob("*.db"))

    def test_a_later_tracker_logs_it_all(self, search):
        """What was left out stands in the records, from where the store gets it."""
        followed = tracking.Tracker(search, "none", is_monitored=True)
        followed.start()
        followed.close(is_complete=True)
        before = len(search.system_samples())
        monitored(search, before + 1)
        steps = [step for step, _, _ in stored(search)[content.SYSTEM_METRIC]]
        assert steps == list(range(len(search.system_samples())))
        assert before >= 1
