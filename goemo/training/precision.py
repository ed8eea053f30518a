"""The arithmetic of a forward pass in training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Return bfloat16 arithmetic for GPUs that have it; elsewhere float32."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
