"""Rules for one value, as annotations of a declared key: the words, the check and the JSON Schema of each.

``batch_size: Annotated[int, Number(low=1, is_whole=True)]`` says all there is to say about the key's values.
A value that breaks its rule gives one pydantic error of the type ``rule``, whose message is the sentence for
the user: what the value must be, what it is, and the name that was probably meant.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from goemo.configuration.losses import loss_options
from goemo.configuration.thresholds import CHOICE_KEYS, methods, option_problems
from goemo.configuration.wording import nearest, show

# What YAML 1.1 takes for text although every reader sees a number: no point, or no sign in the exponent.
_EXPONENT = re.compile(r"[-+]?(\d{1,400}\.?\d{0,400}|\.\d{1,400})[eE][-+]?\d{1,9}")

KeyPath = tuple[Any, ...]  # keys from the top of a file down; an int is a place in a list


def broken(message: str) -> PydanticCustomError:
    """Return the error of one value that breaks its rule."""
    return PydanticCustomError("rule", "{message}", {"message": message})


def all_broken(problems: Iterable[tuple[KeyPath, str | None]], value: Any) -> ValidationError:
    """Return the error of a value in which several parts are wrong.

    Args:
        problems: For each its path inside the value, and the sentence; None for a key that nobody knows.
        value: All of it.
    """
    unknown = PydanticCustomError("extra_forbidden", "unknown key")
    return ValidationError.from_exception_data(
        "rule",
        [
            InitErrorDetails(type=unknown if message is None else broken(message), loc=path, input=value)
            for path, message in problems
        ],
    )


def as_number(value: Any) -> Any:
    """Return the number that a text such as ``2e-5`` stands for; anything else as it is."""
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


class Rule(ABC):
    """A rule for one value; subclasses say it in words, check a value, and give its JSON Schema."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What a value must be, after "must be"."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Return the value in its type.

        Raises:
            PydanticCustomError: The value breaks the rule.
            ValidationError: Several parts of it do.
        """

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """Return the rule as a JSON Schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.json_schema()


@dataclass(frozen=True)
class Number(Rule):
    """A finite number.

    Attributes:
        low: The least value.
        above: What it must be above, where there is no least value.
        high: The greatest value, as part of the rule.
        least: The least value that anybody can mean, 0 aside; said only to who goes below it.
        most: The greatest value that anybody can mean; said only to who goes beyond it.
        is_whole: Whether it is a whole number.
        word: A name that may stand for it.
        is_share: Whether it must be whole where it is above 1.
    """

    low: float | None = None
    above: float | None = None
    high: float | None = None
    least: float | None = None
    most: float | None = None
    is_whole: bool = False
    word: str | None = None
    is_share: bool = False

    @property
    def words(self) -> str:
        """As in "must be a whole number from 1 to 100"."""
        kind = "a whole number" if self.is_whole else "a number"
        if self.above is not None:
            span = f"above {self.above:g}"
        elif self.high is not None:
            span = f"from {self.low:g} to {self.high:,g}"
        else:
            span = f"of at least {self.low:g}"
        name = "" if self.word is None else f'"{self.word}" or '
        return f"{name}{kind} {span}"

    def check(self, value: Any) -> int | float | str:
        """Return an int of a whole number, else a float."""
        if self.word is not None and isinstance(value, str) and value == self.word:
            return value
        kind, given = (Integral, value) if self.is_whole else (Real, as_number(value))
        read = _number(given, whole=self.is_whole) if isinstance(given, kind) else None
        if read is None or not self._is_inside(read):
            raise broken(f"must be {self.words}, got {show(value)}")
        if self.most is not None and read > self.most:
            raise broken(f"must be at most {self.most:,.12g}, got {show(value)}")
        if self.least is not None and 0 < read < self.least:
            raise broken(f"must be at least {self.least:g}, got {show(value)}")
        if self.is_share and read > 1 and read != int(read):
            raise broken(f"must be a whole number where it is above 1, got {show(value)}")
        return read

    def _is_inside(self, value: float) -> bool:
        return (
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
        )

    def json_schema(self) -> dict[str, Any]:
        """Return the type and the ends."""
        ends = {
            "minimum": self.low,
            "exclusiveMinimum": self.above,
            "maximum": self.most if self.high is None else self.high,
        }
        number = {"type": "integer" if self.is_whole else "number"}
        number |= {key: end for key, end in ends.items() if end is not None}  # type: ignore[misc]
        return number if self.word is None else {"anyOf": [{"const": self.word}, number]}


def _number(value: Any, *, whole: bool) -> int | float | None:
    """Return a finite number as Python's own; None for a truth value, and for what a float cannot hold."""
    if isinstance(value, bool):
        return None
    try:
        read = int(value) if whole else float(value)
    except (OverflowError, ValueError):
        return None
    return read if whole or math.isfinite(read) else None


def whole(low: int, high: int | None = None, *, most: int | None = None) -> Number:
    """Return the rule for a whole number."""
    return Number(low=low, high=high, most=most, is_whole=True)


class OneOf(Rule):
    """One of the names of the annotated ``Literal``."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = tuple(names)

    @property
    def words(self) -> str:
        """As in "must be one of grid, random, tpe"."""
        return f"one of {', '.join(self.names)}"

    def check(self, value: Any) -> str:
        """Return the name; else suggest the nearest."""
        if isinstance(value, str) and value in self.names:
            return value
        raise broken(f"must be {self.words}, got {show(value)}{nearest(value, self.names)}")

    def json_schema(self) -> dict[str, Any]:
        """Return the names."""
        return {"enum": list(self.names)}


def one_of(literal: Any) -> OneOf:
    """Return the rule for the names of a ``Literal``."""
    return OneOf(get_args(literal))


@dataclass(frozen=True)
class Text(Rule):
    """Text, not blank unless that is allowed.

    Attributes:
        longest: In characters.
        example: What it may be, said where it is missing.
        may_be_blank: Whether nothing but spaces, or nothing, is text too.
    """

    longest: int = 1_000
    example: str = ""
    may_be_blank: bool = False

    words = "text"

    def check(self, value: Any) -> str:
        """Return the text as it is."""
        if not isinstance(value, str) or not (self.may_be_blank or value.strip()):
            raise broken(f"must be text, got {show(value)}")
        if len(value) > self.longest:
            raise broken(f"must have at most {self.longest:,} characters, got {len(value):,}")
        if any("\ud800" <= character <= "\udfff" or character == "\0" for character in value):
            raise broken(f"must hold neither half a surrogate pair nor a zero byte, got {show(value)}")
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the type and the greatest length."""
        return {"type": "string", "minLength": int(not self.may_be_blank), "maxLength": self.longest}


class Boolean(Rule):
    """A truth value."""

    words = "true or false"

    def check(self, value: Any) -> bool:
        """Return the value; a 1 or a "yes" is none."""
        if not isinstance(value, bool):
            raise broken(f"must be true or false, got {show(value)}")
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the type."""
        return {"type": "boolean"}


class Loss(Rule):
    """A loss by its name, with options in brackets."""

    words = "a loss, with options in brackets"

    def check(self, value: Any) -> str:
        """Return the text without spaces around it."""
        if not isinstance(value, str):
            raise broken(f"must be the name of a loss, got {show(value)}")
        try:
            loss_options(value)
        except ValueError as error:
            raise broken(str(error)) from None
        return value.strip()

    def json_schema(self) -> dict[str, Any]:
        """Return the type; options are too free for more."""
        return {"type": "string"}


class Thresholds(Rule):
    """A method of thresholds, or a mapping with ``method`` and its options."""

    words = "a method, or a mapping with method and options"

    def check(self, value: Any) -> str | dict[str, Any]:
        """Return the method, or a mapping of its own, plain in YAML and JSON."""
        read = {key: as_number(part) for key, part in value.items()} if isinstance(value, Mapping) else value
        if problems := list(option_problems(read)):
            raise all_broken(problems, value)
        return read if isinstance(read, dict) else str(read)

    def json_schema(self) -> dict[str, Any]:
        """Return the methods, and the options of all of them."""
        known = methods()
        method = {"enum": list(known)}
        keys = (*CHOICE_KEYS, *(key for one in known.values() for key in one.options))
        options: dict[str, Any] = {key: {} for key in keys} | {"method": method}
        mapping = {
            "type": "object",
            "properties": options,
            "required": ["method"],
            "additionalProperties": False,
        }
        return {"anyOf": [method, mapping]}


@dataclass(frozen=True)
class FunctionRule(Rule):
    """A rule that is a function.

    Attributes:
        must_be: What a value must be, in words.
        function: Returns the value in its type, or raises as :meth:`Rule.check` does.
        schema: The JSON Schema.
    """

    must_be: str
    function: Callable[[Any], Any]
    schema: Mapping[str, Any] = field(hash=False)  # annotations are hashed

    @property
    def words(self) -> str:
        """As given."""
        return self.must_be

    def check(self, value: Any) -> Any:
        """Return what the function does."""
        return self.function(value)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema as given."""
        return dict(self.schema)
