"""The built package: what is in it, and what it does outside a checkout and without the extra `search`."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tune.cli.app import cli

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parent.parent

# Stands in for an environment without the extra: its packages are not found.
WITHOUT_SEARCH = """
import sys
sys.modules |= dict.fromkeys(("ray", "mlflow", "optuna"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the working tree."""
    pytest.importorskip("hatchling", reason="what builds the wheel is among the development tools")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("goemo-*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Run code in an empty folder, with the packages of the wheel and not those of the checkout."""
    site = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(site)
    empty = tmp_path_factory.mktemp("empty")

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"],
            cwd=empty,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "HOME": str(empty)},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not done.stdout.count(str(REPOSITORY))
        return done.stdout

    run.folder = empty
    return run


def test_the_wheel_has_everything_that_is_needed(wheel):
    """Every file of the two packages, data and templates too, and the shipped search spaces."""
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "--", "goemo", "tune"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(tracked) > 100
    assert names >= set(tracked)
    spaces = {f"tune/search_spaces/{path.name}" for path in (REPOSITORY / "search_spaces").glob("*.yaml")}
    assert names >= spaces
    assert len(spaces) > 1
    others = {name for name in names if not name.startswith(("goemo/", "tune/", "goemo-"))}
    assert not others, "tests, benchmarks and pages stay in the repository"


def test_shipped_spaces_are_found_in_the_wheel(python):
    """The command line of the wheel lists them, and reads the sample, in an empty folder."""
    assert "quickstart" in python("from tune.cli import main; main(['spaces'])")
    assert "joy" in python("from tune.cli import main; main(['data', 'sample:300', '--format', 'json'])")


def test_goemo_alone_trains_and_predicts(python, minilm):
    """What the page on Python shows runs without ray, mlflow and optuna.

    One configuration is trained, its thresholds are fitted, it is evaluated on test, saved, opened and asked.
    """
    page = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (alone,) = [block for block in blocks if "bundle.save" in block]
    said = python(WITHOUT_SEARCH + alone.replace("dir:my_data", "sample:400")).splitlines()
    *reports, test, labels = said
    assert [line.split()[0] for line in reports] == ["20", "40", "60", "80", "100"]
    assert 0 < float(test) <= 1
    assert "gratitude" in labels
    assert (python.folder / "own-model" / "model.safetensors").is_file()


NEEDED = {
    "search": ["search", "quickstart_scratch"],
    "resume": ["resume", "s"],
    "extend": ["extend", "s", "--trials", "1"],
    "optuna": ["optuna", "s"],
    "retrain": ["retrain", "best.yaml", "-o", "m"],
    "register": ["register", "m"],
    "ui": ["ui"],
    "delete": ["delete", "s", "--yes"],
    "rename": ["rename", "s", "t"],
}
"""Calls of the commands that need the extra."""


def test_commands_that_need_the_extra_say_so_in_one_line(python):
    """Each names what is missing and the command that installs it, and starts nothing."""
    assert set(NEEDED) == {name for name, command in cli.commands.items() if command.needs}
    python(f"""{WITHOUT_SEARCH}
import contextlib, io
from tune.cli import main
for arguments in {list(NEEDED.values())}:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as end:
            assert end.code == 1, (arguments, said.getvalue())
    text = said.getvalue()
    assert text.count("\\n") == 1, text
    assert text.startswith("goemo: this needs ") and text.endswith('pip install "goemo[search]"\\n'), text
""")
