"""The plain model's results on a first batch, with which every faster path is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from numpy.typing import NDArray
from torch import Tensor

from goemo.errors import InputError
from goemo.models.failures import FAILURES, is_out_of_memory, reason
from goemo.models.padding import (
    differ,
    reads_one_length,
    set_one_length,
    settle_padding,
    trained_logits,
)
from goemo.tokens import TokenStore
from goemo.tokens.batches import Rows
from goemo.training.randomness import random_state, set_random_state

if TYPE_CHECKING:  # it compares what it chooses here
    from goemo.training.inputs import Inputs

# Texts of the batch: few, so that a short training does not notice; of all lengths, so that it is padded.
MOST_ROWS = 8

# Between gradients, relative to the norm of all: sums over many tokens round more than a logit does.
_TOLERANCE = 1e-3

_Found = TypeVar("_Found")
_Results = tuple[Tensor, list[Tensor | None]]


class FirstBatch:
    """A few training texts from the shortest to the longest, and what the plain model makes of them.

    Everything is computed without dropout, and the random state of the process is left as it was.

    Args:
        model: The plain model, in eval mode, with what trains set to train. It is told to read batches of
            one length where padding would change a score.
        name: Of the checkpoint, for messages.
        store: The training texts.
        targets: Of them, bool, shape (texts, labels).
        max_length: Tokens per text at most.
        most_rows: Texts at most, at least 1.
        with_gradients: Of what trains, beside the logits.

    Raises:
        InputError: ``transformers`` itself cannot score or train these texts, or not so that a score depends
            on its text alone; says why.
    """

    def __init__(
        self,
        model: Any,
        name: str,
        store: TokenStore,
        targets: NDArray[np.bool_],
        max_length: int,
        *,
        most_rows: int = MOST_ROWS,
        with_gradients: bool = True,
    ) -> None:
        self._device = model.device
        self._parameters = [p for p in model.parameters() if p.requires_grad and with_gradients]
        lengths = store.lengths(max_length)
        with self._undisturbed():
            settle_padding(model, name, store, max_length)
            try:
                self._take(model, store, targets, max_length, most_rows)
                is_padded = not reads_one_length(model) and len(np.unique(lengths[self.rows])) > 1
                if self._parameters and is_padded:  # of logits alone, ``settle_padding`` has seen it
                    alone = self._results(lambda: _one_by_one(model, store, self.rows, max_length))
                    # Weights may make a score depend on padding that did not before they were trained.
                    if self._differs(*alone):
                        set_one_length(model)
                        self._take(model, store, targets, max_length, most_rows)
            except FAILURES as error:
                problem = f"transformers cannot train {model.config.model_type}: {reason(error)}"
                raise InputError(name, [problem]) from error

    def _take(
        self,
        model: Any,
        store: TokenStore,
        targets: NDArray[np.bool_],
        max_length: int,
        most_rows: int,
    ) -> None:
        """Choose the rows, and keep what the plain model makes of them."""
        self.rows = _chosen(store.lengths(max_length), most_rows, is_one_length=reads_one_length(model))
        chosen = np.asarray(targets)[self.rows].astype(np.float32)
        self._targets = torch.from_numpy(chosen).to(self._device)
        self._plain = self._results(lambda: trained_logits(model, store, self.rows, max_length))
        self._norm = sum(float(part.double().square().sum()) for part in self._plain[1] if part is not None)
        self._norm **= 0.5

    def difference(self, inputs: Inputs) -> str:
        """Say how logits or gradients of the same texts differ from the plain model's; empty if they do not.

        Args:
            inputs: In eval mode, in float32.
        """
        return self._differs(*self._of(inputs))

    def _differs(self, logits: Tensor, gradients: Sequence[Tensor | None]) -> str:
        expected, expected_gradients = self._plain
        if differ(logits, expected):
            return f"logits differ from the plain model's by {_largest(logits, expected):.2g}"
        for found, wanted in zip(gradients, expected_gradients, strict=True):
            if found is None and wanted is None:
                continue
            if found is None or wanted is None:
                return "other weights than the plain model's have a gradient"
            if not float((found.double() - wanted.double()).norm()) <= _TOLERANCE * self._norm:
                return f"gradients differ from the plain model's by {_largest(found, wanted):.2g}"
        return ""

    def failure(self, inputs: Inputs) -> str:
        """Say why a pass in the arithmetic that the inputs are set to does not work; empty if it does."""
        try:
            logits, gradients = self._of(inputs)
        except FAILURES as error:
            return reason(error)
        is_finite = all(bool(part.isfinite().all()) for part in (logits, *gradients) if part is not None)
        return "" if is_finite else "a logit or a gradient is not a number"

    def _of(self, inputs: Inputs) -> _Results:
        at = torch.from_numpy(self.rows).to(self._device)
        with self._undisturbed():
            return self._results(lambda: inputs.train_logits(at, inputs.width(self.rows)))

    def _results(self, logits_of: Callable[[], Tensor]) -> _Results:
        """Return logits and the gradients of their mean loss, by parameter."""
        logits = logits_of()
        if not self._parameters:
            return logits.detach(), []
        loss = F.binary_cross_entropy_with_logits(logits, self._targets)
        gradients = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        return logits.detach(), [None if part is None else part.to_dense() for part in gradients]

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Put the random state back afterwards, of which some architectures take without dropout, too."""
        before = random_state(self._device)
        try:
            yield
        finally:
            set_random_state(before, self._device)


def on_fewer_texts(look: Callable[[int], _Found], device: torch.device) -> _Found:
    """Return what a look at a first batch gives; where memory runs out, at one of half as many texts.

    Args:
        look: Called with the texts that the batch may have at most.
        device: Where it looks.

    Raises:
        torch.OutOfMemoryError: A single text does not fit.
    """
    most_rows = MOST_ROWS
    while True:
        try:
            return look(most_rows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or most_rows == 1:
                raise
        # Out of the handler: the error held on to what had been allocated.
        most_rows //= 2
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _one_by_one(model: Any, store: TokenStore, rows: Rows, max_length: int) -> Tensor:
    """Return the logits of texts without any padding, with gradients."""
    return torch.cat([trained_logits(model, store, rows[i : i + 1], max_length) for i in range(len(rows))])


def _chosen(lengths: NDArray[np.int64], most: int, *, is_one_length: bool) -> Rows:
    """Return a few rows from the shortest to the longest; where padding matters, of the commonest length."""
    if is_one_length:
        distinct, counts = np.unique(lengths, return_counts=True)
        return np.flatnonzero(lengths == distinct[counts.argmax()])[:most].astype(np.int64)
    order = np.argsort(lengths, kind="stable")
    places = np.linspace(0, len(order) - 1, min(most, len(order))).astype(np.int64)
    return np.unique(order[places]).astype(np.int64)


def _largest(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max())
