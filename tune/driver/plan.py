"""The plan of a search, for ``--dry-run``."""

from __future__ import annotations

from goemo.configuration.thresholds import words
from tune import space
from tune.short_names import short_name, short_value
from tune.spec import Domain, SearchSpec, advice, one_or_several, order_in_words, scheduler_in_words


def plan(spec: SearchSpec, most: int = 30) -> str:
    """Return the trials in the order in which they would start; nothing is read or started.

    TPE chooses from what it has learned, so that only the number of its trials is known.
    """
    objective = f"{spec.objective.metric} on validation"
    confirm = spec.confirm
    again = f"then the {confirm.top} best again, with {confirm.seeds} seeds each"
    model = {"model": spec.model.checkpoint, "trainable": spec.model.trainable, "pooling": spec.model.pooling}
    lines = [
        f"{spec.name}: {spec.total} trials by {spec.search.algorithm}, {order_in_words(spec)}",
        scheduler_in_words(spec),
        ", ".join(f"{name} {one_or_several(value)}" for name, value in model.items()),
        f"data {spec.data.source}, taxonomy {spec.data.taxonomy}",
        f"objective {objective}, {words(spec.objective.thresholds)} thresholds, cross-fitted",
        *([again] if confirm.top else []),
        *(f"note: {sentence}" for sentence in advice(spec)),
    ]
    if spec.search.algorithm == "tpe":
        domains = [f"  {name} {in_words(domain)}" for name, domain in spec.varying.items()]
        return "\n".join([*lines, "chosen as the search learns, from:", *domains])
    suggestions = space.suggestions(spec)
    shown = 0
    while shown < most and (asked := suggestions.ask()) is not None:
        lines.append(f"  {asked[0]}  {short_name(asked[1])}")
        shown += 1
    if shown < spec.total:
        lines.append(f"  and {spec.total - shown} more")
    return "\n".join(lines)


def in_words(domain: Domain) -> str:
    """Return what a hyperparameter is chosen from: ``one of 16, 32``, ``1e-05 to 0.0001, log-uniform``."""
    if domain.kind == "cases":
        return "; ".join(map(in_words, domain.cases))
    values = [short_value(value) for value in domain.values]
    if domain.is_listed:
        told = f"one of {', '.join(values)}" if len(values) > 1 else values[0]
    else:
        kinds = {"uniform": "uniform", "log_uniform": "log-uniform", "int": "whole numbers"}
        told = f"{values[0]} to {values[1]}, {kinds.get(domain.kind, domain.kind.replace('_', '-'))}"
    conditions = [f"{name} is {' or '.join(map(str, given))}" for name, given in domain.only_if.items()]
    return f"{told}, only if {' and '.join(conditions)}" if conditions else told
