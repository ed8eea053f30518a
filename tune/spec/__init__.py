"""A search space, read and checked whole: YAML in, `SearchSpec` out, every problem at once.

Nothing heavy is imported here, because `goemo --help` and `goemo spaces` read this package.
"""

from tune.spec.configurations import configuration
from tune.spec.domain import Domain
from tune.spec.finding import shipped_spaces
from tune.spec.layout import HYPERPARAMETERS, RULES, TOP_LEVEL
from tune.spec.loading import load_spec
from tune.spec.search_spec import SearchSpec
from tune.spec.sections import (
    SECTIONS,
    TAXONOMIES,
    AlgorithmSpec,
    DataSpec,
    ModelSpec,
    ObjectiveSpec,
    ResourcesSpec,
    SchedulerSpec,
    report_progress,
)

__all__ = [
    "HYPERPARAMETERS",
    "RULES",
    "SECTIONS",
    "TAXONOMIES",
    "TOP_LEVEL",
    "AlgorithmSpec",
    "DataSpec",
    "Domain",
    "ModelSpec",
    "ObjectiveSpec",
    "ResourcesSpec",
    "SchedulerSpec",
    "SearchSpec",
    "configuration",
    "load_spec",
    "report_progress",
    "shipped_spaces",
]
