"""Labels in one cell: lists, sets, separated text, the printed forms of annotation tools and NumPy."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import unicodedata
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from goemo.configuration.data import WHOLE_NAMES

Label = int | str  # as it stands in the data: an index, or a name (or an index as text)

MULTI_HOT_HINT = "; a row of 0 and 1, one per label, must be written as the indices of its ones"
_CONTAINERS = (list, tuple, set, frozenset, np.ndarray)
_QUOTES = ("'", '"')
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMPY_NAMES = re.compile(rf"(?:{_QUOTED.pattern})(?:\s+(?:{_QUOTED.pattern}))*")
_NUMPY_SCALAR = re.compile(r"np\.(?:float|int|uint|str|bool)\w*\(([^()]*)\)")
# What Python, NumPy, pandas and torch print around a list, a set or a mapping, or around nothing.
_PRINTED = re.compile(
    r"(?:\w+\.)?(?:array|tensor|Index|set|frozenset|list|tuple|deque|Counter|dict_keys)"
    r"\(([\[({].*[\])}])?(?:,\s*\w+=[\w.'<>|]+)*\)",
    re.DOTALL,
)
# Keys beside a name by which tools say whether it applies, or how likely.
_FLAGS = ("value", "score", "selected", "checked", "applies", "present", "probability", "prob", "confidence")
_SHARE = r"(?:[01]|[01]?\.\d*(?:e-\d+)?|(?i:true|false))"
_SHARES = re.compile(rf"{_SHARE}(?:\s*[,;|]\s*{_SHARE}|\s+{_SHARE})+")


def decoded(text: str) -> Any:
    """Return what a text cell holds: a list or a mapping where it is one, else the text without its margins.

    Read are lists, tuples and sets in Python's notation, NumPy's and JSON's, mappings, what Label Studio
    writes (``{"choices": [...]}``), and rows of numbers from 0 to 1 or of true and false.
    """
    text = text.strip()
    if _SHARES.fullmatch(text):
        return _numbers(re.split(r"[,;|\s]+", text))
    bare = _NUMPY_SCALAR.sub(r"\1", text) if "np." in text else text
    if printed := _PRINTED.fullmatch(bare):
        bare = printed[1] or "[]"
    if bare[:1] + bare[-1:] not in ("[]", "()", "{}"):
        return text
    if bare[0] in "[{" and (value := _json(bare)) is not None:
        return choices(value)
    if (value := _python_value(bare)) is not None:
        return choices(value)
    if re.fullmatch(rf"\[\s*{_SHARE}(?:\s+{_SHARE})+\s*\]", bare):
        return _numbers(bare[1:-1].split())
    return bare


def _numbers(parts: Sequence[str]) -> list[float]:
    words = {"true": True, "false": False}
    known = (words.get(part.casefold()) for part in parts)
    return [
        (float(part) if "." in part else int(part)) if word is None else word
        for part, word in zip(parts, known, strict=True)
    ]


def choices(value: Any) -> Any:
    """Return the names in what annotation tools write: ``{"choices": [...]}``, ``[{"label": "joy"}]``.

    Names that stand beside a number or a flag, ``[{"label": "joy", "score": 0.9}]``, are a mapping to it.
    """
    if isinstance(value, dict) and set(value) == {"choices"} and isinstance(value["choices"], list | str):
        return [value["choices"]] if isinstance(value["choices"], str) else value["choices"]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        names = [item.get("label", item.get("name", item.get("choices"))) for item in value]
        flag = next((key for key in _FLAGS if all(_is_flag(item.get(key)) for item in value)), None)
        if not all(isinstance(name, str | int | list) for name in names):
            return value
        if flag is not None:
            is_clear = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
            return dict(zip(names, (item[flag] for item in value), strict=True)) if is_clear else value
        return [part for name in names for part in (name if isinstance(name, list) else [name])]
    return value


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | int | float) and 0 <= value <= 1


def parse_labels(value: Any, separator: str | None = None) -> tuple[Label, ...]:
    """Return the labels in a value of a column of labels.

    Args:
        value: A list, a set, an index, or text.
        separator: What separates names in text, where it is not a comma, a semicolon or ``|``; ``none``
            where a text is one whole name.

    Raises:
        ValueError: The value is missing, it holds something that is neither index nor name, or a label twice.
    """
    labels = _read_labels(value, separator)
    for label in labels:
        if isinstance(label, str):
            if has_control_characters(label):
                raise ValueError(
                    f"label {label!r} contains a control character or line break, which no name may have"
                )
            if not label.isascii() and any("\ud800" <= character <= "\udfff" for character in label):
                raise ValueError(f"label {label!r} contains half a surrogate pair, which is not a character")
    names = [str(label) for label in labels]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        hint = MULTI_HOT_HINT if set(names) <= {"0", "1"} else "; name it once"
        raise ValueError(f"label {repeated} appears more than once{hint}")
    return labels


def has_control_characters(name: str) -> bool:
    """Say whether a name holds what would break a line of a table, a file or a terminal."""
    return any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name)


def is_index(label: Label) -> bool:
    """Say whether a label as written is an index."""
    return isinstance(label, int) or re.fullmatch(r"[+-]?[0-9]{1,18}", label) is not None


def _read_labels(value: Any, separator: str | None) -> tuple[Label, ...]:
    if isinstance(value, str):
        if separator == WHOLE_NAMES:
            return (value.strip(),) if value.strip() else ()
        found = decoded(value)
        return _split_labels(found, separator) if isinstance(found, str) else _read_labels(found, separator)
    if not isinstance(value, _CONTAINERS):
        index = _index(value)
        if index is None:
            raise ValueError(f"labels must be indices or names, or a list of them, got {_shown(value)}")
        return (index,)
    labels: list[Label] = []
    for item in value:
        index = _index(item)
        if isinstance(item, str) and item.strip():
            labels.append(item.strip())
        elif index is not None:
            labels.append(index)
        else:
            raise ValueError(f"a label must be an index or a name, got {_shown(item)}")
    return tuple(labels)


def _index(value: Any) -> int | None:
    """Return a whole number, as pandas writes it too (27.0); None for anything else."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _split_labels(text: str, separator: str | None) -> tuple[Label, ...]:
    """Split ``a,b``, ``a;b``, ``a|b``, and lists that neither Python nor JSON would read."""
    is_list = text[:1] + text[-1:] in ("[]", "()")
    if is_list:
        text = text[1:-1].strip()
    elif text.startswith("["):
        raise ValueError(f"a list of labels must end in ], got {_shown(text)}")
    if not text:
        return ()
    if is_list and _NUMPY_NAMES.fullmatch(text):
        labels = [quoted[1:-1] for quoted in _QUOTED.findall(text)]
    elif is_list and re.fullmatch(r"[0-9\s]+", text):
        labels = text.split()
    elif separator is not None:
        labels = text.split() if separator == " " else text.split(separator)
    else:
        labels = re.split(r"[,;|]", text.removesuffix(",") if is_list else text)
        if is_list and any(label.strip()[:1] in _QUOTES or label.strip()[-1:] in _QUOTES for label in labels):
            raise ValueError(f"a list of labels must quote every name or none, got {_shown(text)}")
    labels = [re.sub(r"^\+?([0-9]+)\.0*$", r"\1", label.strip()) for label in labels]
    if not all(labels):
        raise ValueError(f"labels must be separated by single commas, got {_shown(text)}")
    return tuple(labels)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _python_value(text: str) -> Sequence[Any] | None:
    """Return what a list, tuple or set in Python's notation holds, in its order; None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes that mean nothing
            tree = ast.parse(text, mode="eval").body
            value = ast.literal_eval(tree)
            if isinstance(tree, ast.Set):  # a set that is read has lost the order in which it was written
                value = [ast.literal_eval(item) for item in tree.elts]
            tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, tokenize.TokenError):
        return None
    if isinstance(value, dict):
        return value if all(isinstance(key, str) for key in value) else None  # type: ignore[return-value]
    items = list(value) if isinstance(value, list | tuple) else [value]
    # Python joins 'a' 'b' into one name, where NumPy prints two.
    strings = sum(token.type == tokenize.STRING for token in tokens)
    return items if strings == sum(isinstance(item, str) for item in items) else None
