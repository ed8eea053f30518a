"""Check all of a search space: plain values in, the fields of `SearchSpec` out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from tune.spec.checking_space import read_space
from tune.spec.checking_together import check_together
from tune.spec.keys import check_keys
from tune.spec.layout import ABSENT_SECTIONS, REQUIRED, RULES, TOP_LEVEL, section_values
from tune.spec.problems import Problems, show
from tune.spec.rules import WrongError
from tune.spec.sections import SECTIONS


def checked_fields(
    values: Mapping[str, Any], problems: Problems, *, where: str, default_name: str | None = None
) -> dict[str, Any]:
    """Return the fields of a `SearchSpec`, except for its text.

    Args:
        values: What the file says, overrides included.
        problems: Those found before, with where each value came from.
        where: What the values are called in a message: the path of the file.
        default_name: The name of a search that has none; without it, a name is required.

    Raises:
        InputError: Something is wrong; the message has all of it.
    """
    check_keys(values, (), TOP_LEVEL, problems)
    top = {key: value for key, value in values.items() if key in RULES[""]}
    if default_name is not None:
        top.setdefault("name", default_name)
    if "name" not in top:
        problems.add(("name",), "required")
    good = _read_keys(top, "", problems)
    sections = {section: _read_section(values, section, problems) for section in SECTIONS}
    space = read_space(values, problems)
    check_together(sections, space, problems)
    problems.raise_if_any(where)
    built = {section: build(**sections[section]) for section, build in SECTIONS.items()}
    return {**good, **built, "space": space}


def _read_section(values: Mapping[str, Any], section: str, problems: Problems) -> dict[str, Any]:
    """Return the values of one section that keep their rules, defaults included."""
    given = section_values({**ABSENT_SECTIONS, **values}, section)
    if not isinstance(given, dict):
        problems.add((section,), f"must be a mapping with {', '.join(RULES[section])}, got {show(given)}")
        return {}
    check_keys(given, (section,), tuple(RULES[section]), problems)
    for key in RULES[section]:
        if (section, key) in REQUIRED and key not in given:
            problems.add((section, key), REQUIRED[section, key])
    defaults = {f.name: f.default for f in fields(SECTIONS[section]) if f.default is not MISSING}
    absent = {key: value for key, value in defaults.items() if key not in given}
    return {**absent, **_read_keys(given, section, problems)}


def _read_keys(given: Mapping[str, Any], section: str, problems: Problems) -> dict[str, Any]:
    """Return the values that keep their rules; the others become problems."""
    good = {}
    for key, rule in RULES[section].items():
        if key in given:
            try:
                good[key] = rule(given[key])
            except WrongError as error:
                path = (section, key) if section else (key,)
                for inside, message in error.problems:
                    problems.add((*path, *inside), message)
    return good
