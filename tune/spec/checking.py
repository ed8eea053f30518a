"""Checks a whole search space: plain values in, a `SearchSpec` out, every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from goemo.configuration.declared import keys_of, problems_of
from goemo.configuration.thresholds import DEFAULT_METHOD
from tune.spec.domain import Domain
from tune.spec.keys import unknown
from tune.spec.problems import Problems
from tune.spec.search_spec import SearchSpec
from tune.spec.searchable import MODEL_KEYS, read_space
from tune.spec.together import check_together

# What a bare word means, where one stands for a mapping.
_BARE = {"search": "algorithm", "scheduler": "algorithm", "thresholds": "method"}

_SPEC = TypeAdapter(SearchSpec)


def section_values(values: Mapping[str, Any], section: str) -> Any:
    """Return what stands for a section, which may be a bare algorithm, or a bare method of thresholds."""
    given = values.get(section, DEFAULT_METHOD if section == "thresholds" else {})
    return {_BARE[section]: given} if section in _BARE and isinstance(given, str) else given


def checked(
    values: Mapping[str, Any], problems: Problems, *, where: str, text: str, name: str | None = None
) -> SearchSpec:
    """Return the search that a file asks for.

    Args:
        values: What the file says, overrides included.
        problems: Those found before, with where each value came from.
        where: What the values are called in a message: the path of the file.
        text: The file as it was given.
        name: Of a search that names itself nowhere; without it, a name is required.

    Raises:
        InputError: Something is wrong; the message has all of it.
    """
    whole = {"model": {}, **({} if name is None else {"name": name}), **values}
    whole |= {
        section: section_values(whole, section) for section in ("search", "scheduler") if section in whole
    }
    if "text" in whole:
        problems.add(("text",), unknown(("text",)))
        del whole["text"]
    spec = None
    try:
        spec = _SPEC.validate_python(whole)
    except ValidationError as error:
        for path, message in problems_of(error, SearchSpec, unknown):
            problems.add(path, message)
    sections, domains = _right_parts(whole)
    check_together(sections, domains, problems)
    problems.raise_if_any(where)
    assert spec is not None
    return replace(spec, text=text)


def _right_parts(values: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, Domain]]:
    """Return the values of each section that keep their rules, defaults included, and the domains that do.

    What fits each other is checked for these alone: a wrong value has its own problem already.
    """
    sections: dict[str, dict[str, Any]] = {}
    for section, key in keys_of(SearchSpec).items():
        if key.rule is not None:
            continue
        given = values.get(section, {})
        good = sections[section] = {}
        for name, inner in keys_of(key.annotation).items():
            try:
                if isinstance(given, dict) and name in given:
                    good[name] = inner.check(given[name])
                elif inner.has_default:
                    good[name] = inner.default
            except (PydanticCustomError, ValidationError):
                continue
    chosen = {name: sections["model"][name] for name in MODEL_KEYS if name in sections["model"]}
    model = {
        name: value if isinstance(value, Domain) else Domain("value", (value,))
        for name, value in chosen.items()
    }
    return sections, {**model, **read_space(values.get("space", {}))[0]}
