"""Running totals of a training since its last report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class Tally:
    """Counts between two reports; part of a saved state, so that no report depends on where it was saved.

    Attributes:
        loss_sum: Of the steps' mean losses, float64 and on the device: exact enough for any number of steps,
            and nothing waits for it.
        steps: Optimizer steps.
        samples: Examples.
        seconds: Of training.
        peak_bytes: The most memory taken.
    """

    def __init__(self, device: torch.device) -> None:
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.steps = 0
        self.samples = 0
        self.seconds = 0.0
        self.peak_bytes = 0

    def facts(self) -> dict[str, float]:
        """Return all but the tensor, as plain values."""
        return {
            "steps": self.steps,
            "samples": self.samples,
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
        }

    def restore(self, facts: Mapping[str, Any], loss_sum: Tensor) -> None:
        """Take over what ``facts`` gave, and the tensor."""
        self.steps, self.samples = int(facts["steps"]), int(facts["samples"])
        self.seconds, self.peak_bytes = float(facts["seconds"]), int(facts["peak_bytes"])
        self.loss_sum = loss_sum

    def metrics(self, mean_loss: float) -> dict[str, float]:
        """Return what a report says of it, by the names of ``Report.metrics``."""
        return {
            "train/loss": mean_loss,
            "train/samples_per_second": self.samples / self.seconds,
            "train/peak_memory_gb": self.peak_bytes / 1e9,
        }
