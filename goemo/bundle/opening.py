"""Opens a bundle of any kind; only what its kind needs is imported."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from goemo.bundle.blend import BLEND, load_blend
from goemo.bundle.opened import Bundle
from goemo.bundle.words import load_words_bundle
from goemo.words import VOCABULARY


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
