"""Grid search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tune.space.suggestions import Suggestions
from tune.spec import hyperparameters

STEP_IN_TOKENS = 256  # what a step costs whatever is in it: launches, the optimizer's pass over all weights


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
            places.sort(key=lambda place: -_relative_cost(hyperparameters(self._spec, members[place])))
        enqueued = set(first)
        yield from (place + 1 for place in first)
        yield from (place + 1 for place in places if place not in enqueued)

    def _draw(self, number: int) -> dict[str, Any]:
        return dict(self._spec.members[number - 1])


def _relative_cost(hyperparameters: Mapping[str, Any]) -> float:
    """Return what a training costs, in tokens for each text of the training split.

    Every epoch takes every text once, at a cost that grows with its tokens, of which there are at most
    ``max_length``; and pays for each of its steps, of which a larger batch needs fewer. Texts are the same
    for all trials of a search and drop out. It is for an order alone: where texts are shorter than
    ``max_length``, long lengths cost less than it says, and still no less than short ones.

    Args:
        hyperparameters: At least ``epochs``, ``max_length`` and ``batch_size``.
    """
    a_text = hyperparameters["max_length"] + STEP_IN_TOKENS / hyperparameters["batch_size"]
    return float(hyperparameters["epochs"] * a_text)
