"""Schedulers and trial orders in words, for a dry run and the start of a search."""

from __future__ import annotations

from tune.spec.rungs import TIES_FROM, rungs
from tune.spec.search_spec import SearchSpec

SCHEDULER_NAMES = {"asha": "ASHA", "hyperband": "Hyperband", "median": "The median rule"}


def scheduler_in_words(spec: SearchSpec) -> str:
    """Return who is stopped early, and where."""
    scheduler = spec.scheduler
    if scheduler.algorithm == "none":
        return "no early stopping"
    if scheduler.algorithm == "median":
        return f"stopped from {scheduler.grace} % on: trials below the median of the others"
    places = " and ".join(f"{rung:.4g}" for rung in rungs(scheduler.grace, scheduler.reduction_factor))
    shared = "" if scheduler.brackets == 1 else f" in {scheduler.brackets} brackets"
    shared = " in all brackets" if scheduler.algorithm == "hyperband" else shared
    ties = f"; from {TIES_FROM} % on, so do those tied with the best" if scheduler.keep_ties else ""
    return (
        f"{SCHEDULER_NAMES[scheduler.algorithm]}{shared}, rungs at {places or 'no'} %: about one in "
        f"{scheduler.reduction_factor:g} continues, and the first to reach a rung always does{ties}"
    )


def order_in_words(spec: SearchSpec) -> str:
    """Return in which order trials start."""
    first = f"{len(spec.search.enqueue)} enqueued first, then " if spec.search.enqueue else ""
    if spec.search.algorithm != "grid":
        return f"{first}as drawn"
    return first + ("the longest first" if spec.is_longest_first else "in an order shuffled by the seed")
