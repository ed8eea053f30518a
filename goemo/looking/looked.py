"""Findings about three splits as plain values."""

from __future__ import annotations

from typing import Any

import numpy as np

from goemo.data import Splits
from goemo.looking.duplicates import duplicates
from goemo.looking.labels import label_rows, labels_a_row, rarest_beside
from goemo.looking.lengths import lengths
from goemo.looking.scripts import scripts


def look(splits: Splits, tokenizer: Any = None, checkpoint: str = "") -> dict[str, Any]:
    """Look at data before anything trains.

    Args:
        splits: Loaded with ``leaves_out_unreadable``, so that unreadable rows are told of.
        tokenizer: Of ``transformers``; None measures no lengths.
        checkpoint: Its name; without the tokenizer, of one that could not be reached.

    Returns:
        Plain values for JSON: ``source``, ``splitting``, ``splits``, ``labels``, ``labels_a_row``,
        ``rarest``, ``duplicates``, ``scripts``, ``lengths`` (None without a tokenizer),
        ``unreadable``, ``left_out``, ``notes``.
    """
    parts = splits.splits()
    texts = {part.name: part.texts for part in parts}
    targets = {part.name: part.targets for part in parts}
    every = [text for part in parts for text in part.texts]
    stacked = np.concatenate(list(targets.values()))
    report = splits.report
    found = duplicates(texts, targets)
    for group in found["examples"]:
        group[:] = [{"text": text, "labels": [splits.labels[c] for c in at]} for text, at in group]
    return {
        "source": splits.source,
        "splitting": splits.splitting,
        "splits": {part.name: len(part) for part in parts},
        "labels": label_rows(splits.labels, targets),
        "labels_a_row": labels_a_row(stacked),
        "rarest": rarest_beside(splits.labels, stacked),
        "duplicates": found,
        "scripts": scripts(every),
        "checkpoint": checkpoint,
        "lengths": None if tokenizer is None else lengths(every, tokenizer),
        "unreadable": list(splits.unreadable),
        "left_out": {} if report is None else dict(report.rows_left_out),
        "notes": [] if report is None else [*report.notes, *report.warnings],
    }
