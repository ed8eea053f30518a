"""The random state of one training, apart from that of the process.

Dropout draws from torch's global generators. A training puts a state of its own there while it trains and
the process's back afterwards, so that nothing else that runs in the process changes it, or is changed by it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def seeded_random(seed: int, device: torch.device) -> dict[str, Tensor]:
    """Return the random state that a seed gives; the process keeps its own."""
    before = random_state(device)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(seed)
    state = random_state(device)
    set_random_state(before, device)
    return state


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the generators that dropout on a device may draw from, by kind of device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Put a state from ``random_state`` in place."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
