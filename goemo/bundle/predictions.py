"""Predictions as JSON, JSON lines or CSV, piece by piece, so that any number of them fits."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from goemo.escaping import guarded

# As ``Bundle.predict`` gives them: ``{"text", "labels", "scores": {label: score}}``.
Prediction = Mapping[str, Any]
Pieces = Iterator[str]


def as_json(chunks: Iterable[Sequence[Prediction]], labels: Sequence[str]) -> Pieces:
    """Yield the pieces of one JSON array, one prediction a line."""
    del labels
    between = "[\n"
    for chunk in chunks:
        yield "".join(_between(between, (_object(item) for item in chunk)))
        between = ",\n" if chunk else between
    yield "[]\n" if between == "[\n" else "\n]\n"


def as_json_lines(chunks: Iterable[Sequence[Prediction]], labels: Sequence[str]) -> Pieces:
    """Yield one JSON object a line, and nothing around them."""
    del labels
    for chunk in chunks:
        yield "".join(_object(item) + "\n" for item in chunk)


def as_csv(
    chunks: Iterable[Sequence[Prediction]], labels: Sequence[str], *, guards_texts: bool = False
) -> Pieces:
    """Yield CSV with a header: the text, its labels joined by commas, and the score of every label.

    Labels are guarded against spreadsheets; texts, which programs read, only where that is asked for.
    """
    yield _rows([["text", "labels", *map(guarded, labels)]])
    for chunk in chunks:
        yield _rows(
            [
                guarded(item["text"]) if guards_texts else item["text"],
                guarded(",".join(item["labels"])),
                *(item["scores"][label] for label in labels),
            ]
            for item in chunk
        )


# By the name of the format; the first three are also the suffixes of such files.
FORMATS: dict[str, Callable[[Iterable[Sequence[Prediction]], Sequence[str]], Pieces]] = {
    "json": as_json,
    "jsonl": as_json_lines,
    "csv": as_csv,
    "guarded-csv": partial(as_csv, guards_texts=True),
}


def _object(item: Prediction) -> str:
    return json.dumps(item, ensure_ascii=False, allow_nan=False)


def _between(first: str, items: Iterable[str]) -> Iterator[str]:
    """Yield ``first`` before the first item, and what separates the items of an array before the others."""
    before = first
    for item in items:
        yield before
        yield item
        before = ",\n"


def _rows(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    # All words in quotes: a carriage return in a text would end the row otherwise.
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return text.getvalue()
