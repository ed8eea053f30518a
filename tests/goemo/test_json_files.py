"""JSON files are read within bounds and as declared, or refused in one line."""

from __future__ import annotations

import json
import os

import pytest
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from goemo.configuration.json_files import UnreadableError, parse_json, read_json, read_json_lines


class Cut(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    label: str
    value: FiniteFloat = Field(ge=0, le=1)


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_declared_is_read(tmp_path):
    """A file that holds what the model declares gives its values."""
    path = written(tmp_path / "cut.json", '{"label": "joy", "value": 0.25}')
    assert read_json(path, Cut) == Cut(label="joy", value=0.25)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"label": "joy", "value": 2.0}', "value: must be less than or equal to 1, got 2.0"),
        ('{"label": "joy"}', "value: required"),
        ('{"label": 3, "value": 0.5}', "label: must be a valid string, got 3"),
        ('{"label": "joy", "value": 0.5, "x": 1}', "x: unknown key; known are: label, value"),
        ('["joy"]', "must be a mapping with label, value, got ['joy']"),
        ('{"label": "joy", "value": NaN}', "value: must hold finite numbers, got nan"),
        ('{"label": "joy", "value": 1e999}', "finite numbers"),
        ('{"label": "joy", "value": 99999999999999999999999}', "must fit 64 bits"),
        ('{"label": "\\ud800", "value": 0.5}', "surrogate"),
        ('{"label": "joy", "value": 0.5', "line 1"),
        ("[" * 200 + "]" * 200, "must not nest deeper than 50"),
        ("[" * 100_000 + "]" * 100_000, "must not nest deeper than 50"),
        (json.dumps({"k" * 1_001: 1}), "at most 1000 characters"),
        ("", "line 1"),
    ],
)
def test_anything_else_is_one_line_with_file_and_field(tmp_path, text, says):
    """Damage of any kind is named in a single short line that begins with the file."""
    path = written(tmp_path / "cut.json", text)
    with pytest.raises(UnreadableError) as caught:
        read_json(path, Cut)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert says in line
    assert "\n" not in line
    assert len(line) < 400


def test_what_is_no_text_file_is_refused_at_once(tmp_path):
    """Bytes that are not UTF-8, a pipe without a writer, a folder, a missing file: neither hang nor crash."""
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{}")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name, says in {
        "bytes": "UTF-8",
        "pipe": "regular file",
        "folder": "directory",
        "missing": "No such file",
    }.items():
        with pytest.raises(UnreadableError, match=says):
            read_json(tmp_path / f"{name}.json", Cut)


def test_a_line_that_is_wrong_is_named(tmp_path):
    """Of a file with one model a line, the message has the line's number; empty lines are passed over."""
    good = '{"label": "joy", "value": 0.25}\n'
    assert len(read_json_lines(written(tmp_path / "a.jsonl", good + "\n" + good), Cut)) == 2
    with pytest.raises(UnreadableError, match="line 2: value"):
        read_json_lines(written(tmp_path / "b.jsonl", good + '{"label": "joy", "value": -1}\n'), Cut)


def test_plain_values_are_what_json_says():
    """Within bounds, the values are those of the standard library."""
    text = json.dumps({"a": [1, 2.5, None, True, "é"], "b": {"c": -(2**63) + 1}})
    assert parse_json(text) == json.loads(text)
