"""Declared keys: classes whose annotations give each key's rule, default and meaning.

From them come the checks, the messages, the tables of the documentation and the JSON Schema.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar, cast, dataclass_transform, get_args, get_origin

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from goemo.configuration.rules import KeyPath, Rule
from goemo.configuration.wording import nearest, show

Made = TypeVar("Made")


def meaning(text: str) -> Any:
    """Return the part of a key's annotation that says what the key means, in one line of Markdown."""
    return Field(description=text)


@dataclass(frozen=True)
class ShortName:
    """The part of a key's annotation that says how it is called where there is little room."""

    name: str


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
def declared(cls: type[Made]) -> type[Made]:
    """Make a class of declared keys: a frozen dataclass, checked whenever it is made.

    ``dataclasses.replace``, ``asdict`` and ``fields`` work on it, and ``pydantic.TypeAdapter`` reads it.
    Making one from wrong values raises ValueError with all problems in one line.
    """
    made: Any = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))(cls)
    check = made.__init__

    def __init__(self: Any, *args: Any, **values: Any) -> None:  # noqa: N807 - it is one
        try:
            check(self, *args, **values)
        except ValidationError as error:
            problems = problems_of(error, made)
            raise ValueError("; ".join(f"{dotted(path)} {message}" for path, message in problems)) from None

    __init__.__wrapped__ = check  # type: ignore[attr-defined]  # its signature
    made.__init__ = __init__
    return cast("type[Made]", made)


@dataclass(frozen=True)
class Key:
    """A key as it is declared.

    Attributes:
        name: Of the key.
        annotation: The type of its values, without the rule.
        rule: What a value must be; None where that is another class of keys.
        default: `MISSING` where the key must be given.
        meaning: In one line of Markdown.
        may_be_absent: Whether nothing, ``null``, is a value.
        short: How it is called where there is little room; empty for by its name.
    """

    name: str
    annotation: Any
    rule: Rule | None
    default: Any
    meaning: str
    may_be_absent: bool
    short: str = ""

    def check(self, value: Any) -> Any:
        """Return a value in its type; raises as `Rule.check` does."""
        if value is None and self.may_be_absent:
            return None
        return value if self.rule is None else self.rule.check(value)

    @property
    def has_default(self) -> bool:
        """Whether the key may be left out."""
        return self.default is not MISSING

    @property
    def type(self) -> type:
        """What values are: ``int``, ``float``, ``bool`` or ``str``."""
        return self.annotation if self.annotation in (bool, int, float) else str


def keys_of(cls: type) -> dict[str, Key]:
    """Return the keys that a class declares, by name, in their order."""
    return {name: _key(name, field) for name, field in _fields(cls).items()}


def _fields(cls: type) -> dict[str, FieldInfo]:
    fields: dict[str, FieldInfo] = getattr(cls, "model_fields", None) or getattr(
        cls, "__pydantic_fields__", {}
    )
    return fields


def _key(name: str, field: FieldInfo) -> Key:
    annotation, metadata = field.annotation, list(field.metadata)
    members = get_args(annotation) if get_origin(annotation) is not None else ()
    may_be_absent = type(None) in members
    if may_be_absent:
        (annotation,) = (member for member in members if member is not type(None))
        metadata += getattr(annotation, "__metadata__", ())
        annotation = getattr(annotation, "__origin__", annotation)
    rule = next((part for part in metadata if isinstance(part, Rule)), None)
    default = MISSING if field.is_required() else field.get_default(call_default_factory=True)
    short = next((part.name for part in metadata if isinstance(part, ShortName)), "")
    return Key(name, annotation, rule, default, field.description or "", may_be_absent, short)


def key_at(cls: Any, path: KeyPath) -> Key | None:
    """Return the key that a class declares at a path inside it, if any."""
    key = None
    for part in path:
        key = keys_of(cls).get(part) if isinstance(part, str) and isinstance(cls, type) else None
        if key is None:
            return None
        cls = key.annotation
    return key


def known_keys(cls: Any, path: KeyPath) -> tuple[str, ...]:
    """Return the keys that a class declares at a path inside it; none where it declares nothing there."""
    key = key_at(cls, path)
    inside = cls if not path else None if key is None else key.annotation
    return tuple(_fields(inside)) if isinstance(inside, type) else ()


def dotted(path: KeyPath) -> str:
    """Return a path as the user writes it: ``space.epochs.grid[1]``; unprintable characters are escaped."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if part.isprintable() else ascii(part)[1:-1]
        name = name if len(name) <= 80 else f"{name[:77]}..."
        text += f".{name}" if text else name
    return text


def problems_of(
    error: ValidationError, cls: Any, unknown: Callable[[KeyPath], str] | None = None
) -> list[tuple[KeyPath, str]]:
    """Return what is wrong, each with its path and a sentence: rule, value and the nearest right name.

    Args:
        error: Of a failed validation.
        cls: What was to be made.
        unknown: The sentence for a key that nobody knows; by default it names the nearest.
    """
    return [_problem(problem, cls, unknown) for problem in error.errors(include_url=False)]


def _problem(
    problem: ErrorDetails, cls: Any, unknown: Callable[[KeyPath], str] | None
) -> tuple[KeyPath, str]:
    path: KeyPath = problem["loc"]
    value, kind, says = problem["input"], problem["type"], problem["msg"]
    if kind == "rule":
        return path, says
    if kind.startswith("missing"):
        key = key_at(cls, path)
        example = getattr(key.rule, "example", "") if key is not None else ""
        return path, f"required: {example}" if example else "required"
    if kind in {"extra_forbidden", "unexpected_keyword_argument", "invalid_key"}:
        path = (*path[:-1], str(path[-1]))
        return path, unknown(path) if unknown else _unknown(path, known_keys(cls, path[:-1]))
    if kind in {"dataclass_type", "model_type", "dict_type"}:
        keys = ", ".join(known_keys(cls, path))
        return path, f"must be a mapping{' with ' if keys else ''}{keys}, got {show(value)}"
    if kind in {"list_type", "tuple_type"}:
        return path, f"must be a list, got {show(value)}"
    before, found, rest = says.removeprefix("Value error, ").rpartition("Input should ")
    return path, f"{before}{'must ' if found else ''}{rest[:1].lower()}{rest[1:]}, got {show(value)}"


def _unknown(path: KeyPath, known: Sequence[str]) -> str:
    hint = nearest(path[-1], known) or (f"; known are: {', '.join(known)}" if known else "")
    return f"unknown key{hint}"


def json_schema(cls: Any) -> dict[str, Any]:
    """Return the JSON Schema of a class of declared keys."""
    return TypeAdapter(cls).json_schema()
