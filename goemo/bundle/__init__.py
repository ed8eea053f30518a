"""A trained model as a folder: save, load, predict, describe, export."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goemo.bundle.blend import BLEND, BlendBundle, load_blend, save_blend
from goemo.bundle.folder import check_target
from goemo.bundle.opened import Bundle
from goemo.bundle.words import WordsBundle, load_words_bundle, save_words
from goemo.words import VOCABULARY

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


def load(folder: Path, *, device: Any = None) -> Bundle:
    """Load a bundle; weights are read from safetensors only, and no code from the folder runs.

    Args:
        folder: What ``goemo retrain`` or one of the savers wrote.
        device: Where an encoder computes: the current GPU when not given, else the CPU.

    Raises:
        InputError: It is no bundle, a file is damaged, or the files do not fit each other.
    """
    folder = Path(folder)
    if (folder / BLEND).is_file():
        return load_blend(folder, partial(load, device=device))
    if (folder / VOCABULARY).is_file():
        return load_words_bundle(folder)
    from goemo.bundle.encoder import load_encoder

    return load_encoder(folder, device=device)


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for: a bag of words predicts without it."""
    if name in {"EncoderBundle", "save", "save_again"}:
        from goemo.bundle import encoder

        return getattr(encoder, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
