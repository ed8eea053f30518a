"""Fine-tune transformer encoders on multi-label emotion data, with honest per-label thresholds."""

__version__ = "0.1.0"
