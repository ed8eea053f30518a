"""Extension of a search by more trials."""

from __future__ import annotations

from dataclasses import replace

from goemo.errors import InputError
from tune.spec.search_spec import SearchSpec


def extended(spec: SearchSpec, trials: int) -> SearchSpec:
    """Return a random or TPE search with ``trials`` more than it has; those that it has stay what they are.

    The number of TPE's startup trials, which would go with the new total, stays too.

    Raises:
        InputError: The search is a grid, or ``trials`` is below 1.
    """
    if trials < 1:
        raise InputError("--trials", [f"must be a whole number of at least 1, got {trials}"])
    if spec.search.trials is None:
        problem = (
            f"a grid search ends with its whole product, {spec.total} trials; to try other values, start a "
            "search over them"
        )
        raise InputError(spec.name, [problem])
    startup = spec.startup_trials if spec.search.algorithm == "tpe" else None
    search = replace(spec.search, trials=spec.search.trials + trials, startup_trials=startup)
    return replace(spec, search=search)
