"""Data sources. Each finds its files or rows, and says which split they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from goemo.configuration.data import DataOptions
from goemo.configuration.plugins import SOURCE, Plugin, plugins
from goemo.data.places import parted
from goemo.data.tables import SourceContent

SourceReader = Callable[[str, int, DataOptions], SourceContent]


def open_source(source: str, seed: int, options: DataOptions) -> SourceContent:
    """Read what a source holds.

    Raises:
        InputError: There is no such source, or it does not hold data.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    scheme, place = parted(source)
    return _reader(scheme)(place, seed, options)


def _reader(scheme: str) -> SourceReader:
    if scheme == "sample":
        from goemo.data.sources.sample import read_sample

        return read_sample
    if scheme == "hub":
        from goemo.data.sources.hub import read_hub

        return read_hub
    if scheme in plugins(SOURCE):
        return partial(_read_added, plugins(SOURCE)[scheme])
    from goemo.data.sources.paths import read_path

    return read_path


def _read_added(plugin: Plugin, place: str, _seed: int, options: DataOptions) -> SourceContent:
    from goemo.data.sources.datasets import from_dataset

    return from_dataset(f"{plugin.entry.name}:{place}", plugin.function(place), options)
