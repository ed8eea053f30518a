"""What the pages say to type, typed: every command and every Python block, in the order of a reader.

Searches are cut down to one or two trials by options that are added to the commands. What cannot run here is
listed, and the list is checked, so that nothing is left out by accident.
"""

from __future__ import annotations

import csv
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from goemo.data import load_splits

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = (
    "tutorial",
    "searching",
    "results",
    "models",
    "python",
    "team",
    "extending",
)  # in the order of a reader
PAGES = [REPOSITORY / "README.md", *(REPOSITORY / "docs" / f"{name}.md" for name in NAMES)]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# These make the environment that is there already, serve until they are stopped (tests/tune/test_ui.py), or
# need the network: their checkpoints are on the hub.
NOT_RUN = {
    "make",
    "source",
    "python3",
    "pip",
    "goemo ui",
    "goemo search paper_xlnet",
    "goemo search roberta_tpe",
}
SMALL = [
    *("--set", "space.batch_size=32", "--set", "space.learning_rate=1e-3"),
    *("--set", "space.max_length=16", "--set", "space.epochs=1"),
]
OWN_SPACE = ["--set", "model.checkpoint=scratch:albert-tiny", "--set", "search.trials=2", *SMALL[4:]]

GOEMO = f"""#!{sys.executable}
import sys
from tune.cli import main

arguments = sys.argv[1:]
if arguments[0] == "search" and {{"second", "mine", "mine-ekman", "from-csv", "confirmed"}} & {{*arguments}}:
    arguments += ["--dry-run", "--no-probe"]  # what they show beyond the others is read: the day is short
elif arguments[:2] == ["search", "my_space.yaml"] and "--dry-run" in arguments:
    arguments += ["--no-probe"]  # its checkpoint is on the hub
elif arguments[0] == "extend" and "--trials" in arguments:
    arguments += ["--trials", "1"]
elif arguments[0] == "search" and "--dry-run" not in arguments:
    arguments += {OWN_SPACE} if arguments[1].endswith(".yaml") else {SMALL}
main(arguments)
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with what the pages suppose that the reader has, and `goemo` on the path."""
    program = tmp_path / "bin" / "goemo"
    program.parent.mkdir()
    program.write_text(GOEMO, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for name, source in (("my_data", "sample:400"), ("other_data", "sample:300")):
        splits = load_splits(source)
        (tmp_path / name).mkdir()
        (tmp_path / name / "labels.txt").write_text("\n".join(splits.labels), encoding="utf-8")
        for split in splits.splits():
            rows = [
                "\t".join((text, ",".join(str(i) for i in targets.nonzero()[0]), row_id))
                for text, targets, row_id in zip(split.texts, split.targets, split.ids, strict=True)
            ]
            (tmp_path / name / f"{split.name}.tsv").write_text("\n".join(rows), encoding="utf-8")
    splits = load_splits("sample:300")
    with (tmp_path / "comments.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "labels"])
        for text, targets in zip(splits.train.texts, splits.train.targets, strict=True):
            writer.writerow([text, ",".join(splits.labels[i] for i in targets.nonzero()[0])])
    (tmp_path / "comments.txt").write_text("\n".join(splits.test.texts), encoding="utf-8")
    return tmp_path


def run(folder, *command, **more):
    """Run a command in the folder; it must succeed."""
    left_out = ("GOEMO_RUNS", "MLFLOW_TRACKING_URI", "OMP_NUM_THREADS")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    environment |= {"PATH": f"{folder / 'bin'}:{environment['PATH']}", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, **more
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


def commands(text):
    """Yield the lines of a block, continued ones joined."""
    yield from filter(None, (line.strip() for line in text.replace("\\\n", " ").splitlines()))


def is_left_out(line):
    """Return which entry of `NOT_RUN` a line is, if any."""
    found = [start for start in NOT_RUN if f"{line} ".startswith(f"{start} ") and "--dry-run" not in line]
    return found[0] if found else None


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_the_pages_say_to_type_works(folder, minilm):
    """From the first search to the model in use, each command succeeds, and each Python block runs."""
    left_out = set()
    for name, model in (("paper-albert", "scratch:albert-tiny"), ("paper-xlnet", "scratch:xlnet-tiny")):
        options = ("--data", "dir:my_data", "--name", name, "--set", f"model.checkpoint={model}")
        run(folder, "goemo", "search", "quickstart_scratch", *options)
    for page in PAGES:
        for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if language == "yaml":
                named = re.match(r"# goemo search (\S+\.yaml)", text)
                if named:
                    (folder / named[1]).write_text(text, encoding="utf-8")
            elif language == "bash":
                for line in commands(text):
                    if entry := is_left_out(line):
                        left_out.add(entry)
                    else:
                        run(folder, "bash", "-c", f"set -o pipefail; {line}")
            elif language == "python":
                cut = text.replace('["space.epochs=2"]', repr(SMALL[1::2]))
                run(folder, sys.executable, "-", input=cut)
    assert left_out == NOT_RUN
