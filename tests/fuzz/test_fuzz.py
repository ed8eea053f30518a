"""Changed files of every kind that is read: taken, or refused with one short message; nothing else."""

from __future__ import annotations

import os
import random
import re
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from judging import Complaint, complaint
from readers import READERS, files_of

CORPUS = Path(__file__).parent / "corpus"
SECONDS = float(os.environ.get("GOEMO_FUZZ_SECONDS", "60"))
KEEP = os.environ.get("GOEMO_FUZZ_KEEP")  # a folder for what was found
AT_ONCE = 100  # inputs of one random seed
_LONGEST_NAME = 80


@pytest.fixture(scope="session")
def valid(tmp_path_factory):
    """Return the folder with valid files of a reader, made when it is asked for."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("fuzz") / name
            made[name].mkdir()
            READERS[name].prepare(made[name])
        return made[name]

    return folder


@pytest.mark.faults
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", READERS)
def test_no_change_to_a_file_does_more_than_refuse_it(name, valid, tmp_path):
    """Bytes and values changed at random for a minute: no other error, no long message, no hang."""
    folder, work = valid(name), tmp_path / name
    files = list(files_of(folder))
    found: dict[Complaint, tuple[Path, bytes]] = {}
    tried = 0

    def look(data: st.DataObject) -> None:
        nonlocal tried
        path = data.draw(st.sampled_from(files))
        content = data.draw(READERS[name].changed(path, path.read_bytes()))
        changed = _with(folder, work, path, content)
        _keep(name, "running", path.relative_to(folder), content)  # should it end the process
        said = complaint(lambda: READERS[name].read(work, changed))
        tried += 1
        if said is not None:
            place = Complaint("", said.where)
            if place not in found or len(content) < len(found[place][1]):
                found[place] = (path.relative_to(folder), content)
                case = re.sub(r"\W+", "-", said.where)[:_LONGEST_NAME]
                _keep(name, case, path.relative_to(folder), content)
                _log(f"{name} {said.where} {path.relative_to(folder)}: {said.what}")

    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        run = given(st.data())(look)
        run = settings(
            max_examples=AT_ONCE,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(seed(random.getrandbits(64))(run))
        run()
    print(f"{name}: {tried:,} inputs in {SECONDS:.0f} s, {len(found)} complaints")  # noqa: T201 - the log
    assert not found, "\n".join(sorted(f"{said.where} {path}" for said, (path, _) in found.items()))


CASES = sorted(
    (reader.name, case.name)
    for reader in CORPUS.iterdir()
    for case in reader.iterdir()
    if reader.name in READERS
)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_what_was_found_once_is_refused_or_taken(name, case, valid, tmp_path):
    """Each input that fuzzing has found is handled now."""
    kept = CORPUS / name / case
    (path,) = (path for path in kept.rglob("*") if path.is_file())
    folder = valid(name)
    changed = _with(folder, tmp_path / name, folder / path.relative_to(kept), path.read_bytes())
    assert complaint(lambda: READERS[name].read(tmp_path / name, changed)) is None


@pytest.mark.parametrize("name", READERS)
def test_what_is_changed_was_right_before(name, valid, tmp_path):
    """The files that are changed are read without a word: else nothing behind the first check is reached."""
    shutil.copytree(valid(name), tmp_path / name)
    for path in files_of(tmp_path / name):
        READERS[name].read(tmp_path / name, path)


def _with(folder: Path, work: Path, path: Path, content: bytes) -> Path:
    """Make a copy of a folder in which one file has another content; files are linked, and read alone."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(folder, work, copy_function=os.link)
    changed = work / path.relative_to(folder)
    changed.unlink(missing_ok=True)
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_bytes(content)
    return changed


def _keep(name: str, case: str, path: Path, content: bytes) -> None:
    if KEEP is None:
        return
    folder = Path(KEEP) / name / case
    shutil.rmtree(folder, ignore_errors=True)
    (folder / path).parent.mkdir(parents=True)
    (folder / path).write_bytes(content)


def _log(line: str) -> None:
    if KEEP is not None:
        with (Path(KEEP) / "log.txt").open("a", encoding="utf-8", errors="replace") as log:
            log.write(f"{line}\n")
