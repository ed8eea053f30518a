"""The command line: help, exit codes, and bad input that starts nothing."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

import tune
from goemo.configuration.data import ColumnOptions
from goemo.data.taxonomy import GOEMOTIONS
from goemo.errors import GoemoError, InputError
from tune.cli import cli, main
from tune.cli.app import SEARCH_PACKAGES
from tune.cli.data import Data
from tune.cli.doctor import Check, examine
from tune.cli.searching import show_result
from tune.driver import SearchResult
from tune.environment import versions
from tune.ranking.leaderboard import Leaderboard
from tune.records import SearchFolder
from tune.spec import load_spec

ROWS = {
    "train.tsv": "I am so happy\t17\ta1\nwhat a day\t27\ta2\n",
    "dev.tsv": "thanks a lot\t15\tb1\n",
    "test.tsv": "how sad\t25\tc1\n",
    "labels.txt": "\n".join(GOEMOTIONS),
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOEMO_RUNS", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def ends(capsys, code, *arguments):
    """Run a command that must end with this code, and return its stdout and stderr."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    assert ended.value.code == code, captured.err
    return captured


def fails(capsys, code, *arguments):
    """Run a command that must fail with this code, and return its one message."""
    captured = ends(capsys, code, *arguments)
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def data_folder(tmp_path, **changed):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, text in {**ROWS, **{k.replace("_", "."): v for k, v in changed.items()}}.items():
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def space(tmp_path, text):
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


SOUND = 'model: {checkpoint: "scratch:albert-tiny"}\ndata: {source: "sample:300"}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SOUND + "space: {learning_rte: 1.0e-3}", r"space\.learning_rte: unknown key.*learning_rate"),
        (SOUND + "space: {batch_size: many}", r"space\.batch_size.*'many'"),
        (SOUND + "space: {batch_size: {grid: []}}", r"space\.batch_size\.grid: must not be empty"),
    ],
    ids=["unknown key", "wrong type", "empty grid"],
)
def test_a_wrong_search_space_starts_nothing(here, capsys, text, expected):
    """Exit code 2, the place, the rule and the value; no search folder is made."""
    assert re.search(expected, fails(capsys, 2, "search", space(here, text)))
    assert not (here / "mlruns").exists()


def test_all_problems_of_a_search_space_come_at_once(here, capsys):
    """Nobody wants to mend a file one message at a time."""
    text = SOUND + "space: {learning_rte: 1.0e-3, batch_size: {grid: []}, epochs: 0}\nsede: 1"
    message = fails(capsys, 2, "search", space(here, text))
    assert "4 problems" in message
    assert all(key in message for key in ("learning_rte", "batch_size", "epochs", "sede"))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"train_tsv": None}, r"no train file: looked for train\.tsv"),
        ({"train_tsv": "fine\t1\ta\nwrong\t28\tb\n"}, r"train\.tsv:2: .*28"),
        ({"train_tsv": "fine\t1\ta\nonly one column\n"}, r"train\.tsv:2: .*column"),
        ({"dev_tsv": b"fine\t1\ta\nbroken \xff\t1\tb\n"}, r"dev\.tsv.*UTF-8"),
    ],
    ids=["no train.tsv", "label index 28", "one column", "not UTF-8"],
)
def test_wrong_data_starts_nothing(here, capsys, changed, expected):
    """Exit code 2, the file, the line and the reason; no search folder is made."""
    folder = data_folder(here, **changed)
    text = f'model: {{checkpoint: "scratch:albert-tiny"}}\ndata: {{source: "dir:{folder}"}}\n'
    assert re.search(expected, fails(capsys, 2, "search", space(here, text + "space: {epochs: 1}")))
    assert not (here / "mlruns" / "searches").exists()


def test_an_unknown_label_name_is_named_with_the_nearest(here, capsys):
    """`angr` in a data set whose labels.txt has `anger` is a problem of that row."""
    (here / "labels.txt").write_text("joy\nanger\n")
    for name in ("train", "dev", "test"):
        (here / f"{name}.csv").write_text("text,labels\nso happy,joy\nso mad,angr\n")
    message = fails(capsys, 2, "search", "quickstart", "--data", f"dir:{here}")
    assert re.search(r"train\.csv:3: .*angr.*anger", message)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.checkpoint=./no-such-model", "no-such-model"),
        ("model.checkpoint=package:no_such_package", "no_such_package"),
        ("model.checkpoint=scratch:no-such-size", "no-such-size"),
        ("space.epohs=3", "space.epochs"),
    ],
    ids=["hub or folder", "package", "scratch", "--set of an unknown key"],
)
def test_an_unknown_checkpoint_or_key_starts_nothing(here, capsys, override, expected):
    """Exit code 2 and what was tried; no search folder is made."""
    sound = space(here, SOUND + "space: {epochs: 1}")
    assert expected in fails(capsys, 2, "search", sound, "--set", override)
    assert not (here / "mlruns" / "searches").exists()


GIANT = {
    "model_type": "bert",
    "hidden_size": 16_384,
    "intermediate_size": 65_536,
    "num_attention_heads": 128,
    "num_hidden_layers": 400,
}


@pytest.fixture
def encoders(here):
    """Two folders to choose from: one of a family that nobody knows, one larger than any machine here."""
    from transformers import BertTokenizer

    for name, config in (("unknown", {"model_type": "brt"}), ("giant", GIANT)):
        BertTokenizer(vocab={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}).save_pretrained(here / name)
        (here / name / "config.json").write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("[]", "model.checkpoint.choice: must not be empty, got []"),
        ("[scratch:albert-tiny, ./none]", "./none: there is no folder"),
        ("[scratch:albert-tiny, package:no_such_package]", "no_such_package is not installed"),
        ("[scratch:albert-tiny, 'words:tfidf']", "words:tfidf: a bag of words is no encoder"),
        ("[scratch:albert-tiny, 'wrds:tfidf']", "wrds:tfidf: neither a folder nor a hub id"),
        ("[scratch:albert-tiny, 'scratch:./unknown']", "its config.json is not one that transformers knows"),
        ("[scratch:albert-tiny, 'scratch:./giant']", "scratch:./giant: its weights alone take 5"),
    ],
    ids=["empty", "no folder", "no package", "words", "unknown scheme", "unknown family", "too large"],
)
def test_a_wrong_choice_of_encoders_is_one_line(here, capsys, encoders, choice, expected):
    """Exit code 2 and the encoder that is wrong, whatever stands beside it; nothing is started."""
    sound = space(here, SOUND)
    message = fails(capsys, 2, "search", sound, "--set", f"model.checkpoint={{choice: {choice}}}")
    assert expected in message
    assert len(message.strip().splitlines()) == 1
    assert not (here / "mlruns" / "searches").exists()


def test_a_condition_on_an_encoder_that_is_not_in_the_choice_is_one_line(here, capsys):
    """Exit code 2, with the place and what there is."""
    text = SOUND.replace('"scratch:albert-tiny"', '{choice: ["scratch:albert-tiny", "scratch:xlnet-tiny"]}')
    rate = "space: {learning_rate: {choice: [1.0e-3, 1.0e-2], only_if: {checkpoint: [roberta-base]}}}"
    message = fails(capsys, 2, "search", space(here, text + rate))
    assert "space.learning_rate.only_if.checkpoint[0]: 'roberta-base' is not in its domain" in message
    assert len(message.strip().splitlines()) == 1
    assert not (here / "mlruns").exists()


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("space.max_length=2000", "2000"),
        ("model.checkpoint=scratch:xlnet-tiny", "pooling"),
        ("resources.gpus_per_trial=64", "64 GPUs"),
    ],
    ids=["longer than the model", "pooling that it does not have", "GPUs that nobody has"],
)
def test_what_no_trial_could_do_starts_nothing(here, capsys, override, expected):
    """What every trial would fail of is refused before there is a search, so that its name stays free."""
    text = SOUND + "space: {epochs: 1}\n"
    more = ["--set", "model.pooling=mean"] if "xlnet" in override else []
    assert expected in fails(capsys, 2, "search", space(here, text), "--set", override, *more)
    assert not (here / "mlruns" / "searches").exists()
    assert not (here / "mlruns" / "cache" / "prepared").exists()  # nor was the data prepared in vain


def test_a_checkpoint_is_looked_for_before_the_data(here, capsys):
    """A checkpoint that is not there is told of even where the data could not be read either."""
    sound = space(here, SOUND + "space: {epochs: 1}")
    data = ("--data", "hub:nobody/no-such-data")
    assert "no-such-model" in fails(
        capsys, 2, "search", sound, "--set", "model.checkpoint=./no-such-model", *data
    )


def test_a_taken_name_is_refused_before_anything_is_read(here, capsys):
    """A second search of the same name would overwrite the first; the message says what to do."""
    taken = here / "mlruns" / "searches" / "mine"
    taken.mkdir(parents=True)
    (taken / "search.yaml").write_text("{}")
    sound = space(here, SOUND + "space: {epochs: 1}")
    (here / "empty").mkdir()
    message = fails(capsys, 2, "search", sound, "--name", "mine", "--data", "dir:empty")
    assert "goemo resume mine" in message


def test_a_hub_source_without_network_fails_with_one_line(here, capsys, monkeypatch):
    """It is not the user's mistake: exit code 1, and a way out."""
    monkeypatch.setenv("HF_HUB_CACHE", str(here / "empty"))
    sound = space(here, SOUND + "space: {epochs: 1}")
    message = fails(capsys, 1, "search", sound, "--data", "hub:nobody/no-such-data")
    assert len(message.strip().splitlines()) == 1
    assert "dir:" in message


@pytest.mark.parametrize("command", ["resume", "leaderboard", "report", "export"])
def test_an_unknown_search_is_refused(capsys, command):
    """Commands on a search that is not there name those there are."""
    assert "no search of that name" in fails(capsys, 2, command, "missing")


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_folder_without_a_bundle_is_refused(here, capsys, command):
    """A folder that is no bundle is named, with what is missing."""
    more = ["some text"] if command == "predict" else []
    assert str(here) in fails(capsys, 2, command, str(here), *more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a list", "must be a mapping with origin, expected"),
        ("configuration: {checkpoint: x}", "origin: required"),
        ("a: [", "not valid YAML"),
        ("data: {source: 'sample:', seed: 1, digest: x}", "data.taxonomy: required (line 1)"),
    ],
)
def test_a_wrong_export_is_refused(here, capsys, text, expected):
    """`retrain` says what is wrong with its file and how to make one."""
    (here / "best.yaml").write_text(text)
    assert expected in fails(capsys, 2, "retrain", "best.yaml", "-o", "model")
    assert not (here / "model").exists()


def test_an_export_into_a_folder_names_a_file(here, capsys):
    """`-o` is a file; where it is a folder, the message has the name that was probably meant."""
    SearchFolder.create("s", {"objective": {"metric": "macro_f1"}})
    (here / "out").mkdir()
    assert "is a folder; name a file, such as out/best.yaml" in fails(capsys, 2, "export", "s", "-o", "out")
    assert not list((here / "out").iterdir())


def test_a_connection_that_breaks_is_a_failure(capfd, monkeypatch):
    """Only the reader of stdout may go away without harm; any other broken pipe ends with 1 and a line."""

    def fail(_):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("tune.cli.doctor.examine", fail)
    told = fails(capfd, 1, "doctor")
    assert "goemo: lost the connection to another process: [Errno 32] Broken pipe" in told


def test_predict_needs_texts_or_a_file(here, capsys):
    """Neither and both are wrong calls."""
    (here / "texts.txt").write_text("hello\n")
    fails(capsys, 2, "predict", str(here))
    fails(capsys, 2, "predict", str(here), "hello", "--file", "texts.txt")


def test_an_unexpected_error_is_one_line_unless_debugged(here, capsys, monkeypatch):
    """A bug shows its kind and how to see more; with --debug, its traceback."""
    monkeypatch.setattr("tune.spec.shipped_spaces", lambda: 1 / 0)
    message = fails(capsys, 1, "spaces")
    assert "ZeroDivisionError" in message
    assert "--debug" in message
    with pytest.raises(ZeroDivisionError):
        main(["spaces", "--debug"])


@pytest.mark.parametrize("package", ["ray", "mlflow", "optuna"])
def test_what_the_extra_for_searches_installs_is_named_where_it_is_missing(
    here, capsys, monkeypatch, package
):
    """Without the extra, a command that needs it says so in a line with the way to get it."""

    def fail():
        raise ModuleNotFoundError(f"No module named '{package}.x'", name=f"{package}.x")

    monkeypatch.setattr("tune.spec.shipped_spaces", fail)
    told = f'this needs {package}, which is not installed: pip install "goemo[search]"'
    assert told in fails(capsys, 1, "spaces")


def test_the_end_of_a_file_is_no_interrupt(here, capsys, monkeypatch):
    """A reader that comes to the end of a damaged file is an unexpected error as any other."""

    def fail():
        raise EOFError("No data left in file")

    monkeypatch.setattr("tune.spec.shipped_spaces", fail)
    assert "unexpected EOFError: No data left in file (add --debug" in fails(capsys, 1, "spaces")
    with pytest.raises(GoemoError) as caught:
        main(["spaces", "--debug"])
    assert isinstance(caught.value.__cause__, EOFError)


def test_what_stdout_cannot_show_is_replaced(monkeypatch):
    """After hours of work, a letter that the terminal's encoding lacks fails nothing."""
    shown = io.BytesIO()
    monkeypatch.setattr("tune.cli.doctor.examine", lambda _: [Check("disk", "über…")])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="latin-1"))
    main(["doctor"])
    sys.stdout.flush()
    assert shown.getvalue() == "  disk         über?\n".encode("latin-1")


def test_dry_run_shows_the_trials_and_starts_nothing(here, capsys):
    """All 27 trials of the published grid, in the order in which they would start."""
    main(["search", "paper_xlnet", "--dry-run", "--no-probe"])
    out = capsys.readouterr().out
    assert len(re.findall(r"^  t0\d\d  bs\d\d lr", out, flags=re.MULTILINE)) == 27
    assert not (here / "mlruns").exists()


def test_a_dry_run_of_what_cannot_run_shows_the_trials_and_fails(here, capsys):
    """Where the search would be refused, so is its forecast, with the same reason; the trials are shown."""
    where = "model.checkpoint=package:nowhere"
    captured = ends(capsys, 2, "search", "quickstart_scratch", "--set", where, "--dry-run")
    assert "t001  bs" in captured.out
    assert "nowhere" in captured.err
    assert "forecast, from" not in captured.out


def test_no_probe_needs_a_dry_run(here, capsys):
    """It would not mean anything for a search."""
    assert "--dry-run" in fails(capsys, 2, "search", "quickstart", "--no-probe")


def test_a_dry_run_is_of_the_whole_search(here, capsys):
    """What would be shown and forecast for some of its trials would be taken for theirs."""
    assert "--trials" in fails(capsys, 2, "search", "quickstart", "--dry-run", "--trials", "2")


@pytest.mark.parametrize(("remaining", "words"), [(1, "1 trial remains"), (2, "2 trials remain")])
def test_a_search_that_is_not_over_counts_what_remains(capsys, remaining, words):
    """One trial is one trial, after a budget as after an interrupt."""
    nothing = Leaderboard("s", "macro_f1", (), {})
    cut = SearchResult("s", nothing, is_complete=False, remaining=remaining, stopped_by="the budget is over")
    show_result(cut)
    assert capsys.readouterr().out == f"the budget is over; {words}: goemo resume s\n"
    with pytest.raises(
        GoemoError, match=rf"^interrupted with {words.rsplit(maxsplit=1)[0]} to go; continue with"
    ):
        show_result(replace(cut, stopped_by=""))


def test_spaces_lists_every_shipped_space(capsys):
    """The five shipped search spaces load."""
    main(["spaces"])
    out = capsys.readouterr().out
    assert all(n in out for n in ("quickstart", "minilm_head", "paper_albert", "paper_xlnet", "roberta_tpe"))


def test_doctor_tells_versions_and_store(capsys):
    """It looks, and changes nothing."""
    main(["doctor"])
    out = capsys.readouterr().out
    assert "torch" in out
    assert "mlflow" in out


def test_doctor_is_content_without_the_extra(monkeypatch):
    """Where ray, mlflow and optuna are missing, it says what installs them, and calls nothing wrong."""
    for package in SEARCH_PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)
    found = {name: version for name, version in versions().items() if name not in SEARCH_PACKAGES}
    monkeypatch.setattr("tune.cli.doctor.versions", lambda: found)
    findings = {finding.topic: finding for finding in examine()}
    assert 'pip install "goemo[search]"' in findings["packages"].state
    assert not [finding for finding in findings.values() if finding.problem]
    assert "mlflow" in findings["store"].state


def test_doctor_sees_another_distribution_of_the_name_tune(monkeypatch):
    """Installed beside goemo it is named, and so is damage that one has left; both with what mends it."""
    topics = {finding.topic: finding for finding in examine()}
    assert not topics["tune"].problem
    monkeypatch.setattr(
        "tune.cli.doctor.packages_distributions", lambda: {"tune": ["goemo", "tune"], "goemo": ["goemo"]}
    )
    (beside,) = [finding for finding in examine() if finding.topic == "tune"]
    assert beside.state == "also installed by tune"
    assert beside.problem.startswith("pip uninstall tune; pip install --force-reinstall")
    monkeypatch.setattr("tune.cli.doctor.packages_distributions", lambda: {"tune": ["goemo"]})
    monkeypatch.setattr(tune, "__all__", ())
    (damaged,) = [finding for finding in examine() if finding.topic == "tune"]
    assert damaged.problem == "pip install --force-reinstall --no-deps goemo"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_shows_an_example(capsys, name):
    """Help ends with a command that can be copied."""
    main([name, "--help"])
    assert f"goemo {name}" in capsys.readouterr().out.split("Example")[1]


def test_lists_and_leaderboards_import_little():
    """`goemo list` and `goemo leaderboard` take a second, because neither pandas nor SciPy is imported."""
    heavy = {"torch", "ray", "mlflow", "optuna", "transformers", "pandas", "scipy"}
    assert imported_of(heavy, "import tune.cli.tables, tune.housekeeping").stdout == "[]\n"


def test_help_imports_nothing_heavy():
    """`goemo --help` is instant because engines are imported inside commands only."""
    heavy = {"torch", "ray", "mlflow", "optuna", "numpy", "transformers", "pandas", "rich"}
    done = imported_of(heavy, "from tune.cli import main; main(['search', '--help'])")
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_goemo_is_the_command():
    """`python -m goemo` runs the command of the installed package, though `goemo` imports no `tune`."""
    done = subprocess.run(
        [sys.executable, "-m", "goemo", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("goemo, version ")


def test_python_m_goemo_says_whose_package_stands_in_its_place(tmp_path):
    """Where the imported `tune` is another distribution's, one line says so, with what mends it."""
    (tmp_path / "tune").mkdir()
    (tmp_path / "tune" / "__init__.py").write_text("")
    record = tmp_path / "tune-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: tune\nVersion: 1.0\n")
    (record / "RECORD").write_text("tune/__init__.py,,\n")
    done = subprocess.run(
        [sys.executable, "-m", "goemo", "doctor"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("goemo: No module named 'tune.cli'; tune installs a package tune in place")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [((), "goemo"), *((("--experiment", name), name) for name in ("a: b #1", "emotions 😀"))],
)
def test_a_search_is_told_its_experiment(monkeypatch, given, expected):
    """Any name is taken as it stands, whatever it would mean in YAML."""
    asked = []

    def stop(spec, **_):
        asked.append(spec.experiment)
        raise GoemoError("far enough")

    monkeypatch.setattr("tune.driver.run_search", stop, raising=False)
    with pytest.raises(SystemExit):
        main(["search", "quickstart", *given])
    assert asked == [expected]


def test_what_a_command_is_for_stands_whole_in_80_columns(capsys, monkeypatch):
    """No sentence of the overview ends in dots."""
    monkeypatch.setenv("COLUMNS", "80")
    main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines[1:] if line.endswith("...")] == []
    assert "  search       Run the trials of a search space." in lines


def test_the_help_lists_every_command_under_a_heading(capsys):
    """A command whose module has no heading would be left out of the help."""
    main(["--help"])
    listed = re.findall(r"^  ([a-z]+)  ", capsys.readouterr().out, flags=re.MULTILINE)
    assert listed == list(cli.commands)


@pytest.mark.parametrize(("wrong", "words"), [(1, "1 problem\n"), (2, "2 problems\n")])
def test_doctor_counts_as_people_do(here, capsys, monkeypatch, wrong, words):
    """One problem is one problem."""
    monkeypatch.setattr("tune.cli.doctor.examine", lambda _: [Check("disk", "full", "free some")] * wrong)
    assert ends(capsys, 1, "doctor").err == f"goemo: {words}"


def test_a_source_that_ends_in_a_colon_has_one():
    """`sample::` would look like a name of something."""
    assert str(InputError("sample:", ["is small"])) == "sample: is small"
    assert str(InputError("sample:", ["a", "b"])).startswith("sample: 2 problems")


def test_the_dry_run_of_tpe_shows_no_python(here, capsys):
    """What a hyperparameter is chosen from, in words, a line each."""
    main(["search", "roberta_tpe", "--dry-run", "--no-probe"])
    out = capsys.readouterr().out
    assert not set("{}[]'") & set(out.partition("from:")[2])
    assert re.search(r"^  learning_rate \S+ to \S+, log-uniform$", out, flags=re.MULTILINE)
    assert re.search(r"^  batch_size one of 16, 32", out, flags=re.MULTILINE)


def test_ui_offers_no_store_that_takes_nothing(capsys):
    """`none` is for commands that log."""
    main(["ui", "--help"])
    assert "none" not in capsys.readouterr().out
    main(["search", "--help"])
    assert "none logs nothing" in capsys.readouterr().out


def test_an_export_replaces_nothing_but_exports(here, capsys):
    """A file of another kind stays, with exit code 2."""
    SearchFolder.create("s", {"objective": {"metric": "macro_f1"}})
    (here / "notes.yaml").write_text("mine: 1\n")
    assert "is not an export of goemo" in fails(capsys, 2, "export", "s", "-o", "notes.yaml")
    assert (here / "notes.yaml").read_text() == "mine: 1\n"


def test_a_report_replaces_no_other_json(here, capsys):
    """The twin of `notes.html` would be `notes.json`: where that is the user's, it stays."""
    SearchFolder.create("s", {"objective": {"metric": "macro_f1"}})
    (here / "notes.json").write_text("[1]")
    assert "notes.json, which is another file" in fails(capsys, 2, "report", "s", "-o", "notes.html")
    assert (here / "notes.json").read_text() == "[1]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "dir:nowhere"],
        ["search", "quickstart", "--data", "dir:nowhere"],
        ["search", "quickstart", "--data", "file:nowhere.csv", "--dry-run"],
        ["retrain", "best.yaml", "-o", "model", "--data", "nowhere"],
        ["evaluate", "model", "--data", "nowhere"],
    ],
)
def test_data_that_is_not_there_is_told_before_anything_heavy_is_imported(arguments, tmp_path):
    """One line and exit code 2 from every command that takes data; not even numpy was needed."""
    said = refused_without({"torch", "ray", "mlflow", "numpy", "transformers", "pandas"}, arguments, tmp_path)
    assert "no such file or folder" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["retrain", "nowhere.yaml", "-o", "model"],
        ["register", "nowhere"],
        ["evaluate", "nowhere"],
        ["predict", "nowhere", "thank you"],
        ["onnx", "nowhere"],
    ],
)
def test_a_model_that_is_not_there_is_told_before_anything_heavy_is_imported(arguments, tmp_path):
    """One line and exit code 2, which names what was asked for."""
    said = refused_without({"torch", "ray", "mlflow", "transformers", "pandas"}, arguments, tmp_path)
    assert said.startswith("goemo: nowhere")


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_address_nobody_answers_at_is_told_before_anything_heavy_is_imported(more, tmp_path):
    """A closed port; imports alone would take most of the ten seconds that are promised."""
    arguments = ["search", "quickstart", "--address", "127.0.0.1:1", *more]
    said = refused_without({"torch", "ray", "mlflow", "transformers", "pandas"}, arguments, tmp_path)
    assert said.startswith("goemo: --address: cannot join a Ray cluster at '127.0.0.1:1'")


def imported_of(heavy, program, **options):
    """Run a program in a process of its own, whose last line of stdout is which of these it has imported."""
    code = f"import sys\n{program}\nprint(sorted({heavy!r} & set(sys.modules)))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **options)


def refused_without(heavy, arguments, folder):
    """Return the line with which a command refuses its call, having imported none of these."""
    program = (
        f"from tune.cli import main\ntry: main({arguments!r})\nexcept SystemExit as end: print(end.code)"
    )
    done = imported_of(heavy, program, cwd=folder)
    assert done.stdout.split("\n")[:2] == ["2", "[]"]
    assert done.stderr.count("\n") == 1
    return done.stderr


TWO = "thanks a lot\t15\tb1\nthanks\t15\tb2\n"


def test_looking_at_data_as_text_json_and_page(tmp_path, capsys):
    """All three tell the counts of the files."""
    main(["data", str(data_folder(tmp_path, dev_tsv=TWO)), "-o", str(tmp_path / "page.html")])
    text = capsys.readouterr()
    assert "page.html: open it in a browser" in text.err
    main(["data", str(tmp_path / "data"), "--format", "json"])
    looked = json.loads(capsys.readouterr().out)
    rows = {"train": 2, "validation": 2, "test": 1}
    assert looked["splits"] == rows
    page = (tmp_path / "page.html").read_text()
    for split, count in rows.items():
        assert f"{count} {split}" in text.out
        assert f"{count} {split}" in page
    assert "lengths in tokens: --checkpoint NAME measures them" in text.out
    assert looked["lengths"] is None


def test_a_checkpoint_out_of_reach_leaves_the_rest_of_a_look_at_data(tmp_path, capsys, monkeypatch):
    """Everything else is shown, with a line for what is missing; then one line says why, and exit code 1."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    folder, page = str(data_folder(tmp_path, dev_tsv=TWO)), tmp_path / "page.html"
    told = ends(capsys, 1, "data", folder, "--checkpoint", "no-one/knows-this", "-o", str(page))
    assert "lengths in tokens: not measured, because no-one/knows-this is not available" in told.out
    assert "labels per row: " in told.out
    assert "no-one/knows-this: the hub cannot be reached" in told.err.splitlines()[-1]
    assert "not measured, because no-one/knows-this is not available" in page.read_text()


def test_options_of_data_are_read_back_by_a_search():
    """Emoji, too, which JSON may write as two halves."""
    given = {"label_names": ["😀", "sad: very"], "columns": {"text": "Kommentar 😀"}}
    spec = load_spec("quickstart", overrides=Data(None, given).overrides)
    assert list(spec.data.label_names) == given["label_names"]
    assert spec.data.columns == ColumnOptions(text="Kommentar 😀")
