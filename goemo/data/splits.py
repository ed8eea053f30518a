"""From a source to three checked splits."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goemo.data.built_in import read_sample
from goemo.data.files import read_path
from goemo.data.hub import read_hub
from goemo.data.labels import label_names, label_targets, reject_multi_hot
from goemo.data.tables import PUBLISHED, SOURCES, SPLIT_FILES, Read, nearest, refuse
from goemo.data.taxonomy import check_taxonomy, group_targets
from goemo.errors import InputError

SCHEMES = ("sample", "dir", "file", "hub")
# The fewest rows of which a tenth, rounded, is LEAST_VALIDATION_ROWS.
LEAST_ROWS_TO_SPLIT = 15
# Thresholds are fitted on some rows of validation and judged on others.
LEAST_VALIDATION_ROWS = 2


@dataclass(frozen=True, eq=False)
class Split:
    """One part of the data.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        texts: The texts as they stand in the source, none empty.
        targets: True where the label applies, shape (n_examples, n_labels).
        ids: The source's own ids, else file and line.
        digest: SHA-256 over label names, texts and targets; the same data from another place has
            the same digest.
    """

    name: str
    texts: list[str]
    targets: NDArray[np.bool_]
    ids: list[str]
    digest: str

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class Splits:
    """The three splits of one data set.

    Attributes:
        source: As asked for.
        taxonomy: ``fine``, ``ekman`` or ``sentiment``.
        labels: Names of the columns of every split's targets.
        train: What models learn from.
        validation: What selects and fits thresholds.
        test: What is opened at the end.
        splitting: Who made the splits: ``official``, or ``seeded 80/10/10, seed 42``.
        notes: What a user should see: texts that stand in two splits, labels without training rows.
    """

    source: str
    taxonomy: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    splitting: str
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the three splits."""
        return hashlib.sha256("".join(split.digest for split in self.splits()).encode()).hexdigest()

    def splits(self) -> tuple[Split, Split, Split]:
        """Return train, validation and test, in that order."""
        return self.train, self.validation, self.test


def load_splits(source: str, taxonomy: str = "fine", *, seed: int = 42) -> Splits:
    """Load train, validation and test, and refuse data with a single unreadable row.

    Sources:

    * ``sample:`` or ``sample:ROWS``: the built-in corpus, ROWS rows in all (see ``goemo.data.sample``).
    * ``dir:PATH``: a folder with ``train``, ``dev`` (or ``validation``, ``valid``, ``val``) and
      ``test`` as ``.tsv`` (text, comma-separated labels, optional id; no header, no quoting) or as
      ``.csv``, ``.parquet`` or ``.jsonl`` with ``text`` and ``labels`` (and an optional ``id``).
    * ``file:PATH``, or a folder that holds one such file with ``text`` and ``labels`` and nothing
      else: no official splits, so 80/10/10 by a permutation seeded with ``seed``; at least 15 rows.
    * ``hub:ID`` or ``hub:ID:CONFIGURATION``: a data set of the Hugging Face hub, or of its local cache.

    A path that exists may stand without ``dir:`` or ``file:``.

    Labels are indices or names, as a list or as text that separates them by ``,``, ``;`` or ``|``.
    Their names come from ``labels.txt`` in the folder (one a line, in index order). Without it they
    are the sorted names of all splits (published order when they are the 28 of GoEmotions); indices
    alone mean the 28 of GoEmotions where they fit (below 28 in a ``.tsv``; reaching 27 elsewhere).
    A name outside train that is almost one of train's is then a problem: it is likely misspelt.
    No row may have a label twice, which is how rows of 0 and 1, one a label, show themselves. A row
    without labels is all false, except in a ``.tsv``: that layout always has one, so an empty
    column there is damage. Validation has at least 2 rows.

    Args:
        source: Where the data is.
        taxonomy: ``fine`` keeps the labels; ``ekman`` and ``sentiment`` group those of GoEmotions.
        seed: Seeds the built-in corpus, and the splits of data that has none.

    Raises:
        InputError: The source or its data is wrong: all problems at once, the first 20 in full.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    check_taxonomy(taxonomy)
    read, rest = _reader(source)
    found = read(rest, seed)
    labels, named_by = label_names(found)
    for table in found.tables:
        reject_multi_hot(table, len(labels))
    targets = [label_targets(table, labels, named_by) for table in found.tables]
    refuse(source, [*found.problems, *itertools.chain(*(table.messages() for table in found.tables))])
    splitting = found.splitting
    parts = [(table.texts, table.ids, rows) for table, rows in zip(found.tables, targets, strict=True)]
    if len(parts) == 1:
        splitting, parts = f"seeded 80/10/10, seed {seed}", _seeded_split(source, *parts[0], seed)
    _refuse_short_validation(source, parts[1])
    grouped = [group_targets(rows, labels, taxonomy) for _, _, rows in parts]
    labels = grouped[0][1]
    train, validation, test = (
        Split(name, texts, rows, ids, _digest(labels, texts, rows))
        for name, (texts, ids, _), (rows, _) in zip(SPLIT_FILES, parts, grouped, strict=True)
    )
    notes = (
        *_naming_note(named_by),
        *_overlap_notes(train, validation, test),
        *_absence_notes(labels, train),
    )
    return Splits(source, taxonomy, labels, train, validation, test, splitting, notes)


def _reader(source: str) -> tuple[Callable[[str, int], Read], str]:
    scheme, colon, rest = source.partition(":")
    readers = {"sample": read_sample, "dir": read_path, "file": read_path, "hub": read_hub}
    if colon and scheme in readers:
        return readers[scheme], rest
    if source and Path(source).expanduser().exists():
        return read_path, source
    if colon:
        raise InputError(source, [f"unknown kind of source{nearest(scheme, SCHEMES)}; {SOURCES}"])
    raise InputError(source or "data source", [f"no such file or folder; {SOURCES}"])


def _digest(labels: Sequence[str], texts: Sequence[str], targets: NDArray[np.bool_]) -> str:
    content = hashlib.sha256(json.dumps([labels, texts]).encode())
    content.update(np.packbits(targets).tobytes())
    return content.hexdigest()


_Part = tuple[list[str], list[str], NDArray[np.bool_]]  # texts, ids, targets


def _seeded_split(
    source: str, texts: list[str], ids: list[str], targets: NDArray[np.bool_], seed: int
) -> list[_Part]:
    """Deal rows into 80/10/10 by a permutation that depends on the seed and the number of rows."""
    if len(texts) < LEAST_ROWS_TO_SPLIT:
        raise InputError(
            source, [f"must have at least {LEAST_ROWS_TO_SPLIT} rows to be split, got {len(texts)}"]
        )
    order = np.random.default_rng(seed).permutation(len(texts))
    tenth = round(len(texts) / 10)
    # Sorted: within a split, rows keep the order of the file.
    parts = [np.sort(part) for part in np.split(order, [len(texts) - 2 * tenth, len(texts) - tenth])]
    return [([texts[row] for row in rows], [ids[row] for row in rows], targets[rows]) for rows in parts]


def _refuse_short_validation(source: str, validation: _Part) -> None:
    rows = len(validation[0])
    if rows < LEAST_VALIDATION_ROWS:
        rule = f"validation must have at least {LEAST_VALIDATION_ROWS} rows, got {rows}"
        raise InputError(source, [f"{rule}; thresholds are fitted on some and judged on others: add rows"])


def _overlap_notes(*splits: Split) -> list[str]:
    distinct = {split.name: set(split.texts) for split in splits}
    counts = {(a, b): len(distinct[a] & distinct[b]) for a, b in itertools.combinations(distinct, 2)}
    return [f"{_count(shared, 'text')} in both {a} and {b}" for (a, b), shared in counts.items() if shared]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun} stands" if number == 1 else f"{number} {noun}s stand"


def _absence_notes(labels: Sequence[str], train: Split) -> list[str]:
    absent = [labels[column] for column in np.flatnonzero(~train.targets.any(axis=0)).tolist()]
    return [f"no training row has the label {', '.join(absent)}"] if absent else []


def _naming_note(named_by: str) -> list[str]:
    return [f"labels.txt is missing: the indices are read as {PUBLISHED}"] if named_by == PUBLISHED else []
