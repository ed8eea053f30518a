"""Failing passes: an architecture that cannot compute something, or too little memory."""

from __future__ import annotations

import torch

from goemo.errors import first_line

# What a pass through an architecture may raise about what it cannot compute.
FAILURES = (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError, KeyError)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory did not suffice, on a GPU or in the machine."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)
    )


def reason(error: Exception) -> str:
    """Return one line on why an architecture cannot compute something.

    Args:
        error: One of ``FAILURES``, where it is caught.

    Raises:
        Exception: The error itself, where memory did not suffice or the GPU's state is lost.
    """
    if is_out_of_memory(error) or isinstance(error, torch.AcceleratorError):
        raise error
    return first_line(error)
