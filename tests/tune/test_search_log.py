"""The log file of a search."""

from __future__ import annotations

import logging
import re
import sys
import warnings

import pytest

from goemo import __version__
from goemo.errors import InputError
from tune.live.log import SAID_AT_MOST, SearchLog, engine_logs
from tune.records import SearchFolder

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: ")


@pytest.fixture
def search(tmp_path, monkeypatch) -> SearchFolder:
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    return SearchFolder.create("s", {})


def written(search):
    return (search.path / "log.txt").read_text(encoding="utf-8")


def as_is(text):
    return text


def test_it_tells_of_the_whole_command(search, monkeypatch):
    """Version, command, phases with their seconds, and what was logged before the search had a folder."""
    monkeypatch.setattr(sys, "argv", ["goemo", "search", "a space.yaml"])
    own = logging.getLogger("tune.some.module")
    with SearchLog() as log:
        log.phase("preparing")
        own.info("before the folder")
        log.open(search, as_is)
        assert "before the folder" in written(search)
        log.phase("trials")
        own.info("%s starts", "t001")
        assert "t001 starts" in written(search)  # at once: a process that is killed leaves what it said
    lines = written(search).splitlines()
    assert all(LINE.match(line) for line in lines)
    said = [LINE.sub("", line) for line in lines]
    assert said[0].startswith(f"goemo {__version__}, python 3.")
    assert said[0].endswith(": goemo search 'a space.yaml'")
    assert said[1:3] == ["preparing: starts", "before the folder"]
    assert re.fullmatch(r"preparing: \d+\.\d s", said[3])
    assert said[4:6] == ["trials: starts", "t001 starts"]
    assert re.fullmatch(r"trials: \d+\.\d s", said[6])
    assert said[7:] == ["ended"]


def test_a_second_command_appends(search):
    """`goemo resume` goes on in the same file."""
    for _ in range(2):
        with SearchLog() as log:
            log.open(search, as_is)
    assert written(search).count(f"goemo {__version__}") == 2


def test_a_search_that_is_refused_leaves_no_file(search):
    """It has no folder to write to."""
    with pytest.raises(InputError), SearchLog():
        raise InputError("--name", ["taken"])
    assert not (search.path / "log.txt").exists()


def test_an_error_leaves_its_traceback(search):
    """Also where the terminal shows one line of it."""

    def fail(log):
        log.open(search, as_is)
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError), SearchLog() as log:
        fail(log)
    assert "ended: RuntimeError" in written(search)
    assert "in fail" in written(search)
    assert "RuntimeError: a bug" in written(search)


def test_what_lets_into_the_store_is_hidden(search, monkeypatch):
    """In the command, and in whatever an error says."""
    monkeypatch.setattr(sys, "argv", ["goemo", "--tracking-uri", "http://me:secret@host"])
    with SearchLog() as log:
        log.open(search, lambda text: text.replace("secret", "***"))
        logging.getLogger("some.library").error("no answer from http://me:secret@host")
    assert "secret" not in written(search)
    assert written(search).count("http://me:***@host") == 2


def test_others_repeat_themselves_in_vain(search):
    """The first times of each warning are enough; what we say of the trials is never left out."""
    theirs, ours = logging.getLogger("ray.tune.somewhere"), logging.getLogger("tune.engine.recorder")
    with SearchLog() as log:
        log.open(search, as_is)
        with engine_logs():
            for n in range(3 * SAID_AT_MOST):
                theirs.warning("trial %s is slow", n)
                ours.info("trial %s at 20 %%", n)
            theirs.warning("another one")
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                for _ in range(3 * SAID_AT_MOST):
                    warnings.warn("an old way", stacklevel=1)
    text = written(search)
    assert text.count("is slow") == SAID_AT_MOST
    assert text.count("repeats are left out from here on") == 2
    assert "another one" in text
    assert text.count("at 20 %") == 3 * SAID_AT_MOST
    assert text.count("UserWarning: an old way") == SAID_AT_MOST


def test_logging_is_left_as_it_was(search):
    """Handlers, levels and warnings are those of before, whatever Ray had set up."""
    ray, root, own = (logging.getLogger(name) for name in ("ray", None, "tune"))
    handler = logging.StreamHandler()
    ray.addHandler(handler)
    shown = warnings.showwarning
    before = [(list(x.handlers), x.level, x.propagate) for x in (ray, root, own)]
    try:
        with SearchLog() as log:
            log.open(search, as_is)
            with engine_logs():
                assert ray.handlers == []
                ray.warning("to the file")
        assert [(list(x.handlers), x.level, x.propagate) for x in (ray, root, own)] == before
        assert warnings.showwarning is shown
        assert "to the file" in written(search)
    finally:
        ray.removeHandler(handler)


def test_its_name_is_what_a_user_would_type(search, monkeypatch):
    """From where the command runs; whole where the records lie elsewhere."""
    log = SearchLog()
    with log:
        log.open(search, as_is)
    assert log.shown == str(search.path / "log.txt")
    monkeypatch.chdir(search.path.parent)
    assert log.shown == "s/log.txt"
