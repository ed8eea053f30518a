"""How the learning rate goes over a training, as shares of its peak."""

from __future__ import annotations

import math
from typing import Literal, get_args

Schedule = Literal["linear", "cosine", "constant", "warmup_stable_decay"]

SCHEDULES: tuple[str, ...] = get_args(Schedule)

# Share of all steps in which warmup_stable_decay falls; Hägele et al. 2024, "Scaling Laws and Compute-Optimal
# Training Beyond Fixed Training Durations", find 20 per cent enough.
DECAY_FRACTION = 0.2


def learning_rate_factors(schedule: str, total_steps: int, warmup_steps: int) -> list[float]:
    """Return the share of the peak learning rate for each step, as the schedules of ``transformers`` do.

    All rise linearly from 0 in warm-up. Then ``linear`` falls linearly to 0 and ``cosine`` by half a cosine,
    both at ``total_steps``; ``constant`` stays; ``warmup_stable_decay`` stays and falls linearly to 0 in the
    last fifth of all steps, or what warm-up leaves of it.

    Args:
        schedule: One of ``SCHEDULES``.
        total_steps: Of the whole training, at least 1.
        warmup_steps: In [0, total_steps).

    Returns:
        ``total_steps`` numbers in [0, 1].
    """
    after = total_steps - warmup_steps
    decay = min(max(1, round(DECAY_FRACTION * total_steps)), after)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return step / warmup_steps
        if schedule == "linear":
            return (total_steps - step) / after
        if schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / after))
        if schedule == "constant":
            return 1.0
        return min(1.0, (total_steps - step) / decay)

    return [factor(step) for step in range(total_steps)]
