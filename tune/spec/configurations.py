"""The configuration of one trial of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from goemo.configuration import HYPERPARAMETER_DEFAULTS, Configuration
from tune.spec.layout import HYPERPARAMETERS
from tune.spec.search_spec import SearchSpec


def configuration(spec: SearchSpec, varied: Mapping[str, Any]) -> Configuration:
    """Return the configuration of one trial.

    Hyperparameters come from ``varied``, else from the constant domains of the space, else from
    `goemo.configuration.HYPERPARAMETER_DEFAULTS`. Whole-number hyperparameters are made ``int``,
    the others ``float``.

    Raises:
        ValueError: The keys of ``varied`` are not those that the space varies.
    """
    if set(varied) != set(spec.varying):
        raise ValueError(f"the space varies {sorted(spec.varying)}, got values for {sorted(varied)}")
    constant = {name: domain.values[0] for name, domain in spec.space.items() if domain.is_constant}
    values = {**HYPERPARAMETER_DEFAULTS, **constant, **varied}
    return Configuration.from_dict(
        {
            **asdict(spec.model),
            **{
                name: None if value is None else HYPERPARAMETERS[name].type(value)
                for name, value in values.items()
            },
            "seed": spec.seed,
            "reports": spec.objective.reports,
            "metric": spec.objective.metric,
            "thresholds": spec.objective.thresholds,
        }
    )
