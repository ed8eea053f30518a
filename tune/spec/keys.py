"""Which keys are known, and which one was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from goemo.configuration.thresholds import CHOICE_KEYS
from tune.spec.domain import DOMAIN_KINDS, ONLY_IF
from tune.spec.hyperparameters import HYPERPARAMETERS
from tune.spec.layout import RULES, TOP_LEVEL
from tune.spec.problems import KeyPath, Problems


def is_known(path: KeyPath) -> bool:
    """Return whether a search space may have this key."""
    match path:
        case (top,):
            return top in TOP_LEVEL
        case ("space", name, *within):
            return name in HYPERPARAMETERS and _is_in_a_domain(within)
        case ("objective", "thresholds", key):
            return key in CHOICE_KEYS
        case (section, key):
            return key in RULES.get(section, ())
    return False


def _is_in_a_domain(path: Sequence[Any]) -> bool:
    """Return whether a path may go on like this below a hyperparameter."""
    match path:
        case (key,):
            return key in (*DOMAIN_KINDS, ONLY_IF)
        case (only_if, other):
            return only_if == ONLY_IF and other in HYPERPARAMETERS
    return not path


def check_keys(values: Mapping[Any, Any], path: KeyPath, known: Sequence[str], problems: Problems) -> None:
    """Add each key of the mapping at ``path`` that is not among ``known``."""
    for key in values:
        if key in known:
            continue
        elsewhere = [dotted for dotted in _dotted_keys() if dotted.rsplit(".", 1)[-1] == key]
        nearest = elsewhere or difflib.get_close_matches(str(key), known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known are: {', '.join(known)}"
        problems.add((*path, str(key)), f"unknown key; {hint}")


def nearest_dotted(path: KeyPath) -> str:
    """Return the end of a message: the dotted key that was probably meant."""
    known = _dotted_keys()
    wanted = ".".join(str(part) for part in path)
    same_end = [key for key in known if key.rsplit(".", 1)[-1] == path[-1]]
    nearest = same_end[:1] or difflib.get_close_matches(wanted, known, n=1)
    if nearest:
        return f"; did you mean {nearest[0]}?"
    return f"; known are: {', '.join(known)}"


def _dotted_keys() -> list[str]:
    sections = [f"{section}.{key}" for section, rules in RULES.items() if section for key in rules]
    inner = [f"objective.thresholds.{key}" for key in CHOICE_KEYS]
    return [*TOP_LEVEL, *sections, *(f"space.{name}" for name in HYPERPARAMETERS), *inner]
