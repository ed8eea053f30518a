"""Declared keys: classes whose annotations alone say what a key is: its rule, default and meaning.

From them come the checks, the messages, the tables of the documentation and the JSON Schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar, cast, dataclass_transform, get_args, get_origin

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.fields import FieldInfo

from goemo.configuration.rules import KeyPath, Rule
from goemo.configuration.wording import nearest, show

# How the members of a union are called; no part of a path that a user sees.
VALUE, DOMAIN = "<value>", "<domain>"

Made = TypeVar("Made")


def meaning(text: str) -> Any:
    """Return the part of a key's annotation that says what the key means, in one line of Markdown."""
    return Field(description=text)


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
            problems = problems_of(error, lambda path: known_keys(made, path))
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
    """

    name: str
    annotation: Any
    rule: Rule | None
    default: Any
    meaning: str
    may_be_absent: bool

    @property
    def type(self) -> type:
        """What values are: ``int``, ``float`` or ``str``."""
        kinds = {bool: bool, int: int, float: float}
        return kinds.get(self.annotation, str)


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
    return Key(name, annotation, rule, default, field.description or "", may_be_absent)


def known_keys(cls: Any, path: KeyPath) -> Sequence[str]:
    """Return the keys that a class declares at a path inside it; none where it declares nothing there."""
    for part in path:
        key = keys_of(cls).get(part) if isinstance(part, str) else None
        if key is None:
            return ()
        cls = key.annotation
    return tuple(_fields(cls)) if isinstance(cls, type) else ()


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
    error: ValidationError,
    known: Callable[[KeyPath], Sequence[str]],
    unknown: Callable[[KeyPath], str] | None = None,
) -> list[tuple[KeyPath, str]]:
    """Return what is wrong, each with its path and a sentence: rule, value and the nearest right name.

    Args:
        error: Of a failed validation.
        known: The keys that there are at a path.
        unknown: The sentence for a key that is none of them; by default it names the nearest.
    """
    return list(_problems(error, known, unknown or (lambda path: _unknown(path, known(path[:-1])))))


def _unknown(path: KeyPath, known: Sequence[str]) -> str:
    hint = nearest(path[-1], known) or (f"; known are: {', '.join(known)}" if known else "")
    return f"unknown key{hint}"


def _problems(
    error: ValidationError, known: Callable[[KeyPath], Sequence[str]], unknown: Callable[[KeyPath], str]
) -> Iterator[tuple[KeyPath, str]]:
    for problem in error.errors(include_url=False):
        path: KeyPath = tuple(part for part in problem["loc"] if part not in (VALUE, DOMAIN))
        value, kind = problem["input"], problem["type"]
        if kind == "rule":
            yield path, problem["msg"]
        elif kind in {"missing", "missing_keyword_only_argument", "missing_argument"}:
            yield path, "required"
        elif kind in {"extra_forbidden", "unexpected_keyword_argument", "invalid_key"}:
            path = (*path[:-1], str(path[-1]))
            yield path, unknown(path)
        elif kind in {"dataclass_type", "model_type", "dict_type", "model_attributes_type"}:
            keys = ", ".join(known(path))
            yield path, f"must be a mapping{' with ' if keys else ''}{keys}, got {show(value)}"
        elif kind in {"list_type", "tuple_type"}:
            yield path, f"must be a list, got {show(value)}"
        else:
            message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should ")
            must = "must " if problem["msg"].startswith("Input should ") else ""
            yield path, f"{must}{message[:1].lower()}{message[1:]}, got {show(value)}"


def json_schema(cls: Any) -> dict[str, Any]:
    """Return the JSON Schema of a class of declared keys."""
    return TypeAdapter(cls).json_schema()
