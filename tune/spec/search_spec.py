"""One search, with every default filled in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import yaml

from tune.spec.checking import checked_fields
from tune.spec.domain import Domain
from tune.spec.problems import Problems
from tune.spec.sections import (
    AlgorithmSpec,
    DataSpec,
    ModelSpec,
    ObjectiveSpec,
    ResourcesSpec,
    SchedulerSpec,
)


@dataclass(frozen=True)
class SearchSpec:
    """One search, with every default filled in.

    Attributes:
        name: The search's name in its store; safe as the name of a folder.
        model: What trains.
        data: What it trains on.
        space: Hyperparameter to domain, in the order of the file: the last varies fastest in a grid.
        search: How configurations are chosen.
        scheduler: Who stops losers.
        objective: What ranks.
        resources: What one trial occupies.
        seed: Seeds the order of a grid, the draws of random and TPE, and every training.
        keep_models: How many leaders keep their weights.
        checkpoint_every_s: Seconds of training between two checkpoints of a trial.
        text: The file as given, without the overrides; not part of equality.
    """

    name: str
    model: ModelSpec
    data: DataSpec
    space: Mapping[str, Domain]
    search: AlgorithmSpec
    scheduler: SchedulerSpec
    objective: ObjectiveSpec
    resources: ResourcesSpec
    seed: int = 42
    keep_models: int = 1
    checkpoint_every_s: float = 300
    text: str = field(default="", compare=False, repr=False)

    @property
    def varying(self) -> dict[str, Domain]:
        """The domains with more than one value, in the order of the file."""
        return {name: domain for name, domain in self.space.items() if not domain.is_constant}

    @property
    def total(self) -> int:
        """How many trials the search has."""
        if self.search.trials is not None:
            return self.search.trials
        return math.prod(len(domain.values) for domain in self.varying.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values in the layout of the file, defaults included; `from_dict` takes them back."""
        values: dict[str, Any] = {"name": self.name, "model": asdict(self.model), "data": asdict(self.data)}
        values["space"] = {name: domain.to_yaml() for name, domain in self.space.items()}
        values["search"] = {k: v for k, v in asdict(self.search).items() if v is not None}
        for section in ("scheduler", "objective", "resources"):
            values[section] = asdict(getattr(self, section))
        return values | {key: getattr(self, key) for key in ("seed", "keep_models", "checkpoint_every_s")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SearchSpec:
        """Check plain values in the layout of the file; as YAML, they are the text.

        Args:
            values: What `yaml.safe_load` gives for a search space, or `to_dict`.

        Raises:
            InputError: Something is wrong; the message has all of it.
        """
        text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
        return cls(**checked_fields(values, Problems(), where="search space"), text=text)
