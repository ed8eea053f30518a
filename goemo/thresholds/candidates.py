"""Candidate thresholds: the scores of positives, with what they predict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from goemo.arrays import Scores, Targets

# Labels are ranked in blocks of about this many scores, so that a million rows need no gigabytes.
BLOCK_SCORES = 2_000_000

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """The thresholds that can be best for some neighbouring labels, label by label, descending; c in all.

    A measure that grows with true positives and falls with false ones is best at the score of a positive: at
    any other score, the next higher positive's is better. The lowest score is there too, so that a label
    without a positive has a candidate.

    Of equal scores, the negatives are counted first. A threshold inside a group of equal scores cannot be
    made, but it is no candidate after its negatives, and after some of its positives the threshold below the
    group is better.

    Attributes:
        columns: Which labels, b of them.
        label: Of each candidate, from 0 to b - 1, shape (c,).
        starts: Where each label starts, shape (b,).
        thresholds: Scores, shape (c,).
        predicted: Examples down to the threshold, that score included, shape (c,).
        true_positives: Of those, the positives, shape (c,).
        positives: Of the candidate's label, shape (c,).
    """

    columns: slice
    label: NDArray[np.intp]
    starts: NDArray[np.intp]
    thresholds: Scores
    predicted: Integers
    true_positives: Integers
    positives: Integers

    def best(self, worth: NDArray[Any], *, lower_wins: bool = False) -> NDArray[np.intp]:
        """Return the place of each label's best candidate, shape (b,); of equal ones the highest threshold.

        Args:
            worth: Of the candidates, shape (c,).
            lower_wins: Take the lowest of equal ones instead.
        """
        is_best = worth == np.maximum.reduceat(worth, self.starts)[self.label]
        places = np.arange(len(worth))
        if lower_wins:
            return np.maximum.reduceat(np.where(is_best, places, -1), self.starts)
        return np.minimum.reduceat(np.where(is_best, places, len(worth)), self.starts)


def candidate_blocks(scores: Scores, targets: Targets) -> Iterator[Candidates]:
    """Yield the candidates of all labels, in blocks that bound the memory."""
    for columns in column_blocks(*scores.shape):
        yield _candidates(columns, scores[:, columns], targets[:, columns])


def column_blocks(examples: int, labels: int) -> Iterator[slice]:
    """Yield neighbouring labels, as many at a time as memory allows."""
    block = max(1, BLOCK_SCORES // examples)
    for start in range(0, labels, block):
        yield slice(start, min(start + block, labels))


def _candidates(columns: slice, scores: Scores, targets: Targets) -> Candidates:
    ranked, is_positive = _rank(scores, targets)  # (b, n) each
    is_candidate = is_positive.copy()
    is_candidate[:, -1] = True
    label, place = np.nonzero(is_candidate)
    found = np.concatenate([[0], np.cumsum(is_positive[is_candidate])])
    starts = np.searchsorted(label, np.arange(len(ranked)))
    ends = np.append(starts[1:], len(label))
    return Candidates(
        columns=columns,
        label=label,
        starts=starts,
        thresholds=ranked[is_candidate],
        predicted=place + 1,
        true_positives=found[1:] - found[starts][label],
        positives=(found[ends] - found[starts])[label],
    )


def _rank(scores: Scores, targets: Targets) -> tuple[Scores, Targets]:
    """Rank each label's scores downwards; of equal scores, the negatives come first.

    The bits of a float in [0, 1] sort like the float and leave the sign bit free: shifted by one, the
    target fits below them, and one sort without indices, several times faster than ``argsort``, does both.

    Returns:
        The scores in descending order, and whether each is that of a positive, both (l, n).
    """
    keys = np.array(scores.T, order="C")  # a copy
    bits: NDArray[np.unsignedinteger[Any]] = keys.view(f"u{keys.itemsize}")
    bits <<= 1  # this drops the sign of -0.0
    bits |= ~targets.T
    bits.sort(axis=1)
    descending = bits[:, ::-1]
    return cast("Scores", (descending >> 1).view(scores.dtype)), (descending & 1) == 0
