"""A trained model as a folder: save, load, predict, describe, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from goemo.bundle.blend import BlendBundle, save_blend
from goemo.bundle.folder import check_target
from goemo.bundle.opened import Bundle
from goemo.bundle.opening import load
from goemo.bundle.words import WordsBundle, save_words

if TYPE_CHECKING:
    from goemo.bundle.encoder import EncoderBundle, save, save_again

__all__ = [
    "BlendBundle",
    "Bundle",
    "EncoderBundle",
    "WordsBundle",
    "check_target",
    "load",
    "save",
    "save_again",
    "save_blend",
    "save_words",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for: a bag of words predicts without it."""
    if name in {"EncoderBundle", "save", "save_again"}:
        from goemo.bundle import encoder

        return getattr(encoder, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
