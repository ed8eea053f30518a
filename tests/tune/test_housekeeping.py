"""Searches on this machine: listed, deleted, renamed, cleaned up; MLflow is looked into by its own client."""

from __future__ import annotations

import io
import json
import os
import shutil
import time

import numpy as np
import pytest
from mlflow.entities import ViewType

from goemo.configuration import Configuration
from goemo.errors import GoemoError, InputError
from tune import housekeeping, tracking
from tune.cli import cli, main
from tune.cli.housekeeping import searches_table
from tune.housekeeping import deleting
from tune.housekeeping.deleting import TRASH
from tune.housekeeping.sizes import in_words
from tune.live.consoles import CommandConsole
from tune.records import Outcome, SearchFolder
from tune.records.holding import held, using_caches
from tune.tracking import views
from tune.tracking.tidying import renamed_commands

LABELS = ("joy", "anger", "neutral")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """Return a database with MLflow's tables, which take seconds to make, for tests to copy."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    tracking.Store(f"sqlite:///{path}", None).client().search_experiments()
    return path


@pytest.fixture
def runs(tmp_path, monkeypatch, empty_database):
    folder = tmp_path / "my runs"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    monkeypatch.setenv("GOEMO_RUNS", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


def make_search(name, trials=2, status="complete", *, is_logged=False):
    search = SearchFolder.create(
        name,
        {
            "name": name,
            "model": {"checkpoint": "scratch:albert-tiny"},
            "data": {"source": "sample:300", "taxonomy": "sentiment"},
            "space": {"batch_size": {"grid": [8, 16]}, "learning_rate": {"grid": [0.001, 0.002]}},
            "objective": {"metric": "macro_f1"},
        },
        text="name: my-space\nspace: {}\n",
    )
    data = {"source": "sample:300", "taxonomy": "sentiment", "digest": "d" * 64}
    search.add_facts(status=status, started=time.time() - 7200, tracking_uri=None, data=data)
    rng = np.random.default_rng(0)
    targets = rng.random((60, 3)) < 0.4
    search.write_validation(targets, LABELS)
    for number in range(1, trials + 1):
        folder = search.trial(f"t{number:03d}")
        varied = {"batch_size": 8 * number}
        folder.write_config(Configuration(checkpoint="scratch:albert-tiny", **varied).to_dict(), varied)
        scores = np.clip(targets * 0.4 + 0.3 + 0.1 * number * rng.normal(size=targets.shape), 0, 1)
        row = {"progress": 100, "time": time.time(), "seconds": 1.0}
        metrics = ("macro_f1", "weighted_f1", "micro_f1", "macro_f1_at_0.5", "loss")
        folder.write_report(
            row | {f"val/{metric}": 0.9 - 0.1 * number for metric in metrics}, scores.astype(np.float16)
        )
        folder.write_outcome(Outcome("completed", ended_at=time.time()))
    if is_logged:
        (search.trial("t001").path / "artifacts").mkdir()
        (search.trial("t001").path / "artifacts" / "thresholds.json").write_text("{}")
        tracking.sync_all(search)
    return search


def stored(search_id=None):
    """Return the runs that MLflow has of a search, deleted ones included; of all, without an id."""
    client = tracking.find_store().client()
    experiments = [one.experiment_id for one in client.search_experiments(view_type=ViewType.ALL)]
    told = f"tags.`goemo.search_id` = '{search_id}'" if search_id else ""
    return list(client.search_runs(experiments, told, run_view_type=ViewType.ALL))


def view_titles():
    """Return the titles of the saved views that MLflow has of searches, by the key of the view."""
    client = tracking.find_store().client()
    tags = {key: value for one in client.search_experiments() for key, value in one.tags.items()}
    prefix = views.VIEW_TAG + views.SEARCH_VIEW
    return {
        key.removeprefix(prefix): json.loads(value)["name"]
        for key, value in tags.items()
        if key.startswith(prefix)
    }


def fails(capsys, code, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == code
    return capsys.readouterr().err


def test_the_list_tells_what_each_search_is(runs, capsys):
    """Name, space, data, state, trials, best with its interval, age and size, in a table and as JSON."""
    make_search("first")
    make_search("second", trials=1, status="interrupted")
    with held(SearchFolder.open("second")):
        main(["list", "--format", "json"])
    first, second = json.loads(capsys.readouterr().out)
    assert (first["name"], first["space"], first["data"]) == ("first", "my-space", "sample:300")
    assert (first["state"], second["state"]) == ("complete", "running")
    assert (first["ended"], first["trials"], second["ended"]) == (2, 4, 1)
    assert first["best"]["trial_id"] == "t001"
    assert first["best"]["low"] <= first["best"]["high"]
    assert first["size"] > 1000
    assert 7190 < first["age_s"] < 7300
    main(["list"])
    out = capsys.readouterr().out
    assert "complete" in out
    assert "interrupted" in out
    assert "my-space" in out


@pytest.mark.parametrize("width", [60, 80, 160])
def test_names_scores_and_intervals_are_whole_in_the_list(runs, width):
    """What has no room is left out and named."""
    names = ("a-search-with-a-long-name", "b")
    for name in names:
        make_search(name)
    screen = CommandConsole(file=io.StringIO(), width=max(width, 80), markup=False)
    screen.print(searches_table(list(housekeeping.summaries())))
    text = screen.file.getvalue()
    assert all(name in text for name in names)
    assert text.count("0.8000") == 2
    assert text.count(" to ") == 2


def test_a_damaged_search_stands_in_the_list(runs, capsys):
    """One that cannot be read is told of as that, and hides no other."""
    make_search("sound")
    (make_search("broken").path / "search.json").write_text("{")
    main(["list"])
    out = capsys.readouterr().out
    assert "damaged" in out
    assert "search.json" in out
    assert "complete" in out


def test_deleting_takes_the_runs_the_artifacts_and_the_records(runs, capsys):
    """MLflow's client finds nothing of the search afterwards, deleted runs included; others are untouched."""
    gone, stays = make_search("gone", is_logged=True), make_search("stays", is_logged=True)
    gone_id, stays_id = gone.facts["search_id"], stays.facts["search_id"]
    folders = [run.info.run_id for run in stored(gone_id)]
    assert len(folders) == 3
    assert len(list(runs.glob("artifacts/**/thresholds.json"))) == 2
    assert set(view_titles()) == {gone_id, stays_id}
    main(["delete", "gone", "--yes"])
    assert "3 runs in MLflow deleted" in capsys.readouterr().out
    assert stored(gone_id) == []
    assert len(stored(stays_id)) == 3
    assert view_titles() == {stays_id: "stays: trials, best first"}
    assert not gone.path.exists()
    assert not any((runs / "artifacts" / folder).exists() for folder in folders)
    assert len(list(runs.glob("artifacts/**/thresholds.json"))) == 1
    assert not (runs / TRASH).exists()


@pytest.mark.parametrize("killed_in", ["runs", "records"])
def test_a_killed_deletion_can_be_repeated(runs, capsys, monkeypatch, killed_in):
    """Whatever was removed before, the second one removes the rest, and then there is nothing to delete."""
    search = make_search("gone", is_logged=True)
    search_id = search.facts["search_id"]

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if killed_in == "runs":
            patch.setattr("tune.tracking.tidying._collect", kill)
        else:
            patch.setattr(deleting, "_empty", kill)
        with pytest.raises(KeyboardInterrupt):
            housekeeping.delete_search("gone")
    assert search.path.exists() == (killed_in == "runs")
    assert (runs / TRASH).exists() == (killed_in == "records")
    main(["delete", "gone", "--yes"])
    assert stored(search_id) == []
    assert not search.path.exists()
    assert not (runs / TRASH).exists()
    assert "no search of that name" in fails(capsys, 2, "delete", "gone", "--yes")


def test_deleting_asks_first(runs, capsys, monkeypatch):
    """Without a yes, nothing happens; the question says what would go."""
    search = make_search("mine")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "Delete mine (complete, 2 trials, best 0.8000" in fails(capsys, 1, "delete", "mine")
    assert search.path.exists()


@pytest.mark.parametrize("command", [["delete", "--yes"], ["rename", "--"]])
def test_what_writes_wants_the_exact_name(runs, capsys, command):
    """`minilm_head` is not taken for `minilm-head` where something would be lost; the nearest is named."""
    search = make_search("minilm-head")
    more = ["other"] if command[0] == "rename" else []
    message = fails(capsys, 2, *command, "minilm_head", *more)
    assert "did you mean minilm-head?" in message
    assert search.path.exists()
    for path in ("../searches/minilm-head", "minilm-head/", "."):
        fails(capsys, 2, *command, path, *more)
    assert search.path.exists()


def test_what_reads_takes_the_name_that_is_meant(runs, capsys):
    """`goemo leaderboard minilm_head` shows minilm-head."""
    make_search("minilm-head")
    main(["leaderboard", "minilm_head"])
    assert "minilm-head: macro-F1" in capsys.readouterr().out


def test_a_missing_name_shows_the_searches(runs, capsys):
    """A command without its argument lists what could stand there."""
    make_search("first")
    make_search("second")
    message = fails(capsys, 2, "report")
    assert "there are: " in message
    assert "first" in message
    assert "second" in message


def test_a_running_search_is_neither_deleted_nor_renamed(runs, capsys):
    """Nor are caches removed that it may read."""
    search = make_search("busy")
    with held(search):
        assert "is running" in fails(capsys, 1, "delete", "busy", "--yes")
        assert "is running" in fails(capsys, 1, "rename", "busy", "other")
        assert "is running" in fails(capsys, 1, "clean", "--yes")
    assert search.path.exists()


def test_a_store_that_is_away_keeps_the_records(runs, monkeypatch):
    """What could not be removed there can still be found; with `none`, the records go alone."""
    search = make_search("mine", is_logged=True)
    search_id = search.facts["search_id"]

    def away(*_):
        raise ConnectionError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr("tune.tracking.tidying.remove_runs", away)
        with pytest.raises(GoemoError, match=r"no answer.*--tracking-uri none"):
            housekeeping.delete_search("mine")
    assert search.path.exists()
    housekeeping.delete_search("mine", tracking_uri="none")
    assert not search.path.exists()
    assert len(stored(search_id)) == 3


def test_renaming_renames_in_mlflow_too(runs, capsys):
    """Tags, the parent's name and the commands in descriptions; the leaderboard is the same as before."""
    search = make_search("old", is_logged=True)
    search_id = search.facts["search_id"]
    main(["rename", "old", "new-name"])
    assert capsys.readouterr().out == "old is now new-name, with 3 runs in MLflow\n"
    found = stored(search_id)
    assert {run.data.tags["goemo.search"] for run in found} == {"new-name"}
    (parent,) = (run for run in found if run.data.tags["goemo.kind"] == "search")
    assert parent.info.run_name == "new-name"
    assert view_titles() == {search_id: "new-name: trials, best first"}
    assert "goemo leaderboard new-name" in parent.data.tags["mlflow.note.content"]
    renamed = SearchFolder.open("new-name")
    assert renamed.spec["name"] == "new-name"
    assert renamed.facts["search_id"] == search_id
    with pytest.raises(InputError, match="no search of that name"):
        SearchFolder.open("old")
    tracking.sync_all(renamed)
    assert len(stored(search_id)) == 3


def test_a_name_whose_folder_is_left_of_another_search_is_refused(runs, capsys):
    """Before anything has the new name."""
    make_search("old", is_logged=True)
    (runs / "searches" / "new" / "artifacts").mkdir(parents=True)
    assert "left of a search that never started" in fails(capsys, 2, "rename", "old", "new")
    search = SearchFolder.open("old")
    assert search.spec["name"] == "old"
    assert {run.data.tags["goemo.search"] for run in stored(search.facts["search_id"])} == {"old"}


def test_a_killed_rename_can_be_repeated(runs, monkeypatch):
    """The records are renamed last, and by then all else has the new name."""
    make_search("old", is_logged=True)
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rename", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            housekeeping.rename_search("old", "new")
    assert housekeeping.rename_search("old", "new") == 3
    assert SearchFolder.open("new").spec["name"] == "new"


def test_a_taken_name_is_refused(runs, capsys):
    """Neither search is changed."""
    make_search("a")
    make_search("b")
    assert "exists" in fails(capsys, 2, "rename", "a", "b")
    assert fails(capsys, 2, "rename", "a", "../c")
    assert [one.name for one in housekeeping.summaries()] == ["a", "b"]


def test_only_commands_on_the_search_itself_are_rewritten():
    """A longer name that begins alike stays."""
    text = "goemo export old -o best.yaml; goemo report old-er; goemo retrain best.yaml; old"
    assert renamed_commands(text, "old", "new") == (
        "goemo export new -o best.yaml; goemo report old-er; goemo retrain best.yaml; old"
    )


def test_cleaning_frees_caches_and_leaves_results(runs, capsys):
    """By age and by size; weights only when asked for; a dry run removes nothing."""
    search = make_search("mine")
    for number in range(3):
        cache = runs / "cache" / "prepared" / f"digest{number}"
        cache.mkdir(parents=True)
        (cache / "features.npy").write_bytes(bytes(100_000))
        (cache / "prepared.json").write_text("{}")
        old = time.time() - number * 40 * 24 * 3600
        for path in (cache / "prepared.json", cache):
            os.utime(path, (old, old))
    model = search.trial("t001").path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(bytes(500_000))

    def left():
        return sorted(path.name for path in (runs / "cache" / "prepared").iterdir())

    main(["clean", "--dry-run"])
    assert "would be freed" in capsys.readouterr().out
    assert len(left()) == 3
    main(["clean", "--older-than", "60d", "--yes"])
    assert left() == ["digest0", "digest1"]
    main(["clean", "--keep", "150kB", "--yes"])
    assert left() == ["digest0"]
    assert model.exists()
    capsys.readouterr()
    main(["clean", "--models", "--yes"])
    assert re_freed(capsys.readouterr().out) > 500
    assert left() == []
    assert not model.exists()
    main(["leaderboard", "mine"])
    assert "t001" in capsys.readouterr().out


def test_what_is_in_the_making_or_in_use_is_not_cleaned(runs, capsys):
    """A folder that is being built, seeds of a killed retrain, and all caches while a command reads them."""
    for name in ("prepared/.goemo-partial-x", "prepared/digest", "seeds/digest"):
        (runs / "cache" / name).mkdir(parents=True)
        (runs / "cache" / name / "array.npy").write_bytes(bytes(10))

    def found(**options):
        return sorted(
            one.path.relative_to(runs / "cache").as_posix() for one in housekeeping.find_waste(**options)
        )

    assert found() == ["prepared/digest"]
    assert found(models=True) == ["prepared/digest", "seeds/digest"]
    os.utime(runs / "cache" / "prepared" / ".goemo-partial-x", (0, 0))
    assert "prepared/.goemo-partial-x" in found()
    with using_caches(), using_caches():
        assert "reads the caches is running" in fails(capsys, 1, "clean", "--yes")
    main(["clean", "--yes"])
    assert [path.name for path in (runs / "cache" / "prepared").iterdir()] == []


def re_freed(out):
    number, unit, word = out.splitlines()[-1].split()
    assert (unit, word) == ("kB", "freed")
    return float(number)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (998_600, "999 kB"), (1_420_000_000, "1.42 GB")],
)
def test_sizes_have_three_digits(size, words):
    """As disks are sold: powers of a thousand."""
    assert in_words(size) == words


def test_the_shell_completes_searches_and_spaces(runs):
    """What begins so, from what is there."""
    make_search("minilm-head")
    make_search("quick")

    def completions(command, incomplete):
        (argument, *_) = (one for one in cli.commands[command].params if one.param_type_name == "argument")
        with cli.make_context("goemo", [command], resilient_parsing=True) as ctx:
            return [item.value for item in argument.shell_complete(ctx, incomplete)]

    assert completions("leaderboard", "mini") == ["minilm-head"]
    assert set(completions("delete", "")) == {"minilm-head", "quick"}
    assert "quickstart" in completions("search", "quick")


def test_an_export_says_what_it_replaces_and_that_more_may_come(runs, capsys):
    """An earlier export gives way, and is named; a search that runs is not at its end."""
    search = make_search("mine")
    search.add_facts(
        data={"source": "sample:300", "taxonomy": "sentiment", "seed": 42, "splitting": "x", "digest": "d"}
        | {"splits": {}},
        environment={"versions": {}},
    )
    main(["export", "mine", "--trial", "t002"])
    assert "replaces" not in capsys.readouterr().out
    with held(search):
        main(["export", "mine"])
    captured = capsys.readouterr()
    assert "; it replaces t002 of mine" in captured.out
    assert "mine is still running" in captured.err
