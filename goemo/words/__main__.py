"""Fits a bag of words in a process of its own: ``python -m goemo.words FOLDER < rows.json``.

Standard input holds ``{"texts", "targets", "validation", "labels", "among", "seed"}``; targets are the label
numbers of each text. A search starts this beside its trials, so it takes one core, and gives way to them.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from typing_extensions import TypedDict


class Rows(TypedDict):
    """What standard input holds."""

    texts: list[str]
    targets: list[list[int]]
    validation: list[str]
    labels: list[str]
    among: dict[str, list[int | float]]
    seed: int


def main() -> None:
    """Read the rows and fit."""
    from goemo.words.cached import fit_into

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the search, which stops this in its own way
    os.nice(5)
    rows = TypeAdapter(Rows).validate_json(sys.stdin.buffer.read())
    targets = np.zeros((len(rows["texts"]), len(rows["labels"])), dtype=np.bool_)
    for row, labels in enumerate(rows["targets"]):
        targets[row, labels] = True
    fit_into(
        Path(sys.argv[1]),
        rows["texts"],
        targets,
        rows["validation"],
        labels=rows["labels"],
        among=rows["among"],
        seed=rows["seed"],
    )


if __name__ == "__main__":
    main()
