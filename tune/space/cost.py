"""Relative durations of trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STEP_IN_TOKENS = 256  # what a step costs whatever is in it: launches, the optimizer's pass over all weights


def relative_cost(hyperparameters: Mapping[str, Any]) -> float:
    """Return what a training costs, in tokens for each text of the training split.

    Every epoch takes every text once, at a cost that grows with its tokens, of which there are at most
    ``max_length``; and pays for each of its steps, of which a larger batch needs fewer. Texts are the same
    for all trials of a search and drop out. It is for an order alone: where texts are shorter than
    ``max_length``, long lengths cost less than it says, and still no less than short ones.

    Args:
        hyperparameters: At least ``epochs``, ``max_length`` and ``batch_size``.
    """
    a_text = hyperparameters["max_length"] + STEP_IN_TOKENS / hyperparameters["batch_size"]
    return float(hyperparameters["epochs"] * a_text)
