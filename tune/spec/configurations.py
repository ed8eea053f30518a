"""The configuration of one trial of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from goemo.configuration import HYPERPARAMETER_DEFAULTS, Configuration
from goemo.configuration.declared import keys_of
from goemo.configuration.settings import ModelSettings
from tune.spec.conditions import asked_for, is_asked, members
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
    choices = spec.model.choices
    among = {
        name: replace(domain, only_if={k: v for k, v in domain.only_if.items() if k in choices})
        for name, domain in choices.items()
    }
    found = members(among)
    for name, domain in choices.items():
        if domain.only_if.keys() - choices.keys():  # what a hyperparameter decides may be its default as well
            found += [asked_for(among, {k: v for k, v in one.items() if k != name}) for one in found]
    fixed = {key: getattr(spec.model, key) for key in keys_of(ModelSettings) if key not in choices}
    return list(dict.fromkeys(ModelSettings(**fixed, **one) for one in found))


def possible_values(spec: SearchSpec, name: str, model: ModelSettings) -> tuple[Any, ...]:
    """Return the values that a hyperparameter may have in trials of a model: all, or the ends of a range.

    Where it is not always asked for, its default is one of them.
    """
    default = (HYPERPARAMETER_DEFAULTS[name],)
    domain = spec.space.get(name)
    if domain is None:
        return default
    of_model = {key: value for key, value in asdict(model).items() if key in domain.only_if}
    if any(value not in domain.only_if[key] for key, value in of_model.items()):
        return default
    is_certain = all(key in of_model and not spec.domains[key].only_if for key in domain.only_if)
    return domain.values if is_certain else domain.values + default
