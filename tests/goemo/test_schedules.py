"""Learning rates over a training, against the library's schedules."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
    get_wsd_schedule,
)

from goemo.configuration.schedules import SCHEDULES, learning_rate_factor


def _library(schedule, optimizer, warmup, total):
    if schedule == "linear":
        return get_linear_schedule_with_warmup(optimizer, warmup, total)
    if schedule == "cosine":
        return get_cosine_schedule_with_warmup(optimizer, warmup, total)
    if schedule == "constant":
        return get_constant_schedule_with_warmup(optimizer, warmup)
    decay = min(max(1, round(0.2 * total)), total - warmup)
    return get_wsd_schedule(optimizer, warmup, decay, total, decay_type="linear")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("total", "warmup"), [(100, 10), (7, 0), (1, 0), (50, 49), (50, 45)])
def test_every_schedule_is_that_of_transformers(schedule, total, warmup):
    """Every step's factor equals the library's, with warm-up, without, and where it leaves little."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = _library(schedule, optimizer, warmup, total)
    factors = [learning_rate_factor(schedule, step, total, warmup) for step in range(total)]
    assert len(factors) == total
    for factor in factors:
        assert factor == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
