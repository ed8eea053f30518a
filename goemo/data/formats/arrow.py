"""Parquet and Arrow files, with the names that ``datasets`` keeps in their metadata."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.formats.texts import UnreadableFileError
from goemo.data.tables import MOST_FILE_BYTES, Table

_MOST_ROWS = 100_000_000


def read_parquet(file: Path, table: Table, _options: DataOptions) -> None:
    """Read a Parquet file one row group after the other.

    Texts are read through their dictionaries, so that a small file that repeats a large text stays small.
    """
    import pyarrow as pa  # half a second that only these formats need
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
        kinds = (pa.string(), pa.large_string())
        texts = [field.name for field in schema if field.type in kinds]
        with pq.ParquetFile(file, read_dictionary=texts) as parquet:
            facts = parquet.metadata
            groups = range(parquet.num_row_groups)
            size = sum(facts.row_group(group).total_byte_size for group in groups)
            _check_size(facts.num_rows, size)
            take_arrow(table, schema, (parquet.read_row_group(group) for group in groups))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        table.reject(0, f"not readable as parquet ({str(error).splitlines()[0]})")


def read_arrow(file: Path, table: Table, _options: DataOptions) -> None:
    """Read an Arrow stream or file (Feather), as ``datasets`` and pandas write them."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source:
            try:
                found = pa.ipc.open_file(source).read_all()
            except pa.ArrowInvalid:
                source.seek(0)
                found = pa.ipc.open_stream(source).read_all()
            _check_size(found.num_rows, found.nbytes)
            take_arrow(table, found.schema, [found])
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        table.reject(0, f"not readable as Arrow ({str(error).splitlines()[0]})")


def take_arrow(table: Table, schema: Any, parts: Iterable[Any]) -> None:
    """Take Arrow tables of one schema, and the label names in its metadata, into a table.

    Raises:
        pyarrow.ArrowInvalid: What stands in a table is not what its schema says. Arrow itself would read
            beyond its buffers, and end the process.
        UnreadableFileError: There is too much text.
    """
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    # Of columns of the same name the first counts; where one is needed, it is refused later.
    table.repeated = {name: times for name, times in Counter(schema.names).items() if times > 1}
    characters = 0
    for part in parts:
        part.validate(full=True)
        for name, column in columns.items():
            for chunk in part.column(schema.names.index(name)).chunks:
                values, size = _values(chunk)
                characters += size
                if characters > MOST_FILE_BYTES:
                    raise UnreadableFileError(f"unpacks to more than {MOST_FILE_BYTES >> 30} GB of text")
                column.extend(values)
    table.columns = columns
    table.lines = range(1, len(next(iter(columns.values()), [])) + 1)
    table.class_names = class_names(_features(schema.metadata or {}))


def _values(chunk: Any) -> tuple[list[Any], int]:
    import pyarrow as pa

    if not isinstance(chunk, pa.DictionaryArray):
        return chunk.to_pylist(), chunk.nbytes
    words = chunk.dictionary.to_pylist()
    values = [None if index is None else words[index] for index in chunk.indices.to_pylist()]
    return values, sum(len(value) for value in values if isinstance(value, str))


def _check_size(rows: int, size: int) -> None:
    if size > MOST_FILE_BYTES or rows > _MOST_ROWS:
        rule = f"must unpack to at most {MOST_FILE_BYTES >> 30} GB and {_MOST_ROWS:,} rows"
        raise UnreadableFileError(f"{rule}, got {size / 1e9:,.1f} GB and {rows:,} rows")


def _features(metadata: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def class_names(features: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the names of each column that is a ClassLabel, or a list of them, in ``datasets``' features."""
    named = {column: _names_of(feature) for column, feature in features.items()}
    return {column: names for column, names in named.items() if names is not None}


def _names_of(feature: Any) -> tuple[str, ...] | None:
    for _ in range(4):  # lists of lists are no labels, and a hostile feature may be deep
        if isinstance(feature, list) and len(feature) == 1:
            feature = feature[0]
        names = feature.get("names") if isinstance(feature, dict) else getattr(feature, "names", None)
        if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
            return tuple(names)
        feature = feature.get("feature") if isinstance(feature, dict) else getattr(feature, "feature", None)
    return None
