"""Tables, arrays and tensors of types that nobody expects, in whole files that can be read."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import reject
from hypothesis import strategies as st

_COLUMNS: list[Callable[[int], Any]] = [
    lambda n: pa.array([f"text {i} so happy" for i in range(n)]),
    lambda n: pa.array([f"text {i} so happy" for i in range(n)]).dictionary_encode(),
    lambda n: pa.array([None] * n),
    lambda n: pa.array([None if i % 3 else "a text" for i in range(n)]),
    lambda n: pa.array([i % 2 for i in range(n)]),
    lambda n: pa.array([i % 2 == 0 for i in range(n)]),
    lambda n: pa.array([2**63 - 1] * n),
    lambda n: pa.array([float("nan")] * n),
    lambda n: pa.array([0.5 + i for i in range(n)], pa.float32()),
    lambda n: pa.array(np.zeros(n, np.float16)),
    lambda n: pa.array([b"\xff\x00"] * n),
    lambda n: pa.array([b"abcd"] * n, pa.binary(4)),
    lambda n: pa.array([[i % 3] for i in range(n)]),
    lambda n: pa.array([[i % 3] for i in range(n)], pa.list_(pa.int8(), 1)),
    lambda n: pa.array([[None]] * n, pa.list_(pa.int64())),
    lambda n: pa.array([[]] * n, pa.list_(pa.string())),
    lambda n: pa.array([["joy", "fear"]] * n),
    lambda n: pa.array([[["joy"]]] * n),
    lambda n: pa.array([{"joy": 1, "fear": 0}] * n),
    lambda n: pa.array([[{"name": "joy"}]] * n),
    lambda n: pa.array([[("joy", 1)]] * n, pa.map_(pa.string(), pa.int64())),
    lambda n: pa.array([0] * n, pa.timestamp("ns", "UTC")),
    lambda n: pa.array([2**62] * n, pa.timestamp("s")),
    lambda n: pa.array([2**31 - 1] * n, pa.date32()),
    lambda n: pa.array([1] * n, pa.duration("ns")),
    lambda n: pa.array([1] * n, pa.time64("ns")),
    lambda n: pa.array(["1.5"] * n).cast(pa.decimal128(5, 2)),
    lambda n: pa.array(["\x00\x1b[2J"] * n),
    lambda n: pa.array(["=cmd()"] * n),
]
_NAMES = [
    "text",
    "labels",
    "label",
    "id",
    "joy",
    "fear",
    "comment_text",
    "",
    " ",
    "text",
    "split",
    "\x1b[2J",
    "a" * 3000,
]
_FEATURES = [
    None,
    b"",
    b"{",
    b'{"info": {"features": {"labels": {"names": ["joy", "fear", "anger"], "_type": "ClassLabel"}}}}',
    b'{"info": {"features": {"labels": {"names": ["joy", "joy"]}}}}',
    b'{"info": {"features": {"labels": {"names": []}}}}',
    b'{"info": {"features": {"labels": {"names": ["", "\\ud800"]}}}}',
    b'{"info": {"features": {"labels": {"feature": {"names": ["a", 1]}}}}}',
    b'{"info": {"features": []}}',
    b"[" * 2000,
]


@st.composite
def tables(draw: Any, name: str) -> bytes:
    """Return a Parquet or Arrow file of any columns."""
    rows = draw(st.sampled_from([0, 1, 2, 20, 60]))
    columns = draw(st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_COLUMNS)), max_size=5))
    table = pa.Table.from_arrays([make(rows) for _, make in columns], names=[name for name, _ in columns])
    features = draw(st.sampled_from(_FEATURES))
    if features is not None:
        table = table.replace_schema_metadata({b"huggingface": features})
    target = io.BytesIO()
    if name.endswith(".parquet"):
        try:
            pq.write_table(table, target)
        except pa.ArrowInvalid:  # there is no such file: a time that Parquet cannot hold
            reject()
    else:
        opened = draw(st.sampled_from([pa.ipc.new_file, pa.ipc.new_stream]))
        with opened(target, table.schema) as writer:
            writer.write_table(table)
    return target.getvalue()


_DTYPES = ["<f2", "<f4", "<f8", ">f8", "<i8", "|i1", "|b1", "<U3", "|S3", "<c8", "<M8[s]", "|V4", "<f2,<i4"]


@st.composite
def arrays(draw: Any, names: tuple[str, ...]) -> bytes:
    """Return an archive of NumPy arrays of these names, or of others."""
    held = {}
    for name in names:
        if draw(st.integers(0, 5)) == 0:
            continue
        shape = tuple(draw(st.lists(st.sampled_from([0, 1, 3, 5, 60]), max_size=3)))
        held[draw(st.sampled_from([name, name, name, "other"]))] = _array(draw, shape)
    target = io.BytesIO()
    np.savez(target, **held)
    return target.getvalue()


def _array(draw: Any, shape: tuple[int, ...]) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return np.array([None, "object"], dtype=object)
    array = np.zeros(shape, dtype=np.dtype(draw(st.sampled_from(_DTYPES))))
    if array.size and array.dtype.kind == "f":
        array.flat[0] = draw(st.sampled_from([0.5, -1.0, 2.0, np.nan, np.inf]))
    if array.size and array.dtype.kind in "US":
        array.flat[0] = draw(st.sampled_from(["joy", "", "\x1b"]))
    return array


@st.composite
def tensors(draw: Any, content: bytes) -> bytes:
    """Return a file of safetensors whose header tells of other tensors than there are."""
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    names = [name for name in header if name != "__metadata__"]
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(names))
        kind = draw(st.sampled_from(["dtype", "shape", "offsets", "gone", "name", "twice", "data", "length"]))
        if name not in header:
            continue
        if kind == "dtype":
            header[name]["dtype"] = draw(
                st.sampled_from(["F64", "F16", "I64", "BOOL", "U8", "BF16", "X", "F8_E4M3"])
            )
        elif kind == "shape":
            header[name]["shape"] = draw(
                st.sampled_from([[], [0], [1], [-1], [2**62, 4], header[name]["shape"][::-1]])
            )
        elif kind == "offsets":
            header[name]["data_offsets"] = draw(
                st.sampled_from([[0, 0], [8, 0], [0, 2**62], [-1, 3], [0, len(data)]])
            )
        elif kind == "gone":
            del header[name]
        elif kind == "name":
            header[draw(st.sampled_from(["", "x", "\x1b[2J", "a" * 3000]))] = header.pop(name)
        elif kind == "twice":
            header["again"] = header[name]
        elif kind == "data" and data:
            filler = draw(st.sampled_from([b"\x00", b"\xff", b"\x7f\xc0"]))
            data = (filler * len(data))[: len(data)]
        else:
            length = draw(st.sampled_from([0, 1, 2**62, len(content)]))
            return struct.pack("<Q", length) + json.dumps(header).encode() + data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data
