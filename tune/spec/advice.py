"""Advice on a search space that is valid but will not do what it seems to; nothing is refused."""

from __future__ import annotations

from collections.abc import Iterator

from tune.spec.rungs import rungs
from tune.spec.search_spec import SearchSpec
from tune.spec.wording import SCHEDULER_NAMES

FEWEST_FOR_A_MEDIAN = 3  # other trials at the same progress, before the median of them means anything


def advice(spec: SearchSpec) -> list[str]:
    """Return a sentence for each part of a search that cannot work as it is meant."""
    return [*_about_the_scheduler(spec), *_about_tpe(spec), *_about_repeats(spec)]


def _about_the_scheduler(spec: SearchSpec) -> Iterator[str]:
    algorithm, grace, factor = spec.scheduler.algorithm, spec.scheduler.grace, spec.scheduler.reduction_factor
    if algorithm not in SCHEDULER_NAMES:  # none
        return
    name, size = SCHEDULER_NAMES[algorithm], _trials(spec.total)
    brackets = len(rungs(grace, factor)) + 1
    if grace == 100:
        yield f"{name} stops no trial: with grace 100 it sees only trials that have ended. Lower the grace."
    elif algorithm == "median":
        if spec.total <= FEWEST_FOR_A_MEDIAN:
            yield (
                f"{name} stops no trial in a search of {size}: it compares a trial with "
                f"{FEWEST_FOR_A_MEDIAN} others or more. Use scheduler: none, or more trials."
            )
    elif spec.total < max(2, factor):
        yield (
            f"{name} hardly helps with {size}: at a rung about one in {factor:g} continues, and the first "
            "to reach it always does. Use scheduler: none, or more trials."
        )
    elif algorithm == "hyperband" and spec.total < factor * brackets:
        yield (
            f"{name} hardly helps with {size}: they are spread over {brackets} brackets, each of which needs "
            f"about {factor:g}. Use scheduler: asha, or more trials."
        )


def _about_tpe(spec: SearchSpec) -> Iterator[str]:
    startup = spec.startup_trials
    if spec.search.algorithm == "tpe" and not spec.search.warm_start and startup >= spec.total:
        yield (
            f"TPE never learns: it draws at random until it has {_trials(startup)} with a score "
            f"(search.startup_trials), and the search has {_trials(spec.total)}."
        )


def _about_repeats(spec: SearchSpec) -> Iterator[str]:
    configurations = len(spec.members)
    if 0 < configurations < spec.total:
        yield (
            f"Some of the {spec.total} trials will repeat others, with the same seed and so the same result: "
            f"the space has {configurations} configurations. Use fewer trials, or search.algorithm: grid."
        )


def _trials(number: int) -> str:
    return "one trial" if number == 1 else f"{number} trials"
