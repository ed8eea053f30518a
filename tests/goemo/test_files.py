"""Folders appear whole or not at all, and nothing that is not ours is ever removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from goemo.files import built_folder


def _age(path, days=2):
    then = time.time() - days * 24 * 3600
    os.utime(path, (then, then))


def _leftovers(parent):
    names = (".goemo-partial-old", ".partial-mine", ".goemo-partial-new", ".goemo-partial-file")
    for name in names[:-1]:
        (parent / name).mkdir()
        (parent / name / "file").write_text("x")
    (parent / names[-1]).write_text("x")
    for name in names:
        if name != ".goemo-partial-new":
            _age(parent / name)
    return set(names)


def test_only_our_own_old_folders_are_swept_and_only_in_a_cache(tmp_path):
    """A user's folders, even of a similar name, stay everywhere; so do young ones and files."""
    names = _leftovers(tmp_path)
    with built_folder(tmp_path / "bundle"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == names | {"bundle"}
    with built_folder(tmp_path / "cached", is_cache=True):
        pass
    assert {path.name for path in tmp_path.iterdir()} == names - {".goemo-partial-old"} | {"bundle", "cached"}


def _build(folder, **options):
    with built_folder(folder, **options) as partial:
        (partial / "new").write_text("new")
        (partial / "last").write_text("last")


def test_a_folder_that_came_first_stays_unless_it_is_replaced(tmp_path):
    """As when two processes make the same cache."""
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").write_text("old")
    _build(tmp_path / "f")
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["old"]
    _build(tmp_path / "f", replace=True)
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == ["last", "new"]
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("place", ["empty", "link", "working directory", "full working directory"])
def test_a_folder_that_cannot_be_renamed_over_is_filled(tmp_path, monkeypatch, place):
    """The folder stays the very same one, holds the new files alone, and the link still points to it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    target = folder
    if place == "link":
        target = tmp_path / "link"
        target.symlink_to(folder)
    elif "working" in place:
        monkeypatch.chdir(folder)
        target = Path()
        if "full" in place:
            (folder / "old").write_text("old")
    before = folder.stat().st_ino
    _build(target, replace=True, last="last")
    assert folder.stat().st_ino == before
    assert sorted(path.name for path in folder.iterdir()) == ["last", "new"]
    assert (tmp_path / "link").is_symlink() == (place == "link")


def test_the_last_file_comes_last(tmp_path, monkeypatch):
    """A crash while a folder is filled leaves it without the file that makes it whole."""
    (tmp_path / "f").mkdir()
    moved = []
    rename = Path.rename

    def failing(path, target):
        if moved:
            raise OSError("the disk is gone")
        moved.append(path.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        _build(tmp_path / "f", replace=True, last="last")
    assert [path.name for path in (tmp_path / "f").iterdir()] == moved == ["new"]


def test_an_error_leaves_nothing(tmp_path):
    """Neither the folder nor the unfinished one."""
    with pytest.raises(KeyboardInterrupt), built_folder(tmp_path / "f"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
