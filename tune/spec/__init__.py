"""A search space, read and checked whole: YAML in, `SearchSpec` out, every problem at once.

Nothing heavy is imported here, because `goemo --help` and `goemo spaces` read this package.
"""

from tune.spec.advice import advice
from tune.spec.baseline import tried_of
from tune.spec.conditions import asked_for, case_of, conditions_first, is_asked
from tune.spec.configurations import (
    configuration,
    hyperparameters,
    models,
    possible_lengths,
    possible_values,
)
from tune.spec.domain import Domain
from tune.spec.extending import extended
from tune.spec.loading import load_spec, shipped_spaces
from tune.spec.rungs import TIES_FROM, bar, rungs
from tune.spec.search_spec import EXPERIMENT, SearchSpec
from tune.spec.searchable import SEARCHABLE
from tune.spec.sections import (
    TAXONOMIES,
    AlgorithmSpec,
    ConfirmSpec,
    DataSpec,
    ModelSpec,
    ObjectiveSpec,
    ResourcesSpec,
    SchedulerSpec,
    one_or_several,
    report_progress,
)
from tune.spec.wording import order_in_words, scheduler_in_words

__all__ = [
    "EXPERIMENT",
    "SEARCHABLE",
    "TAXONOMIES",
    "TIES_FROM",
    "AlgorithmSpec",
    "ConfirmSpec",
    "DataSpec",
    "Domain",
    "ModelSpec",
    "ObjectiveSpec",
    "ResourcesSpec",
    "SchedulerSpec",
    "SearchSpec",
    "advice",
    "asked_for",
    "bar",
    "case_of",
    "conditions_first",
    "configuration",
    "extended",
    "hyperparameters",
    "is_asked",
    "load_spec",
    "models",
    "one_or_several",
    "order_in_words",
    "possible_lengths",
    "possible_values",
    "report_progress",
    "rungs",
    "scheduler_in_words",
    "shipped_spaces",
    "tried_of",
]
