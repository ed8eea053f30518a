"""Overrides: values from the command line that replace those of the file."""

from __future__ import annotations

from typing import Any

import yaml

from goemo.configuration.rules import KeyPath
from goemo.configuration.wording import show
from tune.spec.checking import section_values
from tune.spec.domain import ONLY_IF
from tune.spec.keys import is_known, nearest_dotted, with_aliases
from tune.spec.parsing import bounded
from tune.spec.problems import Problems


def apply_override(values: dict[str, Any], override: str, problems: Problems) -> None:
    """Change ``values`` by one ``KEY=VALUE`` with a dotted key and a YAML value."""
    origin = f"--set {override}"
    key, equals, given = override.partition("=")
    key = key.strip()
    if not equals or not key:
        problems.lost.append((origin, "must be KEY=VALUE, such as space.epochs=3"))
        return
    path = with_aliases(tuple(key.split(".")))
    if not is_known(path):
        problems.lost.append((origin, f"unknown key{nearest_dotted(path)}"))
        return
    try:
        _, value = bounded(given)
    except (yaml.YAMLError, ValueError, RecursionError):
        problems.lost.append((origin, f"the value must be YAML, got {show(given)}"))
        return
    if path[0] in {"space", "model"} and len(path) == 3 and path[2] != ONLY_IF:
        *head, kind = path  # one kind of domain takes the place of another, the condition stays
        path, value = tuple(head), {kind: value} | _condition(values, tuple(head))
    place(values, path, value)
    for older in [p for p in problems.origins if p[: len(path)] == path]:
        del problems.origins[older]
    problems.origins[path] = origin


def _condition(values: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    section = values.get(path[0])
    domain = section.get(path[1]) if isinstance(section, dict) else None
    return {ONLY_IF: domain[ONLY_IF]} if isinstance(domain, dict) and ONLY_IF in domain else {}


def place(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Put ``value`` at ``path``, in place of anything on the way that is no mapping."""
    for part in path[:-1]:
        values[part] = section_values(values, part)
        if not isinstance(values[part], dict):
            values[part] = {}
        values = values[part]
    values[path[-1]] = value
