"""What trials need and takes seconds to import."""

from __future__ import annotations

import gc
import importlib

_NEEDED = ("transformers.modeling_utils", "goemo.bundle", "goemo.training.prepared", "goemo.training")


def preload() -> None:
    """Import it; without the garbage collector, for what is imported stays."""
    gc.disable()
    try:
        for name in _NEEDED:
            importlib.import_module(name)
    finally:
        gc.enable()
