"""Keys that may be searched: a plain value, or a domain with a condition beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic_core import PydanticCustomError

from goemo.configuration import HYPERPARAMETERS
from goemo.configuration.declared import Key, keys_of
from goemo.configuration.rules import KeyPath, Rule, all_broken, as_number, broken
from goemo.configuration.settings import ModelSettings
from goemo.configuration.wording import show
from tune.spec.domain import DOMAIN_KINDS, LISTED_KINDS, ONLY_IF, Domain, DomainKind

# Of the model, what a search may choose: which encoder, what of it trains, and what the head reads.
MODEL_KEYS: dict[str, Key] = {
    name: keys_of(ModelSettings)[name] for name in ("checkpoint", "trainable", "pooling")
}

SEARCHABLE: dict[str, Key] = MODEL_KEYS | HYPERPARAMETERS

MOST_VALUES = 1_000  # of one list; more are a range, or a slip

# Where in the value, and the sentence; None for a key that nobody knows.
FoundProblems = list[tuple[KeyPath, str | None]]

# What takes a range, by the type of the values; names have none and are listed.
_RANGES: dict[type, tuple[str, ...]] = {
    int: ("int",),
    float: ("uniform", "log_uniform"),
    str: ("grid", "choice"),
}
_TAKES = {int: "whole numbers; use", float: "real numbers; use", str: "names; list them with"}


class Searchable(Rule):
    """The rule of a key of the model that may be a plain value, or a domain like any hyperparameter's."""

    def __init__(self, key: Key) -> None:
        self.key = key

    @property
    def words(self) -> str:
        """What a plain value must be; that it may be searched is said in the text."""
        return self._rule.words

    @property
    def example(self) -> str:
        """What a plain value may be, said where there is none."""
        return str(getattr(self._rule, "example", ""))

    @property
    def _rule(self) -> Rule:
        assert self.key.rule is not None
        return self.key.rule

    def check(self, value: Any) -> Any:
        """Return the value, or a `Domain`."""
        if isinstance(value, Domain):
            return value
        if not isinstance(value, dict | list):
            return self._rule.check(value)
        problems: FoundProblems = []
        domain = read_domain(self.key, value, problems)
        if domain is not None and domain.depends_on and not self.key.has_default:
            problems.append(((ONLY_IF,), f"every trial needs a {self.key.name}: it can have no condition"))
        if problems:
            raise all_broken(problems, value)
        assert domain is not None
        return domain.values[0] if domain.is_constant else domain

    def json_schema(self) -> dict[str, Any]:
        """Return the schemas of the value and of the domain."""
        return domain_schema(self.key)


class Space(Rule):
    """The rule of the section ``space``: hyperparameters, each with a plain value or a domain."""

    words = "a mapping of hyperparameters to domains"

    def check(self, value: Any) -> dict[str, Domain]:
        """Return the domains in the order of the file: the last varies fastest in a grid."""
        domains, problems = read_space(value)
        if problems:
            raise all_broken(problems, value)
        return domains

    def json_schema(self) -> dict[str, Any]:
        """Return the hyperparameters, each with what it may be."""
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: domain_schema(key) for name, key in HYPERPARAMETERS.items()},
        }


def read_space(given: Any) -> tuple[dict[str, Domain], FoundProblems]:
    """Return the domains that keep their rules, and what is wrong with the others."""
    if not isinstance(given, Mapping):
        return {}, [((), f"must be a mapping of hyperparameters to domains, got {show(given)}")]
    problems: FoundProblems = []
    domains = {}
    for name, value in given.items():
        if name not in HYPERPARAMETERS:
            problems.append(((str(name),), None))
            continue
        found: FoundProblems = []
        domain = value if isinstance(value, Domain) else read_domain(HYPERPARAMETERS[name], value, found)
        problems += [((name, *path), message) for path, message in found]
        if domain is not None:
            domains[name] = domain
    return domains, problems


def read_domain(key: Key, given: Any, problems: FoundProblems) -> Domain | None:
    """Return the domain that a file gives to a key, or None after adding to ``problems``."""
    if isinstance(given, list) and len(given) > 1 and any(isinstance(case, dict) for case in given):
        return _cases(key, given, problems)
    if isinstance(given, list):
        kind = "grid" if key.name in HYPERPARAMETERS else "choice"
        problems.append(((), f"a list must say how it is meant: {{{kind}: {show(given)}}}"))
        return None
    if not isinstance(given, dict):
        values = _values(key, [given], [()], problems)
        return None if values is None else Domain("value", values)
    problems += [((str(name),), None) for name in given if name not in (*DOMAIN_KINDS, ONLY_IF)]
    kinds = [kind for kind in given if kind in DOMAIN_KINDS]
    if len(kinds) != 1:
        if kinds or not set(given) - {ONLY_IF}:  # else an unknown key is what is wrong
            message = f"must have exactly one of {', '.join(DOMAIN_KINDS)}, got {show(list(given))}"
            problems.append(((), message))
        return None
    kind = cast("DomainKind", kinds[0])
    values = _listed(key, kind, given[kind], problems)
    condition = read_condition(given[ONLY_IF], problems) if ONLY_IF in given else {}
    return None if values is None or condition is None else Domain(kind, values, condition)


def _cases(key: Key, given: list[Any], problems: FoundProblems) -> Domain | None:
    """Return the domain with several cases."""
    cases = []
    for number, one in enumerate(given[:MOST_VALUES]):
        found: FoundProblems = []
        cases.append(None if isinstance(one, list) else read_domain(key, one, found))
        if isinstance(one, list):
            found.append(((), f"must be a domain with {ONLY_IF}, got {show(one)}"))
        problems += [((number, *path), message) for path, message in found]
    whole = tuple(case for case in cases if case is not None)
    return Domain("cases", whole) if len(whole) == len(given) else None


def _listed(key: Key, kind: DomainKind, given: Any, problems: FoundProblems) -> tuple[Any, ...] | None:
    """Return the values, or the two ends, in the type of the key."""
    wrong = _wrong_list(key, kind, given)
    if wrong is not None:
        problems.append(((kind,), wrong))
        return None
    values = _values(key, given, [(kind, index) for index in range(len(given))], problems)
    if values is None:
        return None
    if kind not in LISTED_KINDS and values[0] >= values[1]:
        problems.append(((kind,), f"low must be below high, got {show(given)}"))
        return None
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        problems.append(((kind,), f"values must differ, got {twice[0]!r} more than once"))
        return None
    return values


def _wrong_list(key: Key, kind: DomainKind, given: Any) -> str | None:
    """Return what is wrong with a list as a whole, before its values are looked at."""
    if not isinstance(given, list):
        return f"must be a list, got {show(given)}"
    if kind in LISTED_KINDS:
        too_many = f"must have at most {MOST_VALUES:,} values, got {len(given):,}"
        return too_many if len(given) > MOST_VALUES else None if given else "must not be empty, got []"
    takes = _RANGES[key.type]
    if kind not in takes:
        return f"{key.name} takes {_TAKES[key.type]} {' or '.join(takes)}"
    if len(given) != 2:
        return f"must be [low, high], got {show(given)}"
    low = as_number(given[0])
    if kind == "log_uniform" and isinstance(low, int | float) and low <= 0:
        return f"low must be above 0, because it is searched by its logarithm, got {show(given)}"
    return None


def _values(
    key: Key, given: Sequence[Any], paths: Sequence[KeyPath], problems: FoundProblems
) -> tuple[Any, ...] | None:
    """Return the values in the type of the key, or None after adding to ``problems``."""
    assert key.rule is not None
    values = []
    for value, path in zip(given, paths, strict=True):
        try:
            values.append(key.rule.check(value))
        except PydanticCustomError as error:
            problems.append((path, error.message()))
    return tuple(values) if len(values) == len(given) else None


def read_condition(given: Any, problems: FoundProblems) -> dict[str, tuple[Any, ...]] | None:
    """Return the values that others must have for a key to be asked for, or None after adding problems."""
    if not isinstance(given, dict) or not given:
        message = f"must be a mapping of other hyperparameters to lists, got {show(given)}"
        problems.append(((ONLY_IF,), message))
        return None
    condition = {}
    for other, listed in given.items():
        path: KeyPath = (ONLY_IF, str(other))
        if other not in SEARCHABLE:
            problems.append((path, None))
        elif not isinstance(listed, list) or not listed or len(listed) > MOST_VALUES:
            problems.append((path, f"must be a list of its values, got {show(listed)}"))
        else:
            paths = [(*path, index) for index in range(len(listed))]
            values = _values(SEARCHABLE[other], listed, paths, problems)
            if values is not None:
                condition[other] = values
    return condition if len(condition) == len(given) else None


def domain_schema(key: Key) -> dict[str, Any]:
    """Return the JSON Schema of a plain value or a domain of a key."""
    assert key.rule is not None
    value = key.rule.json_schema()
    listed = {"type": "array", "items": value, "minItems": 1, "maxItems": MOST_VALUES}
    ends = {"type": "array", "items": value, "minItems": 2, "maxItems": 2}
    kinds = {"grid": listed, "choice": listed}
    kinds |= {kind: ends for kind in _RANGES[key.type] if kind not in LISTED_KINDS}
    condition = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"enum": list(SEARCHABLE)},
        "additionalProperties": {"type": "array", "minItems": 1},
    }
    domain = {
        "type": "object",
        "properties": kinds | {ONLY_IF: condition},
        "additionalProperties": False,
        "oneOf": [{"required": [kind]} for kind in kinds],
    }
    # Their values are checked when the file is read: in full here, the schema would be twice as long.
    case = {"type": "object", "minProperties": 1, "propertyNames": {"enum": [*kinds, ONLY_IF]}}
    cases = {"type": "array", "items": {"anyOf": [value, case]}, "minItems": 2, "maxItems": MOST_VALUES}
    return {"description": key.meaning, "anyOf": [value, domain, cases]}


def configurations(value: Any) -> tuple[dict[str, Any], ...]:
    """Return configurations that are tried first, with their values in the types of the keys.

    Raises:
        PydanticCustomError: It is no list.
        ValidationError: Some of them are wrong.
    """
    if not isinstance(value, list | tuple):
        raise broken(f"must be a list of configurations, [{{learning_rate: 3.0e-5}}], got {show(value)}")
    problems: FoundProblems = []
    found = []
    for index, given in enumerate(value):
        if not isinstance(given, dict) or not given:
            problems.append(((index,), f"must be a mapping of hyperparameters to values, got {show(given)}"))
            continue
        problems += [((index, str(name)), None) for name in given if name not in SEARCHABLE]
        configuration = {}
        for name in (name for name in given if name in SEARCHABLE):
            values = _values(SEARCHABLE[name], [given[name]], [(index, name)], problems)
            configuration[name] = None if values is None else values[0]
        found.append(configuration)
    if problems:
        raise all_broken(problems, value)
    return tuple(found)
