"""Read the built-in corpus, which has no files."""

from __future__ import annotations

import itertools
import re

from goemo.data import sample
from goemo.data.tables import PUBLISHED, SPLIT_FILES, Read, Table
from goemo.data.taxonomy import GOEMOTIONS
from goemo.errors import InputError


def read_sample(rows: str, seed: int) -> Read:
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
    tables = [Table(name) for name in SPLIT_FILES]
    for table, (start, end) in zip(tables, itertools.pairwise(bounds), strict=True):
        for line, (text, labels) in enumerate(examples[start:end], start=1):
            table.add(line, text, labels, None)
    return Read(tables, GOEMOTIONS, PUBLISHED + " of the sample", splitting=f"seeded 80/10/10, seed {seed}")
