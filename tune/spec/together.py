"""Checks across keys: values that are valid alone but not together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from goemo.configuration.rules import KeyPath
from goemo.configuration.wording import show
from tune.spec.conditions import MOST_MEMBERS, case_of, is_asked
from tune.spec.domain import ONLY_IF, Domain
from tune.spec.problems import Problems
from tune.spec.rungs import rungs
from tune.spec.searchable import MODEL_KEYS
from tune.spec.sections import SchedulerSpec, report_progress

_ENQUEUE: KeyPath = ("search", "enqueue")

_ONLY_TPE = {
    "warm_start": "only tpe learns from what earlier searches found",
    "startup_trials": "only tpe draws some trials at random before it has learned",
}

_USELESS = {
    ("median", "brackets"): "the median rule has no brackets",
    ("median", "reduction_factor"): "the median rule has no rungs",
    ("median", "keep_ties"): "the median rule has no rungs",
    ("hyperband", "brackets"): "hyperband always uses all brackets that there are",
}


def place_of(name: str) -> KeyPath:
    """Return where the file gives a key of the model or a hyperparameter its domain."""
    return ("model" if name in MODEL_KEYS else "space", name)


def check_together(
    sections: Mapping[str, Mapping[str, Any]], domains: Mapping[str, Domain], problems: Problems
) -> None:
    """Add what each value allows by itself and the whole does not.

    Args:
        sections: The values of each section that keep their rules, defaults included.
        domains: Those of the model, plain values too, and of the space that keep their rules.
        problems: Those found before, which say nothing about any of these.
    """
    wrong = {path[1] for path, _, _ in problems.found if len(path) > 1 and path[0] in ("space", "model")}
    is_whole = not wrong and not any(path == ("space",) for path, _, _ in problems.found)
    _check_conditions(domains, wrong=wrong, problems=problems)
    is_whole = is_whole and not any(ONLY_IF in path for path, _, _ in problems.found)
    search = sections["search"]
    if search.get("algorithm") == "grid":
        _check_grid(search, domains, problems)
    if search.get("algorithm") in {"random", "tpe"}:
        _check_drawn(search, domains, problems, is_whole=is_whole)
    if search.get("algorithm") in {"grid", "random"}:
        for key, reason in _ONLY_TPE.items():
            if search.get(key):
                problems.add(("search", key), f"{reason}; remove it, or use search.algorithm tpe")
    if is_whole:
        _check_enqueued(search, domains, problems)
    _check_scheduler(sections["scheduler"], sections["objective"], problems)


def _check_conditions(domains: Mapping[str, Domain], *, wrong: set[Any], problems: Problems) -> None:
    """Add the conditions that can never hold, or never be asked; nothing about those on what is wrong."""
    for name, domain in domains.items():
        for number, case in enumerate(domain.cases):
            at = (*place_of(name), *((number,) if domain.kind == "cases" else ()))
            if case is not domain.cases[-1] and not case.only_if:
                problems.add(at, f"must have {ONLY_IF}: the cases after it would never apply")
            for other, values in case.only_if.items():
                if other in wrong and other != name:
                    continue
                for place, message in _condition_problems(name, other, values, domains):
                    problems.add((*at, ONLY_IF, other, *place), message)
    try:
        TopologicalSorter({name: domain.depends_on - {name} for name, domain in domains.items()}).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1][::-1]  # each depends on the next
        first = next(name for name in domains if name in circle)
        start = circle.index(first)
        words = [*circle[start:-1], *circle[:start], first]
        message = f"goes in a circle: {' depends on '.join(words)}"
        problems.add((*place_of(first), ONLY_IF, words[1]), message)


def _condition_problems(
    name: str, other: str, values: Sequence[Any], domains: Mapping[str, Domain]
) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is wrong with the condition of ``name`` on ``other``, with its place inside the list."""
    domain = domains.get(other)
    if other == name:
        yield (), "cannot depend on itself"
    elif domain is None or domain.is_constant:
        fixed = "is not in the space" if domain is None else f"is always {domain.values[0]!r}"
        yield (), f"must vary for {name} to depend on it; {other} {fixed}"
    elif not domain.members:
        rule = "must have listed values or whole numbers, because a real number is never drawn twice"
        yield (), f"{rule}; it has {show(domain.to_yaml())}"
    else:
        listed = show(replace(domain, only_if={}).to_yaml())
        for index, value in enumerate(values):
            if not domain.holds(value):
                yield (index,), f"{value!r} is not in its domain, {listed}"


def _check_grid(search: Mapping[str, Any], domains: Mapping[str, Domain], problems: Problems) -> None:
    """Add what has no product, or one that nobody can run."""
    for name, domain in domains.items():
        if not domain.is_listed:
            problems.add(
                place_of(name) if domain.kind == "cases" else (*place_of(name), domain.kind),
                "a grid search needs listed values, {grid: [...]}; for a range, use search.algorithm "
                "random or tpe",
            )
    if search.get("trials") is not None:
        problems.add(
            ("search", "trials"),
            f"a grid search runs its whole product, so trials has no meaning; remove it, or use "
            f"search.algorithm random, got {search['trials']}",
        )
    product = math.prod(len(domain.members) for domain in domains.values())
    if product > MOST_MEMBERS:
        problems.add(
            ("space",),
            f"the product of its lists must have at most {MOST_MEMBERS:,} members, got {product:,}; list "
            "fewer values, or use search.algorithm random or tpe",
        )


def _check_drawn(
    search: Mapping[str, Any], domains: Mapping[str, Domain], problems: Problems, *, is_whole: bool
) -> None:
    """Add a search that draws without an end, or from nothing."""
    algorithm = search["algorithm"]
    if "trials" in search and search["trials"] is None:
        problems.add(("search", "trials"), f"required by search.algorithm {algorithm}: how many trials")
    if is_whole and all(domain.is_constant for domain in domains.values()):
        problems.add(("space",), f"must vary something for search.algorithm {algorithm}, got only constants")


def _check_enqueued(search: Mapping[str, Any], domains: Mapping[str, Domain], problems: Problems) -> None:
    """Add each enqueued configuration that the search cannot start with."""
    configurations: Sequence[dict[str, Any]] = search.get("enqueue", ())
    trials = search.get("trials")
    if trials is not None and len(configurations) > trials:
        problems.add(_ENQUEUE, f"has {len(configurations)} configurations for a search of {trials} trials")
    varied = {name: domain for name, domain in domains.items() if not domain.is_constant}
    before: list[dict[str, Any]] = []
    for index, configuration in enumerate(configurations):
        for name, message in _misplaced(configuration, domains):
            problems.add((*_ENQUEUE, index, name), message)
        what_varies = {name: value for name, value in configuration.items() if name in varied}
        if what_varies in before:
            problems.add((*_ENQUEUE, index), f"given twice: {show(what_varies)}")
        before.append(what_varies)
        missing = [n for n in varied if n not in what_varies and is_asked(n, varied, what_varies)]
        if search.get("algorithm") == "grid" and missing:
            problems.add(
                (*_ENQUEUE, index),
                f"must name a member of the grid, and lacks {', '.join(missing)}; to let the rest be drawn, "
                "use search.algorithm random or tpe",
            )


def _misplaced(configuration: Mapping[str, Any], domains: Mapping[str, Domain]) -> Iterator[tuple[str, str]]:
    """Yield each key that cannot have its value, and why."""
    for name, value in configuration.items():
        if name not in domains:
            yield name, f"is not in the space; to try {value!r}, give it a domain there"
        elif not domains[name].holds(value):
            yield name, f"must lie in its domain, {show(domains[name].to_yaml())}, got {value!r}"
        elif domains[name].kind == "cases":
            unsaid = [other for other in domains[name].depends_on if other not in configuration]
            case = case_of(name, domains, configuration)
            if any(is_asked(other, domains, configuration) for other in unsaid):
                yield name, f"needs {' and '.join(sorted(unsaid))} beside it, on which its values depend"
            elif case is None or not case.holds(value):
                yield name, f"has no case with {value!r} for the values beside it"
        elif not is_asked(name, domains, configuration):
            conditions = " and ".join(
                f"{other} is one of {show(list(values))}" for other, values in domains[name].only_if.items()
            )
            yield name, f"applies only where {conditions}, which this configuration must state"


def _check_scheduler(scheduler: Mapping[str, Any], objective: Mapping[str, Any], problems: Problems) -> None:
    """Add keys that the algorithm has no use for, and a first rung that no report falls on.

    Such a rung would be judged at the next report, and so after the progress that was asked for.
    """
    algorithm, grace = scheduler.get("algorithm"), scheduler.get("grace")
    if algorithm is None:
        return
    for (of, key), reason in _USELESS.items():
        if algorithm == of and key in scheduler and scheduler[key] != getattr(SchedulerSpec, key):
            problems.add(
                ("scheduler", key),
                f"{reason}; remove it (--set scheduler={of} leaves out what the file says of others), or use "
                f"scheduler.algorithm asha, got {show(scheduler[key])}",
            )
    if algorithm == "none" or grace is None:
        return
    if "reports" in objective and grace not in report_progress(objective["reports"]):
        problems.add(
            ("scheduler", "grace"),
            f"must be the progress of a report; with objective.reports {objective['reports']} these are "
            f"{show(list(report_progress(objective['reports'])))}, got {grace}",
        )
    if algorithm == "asha" and "reduction_factor" in scheduler and "brackets" in scheduler:
        most = len(rungs(grace, scheduler["reduction_factor"])) + 1
        if scheduler["brackets"] > most:  # these would have no rung of their own to begin at
            problems.add(
                ("scheduler", "brackets"),
                f"must be at most {most}: one for each of the {most - 1} rungs that grace {grace} and "
                f"reduction factor {scheduler['reduction_factor']:g} make, and one that stops no trial; got "
                f"{scheduler['brackets']}",
            )
