"""Iterative stratification: every split gets its share of every label, rare labels first.

Sechidis, Tsoumakas and Vlahavas (2011), On the Stratification of Multi-Label Data, algorithm 1; here whole
groups of rows are dealt instead of single rows, and frequent enough labels are sure of a few positives
everywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from operator import sub

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
    return np.array(dealing.of_group, dtype=np.int64)[groups]


class _Dealing:
    """Groups on their way into splits; plain lists, because a group has one or two labels.

    Attributes:
        of_group: Split of each group, -1 while it has none.
        room: Rows that each split still takes; below 0 where rare labels asked for more.
        positives: Of each label, how many each split has so far.
    """

    def __init__(
        self,
        groups: NDArray[np.int64],
        targets: NDArray[np.bool_],
        sizes: Sequence[int],
        random: np.random.Generator,
    ) -> None:
        self._random = random
        self._size: list[int] = np.bincount(groups, minlength=0).tolist()
        counts = targets.sum(axis=0, dtype=np.int64)
        self._labels = _labels_of_groups(groups, targets, len(self._size))
        self.of_group = [-1] * len(self._size)
        self.room = list(sizes)
        shares = np.array(sizes) / max(sum(sizes), 1)
        least = np.where(counts >= LEAST_POSITIVES * 3, LEAST_POSITIVES, 0)
        self._least: list[int] = least.tolist()
        self._wanted: list[list[float]] = _wanted(counts, shares, least).tolist()
        self._left: list[int] = counts.tolist()  # positives in groups that are not dealt yet
        self.positives = [[0] * len(sizes) for _ in counts]
        self._by_label: list[list[int]] = [[] for _ in counts]
        for group, labels in enumerate(self._labels):
            for label, _ in labels:
                self._by_label[label].append(group)

    def deal_labels(self) -> None:
        """Deal the groups that have labels: of those left, the rarest label's first."""
        while any(self._left):
            label = min((label for label, left in enumerate(self._left) if left), key=self._left.__getitem__)
            groups = [group for group in self._by_label[label] if self.of_group[group] < 0]
            order = self._random.permutation(len(groups)).tolist()
            chances = self._random.random((len(groups), len(self.room)))
            for position, index in enumerate(order):
                self._put(groups[index], self._best(label, self._size[groups[index]], chances, position))

    def deal_rest(self) -> None:
        """Deal the groups without labels to where there is most room, large ones first."""
        rest = self._random.permutation(np.flatnonzero(np.array(self.of_group) < 0))
        sizes = np.array(self._size)[rest]
        for group in rest[np.argsort(-sizes, kind="stable")].tolist():
            self._put(group, self.room.index(max(self.room)))

    def mend(self) -> None:
        """Move or swap groups where a split lacks positives of a label, as long as fewer are lacking then."""
        for label, (positives, least) in enumerate(zip(self.positives, self._least, strict=True)):
            for split in [split for split, has in enumerate(positives) if has < least]:
                for group in self._by_label[label]:
                    if positives[split] >= least:
                        break
                    if self.of_group[group] != split and self._is_spare(group):
                        self._exchange(group, split)
                self._swap_in(label, split)

    def _swap_in(self, label: int, split: int) -> None:
        """Swap groups for others of the split until it lacks no positives of a label, or no swap helps."""
        tried, others = 0, self._groups_in(split)
        for group in self._by_label[label]:
            origin = self.of_group[group]
            if origin == split:
                continue
            for other in others:
                if self.positives[label][split] >= self._least[label] or tried >= _MOST_SWAPS:
                    return
                tried += 1
                before = self._lacking()
                self._put(group, split)
                self._put(other, origin)
                if self._lacking() < before:
                    others = self._groups_in(split)
                    break
                self._put(group, origin)
                self._put(other, split)

    def _groups_in(self, split: int) -> list[int]:
        return [group for group, where in enumerate(self.of_group) if where == split]

    def _lacking(self) -> int:
        """Return how many positives are missing in all splits."""
        pairs = zip(self.positives, self._least, strict=True)
        return sum(max(least - has, 0) for positives, least in pairs if least for has in positives)

    def _best(self, label: int, size: int, chances: NDArray[np.float64], position: int) -> int:
        """Return the split for a group: one that lacks the label, else the one that wants it most."""
        has, least = self.positives[label], self._least[label]
        lacks = list(map(sub, self._wanted[label], has))
        is_lacking = least and min(has[1:], default=least) < least
        # Nearly always one split wants it most and has room: found without a look at ties.
        if not is_lacking and min(self.room) >= size and lacks.count(most := max(lacks)) == 1:
            return lacks.index(most)
        splits, chance = range(len(has)), chances[position]
        if is_lacking:  # the first split is the largest and gets its share anyway
            return max((least - has[split], chance[split], split) for split in splits[1:])[-1]
        fits = [split for split in splits if self.room[split] >= size] or [self.room.index(max(self.room))]
        return max((lacks[split], self.room[split], chance[split], split) for split in fits)[-1]

    def _put(self, group: int, split: int) -> None:
        before, size, positives = self.of_group[group], self._size[group], self.positives
        for label, count in self._labels[group]:
            positives[label][split] += count
            if before < 0:
                self._left[label] -= count
            else:
                positives[label][before] -= count
        if before >= 0:
            self.room[before] += size
        self.of_group[group] = split
        self.room[split] -= size

    def _is_spare(self, group: int) -> bool:
        """Say whether every label keeps its least positives where the group is taken away."""
        split = self.of_group[group]
        return all(
            self.positives[label][split] - count >= self._least[label] for label, count in self._labels[group]
        )

    def _exchange(self, group: int, split: int) -> None:
        """Move a group, and one of the same size the other way where that can be done."""
        origin, size = self.of_group[group], self._size[group]
        self._put(group, split)
        for other, where in enumerate(self.of_group):
            if where == split and other != group and self._size[other] == size and self._is_spare(other):
                self._put(other, origin)
                return


def _labels_of_groups(
    groups: NDArray[np.int64], targets: NDArray[np.bool_], n_groups: int
) -> list[tuple[tuple[int, int], ...]]:
    """Return the labels of each group, each with the number of its rows that have it.

    Groups with the same labels share them: hundreds of thousands of small objects are what takes time.
    """
    rows, labels = np.nonzero(targets)
    width = max(targets.shape[1], 1)
    keys, counts = np.unique(groups[rows] * width + labels, return_counts=True)
    most = int(counts.max(initial=0)) + 1
    codes = (keys % width * most + counts).tolist()
    ends = np.searchsorted(keys, np.arange(n_groups + 1) * width).tolist()
    known: dict[tuple[int, ...], tuple[tuple[int, int], ...]] = {}
    found = []
    for start, end in itertools.pairwise(ends):
        coded = tuple(codes[start:end])
        if coded not in known:
            known[coded] = tuple(divmod(code, most) for code in coded)
        found.append(known[coded])
    return found


def _wanted(
    counts: NDArray[np.int64], shares: NDArray[np.float64], least: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the positives that each split should get of each label, shape (n_labels, n_splits)."""
    wanted = np.maximum(counts[:, None] * shares, least[:, None])
    wanted[:, 0] = counts - wanted[:, 1:].sum(axis=1)
    return wanted
