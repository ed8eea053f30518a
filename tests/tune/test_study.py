"""A search as an Optuna study: what Optuna's own storage then says is what the records say."""

from __future__ import annotations

import shutil
import time

import optuna
import pytest

from goemo.configuration import Configuration
from goemo.errors import InputError
from tune.cli import main
from tune.records import Outcome, SearchFolder
from tune.records.holding import held
from tune.space.study import TRIAL_ID, write_study

SPACE = {
    "name": "s",
    "model": {"checkpoint": "scratch:albert-tiny"},
    "data": {"source": "sample:300", "taxonomy": "sentiment"},
    "space": {
        "batch_size": {"choice": [8, 16]},
        "learning_rate": {"log_uniform": [1e-4, 1e-2]},
        "schedule": {"choice": ["linear", "cosine"]},
    },
    "search": {"algorithm": "random", "trials": 6},
    "objective": {"metric": "macro_f1"},
}
STARTED = 1_700_000_000.0


@pytest.fixture
def search(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    return SearchFolder.create("s", SPACE)


def finish(search, number, reason="completed", values=(0.1, 0.3, 0.2)):
    folder = search.trial(f"t{number:03d}")
    varied = {"batch_size": 8, "learning_rate": 0.001 * number, "schedule": "cosine"}
    folder.write_config(Configuration(checkpoint="scratch:albert-tiny", **varied).to_dict(), varied)
    names = ("macro_f1", "weighted_f1", "micro_f1", "macro_f1_at_0.5", "loss")
    for step, value in enumerate(values, start=1):
        row = {"progress": 20 * step, "time": STARTED + 10 * step, "seconds": 10.0 * step}
        folder.write_report(row | {f"val/{name}": value for name in names}, None)
    if reason is not None:
        folder.write_outcome(Outcome(reason, "why", ended_at=STARTED + 100 * number))


def trials_of(path):
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{path}")
    return study, {trial.user_attrs[TRIAL_ID]: trial for trial in study.trials}


def test_a_study_has_what_the_records_have(search, tmp_path):
    """States, values, reports, hyperparameters with their distributions, times; the best is the same."""
    finish(search, 1)
    finish(search, 2, "stopped_early", (0.05,))
    finish(search, 3, "diverged", ())
    finish(search, 4, None)
    told = write_study(search.snapshot(), tmp_path / "o.db")
    assert (told.added, told.trials, told.waiting) == (3, 3, 1)
    study, trials = trials_of(tmp_path / "o.db")
    states = {name: trial.state.name for name, trial in trials.items()}
    assert states == {"t001": "COMPLETE", "t002": "PRUNED", "t003": "FAIL"}
    assert study.best_trial.user_attrs[TRIAL_ID] == "t001"
    assert trials["t001"].value == 0.3
    assert trials["t001"].intermediate_values == {20: 0.1, 40: 0.3, 60: 0.2}
    assert trials["t001"].params == {"batch_size": 8, "learning_rate": 0.001, "schedule": "cosine"}
    assert trials["t001"].distributions["learning_rate"] == optuna.distributions.FloatDistribution(
        1e-4, 1e-2, log=True
    )
    assert trials["t001"].datetime_start.timestamp() == STARTED
    assert trials["t001"].datetime_complete.timestamp() == STARTED + 100
    assert trials["t003"].user_attrs["goemo.message"] == "why"
    assert study.metric_names == ["val/macro_f1"]


def test_what_is_there_is_not_added_again(search, tmp_path):
    """A second call adds the trials that have ended since."""
    finish(search, 1)
    finish(search, 2, None)
    write_study(search.snapshot(), tmp_path / "o.db")
    finish(search, 2)
    assert write_study(search.snapshot(), tmp_path / "o.db").added == 1
    assert write_study(search.snapshot(), tmp_path / "o.db").added == 0
    assert sorted(trials_of(tmp_path / "o.db")[1]) == ["t001", "t002"]


def test_a_study_of_another_search_of_the_name_is_made_anew(search, tmp_path):
    """As after `goemo delete`, and where a trial was trained again; others of the file stay as they are."""
    path = tmp_path / "o.db"
    optuna.create_study(storage=f"sqlite:///{path}", study_name="mine")
    finish(search, 1)
    finish(search, 2)
    write_study(search.snapshot(), path)
    search.trial("t001").write_outcome(Outcome("completed", "again", ended_at=STARTED + 900))
    assert write_study(search.snapshot(), path).added == 2
    study, trials = trials_of(path)
    assert trials["t001"].datetime_complete.timestamp() == STARTED + 900
    assert len(study.trials) == 2
    shutil.rmtree(search.trial("t002").path)
    told = write_study(search.snapshot(), path)
    assert (told.added, told.trials) == (1, 1)
    assert sorted(trials_of(path)[1]) == ["t001"]
    assert set(optuna.get_all_study_names(f"sqlite:///{path}")) == {"mine", "s"}


def test_a_study_that_is_of_no_search_is_refused(search, tmp_path):
    """It keeps its trials."""
    url = f"sqlite:///{tmp_path / 'o.db'}"
    optuna.create_study(storage=url, study_name="s").enqueue_trial({"x": 1})
    finish(search, 1)
    with pytest.raises(InputError, match="s: this study has trials that are of no search"):
        write_study(search.snapshot(), tmp_path / "o.db")
    assert len(optuna.load_study(study_name="s", storage=url).trials) == 1


def test_following_goes_on_until_the_search_ends(search, tmp_path, capsys, monkeypatch):
    """Each trial is added as it ends; when nobody works on the search any more, so does the command."""
    finish(search, 1)
    monkeypatch.setattr("tune.cli.studies.LOOK_EVERY_S", 0)
    holding = held(search)
    holding.__enter__()
    left = [2, 3]

    def wait(_):
        finish(search, left.pop(0))
        if not left:
            holding.__exit__(None, None, None)

    monkeypatch.setattr(time, "sleep", wait)
    main(["optuna", "s", "--follow"])
    out = capsys.readouterr().out
    assert "study s, 1 trials, 1 of them new" in out
    assert "optuna-dashboard sqlite:///" in out
    assert out.endswith("2 trials, 1 new\n3 trials, 1 new\n")
    assert len(trials_of(tmp_path / "optuna.db")[1]) == 3


def test_another_file_is_refused(search, tmp_path):
    """It stays as it is."""
    path = tmp_path / "notes.db"
    path.write_text("not a database, but long enough to be looked at by the library that reads them" * 20)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"notes\.db: not an SQLite file"):
        write_study(search.snapshot(), path)
    assert path.read_bytes() == before
