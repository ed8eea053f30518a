"""Random search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tune.records import TrialRecord
from tune.space.suggestions import Suggestions
from tune.spec import Domain, SearchSpec, case_of, conditions_first


class RandomDraws(Suggestions):
    """Draws that each depend on the seed and the number, never on how a trial ended.

    Every hyperparameter is drawn, and what is not asked for is dropped: a condition changes no other value.
    A configuration that a lower number has would be the same training again, seed and all: one that none has
    takes its place, as long as the space has any, if its configurations can be listed.
    """

    def __init__(self, spec: SearchSpec, records: Sequence[TrialRecord]) -> None:
        super().__init__(spec, records)
        self._draws: list[dict[str, Any]] = []  # of all numbers from 1 on, as far as they were needed
        self._drawn: set[tuple[tuple[str, Any], ...]] = set()  # the same, to look them up

    def _draw(self, number: int) -> dict[str, Any]:
        while len(self._draws) < number:
            draw = self._new(len(self._draws) + 1)
            self._draws.append(draw)
            self._drawn.add(tuple(draw.items()))
        return dict(self._draws[number - 1])

    def _new(self, number: int) -> dict[str, Any]:
        """Return the draw of ``number``, once those of all lower numbers are known."""
        rng = np.random.default_rng((self._spec.seed, number))
        varying, enqueued = self._spec.varying, self._enqueued(number)
        sampled = {name: [_sample(case, rng) for case in domain.cases] for name, domain in varying.items()}
        drawn = dict(enqueued)
        for name in conditions_first(varying):
            case = case_of(name, varying, drawn)
            if case is not None and name not in enqueued:
                drawn[name] = sampled[name][varying[name].cases.index(case)]
        draw = {name: drawn[name] for name in varying if name in drawn}
        if tuple(draw.items()) not in self._drawn:
            return draw
        others = [
            member
            for member in self._spec.members
            if tuple(member.items()) not in self._drawn and enqueued.items() <= member.items()
        ]
        return others[int(rng.integers(len(others)))] if others else draw


def _sample(domain: Domain, rng: np.random.Generator) -> int | float | str:
    if domain.is_listed:
        chosen: int | float | str = domain.values[int(rng.integers(len(domain.values)))]
        return chosen
    low, high = domain.values
    if domain.kind == "int":
        return int(rng.integers(low, high, endpoint=True))
    if domain.kind == "log_uniform":
        drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
        return float(min(max(drawn, low), high))  # exp(log(x)) may miss x by a rounding
    return float(rng.uniform(low, high))
