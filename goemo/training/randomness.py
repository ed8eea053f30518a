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


def renew_generator(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Put a state in place after the recording of a CUDA graph has failed, in which numbers were drawn.

    The generator then still believes that it is being recorded, and draws no more. It is given a state of
    its own, as one that was never recorded has it.
    """
    fresh = torch.Generator(device)
    torch.cuda.default_generators[device.index].graphsafe_set_state(fresh.graphsafe_get_state())
    set_random_state(state, device)
