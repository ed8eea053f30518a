"""Inference passes: no gradients, texts in length order, on all cores; and the choice of the device."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.models import model_inputs
from goemo.models.padding import reads_one_length
from goemo.tokens import TokenStore
from goemo.tokens.batches import (
    WIDTH_MULTIPLE,
    Rows,
    equal_lengths,
    length_order_batches,
    length_order_passes,
    padded_width,
    texts_per_pass,
)

# Called with what is done and what there is to do.
Progress = Callable[[int, int], None]

# Padded tokens a forward pass at most on a GPU: 256 texts of 64, and as much memory for longer ones.
_TOKENS_PER_PASS = 16384

# The same on a CPU: the activations of so many tokens stay in the caches of one core. With MiniLM, passes of
# 8,192 tokens gave 105 texts/s a core, of 256 to 512 tokens 140, of 1,024 to 2,048 tokens 151.
_TOKENS_PER_CPU_PASS = 1024


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device asked for; when none is, the current GPU where torch can use one, else the CPU."""
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if chosen.type == "cuda" and chosen.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return chosen


def token_batch(
    store: TokenStore,
    rows: NDArray[np.int64],
    max_length: int,
    longest: int,
    device: torch.device,
    *,
    multiple: int = WIDTH_MULTIPLE,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return input ids, attention mask and token types of some texts, shape (b, t) each, on the device.

    Token types are None where the tokenizer gives none unasked, as a ``transformers`` pipeline has it.
    ``longest`` is the length of the longest of the texts, truncated to ``max_length``; the width is the next
    ``multiple`` of it.
    """
    width = padded_width(longest, max_length, multiple)
    batch = store.batch(rows, max_length, width=width)
    types = _to(batch.token_type_ids, device) if store.template.returns_types else None
    return _to(batch.input_ids, device), _to(batch.attention_mask, device), types


def predict_logits(
    model: Any,
    store: TokenStore,
    max_length: int,
    *,
    batch_size: int | None = None,
    on_progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Return the logits of all texts of a store, in its order, computed in float32.

    On a CPU, the passes are shared out among as many threads as torch has, each of which computes alone. What
    a text scores does not depend on their number.

    Args:
        model: In eval mode.
        store: The texts.
        max_length: Tokens per text at most.
        batch_size: Texts a forward pass; by default as many as hold 16,384 tokens and at most 256, on a CPU
            as many as hold 1,024.
        on_progress: Called with the texts done and the texts in all, in this thread.

    Returns:
        Shape (texts, labels).
    """
    logits = np.empty((len(store), model.config.num_labels), dtype=np.float32)
    lengths = store.lengths(max_length)
    multiple = 1 if reads_one_length(model) else width_multiple(model.device)

    def look(rows: Rows) -> None:
        longest = int(lengths[rows].max())
        batch = token_batch(store, rows, max_length, longest, model.device, multiple=multiple)
        with torch.inference_mode():
            logits[rows] = model(**model_inputs(model, *batch)).logits.float().cpu().numpy()

    look_at_all(
        look,
        lengths,
        max_length,
        model.device,
        batch_size=batch_size,
        is_one_length=reads_one_length(model),
        on_progress=on_progress,
    )
    return logits


def width_multiple(device: torch.device) -> int:
    """Return what the width of a batch is rounded up to."""
    # Vector units of a GPU like round widths; on a CPU, padding is only more to compute.
    return 1 if device.type == "cpu" else WIDTH_MULTIPLE


def look_at_all(
    look: Callable[[Rows], None],
    lengths: NDArray[np.int64],
    max_length: int,
    device: torch.device,
    *,
    batch_size: int | None = None,
    is_one_length: bool = False,
    on_progress: Progress | None = None,
) -> None:
    """Make passes over all rows, the longest first; on a CPU, shared out among as many threads as torch has.

    Args:
        look: Makes a pass over the rows that it is given.
        lengths: Tokens of each row, at most ``max_length``.
        max_length: Tokens of a row at most.
        device: Where the passes are made.
        batch_size: As in ``predict_logits``.
        is_one_length: The rows of a pass are of one length (``goemo.models.padding``).
        on_progress: Called with the rows done and the rows in all, in this thread.
    """
    is_cpu = device.type == "cpu"
    alike = equal_lengths(lengths) if is_one_length else [np.arange(len(lengths))]
    passes = [
        together[rows]
        for together in alike
        for rows in _passes(lengths[together], max_length, batch_size, is_cpu=is_cpu)
    ]
    done = 0
    with closing(_shared_out(look, passes) if is_cpu else _one_by_one(look, passes)) as looked_at:
        for rows in looked_at:
            done += len(rows)
            if on_progress is not None:
                on_progress(done, len(lengths))


def _passes(
    lengths: NDArray[np.int64], max_length: int, batch_size: int | None, *, is_cpu: bool
) -> Iterator[Rows]:
    if batch_size is None and is_cpu:
        return length_order_passes(lengths, _TOKENS_PER_CPU_PASS)
    return length_order_batches(lengths, batch_size or texts_per_pass(_TOKENS_PER_PASS, max_length))


def _one_by_one(look: Callable[[Rows], None], passes: Sequence[Rows]) -> Generator[Rows, None, None]:
    for rows in passes:
        look(rows)
        yield rows


def _shared_out(look: Callable[[Rows], None], passes: Sequence[Rows]) -> Generator[Rows, None, None]:
    """Make the passes in as many threads as torch has, one core each; yield each, in order, when it is done.

    Passes of short texts are too small to be split well: a core that computes whole passes never waits.
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1))
    try:
        waiting = [(rows, pool.submit(look, rows)) for rows in passes]
        for rows, made in waiting:
            made.result()
            yield rows
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # of threads that start later; this one's own was never changed


def _to(array: NDArray[np.int64], device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device, non_blocking=True)


def sigmoid_scores(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scores in [0, 1] for logits, same shape, in float32."""
    scores: NDArray[np.float32] = torch.from_numpy(logits).sigmoid().numpy()
    return scores
