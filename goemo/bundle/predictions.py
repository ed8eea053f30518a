"""Predictions as JSON, JSON lines, CSV or Parquet, piece by piece, so that any number of them fits."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from goemo.data.tables import ABSENT
from goemo.escaping import guarded

# As ``Bundle.predict`` gives them: ``{"text", "labels", "scores": {label: score}}``.
Prediction = Mapping[str, Any]
Chunks = Iterable[Sequence[Prediction]]
Pieces = Iterator[bytes]


@dataclass(frozen=True, eq=False)
class Output:
    """The columns that predictions are written in: those of the file first, then labels and scores.

    Attributes:
        labels: Names of the labels in the order of the scores.
        kept: Columns of the file that was predicted, by name, a value a prediction; none where it has none.
    """

    labels: tuple[str, ...]
    kept: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @cached_property
    def text(self) -> tuple[str, ...]:
        """The column of the text, where the file has no columns that hold it."""
        return () if self.kept else ("text",)

    @cached_property
    def predicted(self) -> str:
        """The column of the labels; another name where the file has one of this name."""
        return self._free("labels", "predicted_labels")

    @cached_property
    def scores(self) -> str:
        """The key of the scores."""
        return self._free("scores", "predicted_scores")

    @cached_property
    def score_columns(self) -> tuple[str, ...]:
        """The column of each label's score."""
        names: list[str] = []
        for label in self.labels:
            names.append(self._free(label, f"score_{label}", {self.predicted, *self.text, *names}))
        return tuple(names)

    def row(self, number: int) -> list[Any]:
        """Return the file's own cells of a row; None where a record has no such key."""
        return [None if values[number] is ABSENT else values[number] for values in self.kept.values()]

    def _free(self, name: str, other: str, taken: set[str] | None = None) -> str:
        used = {*self.kept, *(taken or ())}
        if name not in used:
            return name
        while other in used:
            other = f"{other}_"
        return other


def as_json(chunks: Chunks, output: Output) -> Pieces:
    """Yield the pieces of one JSON array, one prediction a line."""
    before = "[\n"
    for first, chunk in _numbered(chunks):
        if chunk:
            yield (before + ",\n".join(_objects(first, chunk, output))).encode("utf-8", "replace")
            before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def as_json_lines(chunks: Chunks, output: Output) -> Pieces:
    """Yield one JSON object a line, and nothing around them."""
    for first, chunk in _numbered(chunks):
        yield "".join(item + "\n" for item in _objects(first, chunk, output)).encode("utf-8", "replace")


def as_csv(chunks: Chunks, output: Output, *, guards_all: bool = False) -> Pieces:
    """Yield CSV with a header: the file's columns or the text, labels joined by commas, a score a label.

    Names of labels are guarded against spreadsheets; texts and the file's own cells, which programs read,
    only where that is asked for.
    """
    own = (*output.text, *output.kept)
    yield _rows([[*_guarded(own, guards_all), output.predicted, *map(guarded, output.score_columns)]])
    for first, chunk in _numbered(chunks):
        yield _rows(
            [
                *_guarded([*([item["text"]] if output.text else []), *output.row(row)], guards_all),
                guarded(",".join(item["labels"])),
                *(item["scores"][label] for label in output.labels),
            ]
            for row, item in enumerate(chunk, start=first)
        )


def as_parquet(chunks: Chunks, output: Output) -> Pieces:
    """Yield the pieces of a Parquet file: the file's columns or the text, a list of labels, a score a label.

    A column whose values have several types is text, lists and mappings in it are JSON.
    """
    import pyarrow as pa  # half a second that only this format needs
    import pyarrow.parquet as pq

    kept = {name: _arrow(values) for name, values in output.kept.items()}
    texts = dict.fromkeys(output.text, pa.string())
    columns = texts | {name: values.type for name, values in kept.items()}
    columns |= {output.predicted: pa.list_(pa.string())} | dict.fromkeys(output.score_columns, pa.float32())
    schema = pa.schema(list(columns.items()))
    sink = _Sink()
    with pq.ParquetWriter(sink, schema) as writer:
        for first, chunk in _numbered(chunks):
            parts = [pa.array([item["text"] for item in chunk], pa.string())] if output.text else []
            parts += [values.slice(first, len(chunk)) for values in kept.values()]
            parts.append(pa.array([item["labels"] for item in chunk], columns[output.predicted]))
            parts += [
                pa.array([item["scores"][label] for item in chunk], pa.float32()) for label in output.labels
            ]
            writer.write_table(pa.table(parts, schema=schema))
            yield sink.take()
    yield sink.take()


# By the name of the format; those but guarded-csv are also the suffixes of such files.
FORMATS: dict[str, Callable[[Chunks, Output], Pieces]] = {
    "json": as_json,
    "jsonl": as_json_lines,
    "csv": as_csv,
    "guarded-csv": partial(as_csv, guards_all=True),
    "parquet": as_parquet,
}


class _Sink(io.RawIOBase):
    """What was written since it was last taken; files that are written from front to end need no more."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, part: Any, /) -> int:
        self._parts.append(bytes(part))
        self._written += len(self._parts[-1])
        return len(self._parts[-1])

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _numbered(chunks: Chunks) -> Iterator[tuple[int, Sequence[Prediction]]]:
    """Yield the chunks, each with the number of its first prediction, from 0."""
    first = 0
    for chunk in chunks:
        yield first, chunk
        first += len(chunk)


def _objects(first: int, chunk: Sequence[Prediction], output: Output) -> Iterator[str]:
    for row, item in enumerate(chunk, start=first):
        own = {name: _plain(values[row]) for name, values in output.kept.items() if values[row] is not ABSENT}
        text = {"text": item["text"]} if own.get("text") is None else {}
        predicted = {output.predicted: item["labels"], output.scores: item["scores"]}
        yield json.dumps({**own, **text, **predicted}, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: what is no number becomes null, what JSON does not know is text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _cell(value: Any) -> Any:
    """Return a cell as CSV has it: lists and mappings are JSON."""
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else plain


def _guarded(values: Iterable[Any], guards_all: bool) -> Iterator[Any]:
    return (guarded(_cell(value)) if guards_all else _cell(value) for value in values)


def _arrow(values: Sequence[Any]) -> Any:
    """Return a column for Parquet, as text where its values are of several types."""
    import pyarrow as pa

    there = [None if value is ABSENT else value for value in values]
    try:
        found = pa.array(there)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        words = (None if value is None else _cell(value) for value in there)
        found = pa.array([w if w is None else str(w).encode("utf-8", "replace").decode() for w in words])
    return pa.nulls(len(there), pa.string()) if pa.types.is_null(found.type) else found


def _rows(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    # All words in quotes: a carriage return in a text would end the row otherwise.
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
