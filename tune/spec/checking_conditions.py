"""Check the conditions on which hyperparameters are asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError
from typing import Any

from tune.spec.conditions import conditions_first
from tune.spec.domain import ONLY_IF, Domain
from tune.spec.hyperparameters import HYPERPARAMETERS
from tune.spec.keys import check_keys
from tune.spec.problems import KeyPath, Problems, show
from tune.spec.rules import WrongError


def read_condition(name: str, given: Any, problems: Problems) -> dict[str, tuple[Any, ...]] | None:
    """Return the values that others must have for ``name`` to be asked for, or None after adding problems."""
    path: KeyPath = ("space", name, ONLY_IF)
    if not isinstance(given, dict) or not given:
        problems.add(path, f"must be a mapping of other hyperparameters to lists, got {show(given)}")
        return None
    before = len(problems.found)
    check_keys(given, path, tuple(HYPERPARAMETERS), problems)
    condition = {
        other: _read_values(other, given[other], (*path, other), problems)
        for other in given
        if other in HYPERPARAMETERS
    }
    return condition if len(problems.found) == before else None


def _read_values(other: str, given: Any, path: KeyPath, problems: Problems) -> tuple[Any, ...]:
    if not isinstance(given, list) or not given:
        problems.add(path, f"must be a list of its values, got {show(given)}")
        return ()
    values = []
    for index, value in enumerate(given):
        try:
            values.append(HYPERPARAMETERS[other].type(HYPERPARAMETERS[other].rule(value)))
        except WrongError as error:
            problems.add((*path, index), str(error))
    return tuple(values)


def check_conditions(space: Mapping[str, Domain], *, wrong: Collection[str], problems: Problems) -> None:
    """Add the conditions that can never hold, or never be asked.

    Args:
        space: The domains that keep their rules.
        wrong: Hyperparameters of the file whose domains do not: nothing is said about them here.
        problems: Those found before.
    """
    for name, domain in space.items():
        for other, values in domain.only_if.items():
            path: KeyPath = ("space", name, ONLY_IF, other)
            if other == name:
                problems.add(path, "cannot depend on itself")
            elif other in wrong:
                continue
            elif other not in space or space[other].is_constant:
                problems.add(path, f"must vary for {name} to depend on it; {other} {_fixed(other, space)}")
            elif not space[other].is_listed and space[other].kind != "int":
                problems.add(
                    path,
                    "must have listed values or whole numbers, for no draw of a real number hits a value; it "
                    f"has {show(space[other].to_yaml())}",
                )
            else:
                for index, value in enumerate(values):
                    if not space[other].holds(value):
                        domain_of_other = show({space[other].kind: list(space[other].values)})
                        problems.add((*path, index), f"{value!r} is not in its domain, {domain_of_other}")
    _check_circles(space, problems)


def _fixed(other: str, space: Mapping[str, Domain]) -> str:
    return f"is always {space[other].values[0]!r}" if other in space else "is not in the space"


def _check_circles(space: Mapping[str, Domain], problems: Problems) -> None:
    """Add a circle of conditions, at the first hyperparameter of the file that is in it."""
    others = {
        name: Domain(domain.kind, domain.values, {n: v for n, v in domain.only_if.items() if n != name})
        for name, domain in space.items()
    }
    try:
        conditions_first(others)
    except CycleError as error:
        circle: list[str] = error.args[1][::-1]  # each depends on the next
        first = next(name for name in space if name in circle)
        place = circle.index(first)
        words = [*circle[place:-1], *circle[:place], first]
        problems.add(
            ("space", first, ONLY_IF, words[1]),
            f"goes in a circle: {' depends on '.join(words)}",
        )
