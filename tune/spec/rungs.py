"""Rungs: where trials are compared during training, and which of them continue."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count, takewhile

TIES_FROM = 50  # per cent of a training from which a trial that is tied with the best is not stopped


def rungs(grace: float, reduction_factor: float) -> tuple[float, ...]:
    """Return the rungs ``grace * reduction_factor ** k`` below 100, in per cent of a training, ascending.

    At 100 a trial has ended, and nothing is left to save.
    """
    return tuple(takewhile(lambda rung: rung < 100, (grace * reduction_factor**k for k in count())))


def bar(others: Iterable[float], reduction_factor: float) -> float | None:
    """Return the objective that a trial must reach at a rung to go on; None where it is the first there.

    The best ``1 / reduction_factor`` of all that have come to the rung go on, itself included: rounded down,
    as in ``top_k`` of Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2,
    and at least one. Ray interpolates between the objectives of the others, which may let the second best of
    four through too, and costs more steps: see docs/decisions/010.

    Args:
        others: Objectives of the other trials that have come to the rung.
        reduction_factor: Above 1.
    """
    descending = sorted(others, reverse=True)
    if not descending:
        return None
    best = max(1, int((len(descending) + 1) / reduction_factor + 1e-9))
    return descending[best - 1]
