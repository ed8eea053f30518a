"""The domain of one hyperparameter: its values, and when it applies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

DomainKind = Literal["value", "grid", "choice", "uniform", "log_uniform", "int", "cases"]

DOMAIN_KINDS = ("grid", "choice", "uniform", "log_uniform", "int")
LISTED_KINDS = ("value", "grid", "choice")
ONLY_IF = "only_if"


@dataclass(frozen=True)
class Domain:
    """The values that one hyperparameter may take.

    `grid` and `choice` list their values; the two mean the same to every algorithm: a grid search
    takes their product, random and TPE choose from the list. `uniform`, `log_uniform` and `int` are
    ranges with both ends included. `value` is a plain value, which does not vary. `cases` are domains of
    which the first holds whose condition does (`tune.spec.conditions.case_of`).

    Attributes:
        kind: How `values` is meant.
        values: The list, or the two ends of the range, or the one value: numbers, or names in a list; of
            `cases`, the domains.
        only_if: Other hyperparameters, each with the values of which it must have one for this one to be
            asked for (see `tune.spec.conditions`); empty for one that is always asked for.
    """

    kind: DomainKind
    values: tuple[Any, ...]
    only_if: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def cases(self) -> tuple[Domain, ...]:
        """The domains that it may be; itself where it has no cases."""
        return self.values if self.kind == "cases" else (self,)

    @property
    def depends_on(self) -> set[str]:
        """The hyperparameters that any of its conditions names."""
        return {name for case in self.cases for name in case.only_if}

    @property
    def is_listed(self) -> bool:
        """Whether all of its values are listed."""
        return all(case.kind in LISTED_KINDS for case in self.cases)

    @property
    def members(self) -> Sequence[Any]:
        """All values that it has; none where a range of real numbers is among them."""
        if self.kind == "cases":
            listed = [case.members for case in self.cases]
            return tuple(dict.fromkeys(value for one in listed for value in one)) if all(listed) else ()
        if self.is_listed:
            return self.values
        low, high = self.values
        return range(low, high + 1) if self.kind == "int" else ()

    @property
    def is_constant(self) -> bool:
        """Whether there is only one value to take, whatever the others are."""
        return self.kind != "cases" and len(set(self.values)) == 1 and not self.only_if

    def holds(self, value: Any) -> bool:
        """Return whether ``value``, in the type of the hyperparameter or None, lies in the domain."""
        if self.kind == "cases":
            return any(case.holds(value) for case in self.cases)
        if self.is_listed:
            return value in self.values
        low, high = self.values
        return value is not None and bool(low <= value <= high)

    def to_yaml(self) -> Any:
        """Return the domain as it is written in a search space."""
        if self.kind == "cases":
            return [case.to_yaml() for case in self.cases]
        if self.kind == "value":
            return self.values[0]
        condition = {name: list(values) for name, values in self.only_if.items()}
        return {self.kind: list(self.values)} | ({ONLY_IF: condition} if condition else {})
