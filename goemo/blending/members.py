"""Members of a blend, and their weights, chosen on given rows.

Forward selection after Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of
models" (ICML 2004): begin with the best model, add the one that helps most, stop when none does. Two changes:
only the best of each kind may join, since models of one kind make the same mistakes (24 trials of one encoder
gained .0003 on GoEmotions), and at each step all weights in tenths are tried, which is cheap with so few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from goemo.arrays import Scores, Targets, to_logits
from goemo.evaluation import as_kept
from goemo.metrics import average
from goemo.thresholds import apply_thresholds, fit_thresholds
from goemo.thresholds.quality import counts

MOST_MEMBERS = 3
TENTHS = 10

# A step must raise the objective by more than this on the rows that choose: less is noise.
_LEAST_GAIN = 1e-4


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model that may be a member.

    Attributes:
        name: How it is called.
        kind: What it is; of each kind, one may join.
        scores: Of the rows, in [0, 1], as kept, shape (n_examples, n_labels).
    """

    name: str
    kind: str
    scores: Scores = field(repr=False)


@dataclass(frozen=True)
class Member:
    """A member of a blend, and its weight in tenths, 1 to 10; those of all members make 10."""

    name: str
    tenths: int

    @property
    def weight(self) -> float:
        """The weight, in (0, 1]."""
        return self.tenths / TENTHS


def blended_scores(scores: Sequence[Scores], tenths: Sequence[int]) -> NDArray[np.float32]:
    """Return the scores of a blend: the sigmoid of the weighted mean of its members' logits, as kept.

    Args:
        scores: Of the members, in [0, 1], shape (n_examples, n_labels) each.
        tenths: Their weights, which make 10.

    Returns:
        Same shape, rounded as kept scores are.

    Raises:
        ValueError: The weights do not make 10, are not as many as the members, or one is below 1.
    """
    if len(scores) != len(tenths) or sum(tenths) != TENTHS or min(tenths) < 1:
        raise ValueError(
            f"weights must be tenths, one per member, at least 1 each, and sum to 10, got {list(tenths)}"
        )
    # Rounded before, so that a served model, whose members score in float32, gives what was judged.
    mean = sum(weight * to_logits(as_kept(one)) for one, weight in zip(scores, tenths, strict=True)) / TENTHS
    return as_kept(expit(mean))


def pick_members(
    candidates: Sequence[Candidate], targets: Targets, *, metric: str = "macro_f1", **thresholds: Any
) -> tuple[Member, ...]:
    """Pick the members of a blend on these rows; a single one where no other helps.

    Args:
        candidates: At least one.
        targets: True where the label applies, shape (n_examples, n_labels).
        metric: What is maximised, one of :data:`goemo.metrics.AVERAGES`, with thresholds of the same rows.
        **thresholds: Method and options, as in :func:`goemo.thresholds.fit_thresholds`.

    Returns:
        At most `MOST_MEMBERS`, each of another kind, in the order in which they joined.

    Raises:
        ValueError: No candidates, or arrays as in :func:`goemo.thresholds.fit_thresholds`.
    """
    if not candidates:
        raise ValueError("a blend needs at least one candidate, got none")

    def objective(scores: Scores) -> float:
        predictions = apply_thresholds(scores, fit_thresholds(scores, targets, **thresholds))
        return float(average(metric, *(np.asarray(n, np.float64) for n in counts(predictions, targets))))

    best_of_kind: dict[str, tuple[float, Candidate]] = {}
    for one in candidates:
        value = objective(one.scores)
        if one.kind not in best_of_kind or value > best_of_kind[one.kind][0]:
            best_of_kind[one.kind] = (value, one)
    ranked = sorted(best_of_kind.values(), key=lambda found: -found[0])
    best, first = ranked[0]
    members = [first]
    tenths: tuple[int, ...] = (TENTHS,)
    others = [one for _, one in ranked[1:]]
    while others and len(members) < MOST_MEMBERS:
        tries = [
            (objective(blended_scores([*(m.scores for m in members), other.scores], weights)), weights, other)
            for other in others
            for weights in _weights(len(members) + 1)
        ]
        value, weights, other = max(tries, key=lambda tried: tried[0])
        if value <= best + _LEAST_GAIN:
            break
        best, tenths = value, weights
        members.append(other)
        others.remove(other)
    return tuple(Member(one.name, weight) for one, weight in zip(members, tenths, strict=True))


def _weights(members: int) -> list[tuple[int, ...]]:
    """Return all ways to share out ten tenths, at least one a member; the most equal first: it wins ties."""
    found = [shares for shares in product(range(1, TENTHS + 1), repeat=members) if sum(shares) == TENTHS]
    return sorted(found, key=lambda shares: (max(shares) - min(shares), shares))
