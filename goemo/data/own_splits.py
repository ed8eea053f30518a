"""Splits for data that lacks them: seeded, so that the same data is always split the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from goemo.data.near import near_groups
from goemo.data.stratified import deal

# How searches were split, in the words of their records: "seeded 80/10/10" until labels were stratified.
Rule = Literal["stratified", "seeded"]


def assign(
    texts: Sequence[str],
    targets: NDArray[np.bool_],
    shares: Mapping[str, float],
    seed: int,
    rule: Rule = "stratified",
) -> NDArray[np.int64]:
    """Return the split of each row, as its position in ``shares``; shape (n_rows,).

    ``stratified`` keeps rows with the same text, but for case, punctuation and white space, in one split, and
    gives each split its share of every label, at least three positives of a label that has nine or more
    (`goemo.data.stratified`). The numbers of rows are exact unless texts or rare labels forbid it.
    ``seeded`` shuffles rows alone, in exact numbers: the rule of older searches.

    Args:
        texts: The rows' texts.
        targets: True where the label applies, shape (n_rows, n_labels).
        shares: How much of the rows each split gets, above 0, summing to 1. The first takes what rounding
            leaves over.
        seed: Decides together with the rows which row goes where.
        rule: What is dealt, and how.

    Raises:
        ValueError: ``targets`` does not have a row for each text, or the shares do not sum to 1.
    """
    if len(targets) != len(texts):
        raise ValueError(f"targets must have {len(texts)} rows, got {len(targets)}")
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"shares must sum to 1, got {sum(shares.values())}")
    sizes = split_sizes(len(texts), shares)
    if rule == "stratified":
        return deal(near_groups(texts), targets, sizes, seed)
    order = np.random.default_rng(seed).permutation(len(texts))
    assignment = np.zeros(len(texts), dtype=np.int64)
    assignment[order[sizes[0] :]] = np.repeat(np.arange(1, len(sizes)), sizes[1:])
    return assignment


def split_sizes(rows: int, shares: Mapping[str, float]) -> list[int]:
    """Return the rows of each split; the first takes what rounding leaves over."""
    others = [round(rows * share) for share in list(shares.values())[1:]]
    return [rows - sum(others), *others]
