"""A cost model: seconds for an amount of computation, with four unit costs fitted to timings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from tune.forecast.work import Work

# What is fitted first where there are fewer measurements than costs.
_ORDER = ("tokens", "passes", "pairs", "examples")


@dataclass(frozen=True)
class CostModel:
    """Seconds for a unit of each kind of work."""

    passes: float = 0.0
    examples: float = 0.0
    tokens: float = 0.0
    pairs: float = 0.0

    def seconds(self, work: Work) -> float:
        """Return how long this work takes."""
        return (
            self.passes * work.passes
            + self.examples * work.examples
            + self.tokens * work.tokens
            + self.pairs * work.pairs
        )


def fit_costs(measured: Sequence[tuple[Work, float]]) -> CostModel:
    """Fit costs, none below 0, so that the relative errors have the least squares.

    With fewer measurements than costs, tokens come first, then passes, then pairs, and the rest costs
    nothing: one measurement gives seconds a token.

    Args:
        measured: Work and the seconds that it took, at least one, each above 0.

    Raises:
        ValueError: There is none, or one of 0 seconds or less.
    """
    if not measured or any(seconds <= 0 for _, seconds in measured):
        raise ValueError(f"measurements must be one or more, each above 0 seconds, got {measured}")
    names = _ORDER[: len(measured)]
    amounts = np.array([[getattr(work, name) for name in names] for work, _ in measured])
    relative = amounts / np.array([[seconds] for _, seconds in measured])
    # Tokens run into the millions where passes are a few: in units of their own size, all weigh alike.
    sizes = relative.max(axis=0)
    sizes[sizes == 0] = 1.0
    costs, _ = nnls(relative / sizes, np.ones(len(measured)))
    return CostModel(**dict(zip(names, (costs / sizes).tolist(), strict=True)))
