"""Options of the commands that take data: its source, and how it is read."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from goemo.configuration.data import DataOptions


@dataclass(frozen=True)
class Data:
    """The data of a command.

    Attributes:
        source: As in a search space; None for the one that is known already.
        given: Keys of a search space's ``data`` section that say how to read it; empty where none was given.
    """

    source: str | None
    given: Mapping[str, Any]

    def check(self) -> None:
        """Refuse a source that is not there, before anything heavy is imported.

        Raises:
            InputError: Nothing is at its path.
        """
        if self.source is not None:
            from goemo.data.places import check_source

            check_source(self.source)

    @property
    def options(self) -> DataOptions | None:
        """How to read it; None where nothing was said of that.

        Raises:
            InputError: A value is out of its range.
        """
        from goemo.configuration.data import DataOptions

        return DataOptions.parse(self.given, "the data's options") if self.given else None

    @property
    def overrides(self) -> tuple[str, ...]:
        """The same as overrides of a search space."""
        return tuple(
            f"data.{key}.{inner}={json.dumps(part, ensure_ascii=False)}"
            if isinstance(value, dict)
            else f"data.{key}={json.dumps(value, ensure_ascii=False)}"
            for key, value in self.given.items()
            for inner, part in (value.items() if isinstance(value, dict) else [("", value)])
        )


def _parameter(key: str) -> str:
    return "data_" + key.replace(".", "_")


# Key of a data section, option, what it means; the checks are those of the keys.
_DECLARED: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("columns.text", "text-column", "Text column; several are joined.", {"multiple": True}),
    (
        "columns.labels",
        "label-column",
        "Label column; several are one 0/1 column per label.",
        {"multiple": True},
    ),
    ("columns.id", "id-column", "Column with the row ids.", {}),
    ("columns.split", "split-column", "Column that names the split.", {}),
    ("separator", "separator", "Column separator: a character, or tab.", {"metavar": "CHAR"}),
    (
        "label_separator",
        "label-separator",
        "Separator of labels in a cell: space, #, ...; none: each cell is a single name.",
        {"metavar": "TEXT"},
    ),
    ("encoding", "encoding", "Encoding of text files, if not UTF-8.", {}),
    (
        "splits",
        "split-file",
        "File of a split, such as train=a.csv, or a value of the split column.",
        {"multiple": True, "metavar": "SPLIT=FILE"},
    ),
    (
        "binarize",
        "binarize",
        "Smallest share of raters for a label to apply.",
        {"type": float, "metavar": "SHARE"},
    ),
    (
        "label_names",
        "label-names",
        "Label names in index order, separated by commas; or goemotions.",
        {"metavar": "NAMES"},
    ),
    (
        "unclear",
        "unclear",
        "What to do with rows that raters marked as unclear: keep, leave_out.",
        {"metavar": "WHAT"},
    ),
    (
        "missing_labels",
        "missing-labels",
        "What to do with null or nan in place of labels: refuse, leave_out, no_labels.",
        {"metavar": "WHAT"},
    ),
)


def data_options(
    source_help: str, *, is_argument: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds ``--data`` and how it is read; the command gets them as one `Data`.

    Where ``is_argument``, the source is the command's argument instead, and has no help.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        called = reading_options(*(key for key, *_ in _DECLARED))(command)
        if is_argument:
            return click.argument("data", metavar="SRC")(called)
        return click.option("--data", metavar="SRC", help=source_help)(called)

    return decorate


def reading_options(*keys: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds options of how data is read; the command gets them as one `Data`."""
    chosen = [declared for declared in _DECLARED if declared[0] in keys]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def called(**values: Any) -> None:
            given = {key: values.pop(_parameter(key)) for key, *_ in chosen}
            data = Data(values.pop("data", None), _keys(given))
            command(**values, data=data)

        for key, name, text, more in reversed(chosen):
            called = click.option(f"--{name}", _parameter(key), help=text, **{"metavar": "NAME", **more})(
                called
            )
        return called

    return decorate


def _keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a data section that were given."""
    keys: dict[str, Any] = {}
    for dotted, value in values.items():
        if value is None or value == ():
            continue
        section, _, key = dotted.partition(".")
        if key:
            is_one = isinstance(value, tuple) and len(value) == 1
            keys.setdefault(section, {})[key] = value[0] if is_one else value
        elif dotted == "splits":
            keys[dotted] = _split_files(value)
        elif dotted == "label_names" and value != "goemotions":
            keys[dotted] = [part.strip() for part in value.split(",")]
        else:
            keys[dotted] = value
    return keys


def _split_files(values: tuple[str, ...]) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for value in values:
        split, equals, file = value.partition("=")
        if not equals or not file:
            raise click.BadParameter(f"must be SPLIT=FILE, got {value!r}", param_hint="--split-file")
        files.setdefault(split, []).append(file)
    return files
