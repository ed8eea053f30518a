"""Duplicate texts, and those whose labels contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.data.near import near_groups

EXAMPLES = 5


def exact_groups(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return a number for each text, the same for equal ones, in the order of the first of each."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def duplicates(
    texts: Mapping[str, Sequence[str]], targets: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Any]:
    """Return how many texts are repeated within and across splits, and which repeated ones contradict.

    Args:
        texts: Of each split.
        targets: Of each split, shape (n_rows, n_labels).

    Returns:
        For ``exact`` and ``near`` (after case, punctuation, symbols, white space): ``within`` is rows by
        split that repeat an earlier row of it; ``across`` is rows of the later split that also stand in the
        earlier one, by ``"test in train"``. ``contradicting`` is near groups of a split with several sets
        of labels; ``examples`` are the first of train: rows as (text, positions of labels).
    """
    every = [text for of_split in texts.values() for text in of_split]
    ends = np.cumsum([len(of_split) for of_split in texts.values()])[:-1]
    found: dict[str, Any] = {}
    for kind, numbers in (("exact", exact_groups(every)), ("near", near_groups(every))):
        groups = dict(zip(texts, np.split(numbers, ends), strict=True))
        found[kind] = {
            "within": {split: len(of) - len(np.unique(of)) for split, of in groups.items()},
            "across": {
                f"{b} in {a}": int(np.isin(groups[b], groups[a]).sum()) for a, b in combinations(groups, 2)
            },
        }
    contradicting = {split: contradictions(groups[split], targets[split]) for split in texts}
    found["contradicting"] = {split: len(rows) for split, rows in contradicting.items()}
    found["examples"] = [
        [(texts[split][row], np.flatnonzero(targets[split][row]).tolist()) for row in rows[:4]]
        for split in list(texts)[:1]
        for rows in contradicting[split][:EXAMPLES]
    ]
    return found


def contradictions(groups: NDArray[np.int64], targets: NDArray[np.bool_]) -> list[list[int]]:
    """Return the rows of each group that has more than one set of labels, in the order of the groups."""
    repeated = np.flatnonzero(np.bincount(groups)[groups] > 1)
    order = repeated[np.argsort(groups[repeated], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return [
        rows.tolist()
        for rows in np.split(order, starts[1:])
        if len(rows) > 1 and (targets[rows] != targets[rows[0]]).any()
    ]
