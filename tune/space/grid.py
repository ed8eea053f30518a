"""Grid search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tune.space.cost import relative_cost
from tune.space.suggestions import Suggestions
from tune.spec import hyperparameters


class Grid(Suggestions):
    """The full product; an id is a place in it, whatever the order in which its members are tried.

    What is enqueued comes first. The others come in an order shuffled by the seed, so that an early look, and
    a scheduler that compares trials, see all of the grid; or the longest first, equals in that order, where
    no scheduler minds.
    """

    def _order(self) -> Iterator[int]:
        members = self._spec.members
        first = [members.index(configuration) for configuration in self._spec.enqueued]
        places = [int(place) for place in np.random.default_rng(self._spec.seed).permutation(len(members))]
        if self._spec.is_longest_first:
            places.sort(key=lambda place: -relative_cost(hyperparameters(self._spec, members[place])))
        enqueued = set(first)
        yield from (place + 1 for place in first)
        yield from (place + 1 for place in places if place not in enqueued)

    def _draw(self, number: int) -> dict[str, Any]:
        return dict(self._spec.members[number - 1])
