"""Data for tests of reading: written to files, loaded with options, or refused with all problems."""

from __future__ import annotations

import csv
import json

import pytest

from goemo.configuration.data import DataOptions
from goemo.data import load_splits
from goemo.errors import InputError


def load(source, **options):
    return load_splits(str(source), options=DataOptions.parse(options))


def problems(source, **options):
    """Return why a source is refused, one problem a line."""
    with pytest.raises(InputError) as error:
        load(source, **options)
    return "\n".join(error.value.problems)


def write_csv(path, header, lines, **dialect):
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, **dialect).writerows([header, *lines])
    return path


def write_json_lines(path, records):
    path.write_text("\n".join(map(json.dumps, records)))
    return path
