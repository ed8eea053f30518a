"""Check what each value allows by itself and the whole does not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tune.spec.conditions import MOST_MEMBERS
from tune.spec.domain import Domain
from tune.spec.enqueued import check_enqueued
from tune.spec.problems import Problems, show
from tune.spec.rungs import rungs
from tune.spec.sections import SchedulerSpec, report_progress

_ONLY_TPE = {
    "warm_start": "only tpe learns from what earlier searches found",
    "startup_trials": "only tpe draws some trials at random before it has learned",
}

_USELESS = {
    ("median", "brackets"): "the median rule has no brackets",
    ("median", "reduction_factor"): "the median rule has no rungs",
    ("hyperband", "brackets"): "hyperband always uses all brackets that there are",
}


def check_together(
    sections: Mapping[str, Mapping[str, Any]], space: Mapping[str, Domain], problems: Problems
) -> None:
    """Add what each value allows by itself and the whole does not."""
    search = sections["search"]
    is_whole = not any(path[0] == "space" for path, _, _ in problems.found)
    if search.get("algorithm") == "grid":
        _check_grid(search, space, problems)
    if search.get("algorithm") in {"random", "tpe"}:
        _check_drawn(search, space, problems, is_whole=is_whole)
    if search.get("algorithm") in {"grid", "random"}:
        for key, reason in _ONLY_TPE.items():
            if search.get(key):
                problems.add(("search", key), f"{reason}; remove it, or use search.algorithm tpe")
    if is_whole:
        check_enqueued(search, space, problems)
    _check_scheduler(sections["scheduler"], sections["objective"], problems)


def _check_grid(search: Mapping[str, Any], space: Mapping[str, Domain], problems: Problems) -> None:
    """Add what has no product, or one that nobody can run."""
    for name, domain in space.items():
        if not domain.is_listed:
            problems.add(
                ("space", name, domain.kind),
                "a grid search needs listed values, {grid: [...]}; for a range, use search.algorithm "
                "random or tpe",
            )
    if search.get("trials") is not None:
        problems.add(
            ("search", "trials"),
            f"a grid search runs its whole product, so trials has no meaning; remove it, or use "
            f"search.algorithm random, got {search['trials']}",
        )
    product = math.prod(len(domain.values) for domain in space.values())
    if product > MOST_MEMBERS:
        problems.add(
            ("space",),
            f"the product of its lists must have at most {MOST_MEMBERS:,} members, got {product:,}; list "
            "fewer values, or use search.algorithm random or tpe",
        )


def _check_drawn(
    search: Mapping[str, Any], space: Mapping[str, Domain], problems: Problems, *, is_whole: bool
) -> None:
    """Add a search that draws without an end, or from nothing."""
    algorithm = search["algorithm"]
    if "trials" in search and search["trials"] is None:
        problems.add(("search", "trials"), f"required by search.algorithm {algorithm}: how many trials")
    if is_whole and all(domain.is_constant for domain in space.values()):
        problems.add(("space",), f"must vary something for search.algorithm {algorithm}, got constants alone")


def _check_scheduler(scheduler: Mapping[str, Any], objective: Mapping[str, Any], problems: Problems) -> None:
    """Add keys that the algorithm has no use for, and a first rung that no report falls on.

    Such a rung would be judged at the next report, and so after the progress that was asked for.
    """
    algorithm, grace = scheduler.get("algorithm"), scheduler.get("grace")
    if algorithm is None:
        return
    for (of, key), reason in _USELESS.items():
        if algorithm == of and key in scheduler and scheduler[key] != getattr(SchedulerSpec, key):
            remedy = "remove it, or use scheduler.algorithm asha"
            problems.add(("scheduler", key), f"{reason}; {remedy}, got {scheduler[key]:g}")
    if algorithm == "none" or grace is None:
        return
    if "reports" in objective and grace not in report_progress(objective["reports"]):
        problems.add(
            ("scheduler", "grace"),
            f"must be the progress of a report; with objective.reports {objective['reports']} these are "
            f"{show(list(report_progress(objective['reports'])))}, got {grace}",
        )
    if algorithm == "asha" and "reduction_factor" in scheduler and "brackets" in scheduler:
        _check_brackets(grace, scheduler["reduction_factor"], scheduler["brackets"], problems)


def _check_brackets(grace: int, factor: float, brackets: int, problems: Problems) -> None:
    """Add brackets that would have no rung of their own to begin at."""
    most = len(rungs(grace, factor)) + 1
    if brackets > most:
        problems.add(
            ("scheduler", "brackets"),
            f"must be at most {most}: one for each of the {most - 1} rungs that grace {grace} and reduction "
            f"factor {factor:g} make, and one that stops nobody; got {brackets}",
        )
