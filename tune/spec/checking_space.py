"""Check the domains of a search space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from tune.spec.checking_conditions import check_conditions, read_condition
from tune.spec.domain import DOMAIN_KINDS, LISTED_KINDS, ONLY_IF, Domain, DomainKind
from tune.spec.hyperparameters import HYPERPARAMETERS
from tune.spec.keys import check_keys
from tune.spec.problems import KeyPath, Problems, show
from tune.spec.rules import WrongError, as_number


def read_space(values: Mapping[str, Any], problems: Problems) -> dict[str, Domain]:
    """Return the domains that keep their rules; the others become problems."""
    given = values.get("space", {})
    if not isinstance(given, dict):
        problems.add(("space",), f"must be a mapping of hyperparameters to domains, got {show(given)}")
        return {}
    check_keys(given, ("space",), tuple(HYPERPARAMETERS), problems)
    read = {name: _read_domain(name, given[name], problems) for name in given if name in HYPERPARAMETERS}
    domains = {name: domain for name, domain in read.items() if domain is not None}
    check_conditions(domains, wrong=read.keys() - domains.keys(), problems=problems)
    return domains


def _read_domain(name: str, given: Any, problems: Problems) -> Domain | None:
    """Return the domain of one hyperparameter, or None after adding to ``problems``."""
    path: KeyPath = ("space", name)
    if isinstance(given, list):
        problems.add(path, f"a list must say how it is meant: {{grid: {show(given)}}}")
        return None
    if not isinstance(given, dict):
        values = _read_values(name, [given], [path], problems)
        return None if values is None else Domain("value", values)
    check_keys(given, path, (*DOMAIN_KINDS, ONLY_IF), problems)
    kinds = [kind for kind in given if kind in DOMAIN_KINDS]
    if len(kinds) != 1:
        if kinds or not set(given) - {ONLY_IF}:  # else `check_keys` has named what is wrong
            problems.add(path, f"must have exactly one of {', '.join(DOMAIN_KINDS)}, got {show(list(given))}")
        return None
    kind = cast("DomainKind", kinds[0])
    path, listed = (*path, kind), given[kind]
    if not isinstance(listed, list):
        problems.add(path, f"must be a list, got {show(listed)}")
        return None
    read = _read_list if kind in LISTED_KINDS else _read_range
    domain = read(name, kind, listed, path, problems)
    if domain is None or ONLY_IF not in given:
        return domain
    condition = read_condition(name, given[ONLY_IF], problems)
    return None if condition is None else replace(domain, only_if=condition)


def _read_values(
    name: str, given: Sequence[Any], paths: Sequence[KeyPath], problems: Problems
) -> tuple[Any, ...] | None:
    """Return the values in the type of the hyperparameter, or None after adding to ``problems``."""
    hyperparameter, values = HYPERPARAMETERS[name], []
    for value, path in zip(given, paths, strict=True):
        try:
            values.append(hyperparameter.type(hyperparameter.rule(value)))
        except WrongError as error:
            problems.add(path, str(error))
    return tuple(values) if len(values) == len(given) else None


def _read_list(
    name: str, kind: DomainKind, given: list[Any], path: KeyPath, problems: Problems
) -> Domain | None:
    if not given:
        problems.add(path, "must not be empty, got []")
        return None
    values = _read_values(name, given, [(*path, index) for index in range(len(given))], problems)
    if values is None:
        return None
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        problems.add(path, f"values must differ, got {twice[0]!r} more than once")
        return None
    return Domain(kind, values)


# What takes a range, by the type of the values; names have none and are listed.
_RANGES: dict[type[int | float | str], tuple[str, ...]] = {
    int: ("int",),
    float: ("uniform", "log_uniform"),
    str: ("grid", "choice"),
}


def _read_range(
    name: str, kind: DomainKind, given: list[Any], path: KeyPath, problems: Problems
) -> Domain | None:
    takes = _RANGES[HYPERPARAMETERS[name].type]
    if kind not in takes:
        words = {int: "whole numbers; use", float: "real numbers; use", str: "names; list them with"}
        problems.add(path, f"{name} takes {words[HYPERPARAMETERS[name].type]} {' or '.join(takes)}")
        return None
    if len(given) != 2:
        problems.add(path, f"must be [low, high], got {show(given)}")
        return None
    ends = tuple(as_number(end) for end in given)
    if kind == "log_uniform" and isinstance(ends[0], int | float) and ends[0] <= 0:
        problems.add(path, f"low must be above 0, because it is searched by its logarithm, got {show(given)}")
        return None
    values = _read_values(name, given, [(*path, 0), (*path, 1)], problems)
    if values is None:
        return None
    if values[0] >= values[1]:
        problems.add(path, f"low must be below high, got {show(given)}")
        return None
    return Domain(kind, values)
