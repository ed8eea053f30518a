"""The built-in corpus, which has no files."""

from __future__ import annotations

import itertools
import re

from goemo.configuration.data import DataOptions
from goemo.data import sample
from goemo.data.tables import SourceContent, Table
from goemo.data.taxonomy import GOEMOTIONS, PUBLISHED
from goemo.data.words import SPLIT_FILES
from goemo.errors import InputError


def read_sample(rows: str, seed: int, _options: DataOptions) -> SourceContent:
    """Generate the corpus, of so many rows where any number is given, dealt 80/10/10.

    Raises:
        InputError: Not a number of rows that the generator makes.
    """
    least = sample.LEAST_ROWS
    number = int(rows) if re.fullmatch(r"[0-9]{1,9}", rows) else 0
    if rows and not least <= number <= sample.MOST_ROWS:
        rule = f"rows must be a whole number from {least} to {sample.MOST_ROWS}, got {rows!r}"
        raise InputError(f"sample:{rows}", [rule])
    examples = sample.generate(number or sample.DEFAULT_ROWS, seed)
    tenth = round(len(examples) / 10)
    bounds = [0, len(examples) - 2 * tenth, len(examples) - tenth, len(examples)]
    tables = []
    for name, (start, end) in zip(SPLIT_FILES, itertools.pairwise(bounds), strict=True):
        texts, labels = zip(*examples[start:end], strict=True)
        columns = {"text": list(texts), "labels": list(labels)}
        tables.append((name, Table(name, columns, range(1, end - start + 1))))
    splitting = f"seeded 80/10/10, seed {seed}"
    notes = ["the sample is synthetic, generated from phrases: scores on it say nothing about real texts"]
    return SourceContent(tables, GOEMOTIONS, PUBLISHED + " of the sample", notes=notes, splitting=splitting)
