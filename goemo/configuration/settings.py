"""One configuration: everything that decides what a training gives, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args

from goemo.configuration.losses import loss_options
from goemo.configuration.schedules import SCHEDULES, Schedule
from goemo.configuration.thresholds import DEFAULT_METHOD, METHODS, ThresholdChoice, option_problems

Trainable = Literal["all", "last_layer", "head"]
Pooling = Literal["first", "mean"]
MixedPrecision = Literal["auto", "bfloat16", "none"]
Metric = Literal["macro_f1", "weighted_f1", "micro_f1"]

TRAINABLE: tuple[str, ...] = get_args(Trainable)
POOLING: tuple[str, ...] = get_args(Pooling)
MIXED_PRECISION: tuple[str, ...] = get_args(MixedPrecision)
THRESHOLD_METHODS: tuple[str, ...] = tuple(METHODS)
METRICS: tuple[str, ...] = get_args(Metric)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One training, to the last choice: the same configuration on the same data gives the same model.

    Attributes:
        checkpoint: Where the encoder comes from: a hub id, a folder, ``package:NAME``,
            ``scratch:albert-tiny``, ``scratch:xlnet-tiny`` or ``scratch:FOLDER``.
        trainable: Which part trains: all of it, the last encoder block and the head, or the head.
        pooling: What the head reads: the token its architecture reads by itself (``first``), or the
            mean over all tokens, for BERT-like encoders (``mean``).
        mixed_precision: Whether matrix products of a training are computed in ``bfloat16``, from and to
            weights in float32; ``none`` for float32 throughout, ``auto`` for what the device is faster at
            (:mod:`goemo.training.precision`). Scores are always computed in float32.
        batch_size: Examples that go through the model together, at least 1; an optimizer step has
            ``accumulation_steps`` times as many.
        learning_rate: Peak learning rate of AdamW, above 0.
        epochs: Passes over the training split, at least 1.
        max_length: Tokens per text, special tokens included, at least 4.
        weight_decay: AdamW's decoupled decay, at least 0; biases and norms are exempt.
        warmup_fraction: Share of all steps in which the learning rate rises linearly, in [0, 1].
        schedule: How the learning rate goes on after that (:mod:`goemo.configuration.schedules`).
        loss: What is minimised: a name, with options in brackets (`goemo.configuration.losses`).
        label_smoothing: Share by which targets move to one half, in [0, 1).
        dropout: Probability of every dropout in what trains, in [0, 1); None for those of the checkpoint.
        layer_decay: What the learning rate of an encoder block is multiplied by for the block below, in
            (0, 1]; see :func:`goemo.models.learning_rate_scales`.
        head_lr_multiplier: What the learning rate is multiplied by for the head, above 0.
        max_grad_norm: Total norm to which gradients are clipped; 0 for no clipping.
        accumulation_steps: Batches whose gradients make one optimizer step, at least 1.
        beta1: AdamW's decay of the mean of gradients, in [0, 1).
        beta2: AdamW's decay of the mean of their squares, in [0, 1).
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
    mixed_precision: MixedPrecision = "auto"
    batch_size: int = 32
    learning_rate: float = 2e-5
    epochs: int = 3
    max_length: int = 64
    weight_decay: float = 0.01
    warmup_fraction: float = 0.1
    schedule: Schedule = "linear"
    loss: str = "bce"
    label_smoothing: float = 0.0
    dropout: float | None = None
    layer_decay: float = 1.0
    head_lr_multiplier: float = 1.0
    max_grad_norm: float = 1.0
    accumulation_steps: int = 1
    beta1: float = 0.9
    beta2: float = 0.999
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


# What a search space may vary, in the usual order, with the values of a trial that does not name them.
HYPERPARAMETER_DEFAULTS: dict[str, int | float | str | None] = {
    name: getattr(Configuration, name)
    for name in (
        "batch_size",
        "learning_rate",
        "epochs",
        "max_length",
        "weight_decay",
        "warmup_fraction",
        "schedule",
        "loss",
        "label_smoothing",
        "dropout",
        "layer_decay",
        "head_lr_multiplier",
        "max_grad_norm",
        "accumulation_steps",
        "beta1",
        "beta2",
    )
}

_LITERALS = {
    "trainable": TRAINABLE,
    "pooling": POOLING,
    "mixed_precision": MIXED_PRECISION,
    "metric": METRICS,
    "schedule": SCHEDULES,
}
_LEAST = {"accumulation_steps": 1, "batch_size": 1, "epochs": 1, "max_length": 4, "seed": 0, "reports": 1}
_REPORTS = 100


def _is_fraction(value: float) -> bool:
    return 0 <= value < 1


_REAL: dict[str, tuple[Callable[[float], bool], str]] = {
    "learning_rate": (lambda value: value > 0, "be a number above 0"),
    "weight_decay": (lambda value: value >= 0, "be a number of at least 0"),
    "warmup_fraction": (lambda value: 0 <= value <= 1, "lie in [0, 1]"),
    "label_smoothing": (_is_fraction, "lie in [0, 1)"),
    "layer_decay": (lambda value: 0 < value <= 1, "lie in (0, 1]"),
    "head_lr_multiplier": (lambda value: value > 0, "be a number above 0"),
    "max_grad_norm": (lambda value: value >= 0, "be a number of at least 0"),
    "beta1": (_is_fraction, "lie in [0, 1)"),
    "beta2": (_is_fraction, "lie in [0, 1)"),
}


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
    for name, (is_allowed, rule) in _REAL.items():
        value = getattr(c, name)
        if not _is_finite(value) or not is_allowed(value):
            yield f"{name} must {rule}, got {value!r}"
    if c.dropout is not None and not (_is_finite(c.dropout) and 0 <= c.dropout < 1):
        yield f"dropout must lie in [0, 1), or be None, got {c.dropout!r}"
    try:
        loss_options(c.loss)
    except (TypeError, ValueError) as error:
        yield f"loss {error}"


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
