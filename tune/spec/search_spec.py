"""One search, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import Annotated, Any

import yaml

from goemo.configuration.declared import declared, keys_of, meaning
from goemo.configuration.rules import FunctionRule, Number, Text, whole
from goemo.configuration.settings import Seed
from tune.spec.baseline import Baseline, BaselineRule
from tune.spec.conditions import members
from tune.spec.domain import Domain
from tune.spec.searchable import Space
from tune.spec.sections import (
    FOLDER_NAME,
    MOST_TRIALS,
    AlgorithmSpec,
    ConfirmSpec,
    DataSpec,
    ModelSpec,
    ObjectiveSpec,
    ResourcesSpec,
    SchedulerSpec,
)

EXPERIMENT = "goemo"  # MLflow's, where a search names no other


@declared
class SearchSpec:
    """One search, with every default filled in; ``text`` is the file as given, without the overrides."""

    name: Annotated[
        str,
        FOLDER_NAME,
        meaning("names the search and its folder; `--name` wins"),
    ]
    model: ModelSpec
    data: DataSpec = DataSpec()
    space: Annotated[Mapping[str, Domain], Space(), meaning("what varies")] = field(default_factory=dict)
    search: AlgorithmSpec = AlgorithmSpec()
    scheduler: SchedulerSpec = SchedulerSpec()
    objective: ObjectiveSpec = ObjectiveSpec()
    resources: ResourcesSpec = ResourcesSpec()
    confirm: ConfirmSpec = ConfirmSpec(top=0)
    baseline: Annotated[
        Baseline,
        BaselineRule(),
        meaning(
            "what the best trial is compared with: a bag of `words`, trained alongside the trials, or "
            "`none`; a mapping says [what its settings are chosen "
            "from](reading-the-numbers.md#the-baseline-and-the-blend)"
        ),
    ] = "words"
    experiment: Annotated[
        str, Text(longest=200), meaning("the MLflow experiment that its runs are in; `--experiment` wins")
    ] = EXPERIMENT
    seed: Annotated[
        Seed,
        meaning(
            "seeds the order of a grid, the draws of random and TPE, the brackets of trials, every "
            "training, the built-in sample, and the splits of data that has none"
        ),
    ] = 42
    keep_models: Annotated[
        int,
        whole(0, most=MOST_TRIALS),
        meaning(
            "how many of the best trials keep their weights; those that are to be confirmed keep theirs "
            "until that is done"
        ),
    ] = 1
    checkpoint_every_s: Annotated[
        float,
        Number(above=0, most=1e8),
        meaning(
            "seconds of training between two checkpoints of a trial; trials that are shorter are run again "
            "after a crash"
        ),
    ] = 300
    trial_timeout_s: Annotated[
        Annotated[float, Number(above=0, most=1e8)] | None,
        meaning(
            "seconds that a trial may take; one that takes longer counts as failed, [with its "
            "stack](survival.md#a-trial-that-hangs)"
        ),
    ] = None
    text: Annotated[str, FunctionRule("text", str, {"type": "string"})] = field(
        default="", compare=False, repr=False
    )

    @property
    def domains(self) -> dict[str, Domain]:
        """What the search chooses of the model, then the space, each in the order of the file."""
        return {**self.model.choices, **self.space}

    @property
    def varying(self) -> dict[str, Domain]:
        """The domains with more than one value, or with a condition, in the order of the file."""
        return {name: domain for name, domain in self.domains.items() if not domain.is_constant}

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
        values = {name: _plain(getattr(self, name)) for name in keys_of(type(self)) if name != "text"}
        values["data"] = {"source": self.data.source, "taxonomy": self.data.taxonomy, **self.data.changed()}
        values["search"] = {key: value for key, value in values["search"].items() if value not in (None, [])}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SearchSpec:
        """Check plain values in the layout of the file; as YAML, they are the text.

        Args:
            values: What `yaml.safe_load` gives for a search space, or `to_dict`.

        Raises:
            InputError: Something is wrong; the message has all of it.
        """
        from tune.spec.checking import checked
        from tune.spec.problems import Problems

        text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
        return checked(values, Problems(), where="search space", text=text)


def _plain(value: Any) -> Any:
    """Return a section, a domain or a value as YAML has it."""
    if isinstance(value, Domain):
        return value.to_yaml()
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in keys_of(type(value))}
    return value
