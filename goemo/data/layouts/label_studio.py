"""Label Studio's JSON export: tasks with their data, and the annotations of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from goemo.data.tables import Table


def label_studio_columns(table: Table) -> Table | None:
    """Return one row an annotation that was not cancelled, with the task's data and the chosen labels."""
    if not {"data", "annotations"} <= table.columns.keys():
        return None
    if not all(isinstance(data, dict) for data in table.columns["data"]):
        return None
    keys = list(dict.fromkeys(key for data in table.columns["data"] for key in data))
    columns: dict[str, list[Any]] = {key: [] for key in keys if key not in ("labels", "split")}
    columns["labels"] = []
    lines = array("q")
    unjudged = 0
    tasks = zip(table.lines, table.columns["data"], table.columns["annotations"], strict=True)
    for line, data, answers in tasks:
        chosen = list(_chosen(answers))
        unjudged += not chosen
        for names in chosen:
            for key, values in columns.items():
                values.append(names if key == "labels" else data.get(key))
            lines.append(line)
    notes = [*table.notes, f"read as Label Studio's export, one row per annotation ({len(lines):,})"]
    if unjudged:
        notes.append(f"{unjudged:,} tasks without an annotation are left out")
    return replace(table, columns=columns, lines=lines, notes=notes)


def task_columns(table: Table) -> Table | None:
    """Return one row a task with its data, whether it was annotated or not."""
    tasks = table.columns.get("data", [])
    if not tasks or not all(isinstance(data, dict) for data in tasks):
        return None
    keys = dict.fromkeys(str(key) for data in tasks for key in data)
    columns = {key: [data.get(key) for data in tasks] for key in keys}
    others = {
        name: values for name, values in table.columns.items() if name != "data" and name not in columns
    }
    return replace(table, columns={**columns, **others}, notes=[*table.notes, "read as Label Studio's tasks"])


def _chosen(answers: Any) -> Iterator[list[str]]:
    for answer in answers if isinstance(answers, list) else ():
        if not isinstance(answer, dict) or answer.get("was_cancelled"):
            continue
        names: list[str] = []
        result = answer.get("result")
        for part in result if isinstance(result, list) else ():
            value = part.get("value") if isinstance(part, dict) else None
            found = value.get("choices") if isinstance(value, dict) else None
            names += [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
        yield list(dict.fromkeys(names))
