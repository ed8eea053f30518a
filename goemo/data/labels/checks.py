"""Checks of labels: impossible ones are refused, likely mistakes get a warning."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from goemo.configuration.data import DataOptions
from goemo.data.labels.cells import is_index
from goemo.data.layouts.base import LabelRows
from goemo.data.tables import Table, listed
from goemo.data.words import MISSING

_SHOWN = 3
_MOST_SEPARATORS = 20  # that are tried, the most frequent of those that stand in names
_BETWEEN = re.compile(r" and |[\W_]+")
_BRACKETS = re.compile(
    r"^[{}\[\]\"]|[{}\[\]\"]$|np\.float64\(|[(\[{]['\"]|['\"][)\]}]|[)\]}]{2}$|^'.*'$"
    r"|><|&(?:amp|lt|gt|quot|nbsp|#\d+)$"  # XML, and what is left of it where a semicolon separates
)
_PRINTED_LIST = re.compile(r"[(\[{]\s*['\"]")
_VALUED = re.compile(r".+[:=]\s*(?:[01](?:\.\d*)?|0?\.\d+)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def name_problems(
    read: Sequence[tuple[Table, LabelRows]], meant: frozenset[str], options: DataOptions
) -> tuple[list[str], list[str]]:
    """Return what is wrong with names that stand in text cells, and what to warn of.

    Such names may be what another program's list looks like when it is written into a cell. Names that were
    given (``meant``) are right however they look.
    """
    first: dict[str, str] = {}
    for table, labels in read:
        for name, line in labels.written.items():
            first.setdefault(name, table.place(line))
    unsure = {name: place for name, place in first.items() if name not in meant and not is_index(name)}
    for table, labels in read:
        if problem := _texts_instead(table, [name for name in labels.written if name in unsure]):
            return [problem], []
    words = {name: place for name, place in unsure.items() if not _NUMBER.fullmatch(name)}
    joining, warnings = _joins(words, set(first), options)
    return [*_no_names(unsure), *joining], warnings


def _texts_instead(table: Table, names: Sequence[str]) -> str | None:
    """Say so where the labels are likely texts: most rows have one of their own, of several words."""
    if 2 * len(names) <= len(table) or 2 * sum(name.count(" ") > 1 for name in names) <= len(names):
        return None
    shown = listed([repr(name[:40]) for name in names[:_SHOWN]])
    way_out = "data.columns.labels says which column has labels; without a header a .tsv has text, labels, id"
    return (
        f"{table.name}: {len(names):,} labels in {len(table):,} rows, as {shown}, are likely texts; {way_out}"
    )


def _no_names(first: Mapping[str, str]) -> list[str]:
    valued = [name for name in first if _VALUED.fullmatch(name)]
    kinds = (
        (
            [name for name in first if _BRACKETS.search(name)],
            "is not a name but part of a list that cannot be read",
            "write names separated by commas, or a list in JSON; labels.txt may name what has brackets",
        ),
        (
            [name for name in first if _NUMBER.fullmatch(name)],
            "is a number, but not a label index",
            "indices count from 0; data.binarize: 0.5 reads one share per label, as in [0.2, 0.8]",
        ),
        (
            [name for name in first if name.casefold() in MISSING],
            "is a word for a missing value",
            "leave the cell empty where no label applies, set data.missing_labels, or name it in labels.txt",
        ),
        (
            valued if 2 * len(valued) > len(first) else [],
            "is a name with a number that says whether it applies",
            'write a mapping in JSON, such as {"joy": 1, "fear": 0}, or only the names that apply',
        ),
    )
    return [
        f"{first[names[0]]}: label {listed(list(map(repr, names[:_SHOWN])))} {rule}{_others(names, first)}; "
        f"{way_out}"
        for names, rule, way_out in kinds
        if names
    ]


def _others(names: Sequence[str], first: Mapping[str, str]) -> str:
    if len(names) == 1:
        return ""
    places = listed([first[name] for name in names[1:_SHOWN]])
    return f" (also {places}; {len(names)} such labels)"


def _joins(first: Mapping[str, str], names: set[str], options: DataOptions) -> tuple[list[str], list[str]]:
    """Find names that join others by a separator: ``joy love`` beside ``joy`` and ``love``, or numbers."""
    problems: list[str] = []
    warnings: list[str] = []
    if options.label_separator is not None:
        return problems, warnings
    for separator in _separators(first):
        holding = [name for name in first if separator in name]
        joined = [name for name in holding if _is_joined(name, separator, names)]
        if not joined:
            continue
        example = f"{joined[0]!r} ({first[joined[0]]})"
        called = separator.strip() or "a space"
        option = "space" if separator == " " else repr(separator)
        most = 2 * len(joined) > len(holding)
        if most and (len(joined) >= _SHOWN or 4 * len(joined) > len(names)):
            problems.append(
                f"{len(joined)} of {len(names)} labels combine others, joined by {called}, such as "
                f"{listed([f'{name!r} ({first[name]})' for name in joined[:_SHOWN]])}; data.label_separator: "
                f"{option} splits them, none keeps them whole"
            )
        else:
            warnings.append(
                f"label {example} combines others, joined by {called}; if it is two labels, set "
                f"data.label_separator: {option}"
            )
    return problems, warnings


def _separators(names: Iterable[str]) -> list[str]:
    """Return what stands between the words of names, the most frequent first."""
    found: Counter[str] = Counter()
    for name in names:
        runs = set(_BETWEEN.findall(name))
        found.update({run if run == " and " else run.strip() or " " for run in runs})
        found.update({" "} & set(name) if not runs & {" "} else ())
    return [separator for separator, _ in found.most_common(_MOST_SEPARATORS)]


def _is_joined(name: str, separator: str, names: set[str]) -> bool:
    # Ranges of numbers, 18-25, are names; other numbers that a separator joins are indices.
    parts = [part.strip() for part in name.split(separator)]
    return all(part in names or (separator != "-" and part.isdecimal()) for part in parts)


def joined_in_lists(names: Sequence[str]) -> list[str]:
    """Warn of names that join others, where a list gave them: ``["joy,love"]`` beside ``["joy"]``.

    So do printed lists, ``["['joy', 'love']"]``, whatever stands beside them.
    """
    known = set(names)
    if printed := [name for name in names if _PRINTED_LIST.match(name)]:
        return [
            f"label {printed[0]!r} looks like a printed list; if it is one, write its names as list items"
        ]
    for separator in _separators(names):
        joined = [name for name in names if separator in name and _is_joined(name, separator, known)]
        if joined:
            what = f"label {joined[0]!r} combines others, joined by {separator.strip() or 'a space'}"
            return [f"{what}; if it is two labels, write two list items"]
    return []


def repeated_headers(table: Table, text: Sequence[str], labels: str) -> list[int]:
    """Return the lines of rows that say the columns' names again, as files that were joined do."""
    if not table.is_headed or len(text) != 1 or labels not in table.columns:
        return []
    rows = zip(table.lines, table.columns[text[0]], table.columns[labels], strict=True)
    return [
        line
        for line, value, label in rows
        if value == text[0] and isinstance(label, str) and label.strip() == labels
    ]


def likeness_warnings(names: Sequence[str]) -> list[str]:
    """Warn of names that differ by case, by the form of accents or by invisible characters alone."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[folded(name)].append(name)
    groups = [group for group in alike.values() if len(group) > 1]
    shown = [" and ".join(_visible(name) for name in group) for group in groups]
    if not shown:
        hidden = [_visible(name) for name in names if _has_invisible(name)]
        return [f"labels contain invisible characters: {listed(hidden, 6)}"] if hidden else []
    what = "are separate labels that differ only in case, form of accents or invisible characters"
    return [f"{listed(shown, 6)} {what}; are they the same?"]


def folded(name: str) -> str:
    """Return a name without what the eye cannot tell: case, the form of accents, invisible characters."""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in plain if unicodedata.category(c) != "Cf").replace("\xa0", " ").strip()


def _has_invisible(name: str) -> bool:
    # A joiner inside an emoji is part of it.
    return any(unicodedata.category(c) == "Cf" and c != "\u200d" for c in name)


def _visible(name: str) -> str:
    return ascii(name) if _has_invisible(name) or unicodedata.normalize("NFC", name) != name else repr(name)
