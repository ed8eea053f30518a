"""A report of what was read, and how: plain values for the start of a search, ``--dry-run`` and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from goemo.data.tables import counted, listed


@dataclass(frozen=True, kw_only=True)
class ReadReport:
    """How data was read.

    Attributes:
        files: Names of the files, or of the data set's splits, by split; ``all`` where there were no splits.
        layout: How the labels are written.
        text: Columns of the text.
        label_columns: Columns of the labels.
        left_out: Columns that were not used, each with why.
        labels: Each label with its positives by split: ``{"joy": {"train": 10, ...}}``.
        named_by: What gave the labels their names.
        examples: Rows by split.
        rows_left_out: Rows that were read and left out, by reason.
        splitting: Who made the splits.
        notes: How it was read, where that is not evident.
        warnings: What is likely wrong with the data.
        options: The options that were given.
    """

    files: Mapping[str, Sequence[str]]
    layout: str
    text: Sequence[str]
    label_columns: Sequence[str]
    left_out: Mapping[str, str]
    labels: Mapping[str, Mapping[str, int]]
    named_by: str
    examples: Mapping[str, int]
    rows_left_out: Mapping[str, int]
    splitting: str
    notes: Sequence[str]
    warnings: Sequence[str]
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """Return lines that say what was read: rows, labels with their positives, notes and warnings.

    Args:
        report: As `ReadReport.to_dict` gives it.
    """
    examples = report["examples"]
    rows = ", ".join(f"{number:,} {split}" for split, number in examples.items())
    splitting = report["splitting"]
    lines = [f"{rows} (splits: {splitting})" if splitting else rows]
    lines += report["notes"]
    lines += [
        f"{counted(number, 'row')} {reason}: left out" for reason, number in report["rows_left_out"].items()
    ]
    labels = report["labels"]
    if labels:
        splits = " / ".join(examples)
        positives = [f"{name} {'/'.join(str(count) for count in by.values())}" for name, by in labels.items()]
        lines.append(
            f"{counted(len(labels), 'label')}, named by {report['named_by']}, with positives in {splits}: "
            f"{listed(positives)}"
        )
    return [*lines, *(f"warning: {warning}" for warning in report["warnings"])]
