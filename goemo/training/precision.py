"""Mixed precision: in which arithmetic the matrix products of a training are computed.

Weights, gradients, optimizer, norms and losses stay in float32, and so does everything that only looks
(validation, test, `predict`). Products in bfloat16 (Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep
Learning Training") have the range of float32, so that nothing needs to be scaled, with 8 bits of its 24.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def uses_bfloat16(mixed_precision: str, device: torch.device) -> bool:
    """Say whether a training on a device computes its large products in bfloat16.

    Args:
        mixed_precision: ``bfloat16``, ``none``, or ``auto`` for where the device computes them faster: GPUs
            and x86 processors that have instructions for it, and do not emulate it.
        device: Where it trains.
    """
    if mixed_precision != "auto":
        return mixed_precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and _cpu_has_bfloat16()


def autocast(device: torch.device, *, in_bfloat16: bool) -> AbstractContextManager[Any]:
    """Return the arithmetic of a forward pass on a GPU; on a CPU it is up to the view that trains.

    On a CPU the linear maps alone are worth it (``goemo.models.training_view``): autocast would convert much
    that is small.
    """
    if in_bfloat16 and device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _cpu_has_bfloat16() -> bool:
    """Say whether this processor multiplies bfloat16: AVX512-BF16 (Zen 4, Cooper Lake) or AMX."""
    cpu: Any = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())  # noqa: SLF001 - no public name
