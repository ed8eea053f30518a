"""The configuration of one trial of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from goemo.configuration import HYPERPARAMETER_DEFAULTS, Configuration
from goemo.configuration.declared import keys_of
from goemo.configuration.settings import ModelSettings
from tune.spec.conditions import conditions_first, is_asked
from tune.spec.domain import Domain
from tune.spec.search_spec import SearchSpec


def configuration(spec: SearchSpec, varied: Mapping[str, Any]) -> Configuration:
    """Return the configuration of one trial.

    What varies comes from ``varied``; what is not asked for has its default.

    Raises:
        ValueError: The keys of ``varied`` are not those that the space asks for, given their values.
    """
    varying = spec.varying
    asked = {name for name in varying if is_asked(name, varying, varied)}
    if set(varied) != asked:
        conditions = "" if asked == set(varying) else " where these values are chosen"
        raise ValueError(f"the space varies {sorted(asked)}{conditions}, got values for {sorted(varied)}")
    model = {name: getattr(spec.model, name) for name in keys_of(ModelSettings)}
    return Configuration(
        **{name: value for name, value in model.items() if not isinstance(value, Domain)},
        **hyperparameters(spec, varied),
        seed=spec.seed,
        reports=spec.objective.reports,
        metric=spec.objective.metric,
        thresholds=spec.objective.thresholds,
    )


def hyperparameters(spec: SearchSpec, varied: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every hyperparameter that there is, and what is chosen of the model.

    From ``varied``, else from the constant domains of the search, else from
    `goemo.configuration.HYPERPARAMETER_DEFAULTS`.
    """
    constant = {name: domain.values[0] for name, domain in spec.domains.items() if domain.is_constant}
    return {**HYPERPARAMETER_DEFAULTS, **constant, **varied}


def models(spec: SearchSpec) -> list[ModelSettings]:
    """Return every model that a trial of the search may be of, each once, in the order of the product."""
    keys, choices = keys_of(ModelSettings), spec.model.choices
    found = [{name: getattr(spec.model, name) for name in keys if name not in choices}]
    for name in (name for name in conditions_first(spec.varying) if name in choices):
        found = [
            {**one, name: value}
            for one in found
            for case in _possible(spec, choices[name], keys[name].default, one)
            for value in case.values
        ]
    return list(dict.fromkeys(ModelSettings(**one) for one in found))


def possible_values(spec: SearchSpec, name: str, model: ModelSettings) -> tuple[Any, ...]:
    """Return the values that a hyperparameter may have in trials of a model: all, or the ends of a range.

    Where it is not always asked for, its default is one of them.
    """
    return tuple(value for case in _cases(spec, name, model) for value in case.values)


def possible_lengths(spec: SearchSpec, model: ModelSettings) -> list[int]:
    """Return every maximum length that a trial of a model may ask for, ascending."""
    return sorted({value for case in _cases(spec, "max_length", model) for value in case.members})


def _cases(spec: SearchSpec, name: str, model: ModelSettings) -> list[Domain]:
    default = Domain("value", (HYPERPARAMETER_DEFAULTS[name],))
    return _possible(spec, spec.space.get(name, default), default.values[0], asdict(model))


def _possible(spec: SearchSpec, domain: Domain, default: Any, known: Mapping[str, Any]) -> list[Domain]:
    """Return the cases of a domain that may hold, given values of the model; the default where none must."""
    found = []
    for case in domain.cases:
        of_model = {name: values for name, values in case.only_if.items() if name in known}
        if all(known[name] in values for name, values in of_model.items()):
            found.append(case)
            if len(of_model) == len(case.only_if) and not any(spec.domains[n].depends_on for n in of_model):
                return found
    return [*found, Domain("value", (default,))]
