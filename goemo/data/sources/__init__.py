"""Sources: where data comes from. Each finds its files or rows, and says which split they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from goemo.configuration.data import DataOptions
from goemo.data.sources.found import Found
from goemo.data.tables import SOURCES, nearest
from goemo.errors import InputError

SourceReader = Callable[[str, int, DataOptions], Found]
SCHEMES = ("sample", "dir", "file", "hub")


def check_source(source: str) -> None:
    """Refuse a source that is of no known kind, or a path where nothing is; nothing is read, in milliseconds.

    Raises:
        InputError: The source cannot be read.
    """
    scheme, place = _parted(source)
    if scheme in ("dir", "file") and (not place or not Path(place).expanduser().exists()):
        raise InputError(place or "data source", [f"no such file or folder; {SOURCES}"])


def open_source(source: str, seed: int, options: DataOptions) -> Found:
    """Read what a source holds.

    Raises:
        InputError: There is no such source, or it does not hold data.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    check_source(source)
    scheme, place = _parted(source)
    return _reader(scheme)(place, seed, options)


def _reader(scheme: str) -> SourceReader:
    if scheme == "sample":
        from goemo.data.sources.sample import read_sample

        return read_sample
    if scheme == "hub":
        from goemo.data.sources.hub import read_hub

        return read_hub
    from goemo.data.sources.paths import read_path

    return read_path


def _parted(source: str) -> tuple[str, str]:
    scheme, colon, rest = source.partition(":")
    if colon and scheme in SCHEMES:
        return scheme, rest
    if source and Path(source).expanduser().exists():
        return "dir", source
    if colon:
        raise InputError(source, [f"unknown kind of source{nearest(scheme, SCHEMES)}; {SOURCES}"])
    raise InputError(source or "data source", [f"no such file or folder; {SOURCES}"])
