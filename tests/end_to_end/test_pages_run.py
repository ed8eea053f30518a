"""What the pages say to type, typed: every command and every Python block, in the order of a reader.

`make test` types README, with options that make its searches small; `make faults` types the tutorial and the
other pages after it, and README as it stands in a fresh clone. What is not run is listed, and the list is
checked, so that nothing is left out by accident.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goemo.data import load_splits

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
NAMES = ("tutorial", "searching", "results", "models", "python", "team", "extending")  # as a reader
OTHERS = [REPOSITORY / "docs" / f"{name}.md" for name in NAMES]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SERVES = {"goemo ui"}  # until it is stopped; tests/tune/test_ui.py
INSTALLS = {"make", "source", "python3", "pip"}  # the environment that is there already
FROM_THE_HUB = {"goemo search paper", "goemo search paper_xlnet", "goemo search roberta_tpe"}
NOT_INHERITED = ("GOEMO_RUNS", "MLFLOW_TRACKING_URI", "OMP_NUM_THREADS", "PYTHONPATH", "VIRTUAL_ENV")

LITTLE = {"space.batch_size": 32, "space.learning_rate": 0.001, "space.max_length": 16, "space.epochs": 1}
OWN_SPACE = {"model.checkpoint": "scratch:albert-tiny", "search.trials": 2, "space.epochs": 1}
SAMPLE = {"data.source": "sample:600"}
PLAIN = {"baseline": "none"}  # one search has a baseline; the others would fit the same again


def as_options(values: dict[str, object]) -> list[str]:
    """Return overrides as a command takes them."""
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


GOEMO = f"""#!{sys.executable} -P
import sys
from tune.cli import main

arguments = sys.argv[1:]
if arguments[0] == "search" and {{"second", "dir:my_data", "from-csv", "confirmed"}} & {{*arguments}}:
    arguments += ["--dry-run"]  # the same as others, but for a word
if arguments[0] == "search" and "--dry-run" in arguments:
    arguments += ["--no-probe"]  # forecasts have tests of their own
elif arguments[0] == "search":
    arguments += {as_options(OWN_SPACE)} if arguments[1].endswith(".yaml") else {as_options(LITTLE)}
    arguments += {as_options(SAMPLE)} if arguments[1] == "quickstart" else {as_options(PLAIN)}
elif arguments[0] == "extend":
    arguments += ["--trials", "1"]
elif arguments[0] == "retrain":
    arguments += ["--seeds", "1"]
elif arguments[0] in ("delete", "clean"):
    arguments += ["--dry-run" if "--models" in arguments else "--yes"]  # the weights are kept; nobody answers
main(arguments)
"""


def write_data(folder: Path) -> None:
    """Write what the pages suppose that the reader has: folders of data, a CSV, a file of texts."""
    for name, source in (("my_data", "sample:400"), ("other_data", "sample:300")):
        splits = load_splits(source)
        (folder / name).mkdir()
        (folder / name / "labels.txt").write_text("\n".join(splits.labels), encoding="utf-8")
        for split in splits.splits():
            rows = [
                "\t".join((text, ",".join(str(i) for i in targets.nonzero()[0]), row_id))
                for text, targets, row_id in zip(split.texts, split.targets, split.ids, strict=True)
            ]
            (folder / name / f"{split.name}.tsv").write_text("\n".join(rows), encoding="utf-8")
    splits = load_splits("sample:300")
    for name, split in (("comments", splits.train), ("new_comments", splits.validation)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "labels"])
            for text, targets in zip(split.texts, split.targets, strict=True):
                writer.writerow([text, ",".join(splits.labels[i] for i in targets.nonzero()[0])])
    (folder / "comments.txt").write_text("\n".join(splits.test.texts), encoding="utf-8")


def blocks(pages: list[Path]) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each fenced block."""
    for page in pages:
        yield from FENCE.findall(page.read_text(encoding="utf-8"))


def own_space(text: str) -> str | None:
    """Return the file that a YAML block is, by its first line; None where it is a part of one."""
    named = re.match(r"# goemo search (\S+\.yaml)", text)
    return named[1] if named else None


def commands(text: str) -> list[str]:
    """Return the lines of a block, continued ones joined."""
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def entry(line: str, entries: set[str]) -> str | None:
    """Return which of some beginnings a line has, if any; a dry run has none."""
    if "--dry-run" in line:
        return None
    return next((start for start in entries if f"{line} ".startswith(f"{start} ")), None)


class Reader:
    """Types the blocks of pages, one after the other, in one folder.

    Attributes:
        folder: Where.
        left_out: What of `SERVES`, `INSTALLS` and `FROM_THE_HUB` was met, and so not run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.left_out: set[str] = set()

    def read(self, *pages: Path) -> None:
        for language, text in blocks([*pages]):
            if language == "yaml" and (name := own_space(text)):
                (self.folder / name).write_text(text, encoding="utf-8")
            elif language == "bash":
                for line in commands(text):
                    left_out = entry(line, SERVES | INSTALLS | FROM_THE_HUB)
                    if left_out:
                        self.left_out.add(left_out)
                    else:
                        self.run("bash", "-c", f"set -o pipefail; {line}")
            elif language == "python":
                smaller = text.replace('{"space.epochs": 2}', repr(LITTLE | SAMPLE | PLAIN)).replace(
                    "seeds=3", "seeds=1"
                )
                self.run(sys.executable, "-P", "-", typed=smaller)

    def run(self, *command: str, typed: str = "") -> None:
        """Run a command in the folder; it must succeed. Shows what it took, with ``-s``."""
        environment = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
        environment |= {"PATH": f"{self.folder / 'bin'}:{environment['PATH']}", "HF_HUB_OFFLINE": "1"}
        started, before = time.monotonic(), os.times()
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{typed}\n{done.stdout}\n{done.stderr}"
        seconds, after = time.monotonic() - started, os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        what = command[-1] if command[-1] != "-" else typed[:60]
        sys.stdout.write(f"{seconds:6.1f} s, {used:6.1f} s of a core: {what!r}\n")


@pytest.fixture(scope="module")
def reader(tmp_path_factory, minilm):
    """Who has typed README, in a folder with what the pages suppose."""
    folder = tmp_path_factory.mktemp("reader")
    program = folder / "bin" / "goemo"
    program.parent.mkdir()
    program.write_text(GOEMO, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    write_data(folder)
    reader = Reader(folder)
    reader.read(README)
    return reader


@pytest.mark.timeout(1800)
def test_readme_can_be_typed(reader):
    """From the first search to predictions, each command succeeds, and each Python block runs."""
    assert reader.left_out == SERVES | INSTALLS
    assert (reader.folder / "quickstart.html").stat().st_size > 100_000


@pytest.mark.faults
@pytest.mark.timeout(2400)
def test_the_other_pages_can_be_typed_after_them(reader):
    """Every command and every Python block of the tutorial and the how-to pages, where README left off."""
    both = "{choice: ['scratch:albert-tiny', 'scratch:xlnet-tiny']}"
    twins = {"paper-albert": "scratch:albert-tiny", "paper-xlnet": "scratch:xlnet-tiny", "paper": both}
    for name, model in twins.items():
        options = ("--data", "dir:other_data", "--name", name, "--set", f"model.checkpoint={model}")
        reader.run("goemo", "search", "quickstart_scratch", *options)
    reader.read(*OTHERS)
    assert reader.left_out == SERVES | INSTALLS | FROM_THE_HUB
    texts = (reader.folder / "comments.txt").read_text(encoding="utf-8").splitlines()
    assert (reader.folder / "predictions.jsonl").read_text(encoding="utf-8").count("\n") == len(texts)


@pytest.mark.faults
@pytest.mark.timeout(2400)
def test_readme_can_be_typed_in_a_fresh_clone(tmp_path):
    """README as it stands, from `make quickstart` on, in one shell: only what serves for ever is left out."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
    write_data(clone)
    script = ["set -ex"]
    for language, text in blocks([README]):
        if language == "yaml" and (name := own_space(text)):
            (clone / name).write_text(text, encoding="utf-8")
        elif language == "bash":
            lines = [line for line in commands(text) if entry(line, SERVES) is None]
            # Its checkpoint is on the hub.
            script += [f"{line} --no-probe" if "my_space.yaml" in line else line for line in lines]
        elif language == "python":
            script.append(f"python -c {shlex.quote(text)}")
    environment = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
    with (tmp_path / "said").open("w+", encoding="utf-8") as said:
        typed = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            check=False,
            cwd=clone,
            env=environment | {"HF_HUB_OFFLINE": "1"},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        said.seek(0)
        shown = said.read()
        assert typed.returncode == 0, shown[-20_000:]
    for text, label in (("thank you so much", "gratitude"), ("wow, I did not see", "surprise")):
        assert re.search(rf"^ *{text}.* {label} 0", shown, re.MULTILINE), shown[-20_000:]
    assert (clone / "model" / "model.safetensors").is_file()
