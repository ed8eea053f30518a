"""Random search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tune.space.suggestions import Suggestions
from tune.spec import Domain, asked_for


class RandomDraws(Suggestions):
    """Independent draws; each depends on the seed and its number, never on what came before.

    Every hyperparameter is drawn, and what is not asked for is dropped: a condition changes no other value.
    """

    def _draw(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng((self._spec.seed, number))
        varying = self._spec.varying
        drawn = {name: _sample(domain, rng) for name, domain in varying.items()}
        return asked_for(varying, drawn | self._enqueued(number))


def _sample(domain: Domain, rng: np.random.Generator) -> int | float | str:
    if domain.is_listed:
        chosen: int | float | str = domain.values[int(rng.integers(len(domain.values)))]
        return chosen
    low, high = _ends(domain)
    if domain.kind == "int":
        return int(rng.integers(int(low), int(high), endpoint=True))
    if domain.kind == "log_uniform":
        drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
        return min(max(drawn, low), high)  # exp(log(x)) may miss x by a rounding
    return float(rng.uniform(low, high))


def _ends(domain: Domain) -> tuple[float, float]:
    low, high = domain.values
    assert not isinstance(low, str)
    assert not isinstance(high, str)
    return low, high
