"""One configuration: everything that decides what a training gives, and nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Trainable = Literal["all", "last_layer", "head"]
ThresholdMethod = Literal["exact", "grid", "global", "fixed"]
Pooling = Literal["first", "mean"]
Metric = Literal["macro_f1", "weighted_f1", "micro_f1"]

TRAINABLE: tuple[str, ...] = get_args(Trainable)
POOLING: tuple[str, ...] = get_args(Pooling)
THRESHOLD_METHODS: tuple[str, ...] = get_args(ThresholdMethod)
METRICS: tuple[str, ...] = get_args(Metric)

# What a search space may vary, with the values of a trial that does not name them.
HYPERPARAMETER_DEFAULTS: dict[str, int | float] = {
    "batch_size": 32,
    "learning_rate": 2e-5,
    "epochs": 3,
    "max_length": 64,
    "weight_decay": 0.01,
    "warmup_fraction": 0.1,
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
        seed: Seeds the new weights, the order of the examples and dropout.
        reports: Number of measurements on validation, at equal fractions of the training, 1 to 100.
        metric: What selects the best report, always with cross-fitted thresholds on validation.
        thresholds: How per-label thresholds are fitted.
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
    seed: int = 42
    reports: int = 5
    metric: Metric = "macro_f1"
    thresholds: ThresholdMethod = "exact"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for YAML and JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Configuration:
        """Rebuild a configuration; keys that are not fields raise ``TypeError``."""
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise TypeError(f"not fields of a configuration: {', '.join(unknown)}")
        return cls(**values)
