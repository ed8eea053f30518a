"""Iterative stratification: every split gets its share of every label, rare labels first.

Sechidis, Tsoumakas and Vlahavas (2011), On the Stratification of Multi-Label Data, algorithm 1; here whole
groups of rows are dealt instead of single rows, and frequent enough labels are sure of a few positives
everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAST_POSITIVES = 3  # in each split, of labels that have as many for three splits
_MOST_SWAPS = 20_000  # tried for a label and a split; a second at most


def deal(
    groups: NDArray[np.int64], targets: NDArray[np.bool_], sizes: Sequence[int], seed: int
) -> NDArray[np.int64]:
    """Return the split of each row; rows of one group get the same.

    Args:
        groups: The group of each row, from 0 without gaps, shape (n_rows,).
        targets: True where the label applies, shape (n_rows, n_labels).
        sizes: Rows wanted in each split, summing to ``n_rows``. They are kept where every group has one row
            and ``LEAST_POSITIVES`` do not ask for more.
        seed: Decides between groups and splits that are alike; the order of the labels does not.
    """
    # The order in which a layout names the labels must not matter where labels are equally rare.
    order = sorted(range(targets.shape[1]), key=lambda label: np.packbits(targets[:, label]).tobytes())
    dealing = _Dealing(groups, targets[:, order], sizes, np.random.default_rng(seed))
    dealing.deal_labels()
    dealing.deal_rest()
    dealing.mend()
    return dealing.of_group[groups]


class _Dealing:
    """Groups on their way into splits.

    Attributes:
        of_group: Split of each group, -1 while it has none; shape (n_groups,).
        room: Rows that each split still takes; below 0 where rare labels asked for more.
        positives: Positives of each label in each split so far, shape (n_labels, n_splits).
    """

    def __init__(
        self,
        groups: NDArray[np.int64],
        targets: NDArray[np.bool_],
        sizes: Sequence[int],
        random: np.random.Generator,
    ) -> None:
        self._random = random
        self._size = np.bincount(groups, minlength=0)
        counts = targets.sum(axis=0, dtype=np.int64)
        self._labels = _labels_of_groups(groups, targets, len(self._size))
        self.of_group = np.full(len(self._size), -1, dtype=np.int64)
        self.room = list(sizes)
        shares = np.array(sizes) / max(sum(sizes), 1)
        self._least = np.where(counts >= LEAST_POSITIVES * 3, LEAST_POSITIVES, 0)
        self._wanted = _wanted(counts, shares, self._least)
        self._left = counts.copy()  # positives in groups that are not dealt yet
        self.positives = np.zeros((len(counts), len(sizes)), dtype=np.int64)
        self._by_label = _groups_of_labels(self._labels, len(counts))

    def deal_labels(self) -> None:
        """Deal the groups that have labels: of those left, the rarest label's first."""
        while True:
            waiting = np.flatnonzero(self._left > 0)
            if not len(waiting):
                return
            label = int(waiting[np.argmin(self._left[waiting])])
            groups = [group for group in self._by_label[label] if self.of_group[group] < 0]
            for index in self._random.permutation(len(groups)).tolist():
                self._put(groups[index], self._best(label, int(self._size[groups[index]])))

    def deal_rest(self) -> None:
        """Deal the groups without labels to where there is most room, large ones first."""
        rest = self._random.permutation(np.flatnonzero(self.of_group < 0))
        for group in rest[np.argsort(-self._size[rest], kind="stable")].tolist():
            self._put(group, int(np.argmax(self.room)))

    def mend(self) -> None:
        """Move or swap groups where a split lacks positives of a label, as long as fewer are lacking then."""
        for label in np.flatnonzero((self.positives < self._least[:, None]).any(axis=1)).tolist():
            for split in np.flatnonzero(self.positives[label] < self._least[label]).tolist():
                for group in self._by_label[label]:
                    if self.positives[label, split] >= self._least[label]:
                        break
                    if self.of_group[group] != split and self._is_spare(group):
                        self._exchange(group, split)
                self._swap_in(label, split)

    def _swap_in(self, label: int, split: int) -> None:
        """Swap groups for others of the split until it lacks no positives of a label, or no swap helps."""
        tried = 0
        for group in self._by_label[label]:
            origin = int(self.of_group[group])
            if origin == split:
                continue
            for other in np.flatnonzero(self.of_group == split).tolist():
                if self.positives[label, split] >= self._least[label] or tried >= _MOST_SWAPS:
                    return
                tried += 1
                before = self._lacking()
                self._put(group, split)
                self._put(other, origin)
                if self._lacking() < before:
                    break
                self._put(group, origin)
                self._put(other, split)

    def _lacking(self) -> int:
        """Return how many positives are missing in all splits."""
        return int(np.maximum(self._least[:, None] - self.positives, 0).sum())

    def _best(self, label: int, size: int) -> int:
        """Return the split for a group: one that lacks the label, else the one that wants it most."""
        has, wanted = self.positives[label].tolist(), self._wanted[label].tolist()
        least = int(self._least[label])
        chance = self._random.random(len(self.room)).tolist()
        lacks = [max(least - count, 0) if split else 0 for split, count in enumerate(has)]
        if any(lacks):  # the first split is the largest and gets its share anyway
            return max(range(len(has)), key=lambda split: (lacks[split], chance[split]))
        fits = [split for split, room in enumerate(self.room) if room >= size]
        return max(
            fits or [int(np.argmax(self.room))],
            key=lambda split: (wanted[split] - has[split], self.room[split], chance[split]),
        )

    def _put(self, group: int, split: int) -> None:
        before = int(self.of_group[group])
        labels, counts = self._labels[group]
        if before >= 0:
            self.room[before] += int(self._size[group])
            self.positives[labels, before] -= counts
        else:
            self._left[labels] -= counts
        self.of_group[group] = split
        self.room[split] -= int(self._size[group])
        self.positives[labels, split] += counts

    def _is_spare(self, group: int) -> bool:
        """Say whether every label keeps its least positives where the group is taken away."""
        labels, counts = self._labels[group]
        left = self.positives[labels, self.of_group[group]] - counts
        return bool((left >= self._least[labels]).all())

    def _exchange(self, group: int, split: int) -> None:
        """Move a group, and one of the same size the other way where that can be done."""
        origin = int(self.of_group[group])
        self._put(group, split)
        alike = np.flatnonzero((self.of_group == split) & (self._size == self._size[group]))
        back = next((other for other in alike.tolist() if other != group and self._is_spare(other)), None)
        if back is not None:
            self._put(back, origin)


def _labels_of_groups(
    groups: NDArray[np.int64], targets: NDArray[np.bool_], n_groups: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the labels of each group, and in how many of its rows each applies."""
    rows, labels = np.nonzero(targets)
    width = max(targets.shape[1], 1)
    keys, counts = np.unique(groups[rows] * width + labels, return_counts=True)
    ends = np.searchsorted(keys, np.arange(1, n_groups) * width)
    return list(zip(np.split(keys % width, ends), np.split(counts, ends), strict=True)) if n_groups else []


def _groups_of_labels(
    labels: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], n_labels: int
) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(n_labels)]
    for group, (of_group, _) in enumerate(labels):
        for label in of_group.tolist():
            found[label].append(group)
    return found


def _wanted(
    counts: NDArray[np.int64], shares: NDArray[np.float64], least: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the positives that each split should get of each label, shape (n_labels, n_splits)."""
    wanted = np.maximum(counts[:, None] * shares, least[:, None])
    wanted[:, 0] = counts - wanted[:, 1:].sum(axis=1)
    return wanted
