"""Configurations that are tried first: the rule for each by itself, and what the space makes of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tune.spec.conditions import is_asked
from tune.spec.domain import Domain
from tune.spec.hyperparameters import HYPERPARAMETERS
from tune.spec.problems import KeyPath, Problems, show
from tune.spec.rules import WrongError

ENQUEUE: KeyPath = ("search", "enqueue")


def enqueue(value: Any) -> tuple[dict[str, Any], ...]:
    """Return configurations with their values in the types of the hyperparameters."""
    if not isinstance(value, list | tuple):
        raise WrongError(f"must be a list of configurations, [{{learning_rate: 3.0e-5}}], got {show(value)}")
    problems: list[tuple[KeyPath, str]] = []
    configurations = []
    for index, given in enumerate(value):
        if not isinstance(given, dict) or not given:
            message = f"must be a mapping of hyperparameters to values, got {show(given)}"
            problems.append(((index,), message))
            continue
        problems += [((index, str(name)), _unknown(name)) for name in given if name not in HYPERPARAMETERS]
        configuration = {}
        for name in (name for name in given if name in HYPERPARAMETERS):
            try:
                configuration[name] = HYPERPARAMETERS[name].type(HYPERPARAMETERS[name].rule(given[name]))
            except WrongError as error:
                problems.append(((index, name), str(error)))
        configurations.append(configuration)
    if problems:
        raise WrongError(*problems)
    return tuple(configurations)


def _unknown(name: Any) -> str:
    nearest = difflib.get_close_matches(str(name), HYPERPARAMETERS, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known are: {', '.join(HYPERPARAMETERS)}"
    return f"unknown hyperparameter; {hint}"


def check_enqueued(search: Mapping[str, Any], space: Mapping[str, Domain], problems: Problems) -> None:
    """Add each enqueued configuration that the search cannot start with.

    Args:
        search: The values of its section that keep their rules.
        space: The domains that keep their rules, of which none is missing.
        problems: Those found before.
    """
    configurations: Sequence[dict[str, Any]] = search.get("enqueue", ())
    trials = search.get("trials")
    if trials is not None and len(configurations) > trials:
        problems.add(ENQUEUE, f"has {len(configurations)} configurations for a search of {trials} trials")
    varied = {name: domain for name, domain in space.items() if not domain.is_constant}
    before: list[dict[str, Any]] = []
    for index, configuration in enumerate(configurations):
        for name, message in _misplaced(configuration, space):
            problems.add((*ENQUEUE, index, name), message)
        what_varies = {name: value for name, value in configuration.items() if name in varied}
        if what_varies in before:
            problems.add((*ENQUEUE, index), f"given twice: {show(what_varies)}")
        before.append(what_varies)
        missing = [n for n in varied if n not in what_varies and is_asked(n, varied, what_varies)]
        if search.get("algorithm") == "grid" and missing:
            problems.add(
                (*ENQUEUE, index),
                f"must name a member of the grid, and lacks {', '.join(missing)}; to let the rest be drawn, "
                "use search.algorithm random or tpe",
            )


def _misplaced(configuration: Mapping[str, Any], space: Mapping[str, Domain]) -> Iterator[tuple[str, str]]:
    """Yield each hyperparameter that cannot have its value, and why."""
    for name, value in configuration.items():
        if name not in space:
            yield name, f"is not in the space; to try {value!r}, give it a domain there"
        elif not space[name].holds(value):
            yield name, f"must lie in its domain, {show(space[name].to_yaml())}, got {value!r}"
        elif not is_asked(name, space, configuration):
            conditions = " and ".join(
                f"{other} is one of {show(list(values))}" for other, values in space[name].only_if.items()
            )
            yield name, f"is only asked for where {conditions}, which this configuration must say"
