"""Learning-rate schedules, as shares of the peak."""

from __future__ import annotations

import math
from typing import Literal, get_args

Schedule = Literal["linear", "cosine", "constant", "warmup_stable_decay"]

SCHEDULES: tuple[str, ...] = get_args(Schedule)

# Share of all steps in which warmup_stable_decay falls; Hägele et al. 2024, "Scaling Laws and Compute-Optimal
# Training Beyond Fixed Training Durations", find 20 per cent enough.
DECAY_FRACTION = 0.2


def learning_rate_factor(schedule: str, step: int, total_steps: int, warmup_steps: int) -> float:
    """Return the share of the peak learning rate at a step, as the schedules of ``transformers`` do.

    All rise linearly from 0 in warm-up. Then ``linear`` falls linearly to 0 and ``cosine`` by half a cosine,
    both at ``total_steps``; ``constant`` stays; ``warmup_stable_decay`` stays and falls linearly to 0 in the
    last fifth of all steps, or what warm-up leaves of it.

    Args:
        schedule: One of ``SCHEDULES``.
        step: Counted from 0, below ``total_steps``.
        total_steps: Of the whole training, at least 1.
        warmup_steps: In [0, total_steps).

    Returns:
        A number in [0, 1].
    """
    after = total_steps - warmup_steps
    if step < warmup_steps:
        return step / warmup_steps
    if schedule == "linear":
        return (total_steps - step) / after
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / after))
    if schedule == "constant":
        return 1.0
    decay = min(max(1, round(DECAY_FRACTION * total_steps)), after)
    return min(1.0, (total_steps - step) / decay)
