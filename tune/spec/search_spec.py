"""One search, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import yaml

from tune.spec.checking import checked_fields
from tune.spec.conditions import members
from tune.spec.domain import Domain
from tune.spec.problems import Problems
from tune.spec.sections import (
    AlgorithmSpec,
    ConfirmSpec,
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
        confirm: Which leaders are trained again with further seeds.
        seed: Seeds the order of a grid, the draws of random and TPE, and every training.
        keep_models: How many leaders keep their weights.
        checkpoint_every_s: Seconds of training between two checkpoints of a trial.
        trial_timeout_s: Seconds that a trial may take; None for as many as it takes.
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
    confirm: ConfirmSpec
    seed: int = 42
    keep_models: int = 1
    checkpoint_every_s: float = 300
    trial_timeout_s: float | None = None
    text: str = field(default="", compare=False, repr=False)

    @property
    def varying(self) -> dict[str, Domain]:
        """The domains with more than one value, or with a condition, in the order of the file."""
        return {name: domain for name, domain in self.space.items() if not domain.is_constant}

    @cached_property
    def members(self) -> list[dict[str, Any]]:
        """What varies in each configuration, in the order of the product: the last fastest.

        Empty where they cannot be listed: in a random or TPE search with a range of real numbers, say.
        """
        return members(self.varying)

    @property
    def total(self) -> int:
        """How many trials the search has."""
        return len(self.members) if self.search.trials is None else self.search.trials

    @property
    def enqueued(self) -> list[dict[str, Any]]:
        """What varies in the configurations that are tried first, as far as they say it."""
        return [
            {name: configuration[name] for name in self.varying if name in configuration}
            for configuration in self.search.enqueue
        ]

    @property
    def is_longest_first(self) -> bool:
        """Whether the costliest trials start first, so that short ones fill the end: nothing minds the order.

        A scheduler that compares trials would compare long ones with long ones, and so do without a shuffle.
        """
        return self.search.algorithm == "grid" and self.scheduler.algorithm == "none"

    @property
    def startup_trials(self) -> int:
        """How many trials with a score TPE waits for: random first, but never most of a short search."""
        if self.search.startup_trials is not None:
            return self.search.startup_trials
        return min(10, max(4, self.total // 3))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values in the layout of the file, defaults included; `from_dict` takes them back."""
        values: dict[str, Any] = {"name": self.name, "model": asdict(self.model), "data": asdict(self.data)}
        values["space"] = {name: domain.to_yaml() for name, domain in self.space.items()}
        values["search"] = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self.search).items()
            if value not in (None, ())
        }
        for section in ("scheduler", "objective", "resources", "confirm"):
            values[section] = asdict(getattr(self, section))
        top = ("seed", "keep_models", "checkpoint_every_s", "trial_timeout_s")
        return values | {key: getattr(self, key) for key in top if getattr(self, key) is not None}

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
