"""Peak memory of a training."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


class PeakMemory:
    """The most memory taken since it was made, in bytes: of a GPU by torch, on a CPU by the whole process.

    On a GPU it is what torch's allocator handed out. On a CPU it is the resident set, and where the system
    cannot start the count anew (only Linux can), that of the whole life of the process.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        try:
            _RESET.write_text("5")  # see proc(5): sets the peak resident set to the present one
        except OSError:
            return  # not Linux, or not allowed: the peak is then of the whole process, as documented

    def bytes(self) -> int:
        """Return the peak so far."""
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        try:
            for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass  # no such file: another system than Linux
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
