"""Conditional hyperparameters: those that apply only for some values of others.

A hyperparameter with ``only_if`` is asked for where each hyperparameter that it names is asked for itself and
has one of the listed values. One with several cases has the first of them for which that holds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any

from tune.spec.domain import Domain

MOST_MEMBERS = 100_000  # a grid of more would take years, and is a slip: every further list multiplies


def is_asked(name: str, space: Mapping[str, Domain], chosen: Mapping[str, Any]) -> bool:
    """Return whether ``name`` is asked for, given the values of those it depends on; see `case_of`."""
    return case_of(name, space, chosen) is not None


def case_of(name: str, space: Mapping[str, Domain], chosen: Mapping[str, Any]) -> Domain | None:
    """Return the domain of ``name``, given the values of those it depends on; None where it is not asked for.

    Args:
        name: A hyperparameter of the space.
        space: The domains, whose conditions go in no circle.
        chosen: Values of the hyperparameters, of those at least on which ``name`` depends and which are asked
            for; the values of those that are not are looked over.
    """
    for case in space[name].cases:
        if all(
            other in chosen and chosen[other] in values and is_asked(other, space, chosen)
            for other, values in case.only_if.items()
        ):
            return case
    return None


def asked_for(space: Mapping[str, Domain], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left of ``chosen`` without the hyperparameters that are not asked for, in its order."""
    return {name: value for name, value in chosen.items() if is_asked(name, space, chosen)}


def members(space: Mapping[str, Domain]) -> list[dict[str, Any]]:
    """Return the product of all domains, each configuration once, the last domain fastest.

    Where a hyperparameter is not asked for, its values make no difference: of the configurations that are
    then equal, the first counts. Nothing is returned where they cannot be listed: one domain is a range of
    real numbers, or the product has more than `MOST_MEMBERS`.
    """
    listed = [domain.members for domain in space.values()]
    if math.prod(map(len, listed)) > MOST_MEMBERS:
        return []
    distinct: dict[tuple[Any, ...], dict[str, Any]] = {}
    for values in itertools.product(*listed):
        member = asked_for(space, dict(zip(space, values, strict=True)))
        cases = ((case_of(name, space, member), value) for name, value in member.items())
        if all(case is not None and case.holds(value) for case, value in cases):
            distinct.setdefault(tuple(member.items()), member)
    return list(distinct.values())


def conditions_first(space: Mapping[str, Domain]) -> list[str]:
    """Return the names so that each comes after those it depends on; without conditions, in their order.

    Raises:
        graphlib.CycleError: Conditions go in a circle, which its second argument names.
    """
    return list(TopologicalSorter({name: domain.depends_on for name, domain in space.items()}).static_order())
