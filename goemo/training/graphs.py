"""Steps replayed as CUDA graphs: the whole step - forward, backward, clipping, AdamW - in one launch.

Small batches of short texts keep a GPU busy for less time than it takes to launch their thousands of
kernels. With ``model.cuda_graphs``, a step of one shape is therefore recorded once and replayed from then
on; see "CUDA Graphs" in the notes of ``torch``. What a replay needs lies in fixed places: the row numbers of
the batch and the learning rate. Everything else - tokens, targets, weights, moments - is on the device
already.

The first step of a shape is a plain one, on the stream that records, so that whatever is set up in a first
step is set up. Replays go through the same memory; none of them leaves anything in it that a later one of
another shape could spoil, because the loss is copied out at once.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from goemo.errors import GoemoError, first_line
from goemo.models.failures import is_out_of_memory
from goemo.tokens.batches import Rows
from goemo.training.randomness import random_state, renew_generator, set_random_state
from goemo.training.steps import Piece, PlainSteps

# Shapes that are recorded, at most; a batch of any other is a plain step. Recording one costs a second.
_MOST_SHAPES = 32

# Between the loss of a replay and of a plain pass over the same batch, relative. Dropout may draw other
# numbers in the two, so this only tells a replay that reads the wrong memory.
_TOLERANCE = 0.5

_Shape = tuple[tuple[int, int], ...]


class GraphsNotReplayedWarning(UserWarning):
    """A step cannot be recorded, so that all steps are plain ones."""


@dataclass(frozen=True)
class _Recording:
    """A recorded step and the fixed places that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    pieces: list[Piece]
    mean_loss: Tensor


class ReplayedSteps:
    """Takes steps by replaying recordings of them; the same steps as `PlainSteps`, to rounding.

    Where a step cannot be recorded - an architecture may ask the host in the middle of it - or memory runs
    out, plain steps are taken from then on.

    Args:
        plain: What is recorded.
        device: A CUDA device.
    """

    def __init__(self, plain: PlainSteps, device: torch.device) -> None:
        self._plain, self._device = plain, device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._learning_rate = torch.zeros((), device=device)
        self._recordings: dict[_Shape, _Recording] = {}
        self._seen: set[_Shape] = set()
        self._is_on = True

    def take(self, rows: Rows, at: Tensor, learning_rate: float) -> Tensor:
        """Take one step; see ``Steps``."""
        if not self._is_on:
            return self._plain.take(rows, at, learning_rate)
        pieces = self._plain.pieces(rows, at)
        shape = tuple((len(piece.at), piece.width) for piece in pieces)
        recording = self._recordings.get(shape)
        is_new = recording is None and shape in self._seen and len(self._recordings) < _MOST_SHAPES
        if is_new:
            recording = self._record(pieces)
        if recording is None:
            self._seen.add(shape)
            return self._take_plainly(rows, at, learning_rate)
        if is_new:
            self._recordings[shape] = recording
        expected = self._expected(pieces) if is_new else None
        for static, piece in zip(recording.pieces, pieces, strict=True):
            static.at.copy_(piece.at)
        self._learning_rate.fill_(learning_rate)
        recording.graph.replay()
        mean_loss = recording.mean_loss.clone()
        if expected is not None:
            _check(mean_loss, expected, shape)
        return mean_loss

    def _take_plainly(self, rows: Rows, at: Tensor, learning_rate: float) -> Tensor:
        """Take a plain step on the stream that records; after it, memory may have run out."""
        before = self._plain.piece
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            mean_loss = self._plain.take(rows, at, learning_rate)
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        if self._plain.piece < before:
            self._stop()
        return mean_loss

    def _record(self, pieces: list[Piece]) -> _Recording | None:
        """Record a step without taking it; None where that cannot be done."""
        static = [Piece(piece.at.clone(), piece.width) for piece in pieces]
        graph = torch.cuda.CUDAGraph()
        stream, random = torch.cuda.current_stream(self._device), random_state(self._device)
        try:
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                mean_loss = self._plain.accumulate(static)
                self._plain.update(self._learning_rate)
        except RuntimeError as error:
            torch.cuda.set_stream(stream)  # ``torch.cuda.graph`` leaves its own where it cannot end
            renew_generator(random, self._device)
            self._plain.drop_gradients()
            self._stop()
            if not is_out_of_memory(error):
                warnings.warn(
                    f"steps are not replayed as CUDA graphs, which is slower: {first_line(error)}",
                    GraphsNotReplayedWarning,
                    stacklevel=2,
                )
            return None
        return _Recording(graph, static, mean_loss)

    def _expected(self, pieces: list[Piece]) -> Tensor:
        """Return the loss that the step must find, by a plain pass that changes nothing."""
        before = random_state(self._device)
        examples = sum(len(piece.at) for piece in pieces)
        with torch.no_grad():
            losses = [self._plain.loss(piece) * (len(piece.at) / examples) for piece in pieces]
        set_random_state(before, self._device)
        return torch.stack(losses).sum()

    def _stop(self) -> None:
        """Take plain steps from now on, and give back what the recordings hold."""
        self._is_on = False
        self._recordings.clear()
        torch.cuda.empty_cache()


def _check(mean_loss: Tensor, expected: Tensor, shape: _Shape) -> None:
    """Compare a new recording's first loss with a plain one; once a shape, so that waiting costs nothing.

    Raises:
        GoemoError: They differ by more than rounding.
    """
    got, wanted = mean_loss.item(), expected.item()
    if abs(got - wanted) > _TOLERANCE * max(1e-3, abs(wanted)):
        raise GoemoError(
            f"a replayed CUDA graph of shape {shape} gave the loss {got:.6g} where a plain step gives "
            f"{wanted:.6g}; start again with model.cuda_graphs: false"
        )
