"""Check what each value allows by itself and the whole does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tune.spec.domain import Domain
from tune.spec.problems import Problems, show
from tune.spec.sections import report_progress


def check_together(
    sections: Mapping[str, Mapping[str, Any]], space: Mapping[str, Domain], problems: Problems
) -> None:
    """Add what each value allows by itself and the whole does not."""
    search = sections["search"]
    algorithm, trials = search.get("algorithm"), search.get("trials")
    if algorithm == "grid":
        for name, domain in space.items():
            if not domain.is_listed:
                problems.add(
                    ("space", name, domain.kind),
                    "a grid search needs listed values, {grid: [...]}; for a range, use search.algorithm "
                    "random or tpe",
                )
        if trials is not None:
            problems.add(
                ("search", "trials"),
                f"a grid search runs its whole product, so trials has no meaning; remove it, or use "
                f"search.algorithm random, got {trials}",
            )
    if algorithm in {"random", "tpe"}:
        if "trials" in search and trials is None:
            problems.add(("search", "trials"), f"required by search.algorithm {algorithm}: how many trials")
        if not any(path[0] == "space" for path, _, _ in problems.found) and all(
            domain.is_constant for domain in space.values()
        ):
            problems.add(
                ("space",), f"must vary something for search.algorithm {algorithm}, got constants alone"
            )
    _check_rungs(sections["scheduler"], sections["objective"], problems)


def _check_rungs(scheduler: Mapping[str, Any], objective: Mapping[str, Any], problems: Problems) -> None:
    """Add a first rung of ASHA that no report falls on, because trials would be judged after it."""
    if scheduler.get("algorithm") != "asha" or "grace" not in scheduler or "reports" not in objective:
        return
    progress = report_progress(objective["reports"])
    if scheduler["grace"] not in progress:
        problems.add(
            ("scheduler", "grace"),
            f"must be the progress of a report; with objective.reports {objective['reports']} these are "
            f"{show(list(progress))}, got {scheduler['grace']}",
        )
