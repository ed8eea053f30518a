"""The values that one hyperparameter may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

DomainKind = Literal["value", "grid", "choice", "uniform", "log_uniform", "int"]

DOMAIN_KINDS = ("grid", "choice", "uniform", "log_uniform", "int")
LISTED_KINDS = ("value", "grid", "choice")


@dataclass(frozen=True)
class Domain:
    """The values that one hyperparameter may take.

    `grid` and `choice` list their values; the two mean the same to every algorithm: a grid search
    takes their product, random and TPE choose from the list. `uniform`, `log_uniform` and `int` are
    ranges with both ends included. `value` is a plain value, which does not vary.

    Attributes:
        kind: How `values` is meant.
        values: The list, or the two ends of the range, or the one value: numbers, or names in a list.
    """

    kind: DomainKind
    values: tuple[Any, ...]

    @property
    def is_listed(self) -> bool:
        """Whether `values` is the whole domain."""
        return self.kind in LISTED_KINDS

    @property
    def is_constant(self) -> bool:
        """Whether there is only one value to take."""
        return len(set(self.values)) == 1

    def to_yaml(self) -> Any:
        """Return the domain as it is written in a search space."""
        return self.values[0] if self.kind == "value" else {self.kind: list(self.values)}
