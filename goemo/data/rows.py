"""One row of a source: its text, and its labels in all the ways that people write them."""

from __future__ import annotations

import ast
import io
import itertools
import re
import tokenize
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from goemo.data.tables import Label, Table, nearest

MULTI_HOT_HINT = "; a row of 0 and 1, one a label, must be written as the indices of its ones"


def has_columns(table: Table, names: Sequence[str]) -> bool:
    """Say whether text and labels are there, once each; reject the table where they are not."""
    missing = [name for name in ("text", "labels") if name not in names]
    for name in missing:
        hint = nearest(name, names) or "."
        table.reject(0, f"no column {name}{hint} Columns are {', '.join(names)}")
    repeated = [name for name in ("text", "labels", "id") if names.count(name) > 1]
    for name in repeated:
        table.reject(0, f"has {names.count(name)} columns called {name}; keep one")
    return not missing and not repeated


def add_columns(table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Take columns into the table, row by row."""
    ids = columns.get("id", itertools.repeat(None))
    for row, (text, labels, row_id) in enumerate(
        zip(columns["text"], columns["labels"], ids, strict=False), 1
    ):
        add_row(table, row, {"text": text, "labels": labels, "id": row_id})


def add_row(table: Table, line: int, row: Mapping[str, Any]) -> None:
    """Take one row into the table, or reject it with the first reason found."""
    text, row_id = row["text"], row.get("id")
    if not isinstance(text, str):
        table.reject(line, f"text must be a string, got {text!r}")
    elif not text.strip():
        table.reject(line, "empty text")
    elif not text.isascii() and re.search("[\ud800-\udfff]", text):
        table.reject(line, "text holds half a surrogate pair, which is not a character")
    else:
        try:
            labels = parse_labels(row["labels"])
        except ValueError as error:
            table.reject(line, str(error))
            return
        table.add(line, text, labels, None if row_id is None else str(row_id))


def parse_labels(value: Any) -> tuple[Label, ...]:
    """Return the labels in a value of a ``labels`` column.

    Raises:
        ValueError: The value is missing, it holds something that is neither index nor name, or a label twice.
    """
    labels = _read_labels(value)
    for label in labels:
        if isinstance(label, str) and has_control_characters(label):
            raise ValueError(f"label {label!r} holds a control character or line break, which no name may")
    names = [str(label) for label in labels]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        hint = MULTI_HOT_HINT if set(names) <= {"0", "1"} else "; name it once"
        raise ValueError(f"label {repeated} stands more than once{hint}")
    return labels


def has_control_characters(name: str) -> bool:
    """Say whether a name holds what would break a line of a table, a file or a terminal."""
    return any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name)


def _read_labels(value: Any) -> tuple[Label, ...]:
    if isinstance(value, str):
        return _split_labels(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return (int(value),)
    if not isinstance(value, list | tuple | np.ndarray):
        raise ValueError(  # noqa: TRY004 - a wrong value in a file, reported with its line
            f"labels must be indices or names, or a list of them, got {value!r}"
        )
    labels: list[Label] = []
    for item in value:
        if isinstance(item, str) and item.strip():
            labels.append(item.strip())
        elif isinstance(item, int | np.integer) and not isinstance(item, bool):
            labels.append(int(item))
        else:
            raise ValueError(f"a label must be an index or a name, got {item!r}")
    return tuple(labels)


def _split_labels(text: str) -> tuple[Label, ...]:
    """Split ``a,b``, ``a;b``, ``a|b``, and lists as Python and NumPy print them."""
    text = text.strip()
    is_list = text[:1] + text[-1:] in ("[]", "()")
    if is_list:
        listed = _python_list(text)
        if listed is not None:
            return _read_labels(listed)
        text = text[1:-1].strip()
    elif text.startswith("["):
        raise ValueError(f"a list of labels must end in ], got {text!r}")
    if not text:
        return ()
    if is_list and _NUMPY_NAMES.fullmatch(text):
        labels = [quoted[1:-1] for quoted in _QUOTED.findall(text)]
    elif is_list and re.fullmatch(r"[0-9\s]+", text):
        labels = text.split()
    else:
        labels = re.split(r"[,;|]", text.removesuffix(",") if is_list else text)
        if is_list and any(label.strip()[:1] in _QUOTES or label.strip()[-1:] in _QUOTES for label in labels):
            raise ValueError(f"a list of labels must quote every name or none, got {text!r}")
    labels = [label.strip() for label in labels]
    if not all(labels):
        raise ValueError(f"labels must be separated by single commas, got {text!r}")
    return tuple(labels)


_QUOTES = ("'", '"')
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMPY_NAMES = re.compile(rf"(?:{_QUOTED.pattern})(?:\s+(?:{_QUOTED.pattern}))*")


def _python_list(text: str) -> list[Any] | None:
    """Return what a list or tuple in Python's notation holds, or None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes that mean nothing
            value = ast.literal_eval(text)
            tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (ValueError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        return None
    items = list(value) if isinstance(value, list | tuple) else [value]
    # Python joins 'a' 'b' into one name, where NumPy prints two.
    strings = sum(token.type == tokenize.STRING for token in tokens)
    return items if strings == sum(isinstance(item, str) for item in items) else None
