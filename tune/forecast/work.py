"""Computation of a training, counted before it starts: passes through the model, and their size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goemo.configuration import Configuration
from goemo.tokens.batches import epoch_batches, padded_width

# The rows and the padded width of each pass of one optimizer step.
StepShape = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Work:
    """An amount of computing.

    Attributes:
        passes: Forward and backward passes through the model.
        examples: Texts in them.
        tokens: Padded tokens in them.
        pairs: Padded tokens times the width of their pass: what attention grows with.
    """

    passes: float = 0.0
    examples: float = 0.0
    tokens: float = 0.0
    pairs: float = 0.0


def epoch_shapes(
    lengths: NDArray[np.int64], configuration: Configuration, *, reads_vectors: bool
) -> list[StepShape]:
    """Return the shapes of all steps of a training's first epoch, in their order.

    Args:
        lengths: Tokens of each training text, truncated to the maximum length, shape (texts,).
        configuration: What is trained.
        reads_vectors: Whether the model reads one cached vector a text, and no tokens.
    """
    c = configuration

    def width(piece: NDArray[np.int64]) -> int:
        return 1 if reads_vectors else padded_width(int(lengths[piece].max()), c.max_length)

    shapes: list[StepShape] = []
    for rows in epoch_batches(lengths, c.batch_size * c.accumulation_steps, seed=c.seed, epoch=0):
        pieces = [rows[start : start + c.batch_size] for start in range(0, len(rows), c.batch_size)]
        shapes.append(tuple((len(piece), width(piece)) for piece in pieces))
    return shapes


def work_of(shapes: Iterable[StepShape]) -> Work:
    """Return what steps of these shapes compute."""
    pieces = np.array([piece for shape in shapes for piece in shape], dtype=np.float64).reshape(-1, 2)
    rows, widths = pieces[:, 0], pieces[:, 1]
    return Work(
        passes=float(len(pieces)),
        examples=float(rows.sum()),
        tokens=float((rows * widths).sum()),
        pairs=float((rows * widths**2).sum()),
    )


def look_work(lengths: NDArray[np.int64], *, reads_vectors: bool) -> Work:
    """Return the work of scoring texts of these lengths, which length order leaves almost unpadded."""
    widths = np.ones_like(lengths) if reads_vectors else lengths
    return Work(passes=1.0, examples=len(lengths), tokens=float(widths.sum()), pairs=float((widths**2).sum()))
