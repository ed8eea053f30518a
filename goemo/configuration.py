"""One configuration: everything that decides what a training gives, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args

from goemo.loss_options import loss_options
from goemo.threshold_options import DEFAULT_METHOD, METHODS, ThresholdChoice, option_problems

Trainable = Literal["all", "last_layer", "head"]
Pooling = Literal["first", "mean"]
Metric = Literal["macro_f1", "weighted_f1", "micro_f1"]

TRAINABLE: tuple[str, ...] = get_args(Trainable)
POOLING: tuple[str, ...] = get_args(Pooling)
THRESHOLD_METHODS: tuple[str, ...] = tuple(METHODS)
METRICS: tuple[str, ...] = get_args(Metric)

# What a search space may vary, with the values of a trial that does not name them.
HYPERPARAMETER_DEFAULTS: dict[str, int | float | str] = {
    "batch_size": 32,
    "learning_rate": 2e-5,
    "epochs": 3,
    "max_length": 64,
    "weight_decay": 0.01,
    "warmup_fraction": 0.1,
    "loss": "bce",
    "label_smoothing": 0.0,
}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One training, to the last choice: the same configuration on the same data gives the same model.

    Attributes:
        checkpoint: Where the encoder comes from: a hub id, a folder, ``package:NAME``,
            ``scratch:albert-tiny``, ``scratch:xlnet-tiny`` or ``scratch:FOLDER``.
        trainable: Which part trains: all of it, the last encoder block and the head, or the head.
        pooling: What the head reads: the token its architecture reads by itself (``first``), or the
            mean over all tokens, for BERT-like encoders (``mean``).
        batch_size: Examples per optimizer step, at least 1.
        learning_rate: Peak learning rate of AdamW, above 0.
        epochs: Passes over the training split, at least 1.
        max_length: Tokens per text, special tokens included, at least 4.
        weight_decay: AdamW's decoupled decay, at least 0; biases and norms are exempt.
        warmup_fraction: Share of all steps in which the learning rate rises linearly, in [0, 1].
        loss: What is minimised: a name, with options in brackets (:func:`goemo.loss_options.loss_options`).
        label_smoothing: Share by which targets move to one half, in [0, 1).
        seed: Seeds the new weights, the order of the examples and dropout.
        reports: Number of measurements on validation, at equal fractions of the training, 1 to 100.
        metric: What selects the best report, always with cross-fitted thresholds on validation.
        thresholds: How per-label thresholds are fitted: a method, or a mapping with ``method`` and its
            options (:func:`goemo.thresholds.threshold_options`).

    Raises:
        ValueError: A value is not one of these; all problems at once.
    """

    checkpoint: str
    trainable: Trainable = "all"
    pooling: Pooling = "first"
    batch_size: int = 32
    learning_rate: float = 2e-5
    epochs: int = 3
    max_length: int = 64
    weight_decay: float = 0.01
    warmup_fraction: float = 0.1
    loss: str = "bce"
    label_smoothing: float = 0.0
    seed: int = 42
    reports: int = 5
    metric: Metric = "macro_f1"
    thresholds: ThresholdChoice = DEFAULT_METHOD

    def __post_init__(self) -> None:
        if isinstance(self.thresholds, Mapping):  # a copy of its own, which is plain in YAML and JSON
            object.__setattr__(self, "thresholds", dict(self.thresholds))
        problems = list(_problems(self))
        if problems:
            raise ValueError("; ".join(problems))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for YAML and JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Configuration:
        """Rebuild a configuration.

        Raises:
            TypeError: A key is no field, or a field without a default is missing.
            ValueError: A value is not one that the field allows.
        """
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise TypeError(f"not fields of a configuration: {', '.join(unknown)}")
        return cls(**values)


_LITERALS = {
    "trainable": TRAINABLE,
    "pooling": POOLING,
    "metric": METRICS,
}
_LEAST = {"batch_size": 1, "epochs": 1, "max_length": 4, "seed": 0, "reports": 1}
_REPORTS = 100


def _problems(configuration: Configuration) -> Iterator[str]:
    """Yield what is wrong, one rule and value each."""
    c = configuration
    if not isinstance(c.checkpoint, str) or not c.checkpoint:
        yield f"checkpoint must be a name, got {c.checkpoint!r}"
    for name, allowed in _LITERALS.items():
        if getattr(c, name) not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}, got {getattr(c, name)!r}"
    for path, message in option_problems(c.thresholds):
        yield f"{'.'.join(('thresholds', *path))} {message}"
    for name, least in _LEAST.items():
        value = getattr(c, name)
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            yield f"{name} must be a whole number of at least {least}, got {value!r}"
    if isinstance(c.reports, Integral) and c.reports > _REPORTS:
        yield f"reports must be at most {_REPORTS}, got {c.reports!r}"
    if not _is_finite(c.learning_rate) or c.learning_rate <= 0:
        yield f"learning_rate must be a number above 0, got {c.learning_rate!r}"
    if not _is_finite(c.weight_decay) or c.weight_decay < 0:
        yield f"weight_decay must be a number of at least 0, got {c.weight_decay!r}"
    if not _is_finite(c.warmup_fraction) or not 0 <= c.warmup_fraction <= 1:
        yield f"warmup_fraction must lie in [0, 1], got {c.warmup_fraction!r}"
    if not _is_finite(c.label_smoothing) or not 0 <= c.label_smoothing < 1:
        yield f"label_smoothing must lie in [0, 1), got {c.label_smoothing!r}"
    try:
        loss_options(c.loss)
    except (TypeError, ValueError) as error:
        yield f"loss {error}"


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
