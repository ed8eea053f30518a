"""How a data source is read: options of a search space's ``data`` section and of commands with ``--data``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from goemo.configuration.json_files import problems_of
from goemo.errors import InputError

WHOLE_NAMES = "none"
_CHARACTERS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
_Names = str | Annotated[tuple[str, ...], Field(min_length=1)]


def _character(value: str) -> str:
    value = _CHARACTERS.get(value, value)
    if len(value) != 1 or value in '"\r\n':
        raise ValueError("must be one character, or tab, space, comma, semicolon, pipe")
    return value


def _label_separator(value: str) -> str:
    value = _CHARACTERS.get(value, value)
    if not value:
        raise ValueError(f"must not be empty; {WHOLE_NAMES} keeps every cell as one name")
    return value


def _encoding(value: str) -> str:
    try:
        b"".decode(value)
    except (LookupError, ValueError):
        rule = "must be a text encoding such as utf-8, windows-1252, utf-16 or shift_jis"
        raise ValueError(rule) from None
    return value


class ColumnOptions(BaseModel):
    """Which columns are what; each is found by its name or its values where it is not given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: _Names | None = Field(
        default=None, description="Column of the text; several are joined by a separator."
    )
    labels: _Names | None = Field(
        default=None, description="Column of the labels; a list of columns is one 0/1 column a label."
    )
    id: str | None = Field(default=None, description="Column of the rows' own ids.")
    split: str | None = Field(default=None, description="Column that says which split a row belongs to.")
    unclear: str | None = Field(default=None, description="Column that marks rows that raters found unclear.")


class SplitOptions(BaseModel):
    """Files, patterns, or splits of a data set, by split; one that is left out is cut from train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: _Names | None = None
    validation: _Names | None = None
    test: _Names | None = None

    def given(self) -> dict[str, tuple[str, ...]]:
        """Return the splits that are given, each with its files."""
        values: dict[str, str | tuple[str, ...] | None] = dict(self)
        return {name: (v,) if isinstance(v, str) else v for name, v in values.items() if v is not None}


class DataOptions(BaseModel):
    """What is not to be found out by looking at the data, but is said by the user.

    Raises:
        pydantic.ValidationError: A key is unknown, or a value is out of its range.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: ColumnOptions = Field(default=ColumnOptions(), description="Which columns are what.")
    separator: Annotated[str, AfterValidator(_character)] | None = Field(
        default=None, description="What separates the columns of a text file."
    )
    label_separator: Annotated[str, AfterValidator(_label_separator)] | None = Field(
        default=None, description="What separates labels in a cell; none where each cell is one whole name."
    )
    encoding: Annotated[str, AfterValidator(_encoding)] | None = Field(
        default=None, description="How text files are encoded, where it is not UTF-8."
    )
    splits: SplitOptions = Field(default=SplitOptions(), description="Which files make which split.")
    binarize: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = Field(
        default=None, description="Least share of raters, or probability, from which a label applies."
    )
    label_names: Literal["goemotions"] | tuple[str, ...] | None = Field(
        default=None, description="Names of the labels, in the order of their indices."
    )
    unclear: Literal["keep", "leave_out"] = Field(
        default="keep", description="What happens to rows that raters marked as unclear."
    )
    missing_labels: Literal["refuse", "leave_out", "no_labels"] = Field(
        default="refuse", description="What null, or a word such as nan, means where labels should stand."
    )

    @field_validator("label_names")
    @classmethod
    def _named_once(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(value, tuple):
            if not value or not all(name.strip() for name in value):
                raise ValueError("must name every label")
            repeated = sorted({name for name in value if value.count(name) > 1})
            if repeated:
                raise ValueError(f"must name every label once; {repeated[0]} stands more than once")
        return value

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "data") -> DataOptions:
        """Return the options that plain values say.

        Raises:
            InputError: A key is unknown, or a value is out of its range: all problems at once.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise InputError(where, problems_of(error)) from None

    def changed(self) -> dict[str, Any]:
        """Return what differs from the defaults as plain values; empty where nothing does."""
        return self.model_dump(mode="json", exclude_defaults=True)
