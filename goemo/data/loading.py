"""Rows without three splits: files to predict, and data to evaluate a model on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.configuration.data import DataOptions
from goemo.data.own_splits import Rule
from goemo.data.reading import Reading, read_source
from goemo.data.splits import Splits, digest_of, splits_of
from goemo.data.tables import counted
from goemo.data.taxonomy import GROUPINGS, group_targets
from goemo.errors import InputError

ALL = "all"  # the name of data that has no splits, as a whole


@dataclass(frozen=True, eq=False)
class Rows:
    """Texts with all columns of their rows, in the order of the file.

    Attributes:
        source: As asked for.
        texts: As they stand; those of several columns joined. An empty cell is an empty text.
        columns: All columns of the rows as they stand, by name.
        text_columns: Where the texts stand.
        notes: How it was read.
    """

    source: str
    texts: list[str]
    columns: Mapping[str, list[Any]]
    text_columns: tuple[str, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def load_rows(source: str, *, options: DataOptions | None = None, usual_text: Sequence[str] = ()) -> Rows:
    """Load the texts of a source, every row one, with all columns; labels are not looked for.

    Args:
        source: As of `goemo.data.load_splits`.
        options: How to read it, where that cannot be found out.
        usual_text: Columns that are the text where all of them are there and ``options`` names none.

    Raises:
        InputError: The source or its data is wrong: all problems at once, the first 20 in full.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    reading = read_source(source, 0, options or DataOptions(), needs_labels=False, usual_text=usual_text)
    texts = [text for part in reading.parts.values() for text in part.texts]
    return Rows(source, texts, reading.columns, reading.roles.text, tuple(reading.notes))


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows to judge a model on.

    Attributes:
        source: As asked for.
        split: ``validation``, ``test``, or ``all`` where the data has no splits.
        labels: Names of the columns of the targets.
        texts: None empty.
        targets: True where the label applies, shape (n_rows, n_labels).
        notes: What was read, and which rows of it these are.
    """

    source: str
    split: str
    labels: tuple[str, ...]
    texts: list[str]
    targets: NDArray[np.bool_]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, splits: Splits, split: str, notes: Sequence[str] = ()) -> Judged:
        """Return one of three splits."""
        part = {each.name: each for each in splits.splits()}[split]
        return cls(splits.source, split, splits.labels, part.texts, part.targets, tuple(notes))


def load_judged(
    source: str, split: str, known: Mapping[str, Any], *, options: DataOptions | None = None
) -> Judged:
    """Load the rows of a source that judge a model: those of the split, or all where it has no splits.

    A file without splits that the model was trained on is dealt as it was then, so that the rows it learned
    from do not judge it.

    Args:
        source: As of `goemo.data.load_splits`.
        split: ``validation`` or ``test``.
        known: Facts of the data that the model was trained on: ``taxonomy``, ``seed``, ``digest`` and, where
            there are any, ``splits``, ``splitting`` and ``options``.
        options: How to read it, where that cannot be found out.

    Raises:
        InputError: The source or its data is wrong: all problems at once, the first 20 in full.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    asked = options or DataOptions()
    seed = 42 if known.get("seed") is None else known["seed"]
    reading = read_source(source, seed, asked, usual_text=text_columns(known))
    taxonomy = _taxonomy(reading.names.names, known.get("taxonomy") or "fine")
    left_out = (f"{counted(rows, 'row')} {why}: left out" for why, rows in reading.left_out.items())
    notes = (*reading.notes, *left_out, *reading.warnings)
    if reading.parts.keys() not in ({None}, {"train"}):
        splits = splits_of(source, reading, taxonomy, seed=seed, options=asked)
        return Judged.of(splits, split, (*notes, f"splits: {splits.splitting}"))
    (part,) = reading.parts.values()
    if (dealt := _as_dealt(source, reading, taxonomy, seed, known)) is not None:
        alone = f"only its {split} rows are evaluated, as they were split then ({dealt.splitting})"
        return Judged.of(dealt, split, (*notes, f"{source} is what the model was trained on: {alone}"))
    if not part.texts:
        raise InputError(source, ["has no rows"])
    targets, labels = group_targets(part.stacked(), reading.names.names, taxonomy)
    none = "no splits" if None in reading.parts else "no split but train"
    every = f"{source} has {none}: all {counted(len(part.texts), 'row')} are evaluated"
    trained_on = _trained_on(digest_of(labels, part.texts, targets), known)
    return Judged(source, ALL, labels, part.texts, targets, (*notes, every, *trained_on))


def text_columns(known: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of the text that were asked for when data was read; empty where none were."""
    text = ((known.get("options") or {}).get("columns") or {}).get("text") or ()
    return (text,) if isinstance(text, str) else tuple(text)


def _taxonomy(names: Sequence[str], taxonomy: str) -> str:
    """Return the taxonomy, or ``fine`` where the data is in its groups already."""
    return "fine" if set(names) <= set(GROUPINGS.get(taxonomy, ())) else taxonomy


def _as_dealt(
    source: str, reading: Reading, taxonomy: str, seed: int, known: Mapping[str, Any]
) -> Splits | None:
    """Return the splits that a model was trained on, where these are its rows; None where they are not."""
    splitting = str(known.get("splitting") or "")
    rows = sum(len(part.texts) for part in reading.parts.values())
    if splitting.startswith("official") or sum((known.get("examples") or {}).values()) != rows:
        return None
    rule: Rule = "stratified" if "stratified" in splitting else "seeded"
    try:
        splits = splits_of(source, reading, taxonomy, seed=seed, rule=rule)
    except InputError:  # too few rows to be dealt, or other labels than the taxonomy's
        return None
    return splits if splits.digest == known.get("digest") else None


def _trained_on(digest: str, known: Mapping[str, Any]) -> list[str]:
    """Warn where the rows are a split that a model has seen."""
    seen = [name for name, facts in (known.get("splits") or {}).items() if facts.get("digest") == digest]
    return [f"warning: these are the {name} rows that the model has seen" for name in seen if name != "test"]
