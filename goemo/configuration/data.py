"""Options for reading a data source, in a search space (``data``) and in commands (``--data``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal

from pydantic import TypeAdapter, ValidationError

from goemo.configuration.declared import declared, meaning
from goemo.configuration.json_files import problems_of
from goemo.configuration.rules import FunctionRule, Text, broken, one_of
from goemo.configuration.wording import show
from goemo.errors import InputError

WHOLE_NAMES = "none"
GOEMOTIONS_NAMES = "goemotions"

Unclear = Literal["keep", "leave_out"]
Unreadable = Literal["refuse", "leave_out"]
MissingLabels = Literal["refuse", "leave_out", "no_labels"]
Names = str | tuple[str, ...]

_CHARACTERS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
_TEXT = Text(longest=300)


def _names(value: Any) -> Names:
    if isinstance(value, str):
        return _TEXT.check(value)
    if not isinstance(value, list | tuple) or not value:
        raise broken(f"must be a name or a list of names, got {show(value)}")
    names = tuple(_TEXT.check(name) for name in value)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise broken(f"must name each once, got {repeated[0]} more than once")
    return names


def _label_names(value: Any) -> Names:
    if isinstance(value, str) and value != GOEMOTIONS_NAMES:
        raise broken(f"must be a list of names, or {GOEMOTIONS_NAMES}, got {show(value)}")
    return _names(value)


def _character(value: Any) -> str:
    found = _CHARACTERS.get(value, value) if isinstance(value, str) else ""
    if len(found) != 1 or found in '"\r\n':
        words = ", ".join(name for name in _CHARACTERS if name.isalpha())
        raise broken(f"must be one character, or one of {words}, got {show(value)}")
    return found


def _label_separator(value: Any) -> str:
    found = _CHARACTERS.get(value, value) if isinstance(value, str) else ""
    if not found or len(found) > 20:
        raise broken(f"must be what stands between labels, space, or {WHOLE_NAMES}, got {show(value)}")
    return found


def _encoding(value: Any) -> str:
    try:
        b"ab".decode(value)
    except UnicodeDecodeError:  # no two bytes of text, but a text encoding
        return str(value)
    except (LookupError, ValueError, TypeError):
        examples = "utf-8, windows-1252, utf-16 or shift_jis"
        raise broken(f"must be a text encoding such as {examples}, got {show(value)}") from None
    return str(value)


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise broken(f"must be a number above 0 and at most 1, got {show(value)}")
    return float(value)


_STRING: dict[str, Any] = {"type": "string", "minLength": 1}
_STRINGS: dict[str, Any] = {"anyOf": [_STRING, {"type": "array", "items": _STRING, "minItems": 1}]}

_AName = Annotated[str, _TEXT] | None
_ANameOrSeveral = Annotated[Names, FunctionRule("a name or a list of names", _names, _STRINGS)] | None


@declared
class ColumnOptions:
    """Which columns are what; each is found by its name or its values where it is not given."""

    text: Annotated[
        _ANameOrSeveral, meaning("column of the text; several are joined by the tokenizer's separator")
    ] = None
    labels: Annotated[
        _ANameOrSeveral, meaning("column of the labels; a list of columns is one 0/1 column per label")
    ] = None
    id: Annotated[_AName, meaning("column of the rows' own ids")] = None
    split: Annotated[_AName, meaning("column that names the split of a row")] = None
    unclear: Annotated[_AName, meaning("column that marks rows that raters found unclear")] = None


@declared
class SplitOptions:
    """Files, patterns, or splits of a data set, by split; one that is left out is split off from train."""

    train: Annotated[_ANameOrSeveral, meaning("what makes train")] = None
    validation: Annotated[_ANameOrSeveral, meaning("what makes validation")] = None
    test: Annotated[_ANameOrSeveral, meaning("what makes test")] = None

    def given(self) -> dict[str, tuple[str, ...]]:
        """Return the splits that are given, each with its files."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: (v,) if isinstance(v, str) else v for name, v in values.items() if v is not None}


@declared
class DataOptions:
    """What is not to be found out by looking at the data, but is said by the user."""

    columns: Annotated[ColumnOptions, meaning("what each column holds, where that is not detected")] = (
        ColumnOptions()
    )
    separator: Annotated[
        Annotated[str, FunctionRule("one character", _character, _STRING)] | None,
        meaning("column separator of text files: a character, or `tab`, `semicolon`, ..."),
    ] = None
    label_separator: Annotated[
        Annotated[str, FunctionRule("what stands between labels", _label_separator, _STRING)] | None,
        meaning("separator of labels in a cell: `space`, `#`, ...; `none` if a cell is a single name"),
    ] = None
    encoding: Annotated[
        Annotated[str, FunctionRule("a text encoding", _encoding, _STRING)] | None,
        meaning("encoding of text files, if not UTF-8: `windows-1252`, ..."),
    ] = None
    splits: Annotated[
        SplitOptions,
        meaning("which files, splits of a data set, or values of `columns.split` are which split"),
    ] = SplitOptions()
    binarize: Annotated[
        Annotated[
            float,
            FunctionRule("a number above 0 and at most 1", _share, {"exclusiveMinimum": 0, "maximum": 1}),
        ]
        | None,
        meaning("smallest share of raters, or probability, for a label to apply"),
    ] = None
    label_names: Annotated[
        Annotated[Names, FunctionRule(f"a list of names, or {GOEMOTIONS_NAMES}", _label_names, _STRINGS)]
        | None,
        meaning("names of the labels in the order of their indices, or `goemotions` for its 28"),
    ] = None
    unclear: Annotated[
        Unclear, one_of(Unclear), meaning("what happens to rows that raters marked as unclear")
    ] = "keep"
    unreadable: Annotated[
        Unreadable,
        one_of(Unreadable),
        meaning("what happens to rows that cannot be read, such as those without a text"),
    ] = "refuse"
    missing_labels: Annotated[
        MissingLabels,
        one_of(MissingLabels),
        meaning("what null, or a word such as `nan`, means in place of labels"),
    ] = "refuse"

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "data") -> DataOptions:
        """Return the options that plain values say.

        Raises:
            InputError: A key is unknown, or a value is out of its range: all problems at once.
        """
        try:
            return TypeAdapter(cls).validate_python(dict(values))
        except ValidationError as error:
            raise InputError(where, problems_of(error, cls)) from None

    def split_sources(self) -> dict[str, tuple[str, ...]]:
        """Return the files, or splits of a data set, that each split is of; none where a column says it."""
        return self.splits.given() if self.columns.split is None else {}

    def changed(self) -> dict[str, Any]:
        """Return what differs from the defaults as plain values; empty where nothing does."""
        default, values = asdict(DataOptions()), asdict(self)
        return {key: _plain(values[key], default[key]) for key in default if values[key] != default[key]}


def _plain(value: Any, default: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part, None) for key, part in value.items() if part != default[key]}
    return list(value) if isinstance(value, tuple) else value
