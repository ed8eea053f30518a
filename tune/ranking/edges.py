"""Best values on the edge of a search space, and how to continue the search beyond it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from goemo.configuration.rules import Number
from goemo.errors import InputError
from tune.ranking.leaderboard import Leaderboard
from tune.spec import SEARCHABLE, Domain, SearchSpec, case_of

NEAR = 0.05  # of a range's width, on its own scale: closer than this to a bound is on the edge
BEYOND = 2  # values of a list that are proposed beyond its edge


@dataclass(frozen=True)
class Edge:
    """A hyperparameter whose best value lies on the edge of the space: the optimum may lie outside.

    Attributes:
        name: The hyperparameter.
        sentence: What was found, such as "learning_rate 5e-05 is the highest of the grid; try higher values."
        domain: Where to search on, as a domain of the same kind and within what the hyperparameter may be. Of
            a list, the edge between its neighbour and `BEYOND` values outside, in the list's own ratio or
            step, so that the next search can find the edge to be best after all. Of a range, one half as wide
            around the bound.
    """

    name: str
    sentence: str
    domain: Domain

    @property
    def override(self) -> str:
        """Where to search on, as ``--set`` takes it."""
        values = ", ".join(_text(value) for value in self.domain.values)
        return f"space.{self.name}.{self.domain.kind}=[{values}]"


def edges_of(spec: SearchSpec, board: Leaderboard) -> list[Edge]:
    """Return the edges on which the best trial of a search lies; see `edges`."""
    ranking = board.confirmed if board.is_confirmed else board.rows
    tied = [one.varied for one in ranking[1:] if one.tied_with_best]
    return edges(spec, board.best.varied, tied) if board.rows else []


def edges(spec: SearchSpec, best: Mapping[str, Any], tied: Sequence[Mapping[str, Any]] = ()) -> list[Edge]:
    """Return the hyperparameters whose best value lies on the edge of the space, in its order.

    Lists of at least three values are looked at, of the kind ``grid`` or ``choice`` alike, of numbers,
    because names have no order; and ranges, where a value within `NEAR` of a bound (on the range's own scale)
    counts as on the edge. Of a range of whole numbers, it is the bound itself. There is no edge where nothing
    lies beyond: a warm-up share of 0 cannot be lower.

    Args:
        spec: The search, for the domains.
        best: The varied hyperparameters of the best trial, with their values.
        tied: Likewise of the trials that are statistically tied with the best. Where one of them lies
            elsewhere, the sentence says so: the edge is then no proof.
    """
    found = []
    for name in spec.varying:
        domain = case_of(name, spec.varying, best)
        side = 0 if domain is None or name not in best else _side(domain, best[name])
        values = _beyond(name, domain, side) if domain is not None and side else ()
        if domain is None or not values:
            continue
        alike = [one for one in tied if name in one and case_of(name, spec.varying, one) is domain]
        elsewhere = [trial[name] for trial in alike if _side(domain, trial[name]) != side]
        sentence = _sentence(domain, f"{name} {_shown(best[name])}", side, elsewhere)
        found.append(Edge(name, sentence, replace(domain, values=values)))
    return found


def search_on(spec: SearchSpec, folder: Path, found: Sequence[Edge]) -> str:
    """Return the command that searches on beyond the edges; empty without one, or where it would be refused.

    Settings that were to be tried first are left out of it, because they may lie outside the new space, and
    hyperparameters with cases, whose domain no single override can say.

    Args:
        spec: The search.
        folder: Its records.
        found: The edges.
    """
    found = [edge for edge in found if spec.varying[edge.name].kind != "cases"]
    if not found:
        return ""
    space = {**spec.space, **{edge.name: edge.domain for edge in found}}
    try:
        SearchSpec.from_dict(replace(spec, space=space, search=replace(spec.search, enqueue=())).to_dict())
    except (InputError, ValueError):  # such as a condition on a value that the new space lacks
        return ""
    overrides = [edge.override for edge in found] + ["search.enqueue=[]"] * bool(spec.search.enqueue)
    return " ".join([repeated(folder, "wider"), *(f"--set {shlex.quote(one)}" for one in overrides)])


def repeated(folder: Path, suffix: str = "again") -> str:
    """Return the command that runs the search of a folder once more, under its name with a suffix."""
    path = folder / "search.yaml"
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"goemo search {shlex.quote(str(shown))} --name {shlex.quote(f'{folder.name}-{suffix}')}"


def _sentence(domain: Domain, value: str, side: int, elsewhere: Sequence[float]) -> str:
    if domain.is_listed:
        kind = "grid" if domain.kind == "grid" else "list"
        place = f"is the {'highest' if side > 0 else 'lowest'} of the {kind}"
    else:
        place = f"lies at the {'upper' if side > 0 else 'lower'} bound of the range, {_end(domain, side):g}"
    hint = f"{value} {place}; try {'higher' if side > 0 else 'lower'} values"
    if elsewhere:
        hint += f", although a trial with {_shown(elsewhere[0])} is statistically tied with the best"
    return f"{hint}."


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3g}"


def _end(domain: Domain, side: int) -> float:
    return float(max(domain.values) if side > 0 else min(domain.values))


def _side(domain: Domain, value: Any) -> int:
    """Return 1 where the value lies on the upper edge of its domain, -1 on the lower, 0 elsewhere."""
    if any(isinstance(known, str) for known in domain.values):  # names have no order
        return 0
    low, high = min(domain.values), max(domain.values)
    if domain.is_listed or domain.kind == "int":
        if domain.is_listed and len(domain.values) < 3:
            return 0
        return -1 if value <= low else int(value >= high)
    scale = math.log if domain.kind == "log_uniform" else float
    place = (scale(value) - scale(low)) / (scale(high) - scale(low))
    return -1 if place <= NEAR else int(place >= 1 - NEAR)


def _beyond(name: str, domain: Domain, side: int) -> tuple[Any, ...]:
    """Return the values of the domain in which to search on; none where nothing lies beyond the edge."""
    if not domain.is_listed:
        return _range_beyond(name, domain, side)
    inner, edge = sorted(set(domain.values), key=lambda value: side * value)[-2:]
    ratio, step = _ratio(domain.values), edge - inner
    reached = [edge]
    for _ in range(BEYOND):
        further = reached[-1] * ratio**side if ratio else reached[-1] + step
        value = _allowed(name, further, reached[-1])
        if value is None:
            break
        reached.append(value)
    return tuple(sorted([inner, *reached])) if len(reached) > 1 else ()


def _ratio(values: Sequence[float]) -> float | None:
    """Return the mean ratio between neighbours; None where their steps are more alike than their ratios."""
    ordered = sorted(set(values))
    steps = [b - a for a, b in pairwise(ordered)]
    ratios = [b / a for a, b in pairwise(ordered) if a > 0]
    if not ratios or max(steps) / min(steps) <= max(ratios) / min(ratios):
        return None
    return math.prod(ratios) ** (1 / len(ratios))


def _range_beyond(name: str, domain: Domain, side: int) -> tuple[Any, ...]:
    bound = _end(domain, side)
    low, high = (float(value) for value in domain.values)
    if domain.kind == "log_uniform":
        factor = (high / low) ** 0.25
        inner, further = bound / factor**side, bound * factor**side
    else:
        quarter = (high - low) / 4
        quarter = max(1, math.ceil(quarter)) if domain.kind == "int" else quarter
        inner, further = bound - side * quarter, bound + side * quarter
    outer = _allowed(name, further, bound)
    if outer is None:
        return ()
    return tuple(sorted([round(inner) if domain.kind == "int" else _rounded(inner, bound), outer]))


def _allowed(name: str, value: float, last: float) -> Any:
    """Return a value beyond ``last`` that the hyperparameter may have, half-way to its bound if need be.

    Returns:
        The value in few digits; None where there is none.
    """
    rule = SEARCHABLE[name].rule
    assert isinstance(rule, Number)
    side = 1 if value > last else -1
    ends = (rule.high, rule.most) if side > 0 else (rule.above, rule.low)
    bound = next((end for end in ends if end is not None), None)
    choices = [value] if bound is None else [value, (last + bound) / 2, bound]
    for choice in choices:
        rounded = round(choice) if rule.is_whole else _rounded(choice, last)
        try:
            allowed = rule.check(rounded)
        except ValueError:
            continue
        if side * (rounded - last) > 0:
            return allowed
    return None


def _rounded(value: float, last: float) -> float:
    """Return a value in two digits, or in as many as it takes to tell it from ``last``."""
    smallest = min((size for size in (abs(value), abs(value - last)) if size), default=1.0)
    return round(value, 1 - math.floor(math.log10(smallest)))


def _text(value: float) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
