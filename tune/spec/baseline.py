"""The key ``baseline``: a bag of words, the settings that are tried for it, or none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from goemo.configuration.declared import keys_of
from goemo.configuration.rules import KeyPath, Rule, all_broken, broken
from goemo.configuration.wording import nearest, show
from goemo.configuration.words import WordsSettings

BASELINE_KEYS = keys_of(WordsSettings)

Baseline = str | dict[str, list[Any]]  # `words`, `none`, or what is tried of each setting

MOST_TRIED = 100  # combinations: each is a fit of seconds to a minute

_NAMES = ("words", "none")


class BaselineRule(Rule):
    """A name, or a mapping of settings, each with a value or a list of values to try."""

    words = f"words, none, or a mapping with {', '.join(BASELINE_KEYS)}: values, or lists to choose from"

    def check(self, value: Any) -> Baseline:
        """Return a name, or a list for each setting that is given."""
        if isinstance(value, str) and value in _NAMES:
            return value
        if not isinstance(value, Mapping) or not value:
            raise broken(f"must be {self.words}, got {show(value)}{nearest(value, _NAMES)}")
        problems: list[tuple[KeyPath, str | None]] = []
        tried = {}
        for name, given in value.items():
            if name not in BASELINE_KEYS:
                problems.append(((str(name),), None))
            else:
                tried[name] = self._values(name, given, problems)
        if not problems and math.prod(map(len, tried.values())) > MOST_TRIED:
            problems.append(((), f"must have at most {MOST_TRIED} combinations of its lists"))
        if problems:
            raise all_broken(problems, value)
        return tried

    def _values(self, name: str, given: Any, problems: list[tuple[KeyPath, str | None]]) -> list[Any]:
        """Return the values of one setting in its type, after adding what is wrong with them."""
        listed = given if isinstance(given, list | tuple) else [given]
        found: list[Any] = []
        if not listed:
            problems.append(((name,), "must not be empty, got []"))
        for place, one in enumerate(listed):
            path = (name, place) if listed is given else (name,)
            try:
                read = BASELINE_KEYS[name].check(one)
            except PydanticCustomError as error:
                problems.append((path, error.message()))
                continue
            if read in found:
                problems.append((path, f"values must differ, got {show(one)} more than once"))
            found.append(read)
        return found

    def json_schema(self) -> dict[str, Any]:
        """Return the names, and the settings with a value or a list."""
        rules = {name: key.rule.json_schema() for name, key in BASELINE_KEYS.items() if key.rule is not None}
        settings = {
            name: {
                "description": BASELINE_KEYS[name].meaning,
                "anyOf": [one, {"type": "array", "items": one, "minItems": 1}],
            }
            for name, one in rules.items()
        }
        mapping = {
            "type": "object",
            "properties": settings,
            "additionalProperties": False,
            "minProperties": 1,
        }
        return {"anyOf": [{"enum": list(_NAMES)}, mapping]}


def tried_of(baseline: Baseline) -> dict[str, list[Any]]:
    """Return what is tried of each setting that the search names; none where it names none."""
    return baseline if isinstance(baseline, dict) else {}
