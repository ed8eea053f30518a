"""Configuration of one training: its model, losses, thresholds and schedules."""

from goemo.configuration.settings import (
    HYPERPARAMETER_DEFAULTS,
    HYPERPARAMETERS,
    METRICS,
    MIXED_PRECISION,
    POOLING,
    THRESHOLD_METHODS,
    TRAINABLE,
    Configuration,
    Metric,
    MixedPrecision,
    Pooling,
    Trainable,
)

__all__ = [
    "HYPERPARAMETERS",
    "HYPERPARAMETER_DEFAULTS",
    "METRICS",
    "MIXED_PRECISION",
    "POOLING",
    "THRESHOLD_METHODS",
    "TRAINABLE",
    "Configuration",
    "Metric",
    "MixedPrecision",
    "Pooling",
    "Trainable",
]
