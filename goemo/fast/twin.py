"""The fast twin of a model, compared with the model before it is trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from goemo.fast.shortcuts import SHORTCUTS, training_view
from goemo.models.failures import FAILURES, reason

# Says how a twin's results differ from the plain model's; empty where they agree.
Difference = Callable[[Any], str]


@dataclass(frozen=True)
class FastTwin:
    """A model that gives what the plain one gives, in less time.

    Attributes:
        model: A view of the plain model's own weights.
        without: Names of the shortcuts that it does without, because they gave something else.
        reasons: How they differed, one line for each of them.
    """

    model: Any
    without: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def fast_twin(model: Any, difference: Difference) -> FastTwin:
    """Return the fastest twin of a model that agrees with it.

    All shortcuts are tried together first. Where they differ from the plain model, each is tried alone, and
    those that differ step aside; where the others still differ together, all do.

    Args:
        model: The plain classifier.
        difference: Compares a twin with it on a batch; what it raises counts as a difference,
            unless memory did not suffice.
    """
    twin = training_view(model)
    found = _found(difference, twin)
    if not found:
        return FastTwin(twin)
    reasons: dict[str, str] = {}
    for name in SHORTCUTS:
        others = [other for other in SHORTCUTS if other != name]
        alone = _found(difference, training_view(model, without=others))
        if alone:
            reasons[name] = alone
    twin = training_view(model, without=reasons)
    if not reasons or _found(difference, twin):
        reasons = dict.fromkeys(SHORTCUTS, found)
        twin = training_view(model, without=reasons)
    return FastTwin(twin, tuple(reasons), tuple(f"{name}: {reason}" for name, reason in reasons.items()))


def _found(difference: Difference, twin: Any) -> str:
    try:
        return difference(twin)
    except FAILURES as error:
        return reason(error)
