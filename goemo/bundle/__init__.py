"""A trained model as a folder: save, load, predict, describe, export."""

from goemo.bundle.model import (
    Bundle,
    check_target,
    load,
    save,
)

__all__ = [
    "Bundle",
    "check_target",
    "load",
    "save",
]
