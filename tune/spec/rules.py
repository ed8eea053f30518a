"""Rules for one value: each returns the value as it is meant, or raises `WrongError`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from typing import Any, cast

from goemo.configuration.losses import loss_options
from goemo.configuration.thresholds import ThresholdChoice, option_problems
from tune.spec.problems import KeyPath, show

Rule = Callable[[Any], Any]

# What YAML 1.1 takes for text although every reader sees a number: no point, or no sign in the exponent.
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class WrongError(Exception):
    """A value breaks a rule; the message states the rule and the value.

    Attributes:
        problems: Where in the value (no keys: all of it) and the message, for each problem.
    """

    def __init__(self, *problems: tuple[KeyPath, str] | str) -> None:
        self.problems = [((), problem) if isinstance(problem, str) else problem for problem in problems]
        super().__init__("; ".join(message for _, message in self.problems))


def as_number(value: Any) -> Any:
    """Return the number that a text such as ``2e-5`` stands for; anything else as it is."""
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def whole(low: int, high: int | None = None) -> Rule:
    """Return the rule for a whole number from ``low``, or from ``low`` to ``high``."""
    rule = f"must be a whole number {f'of at least {low}' if high is None else f'from {low} to {high}'}"

    def check(value: Any) -> int:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or value < low or (high is not None and value > high):
            raise WrongError(f"{rule}, got {show(value)}")
        return int(value)

    return check


def number(*, above: float | None = None, low: float = -math.inf, high: float = math.inf) -> Rule:
    """Return the rule for a finite number above ``above``, or from ``low`` to ``high``."""
    if above is not None:
        rule = f"must be a number above {above:g}"
    elif high < math.inf:
        rule = f"must be a number from {low:g} to {high:g}"
    else:
        rule = f"must be a number of at least {low:g}"

    def check(value: Any) -> int | float:
        read = as_number(value)
        is_number = isinstance(read, int | float) and not isinstance(read, bool) and math.isfinite(read)
        if not is_number or not low <= read <= high or (above is not None and read <= above):
            raise WrongError(f"{rule}, got {show(value)}")
        return cast("int | float", read)

    return check


def share(*, above: float | None = None) -> Rule:
    """Return the rule for a part of one, or a whole number of them; above ``above``, else from 0."""
    as_share = number(above=above, low=0)

    def check(value: Any) -> int | float:
        read: int | float = as_share(value)
        if read > 1 and read != int(read):
            raise WrongError(f"must be a whole number where it is above 1, got {show(value)}")
        return read

    return check


def gpus(value: Any) -> int | float | str:
    """Return GPUs per trial: a share, or ``auto``."""
    if value == "auto":
        return "auto"
    try:
        return cast("int | float", share()(value))
    except WrongError as error:
        raise WrongError(str(error).replace("must be", 'must be "auto" or', 1)) from None


def timeout(value: Any) -> float | None:
    """Return seconds; nothing where there is no limit."""
    return None if value is None else float(number(above=0)(value))


def trials(value: Any) -> int | None:
    """Return a number of trials; nothing where none is given."""
    return None if value is None else cast("int", whole(1)(value))


def names(value: Any) -> tuple[str, ...]:
    """Return names of searches, which differ."""
    if not isinstance(value, list | tuple):
        raise WrongError(f"must be a list of names of searches, got {show(value)}")
    problems: list[tuple[KeyPath, str]] = []
    for index, name in enumerate(value):
        try:
            folder_name(name)
        except WrongError as error:
            problems.append(((index,), str(error)))
            continue
        if name in value[:index]:
            problems.append(((index,), f"given twice: {name}"))
    if problems:
        raise WrongError(*problems)
    return tuple(value)


def one_of(*names: str) -> Rule:
    """Return the rule for one of ``names``, which suggests the nearest."""

    def check(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        nearest = difflib.get_close_matches(value, names, n=1) if isinstance(value, str) else []
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise WrongError(f"must be one of {', '.join(names)}, got {show(value)}{hint}")

    return check


def thresholds(value: Any) -> ThresholdChoice:
    """Return how thresholds are fitted: a method, or a mapping with ``method`` and its options."""
    read = {key: as_number(part) for key, part in value.items()} if isinstance(value, dict) else value
    if problems := list(option_problems(read)):
        raise WrongError(*problems)
    return cast("ThresholdChoice", read)


def loss(value: Any) -> str:
    """Return the name of a loss, with its options in brackets."""
    if not isinstance(value, str):
        raise WrongError(f"must be the name of a loss, got {show(value)}")
    try:
        loss_options(value)
    except ValueError as error:
        raise WrongError(str(error)) from None
    return value.strip()


def text(value: Any) -> str:
    """Return text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise WrongError(f"must be text, got {show(value)}")
    return value


def folder_name(value: Any) -> str:
    """Return a name that is safe as the name of a folder."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or ".." in value or len(value) > 100:
        raise WrongError(
            "must be up to 100 letters, digits and - _ . that start with a letter or digit, without '..', "
            f"because it names a folder, got {show(value)}"
        )
    return value
