"""Loading of a source as three checked splits."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.configuration.data import DataOptions
from goemo.data.own_splits import Rule, assign, split_sizes
from goemo.data.reading import Part, Reading, read_source
from goemo.data.report import ReadReport
from goemo.data.stratified import LEAST_POSITIVES
from goemo.data.tables import counted, listed, refuse
from goemo.data.taxonomy import check_taxonomy, group_targets
from goemo.data.words import SPLIT_FILES
from goemo.errors import InputError

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
        splitting: Who made the splits: ``official``, or ``stratified 80/10/10, seed 42``.
        notes: What a user should see: texts that stand in two splits, labels without positives, likely slips.
        report: How it was read; None for splits that were not.
        unreadable: Rows that were left out because they cannot be read, each with place and reason.
    """

    source: str
    taxonomy: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    splitting: str
    notes: tuple[str, ...]
    report: ReadReport | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that it was read with, as `goemo.configuration.data.DataOptions` takes them."""
        return {} if self.report is None else self.report.options

    @property
    def texts_digest(self) -> str:
        """SHA-256 over the texts of the three splits, whatever their labels are."""
        texts = [split.texts for split in self.splits()]
        return hashlib.sha256(json.dumps(texts).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the three splits."""
        return hashlib.sha256("".join(split.digest for split in self.splits()).encode()).hexdigest()

    @property
    def facts(self) -> dict[str, Any]:
        """How it was read, as plain values: what a prepared folder and a bundle record of their data."""
        return {
            "source": self.source,
            "taxonomy": self.taxonomy,
            "splitting": self.splitting,
            **({"options": dict(self.options)} if self.options else {}),
            "notes": list(self.notes),
            "digest": self.digest,
            "examples": {split.name: len(split) for split in self.splits()},
        }

    def splits(self) -> tuple[Split, Split, Split]:
        """Return train, validation and test, in that order."""
        return self.train, self.validation, self.test


def load_splits(
    source: str,
    taxonomy: str = "fine",
    *,
    seed: int = 42,
    options: DataOptions | None = None,
    rule: Rule = "stratified",
    leaves_out_unreadable: bool = False,
) -> Splits:
    """Load train, validation and test, and refuse data with a single unreadable row.

    Sources:

    * ``sample:`` or ``sample:ROWS``: the built-in corpus, made by ``seed``.
    * ``dir:PATH``: a folder: a file or shards a split, one file without splits, folders of configurations, or
      what ``datasets`` saved. ``file:PATH``: one file. ``docs/data.md`` has the layouts.
    * ``hub:ID`` or ``hub:ID:CONFIGURATION``: a data set of the Hugging Face hub, or of its local cache.

    A path that exists may stand without ``dir:`` or ``file:``. A split that is missing is split off from
    train.

    Labels are indices or names. Names come from ``options.label_names``, else from ``labels.txt`` beside the
    data (one a line, in index order), else from the data set's own features, else from the columns or the
    rows (sorted; in published order when they are the 28 of GoEmotions). Indices without names are
    ``label_0``, ``label_1``, ...; in the layout in which GoEmotions is published (a ``.tsv`` of text, indices
    and id), its 28.
    A name outside train that is almost one of train's is a problem: it is likely misspelt. Validation has at
    least 2 rows.

    Args:
        source: Where the data is.
        taxonomy: ``fine`` keeps the labels; ``ekman`` and ``sentiment`` group those of GoEmotions.
        seed: Seeds the built-in corpus, and the splits that data does not have.
        options: How to read it, where that cannot be found out.
        rule: How splits that data does not have are made; ``seeded`` is that of older searches.
        leaves_out_unreadable: True to leave unreadable rows out and tell of them in ``unreadable``: to
            look at data, never to train on it.

    Raises:
        InputError: The source or its data is wrong: all problems at once, the first 20 in full.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    check_taxonomy(taxonomy)
    options = options or DataOptions()
    reading = read_source(source, seed, options, leaves_out_unreadable=leaves_out_unreadable)
    try:
        return splits_of(source, reading, taxonomy, seed=seed, options=options, rule=rule)
    except InputError as error:  # too few rows are left, for a reason that is known
        left_out = [f"{counted(rows, 'row')} {why}: left out" for why, rows in reading.left_out.items()]
        refuse(source, [*error.problems, *left_out, *reading.unreadable])
        raise


def splits_of(
    source: str,
    reading: Reading,
    taxonomy: str = "fine",
    *,
    seed: int = 42,
    options: DataOptions | None = None,
    rule: Rule = "stratified",
) -> Splits:
    """Make three splits of what was read; arguments and errors as in `load_splits`."""
    options = options or DataOptions()
    parts, splitting, lacking = _all_parts(source, reading, seed, rule)
    _refuse_short(source, parts)
    grouped = [group_targets(part.stacked(), reading.names.names, taxonomy) for part in parts]
    labels = grouped[0][1]
    train, validation, test = (
        Split(name, part.texts, rows, part.ids, digest_of(labels, part.texts, rows))
        for name, part, (rows, _) in zip(SPLIT_FILES, parts, grouped, strict=True)
    )
    warnings = (
        *reading.warnings,
        *lacking,
        *_overlap_notes(train, validation, test),
        *_absence_notes(labels, train, validation, test),
    )
    report = _report(
        reading, (train, validation, test), labels, splitting, warnings=warnings, options=options
    )
    notes = (*(note for note in reading.notes if note.startswith("labels.txt is missing")), *warnings)
    return Splits(
        source, taxonomy, labels, train, validation, test, splitting, notes, report, tuple(reading.unreadable)
    )


def digest_of(labels: Sequence[str], texts: Sequence[str], targets: NDArray[np.bool_]) -> str:
    """Return SHA-256 over label names, texts and targets of a split."""
    content = hashlib.sha256(json.dumps([labels, texts]).encode())
    content.update(np.packbits(targets).tobytes())
    return content.hexdigest()


def _all_parts(source: str, reading: Reading, seed: int, rule: Rule) -> tuple[list[Part], str, list[str]]:
    """Return train, validation and test, missing ones split off from train, who made them, and notes."""
    labels = reading.names.names
    has = {split: part for split, part in reading.parts.items() if split is not None}
    if not has or has.keys() == {"train"}:
        shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
        whole = next(iter(reading.parts.values()))
        dealt, about, notes = _cut(source, whole, labels, shares, seed=seed, rule=rule)
        return list(dealt.values()), f"{rule} 80/10/10, seed {seed}{about}", notes
    missing = [split for split in SPLIT_FILES if split not in has]
    if "train" in missing:
        raise InputError(source, [f"no rows of train; there are {', '.join(has)}"])
    if not missing:
        return [has[split] for split in SPLIT_FILES], reading.splitting, []
    shares = {"train": 1 - len(missing) / 10} | dict.fromkeys(missing, 0.1)
    dealt, about, notes = _cut(source, has["train"], labels, shares, seed=seed, rule=rule)
    has |= dealt
    official = " and ".join(split for split in SPLIT_FILES if split not in missing)
    held_out = " and ".join(f"10 % of train for {split}" for split in missing)
    splitting = f"official {official}; {rule} {held_out}, seed {seed}{about}"
    return [has[split] for split in SPLIT_FILES], splitting, notes


def _cut(
    source: str, part: Part, labels: Sequence[str], shares: dict[str, float], *, seed: int, rule: Rule
) -> tuple[dict[str, Part], str, list[str]]:
    """Deal the rows of a part into new ones; say whether their numbers, and rare labels', are as promised.

    Within each, rows keep the order of the file.
    """
    rows = len(part.texts)
    if rows < LEAST_ROWS_TO_SPLIT:
        missing = [split for split in shares if split != "train"]
        why = "" if len(missing) == 2 else f", from which {missing[0]} is split off, as there is none"
        what = f"must have at least {LEAST_ROWS_TO_SPLIT} rows to be split{why}, got {rows}"
        raise InputError(source, [what if len(missing) == 2 else f"train {what}"])
    targets = part.stacked()
    assignment = assign(part.texts, targets, shares, seed, rule)
    dealt = {}
    for position, split in enumerate(shares):
        chosen = np.flatnonzero(assignment == position)
        texts, ids = [part.texts[row] for row in chosen], [part.ids[row] for row in chosen]
        dealt[split] = Part(texts, ids, [targets[chosen]], part.files)
    if none := [split for split, dealt_part in dealt.items() if not dealt_part.texts]:
        why = (
            f"near-duplicate texts stay in one split, and only {len(set(part.texts))} of {rows} are distinct"
        )
        raise InputError(source, [f"{' and '.join(none)} would have no rows: {why}; add other texts"])
    is_exact = [len(dealt[split].texts) for split in shares] == split_sizes(rows, shares)
    about = "" if is_exact else "; shares are approximate because of equal texts or rare labels"
    return dealt, about, _lacking_notes(labels, dealt) if rule == "stratified" else []


def _lacking_notes(labels: Sequence[str], dealt: Mapping[str, Part]) -> list[str]:
    """Say which labels have fewer positives in a split than dealing gives where it can."""
    counts = np.stack([part.targets[0].sum(axis=0) for part in dealt.values()])
    frequent = counts.sum(axis=0) >= LEAST_POSITIVES * 3
    few = np.flatnonzero(frequent & (counts < LEAST_POSITIVES).any(axis=0)).tolist()
    if not few:
        return []
    named = [f"{labels[column]} ({'/'.join(map(str, counts[:, column].tolist()))})" for column in few]
    why = "near-duplicate texts stay in one split, and labels occur together"
    return [
        f"fewer than {LEAST_POSITIVES} positives in a split ({'/'.join(dealt)}) of {listed(named, 8)}: {why}"
    ]


def _refuse_short(source: str, parts: Sequence[Part]) -> None:
    rows = len(parts[1].texts)
    if rows < LEAST_VALIDATION_ROWS:
        rule = f"validation must have at least {LEAST_VALIDATION_ROWS} rows, got {rows}"
        raise InputError(source, [f"{rule}; thresholds are fitted on some and evaluated on others: add rows"])
    empty = [split for split, part in zip(SPLIT_FILES, parts, strict=True) if not part.texts]
    if empty:
        raise InputError(source, [f"{split} has no rows" for split in empty])


def _overlap_notes(*splits: Split) -> list[str]:
    distinct = {split.name: set(split.texts) for split in splits}
    counts = {(a, b): len(distinct[a] & distinct[b]) for a, b in itertools.combinations(distinct, 2)}
    return [
        f"{shared} {'text is' if shared == 1 else 'texts are'} in both {a} and {b}"
        for (a, b), shared in counts.items()
        if shared
    ]


def _absence_notes(labels: Sequence[str], *splits: Split) -> list[str]:
    names = {"train": "training"}
    absent = {
        split.name: [labels[column] for column in np.flatnonzero(~split.targets.any(axis=0)).tolist()]
        for split in splits
    }
    never = set(absent["train"])
    notes = []
    for split, missing in absent.items():
        # What training never sees is said once.
        named = missing if split == "train" else [label for label in missing if label not in never]
        if named:
            notes.append(f"no {names.get(split, split)} row has the label {listed(named)}")
    return notes


def _report(
    reading: Reading,
    splits: tuple[Split, Split, Split],
    labels: Sequence[str],
    splitting: str,
    *,
    warnings: Sequence[str],
    options: DataOptions,
) -> ReadReport:
    positives = [split.targets.sum(axis=0).tolist() for split in splits]
    return ReadReport(
        files={split or "all": list(part.files) for split, part in reading.parts.items()},
        layout=reading.layout,
        text=list(reading.roles.text),
        label_columns=list(reading.roles.labels),
        left_out=dict(reading.roles.left_out),
        labels={
            label: {split.name: counts[column] for split, counts in zip(splits, positives, strict=True)}
            for column, label in enumerate(labels)
        },
        named_by=reading.names.named_by,
        examples={split.name: len(split) for split in splits},
        rows_left_out=dict(reading.left_out),
        splitting=splitting,
        notes=list(reading.notes),
        warnings=list(warnings),
        options=options.changed(),
    )
