"""Options of the threshold fit: methods, targets and their options, each with its range.

This file knows nothing of arrays, so that a search space is checked before anything heavy is imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from goemo.configuration.plugins import THRESHOLD_METHOD, plugins
from goemo.configuration.wording import nearest, short

ThresholdChoice = str | Mapping[str, Any]  # `exact`, or `{method: grid, step: 0.05}`

# What `objective.thresholds` is where a search space is silent; docs/thresholds.md has the evidence.
DEFAULT_METHOD = "proportional"


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        is_right: Whether a value is allowed.
        rule: What a value must be, in words that follow the name.
        default: None where the option must be given.
    """

    is_right: Callable[[Any], bool]
    rule: str
    default: Any = None


@dataclass(frozen=True)
class Method:
    """What one method takes besides ``fallback``, which they all take.

    Attributes:
        targets: What it can maximise; empty where that is part of the method.
        options: Its own options.
    """

    targets: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)


def _number(interval: str, default: float | None = None) -> Option:
    """Return an option that is a finite number within an interval: ``[0, 1)`` has the 0, and not the 1."""
    low, high = map(float, interval[1:-1].split(", "))

    def is_right(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, Real):
            return False
        try:
            value = float(value)
        except OverflowError:  # a whole number beyond all floats
            return False
        from_low = value > low or (value == low and interval.startswith("["))
        return from_low and (value < high or (value == high and interval.endswith("]")))

    rule = "must be a number in" if high == math.inf else "must lie in"
    return Option(is_right, f"{rule} {interval}", default)


def _whole(least: int, default: int) -> Option:
    return Option(
        lambda value: isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least,
        f"must be a whole number of at least {least}",
        default,
    )


def _one_of(names: tuple[str, ...], default: str) -> Option:
    return Option(
        lambda value: isinstance(value, str) and value in names, f"must be one of {', '.join(names)}", default
    )


TARGETS: dict[str, dict[str, Option]] = {
    "f1": {},
    "f_beta": {"beta": _number("(0, inf)")},
    "mcc": {},
    "precision_at_recall": {"recall": _number("(0, 1]")},
    "recall_at_precision": {"precision": _number("(0, 1]")},
}
_ALL = tuple(TARGETS)
_SCORES = ("f1", "f_beta", "mcc")
_F = ("f1", "f_beta")

METHODS: dict[str, Method] = {
    "exact": Method(_ALL),
    "grid": Method(_ALL, {"step": _number("[0.0001, 1)", 0.05)}),
    "global": Method(_SCORES),
    "fixed": Method((), {"value": _number("[0, 1]", 0.5)}),
    "proportional": Method((), {"tolerance": _number("[0, inf)", 0.5)}),
    "shrunk": Method(_SCORES, {"strength": _number("[0, inf)", 10.0)}),
    "smoothed": Method(_F, {"a": _number("[0, inf)", 1.0), "b": _number("[0, inf)", 1.0)}),
    "fbr": Method(_F, {"fbr": _number("[0, 1]", 0.1)}),
    "plug_in": Method(_ALL, {"calibration": _one_of(("platt", "isotonic", "temperature"), "platt")}),
    "micro_macro": Method(),
    "micro_f1": Method(),
    "example_f1": Method(),
}
METHODS["cross_fit"] = Method(
    _ALL, {"of": _one_of(tuple(METHODS), "exact"), "folds": _whole(2, 5), "seed": _whole(0, 0)}
)

_FALLBACK = _one_of(("none", "top1"), "none")

# All keys that a mapping can have, whatever the method.
CHOICE_KEYS = tuple(
    dict.fromkeys(
        [
            "method",
            *(name for method in METHODS.values() for name in method.options),
            "target",
            *(name for options in TARGETS.values() for name in options),
            "fallback",
        ]
    )
)


def methods() -> dict[str, Method]:
    """Return all methods by name, those of other packages included, whose options are any numbers."""
    return {name: _added(plugin.options) for name, plugin in plugins(THRESHOLD_METHOD).items()} | METHODS


def _added(defaults: Mapping[str, float]) -> Method:
    return Method((), {name: _number("(-inf, inf)", value) for name, value in defaults.items()})


def threshold_options(choice: ThresholdChoice) -> dict[str, Any]:
    """Return a choice of thresholds as the keywords of :func:`goemo.thresholds.fit_thresholds`.

    Args:
        choice: A method, or a mapping with ``method`` and its options, as a YAML has them.

    Returns:
        ``{"method": ..., **options}``, options that were not given left out.

    Raises:
        ValueError: The choice is not one that the methods allow; all problems at once.
    """
    problems = [" ".join([*path, message]) for path, message in option_problems(choice)]
    if problems:
        raise ValueError("; ".join(problems))
    return {"method": choice} if isinstance(choice, str) else dict(choice)


def option_problems(choice: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield all that is wrong with a choice of thresholds: its key (none: all of it), rule and value."""
    all_methods = methods()
    if not isinstance(choice, str | Mapping):
        rule = f"must be one of {', '.join(all_methods)}, or a mapping with method and options"
        yield (), f"{rule}, got {short(choice)}"
        return
    given: Mapping[Any, Any] = {"method": choice} if isinstance(choice, str) else choice
    if "method" not in given:
        yield ("method",), f"must be one of {', '.join(all_methods)}, got nothing"
        return
    method = given["method"]
    if not isinstance(method, str) or method not in all_methods:
        message = (
            f"must be one of {', '.join(all_methods)}, got {short(method)}{nearest(method, all_methods)}"
        )
        yield ("method",) if isinstance(choice, Mapping) else (), message
        return
    known = known_options(given)
    for name, value in given.items():
        if name == "method":
            continue
        if name not in known:
            yield (str(name),), _unknown(str(name), method, known)
        elif not known[name].is_right(value):
            hint = nearest(value, known[name].rule.partition("one of ")[2].split(", "))
            yield (str(name),), f"{known[name].rule}, got {short(value)}{hint}"
    for name, option in known.items():
        if option.default is None and name not in given:
            yield (name,), f"{option.rule}, got nothing; the target {given['target']} needs it"


def known_options(given: Mapping[Any, Any]) -> dict[str, Option]:
    """Return the options that a method takes, by name; which ones depends on ``target`` and on ``of``.

    Args:
        given: A mapping with a known ``method``; a wrong ``target`` or ``of`` counts as the default.
    """
    all_methods = methods()
    method = all_methods[given["method"]]
    known = dict(method.options)
    targets = method.targets
    if "of" in known:
        inner = given.get("of", known["of"].default)
        inside = all_methods[inner if known["of"].is_right(inner) else known["of"].default]
        known |= inside.options
        targets = inside.targets
    if targets:
        known["target"] = _one_of(targets, "f1")
        target = given.get("target", "f1")
        known |= TARGETS[target] if known["target"].is_right(target) else {}
    return {**known, "fallback": _FALLBACK}


def filled_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return right options with the defaults of those that are not given, without ``method``."""
    return {name: given.get(name, option.default) for name, option in known_options(given).items()}


def words(choice: ThresholdChoice) -> str:
    """Return a choice in a few words: ``exact``, or ``grid (step 0.1)``."""
    given = threshold_options(choice)
    options = ", ".join(f"{name} {value}" for name, value in given.items() if name != "method")
    return f"{given['method']} ({options})" if options else str(given["method"])


def _unknown(name: str, method: str, known: Mapping[str, Option]) -> str:
    message = f"is not an option of the method {method}, which takes {', '.join(known)}"
    owners = [f"target {target}" for target, options in TARGETS.items() if name in options]
    owners += [f"method {owner}" for owner, other in methods().items() if name in other.options]
    return f"{message}; it belongs to the {owners[0]}" if owners else message + nearest(name, known)
