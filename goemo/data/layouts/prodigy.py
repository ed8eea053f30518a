"""Prodigy's JSON lines: the options that were accepted, or one label that was accepted or not."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

from goemo.data.tables import Table


def prodigy_columns(table: Table) -> Table | None:
    """Return the rows that were answered, with the accepted options as labels."""
    if not {"text", "answer"} <= table.columns.keys() or not ({"accept", "label"} & table.columns.keys()):
        return None
    answers = table.columns["answer"]
    if not {answer for answer in answers if isinstance(answer, str)} <= {"accept", "reject", "ignore"}:
        return None
    accepted = table.columns.get("accept")
    taken = [
        row
        for row, answer in enumerate(answers)
        if answer == "accept" or (not accepted and answer == "reject")
    ]
    labels: list[Any] = []
    for row in taken:
        if accepted is not None:
            labels.append(accepted[row])
        else:
            labels.append([table.columns["label"][row]] if answers[row] == "accept" else [])
    columns = {
        name: [values[row] for row in taken]
        for name, values in table.columns.items()
        if name not in ("answer", "accept", "label", "labels", "options")
    }
    columns["labels"] = labels
    lines = array("q", (table.lines[row] for row in taken))
    notes = [*table.notes, "read as Prodigy's answers"]
    if left := len(answers) - len(taken):
        notes.append(f"{left:,} rows that were ignored or rejected are left out")
    return replace(table, columns=columns, lines=lines, notes=notes)
