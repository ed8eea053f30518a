"""Mixed precision: the arithmetic of the forward and backward passes.

Weights, their gradients and the optimizer stay in float32, and so does everything that only looks
(validation, test, `predict`). Products in bfloat16 (Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep
Learning Training") have the range of float32, so that nothing needs to be scaled, with 8 bits of its 24.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

# Narrower encoders have little left to gain on a CPU: most of their time goes into calls and conversions.
_LEAST_WIDTH = 128


def uses_bfloat16(mixed_precision: str, device: torch.device, width: int) -> bool:
    """Say whether a training on a device is computed in bfloat16 where that may be.

    Args:
        mixed_precision: ``bfloat16``, ``none``, or ``auto`` for where that is faster: on GPUs that have it
            and do not emulate it, and likewise on x86 processors for encoders that are wide enough.
        device: Where it trains.
        width: Hidden size of the encoder.
    """
    if mixed_precision != "auto":
        return mixed_precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and width >= _LEAST_WIDTH and cpu_has_bfloat16()


def autocast(device: torch.device, *, in_bfloat16: bool) -> AbstractContextManager[Any]:
    """Return the arithmetic of a forward pass."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if in_bfloat16 else nullcontext()


def cpu_has_bfloat16() -> bool:
    """Say whether this processor multiplies bfloat16: AVX512-BF16 (Zen 4, Cooper Lake) or AMX."""
    # An older torch has no public way to ask, and trains in float32.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
