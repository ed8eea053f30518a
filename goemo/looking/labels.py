"""Label frequencies, and the labels that co-occur with rare ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RAREST, BESIDE = 5, 3


def label_rows(labels: Sequence[str], targets: Mapping[str, NDArray[np.bool_]]) -> list[dict[str, Any]]:
    """Return each label with its positives by split and in all, the most frequent first."""
    counts = {split: of.sum(axis=0) for split, of in targets.items()}
    total = np.sum(list(counts.values()), axis=0)
    return [
        {
            "label": labels[column],
            "positives": int(total[column]),
            **{split: int(of[column]) for split, of in counts.items()},
        }
        for column in np.argsort(-total, kind="stable").tolist()
    ]


def rarest_beside(labels: Sequence[str], targets: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return the rarest labels that occur, each with the labels that stand beside it most often."""
    counts = targets.sum(axis=0)
    present = [column for column in np.argsort(counts, kind="stable").tolist() if counts[column]]
    found = []
    for column in present[:RAREST]:
        together = targets[targets[:, column]].sum(axis=0)
        together[column] = 0
        most = [other for other in np.argsort(-together, kind="stable")[:BESIDE].tolist() if together[other]]
        beside = {labels[other]: int(together[other]) for other in most}
        found.append({"label": labels[column], "positives": int(counts[column]), "beside": beside})
    return found


def labels_a_row(targets: NDArray[np.bool_]) -> dict[int, int]:
    """Return how many rows have how many labels."""
    numbers, rows = np.unique(targets.sum(axis=1), return_counts=True)
    return dict(zip(numbers.tolist(), rows.tolist(), strict=True))
