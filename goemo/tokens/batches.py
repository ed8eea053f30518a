"""Batches of rows of similar length: seeded and reproducible.

Short texts that share a batch with a long one are mostly padding. So an epoch is shuffled first, then
sorted by length within windows of many batches, split into batches, and the batches are shuffled. Which texts
fall into a window stays random, and every example comes exactly once an epoch. Nothing here has a state:
the batches of an epoch follow from the seed and the epoch alone, so a training can go on from any step.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

# Wide enough that batches of 16 short comments hold under 5 per cent padding, narrow enough to stay random.
WINDOW_BATCHES = 50

# Large batches get fewer: in a window as long as the epoch, the same texts would always meet.
_MOST_WINDOW_ROWS = 4096

# Widths that are multiples of this suit vector units and keep the number of distinct shapes small.
WIDTH_MULTIPLE = 8


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return the number of batches in an epoch; the smaller one is a batch too."""
    return -(-examples // batch_size)


def epoch_batches(
    lengths: NDArray[np.int64],
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    window_batches: int | None = None,
) -> list[Rows]:
    """Return the batches of one epoch as row numbers.

    Texts of equal length keep the random order of the shuffle. Where ``batch_size`` does not divide the
    number of examples, one batch is smaller; its rows are random ones, not the longest.

    Args:
        lengths: Tokens of each text, shape (n,).
        batch_size: Examples a batch, at least 1.
        seed: At least 0.
        epoch: Counted from 0.
        window_batches: Batches among which texts are sorted; 1 is a plain shuffle. By default 50, or as many
            as hold 4,096 rows, and at least 2.

    Returns:
        ``steps_per_epoch`` arrays that hold each of 0..n-1 once.
    """
    if window_batches is None:
        window_batches = max(2, min(WINDOW_BATCHES, _MOST_WINDOW_ROWS // batch_size))
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    whole = len(order) - len(order) % batch_size
    batches: list[Rows] = []
    for start in range(0, whole, window_batches * batch_size):
        window = order[start : min(start + window_batches * batch_size, whole)]
        if window_batches > 1:
            window = window[np.argsort(lengths[window], kind="stable")]
        batches.extend(window.reshape(-1, batch_size))
    if whole < len(order):
        batches.append(order[whole:])
    return [batches[i] for i in random.permutation(len(batches))]


def length_order_batches(lengths: NDArray[np.int64], batch_size: int) -> Iterator[Rows]:
    """Yield every row once, longest texts first, for passes that only look.

    The longest first, so that memory that does not suffice shows at once.
    """
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def equal_lengths(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the places of equal lengths, the longest first, each group in its order."""
    return [np.flatnonzero(lengths == length) for length in np.unique(lengths)[::-1]]


def length_order_passes(lengths: NDArray[np.int64], tokens: int) -> Iterator[Rows]:
    """Yield every row once, longest texts first, as many together as hold about so many padded tokens.

    Args:
        lengths: Tokens of each text, shape (n,); an empty text may have none.
        tokens: What a pass holds at most when its texts are padded to the longest; a longer text goes alone.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        together = max(1, tokens // max(1, int(lengths[order[start]])))
        yield order[start : start + together]
        start += together


def texts_per_pass(tokens: int, max_length: int, *, most: int = 256) -> int:
    """Return how many texts hold about so many tokens when all are of the maximum length; 1 to ``most``."""
    return max(1, min(most, tokens // max_length))


def padded_width(longest: int, max_length: int, multiple: int = WIDTH_MULTIPLE) -> int:
    """Return the columns of a batch: ``longest`` rounded up to a multiple, 1 to ``max_length``."""
    return min(max(1, -(-longest // multiple)) * multiple, max_length)
