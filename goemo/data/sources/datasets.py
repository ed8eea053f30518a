"""A ``datasets.DatasetDict`` or ``Dataset``: its splits, its columns, the names of its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.formats.arrow import class_names, take_arrow
from goemo.data.tables import SourceContent, Table
from goemo.data.words import SPLIT_FILES, split_of
from goemo.errors import InputError


def from_dataset(source: str, dataset: Any, options: DataOptions) -> SourceContent:
    """Return the tables of the usual splits; further ones are left out, which is said.

    Raises:
        InputError: A split that is asked for is missing, or there is no train.
    """
    if not isinstance(dataset, Mapping):
        return SourceContent([(None, _table(source.rsplit("/", 1)[-1], dataset))])
    chosen, notes = _chosen(source, dataset, options), []
    used = {key for keys in chosen.values() for key in keys}
    if left := [str(key) for key in dataset if key not in used]:
        notes.append(f"left out: the splits {', '.join(left)}")
    tables = [(split, _table(str(key), dataset[key])) for split, keys in chosen.items() for key in keys]
    return SourceContent(tables, notes=notes)


def _chosen(source: str, dataset: Mapping[str, Any], options: DataOptions) -> dict[str | None, list[str]]:
    has = f"it has {', '.join(map(str, dataset))}"
    if given := options.split_sources():
        missing = [key for keys in given.values() for key in keys if key not in dataset]
        if missing or "train" not in given:
            rule = f"has no split {', '.join(missing)}" if missing else "must name the split for train"
            raise InputError(source, [f"data.splits: {rule}; {has}"])
        return {split: list(keys) for split, keys in given.items()}
    if len(dataset) == 1:
        return {None: list(dataset)}
    chosen: dict[str | None, list[str]] = {}
    for split, words in SPLIT_FILES.items():
        exact = [key for key in dataset if str(key).casefold() in words]
        keys = exact or [key for key in dataset if split_of(str(key)) == split]
        if keys:
            chosen[split] = keys[:1]
    if "train" not in chosen:
        rule = "must have train; validation (or dev) and test are split off from it where they are missing"
        raise InputError(source, [f"{rule}; {has}; data.splits says which is which"])
    return chosen


def _table(name: str, dataset: Any) -> Table:
    table = Table(name)
    if len(dataset):
        dataset.data.validate(full=True)  # before anything reads it, see `take_arrow`
        arrow = dataset.with_format("arrow")[:]
        take_arrow(table, arrow.schema, [arrow])
    else:
        table.columns = {column: [] for column in dataset.column_names}
        table.reject(0, "has no rows")
    table.class_names = class_names(dataset.features)
    return table
