"""The cost of a trained model in use: milliseconds per text, and megabytes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from goemo.fast import faster_on_cpu
from goemo.inference import predict_logits
from goemo.tokens import TokenStore, some_texts, spread
from goemo.training.run import TrainingRun

TEXTS = 32  # that are read: enough for passes of several lengths, and seconds at most with a large encoder
_WARM_UP = 4


@dataclass(frozen=True)
class ReadingCost:
    """What it takes to use a model.

    Attributes:
        ms_per_text: Milliseconds a text, tokens to logits, as ``goemo predict`` reads them in bulk.
        megabytes: Of all weights, as saved.
    """

    ms_per_text: float
    megabytes: float


# By kind of model: the encoder and the length decide, not what was learned.
_known: dict[tuple[Any, ...], ReadingCost] = {}


def reading_cost(run: TrainingRun) -> ReadingCost:
    """Return what the model of a training costs in use; measured once for each kind of model in a process.

    The whole model, the frozen encoder too, reads `TEXTS` texts of validation, evenly spread over their
    lengths, after a warm-up, on the device and the threads of the training.

    Raises:
        GoemoError: There is no report yet.
    """
    c = run.configuration
    labels = len(run.prepared.labels)
    key = (run.prepared.checkpoint.digest, labels, c.trainable, c.pooling, c.max_length, str(run.device))
    if key not in _known:
        with run.best_model() as model:
            size = sum(p.numel() * p.element_size() for p in model.parameters())
            ms = 1000 * _seconds_per_text(model, run.prepared.tokens["validation"], c.max_length)
        _known[key] = ReadingCost(ms, size / 1e6)
    return _known[key]


def _seconds_per_text(model: Any, store: TokenStore, max_length: int) -> float:
    reader = faster_on_cpu(model) if model.device.type == "cpu" else model
    for texts in (_WARM_UP, TEXTS):
        some = some_texts(store, spread(store, texts))
        started = time.perf_counter()
        predict_logits(reader, some, max_length)
        seconds = time.perf_counter() - started
    return seconds / len(some)
