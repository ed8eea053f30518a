"""Settings of a sentence-transformers folder: how its encoder pools, and for how long texts it was made.

That it normalises needs nothing here: a mean block ends in a layer norm, to which a unit length adds nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goemo.configuration.json_files import UnreadableError, read_json
from goemo.errors import InputError
from goemo.models.pooling import MEAN_BLOCKS

# Beside the encoder's own files.
_MODULES, _POOLING, _LENGTHS = "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"
SENTENCE_FILES = (_MODULES, _POOLING, _LENGTHS)


def settled_pooling(pooling: str, name: str, folder: Path) -> str:
    """Return ``first`` or ``mean``: as asked or, of ``auto``, ``mean`` where the folder and the family do so.

    Args:
        pooling: ``auto``, ``first`` or ``mean``.
        name: Of the checkpoint, for messages.
        folder: Its files.

    Raises:
        InputError: Its files for sentence-transformers cannot be read.
    """
    if pooling != "auto":
        return pooling
    kind = _settings(name, folder / "config.json").get("model_type")
    return "mean" if _modes(name, folder) == ["mean"] and kind in MEAN_BLOCKS else "first"


def sentence_notes(name: str, folder: Path, pooling: str, max_length: int) -> list[str]:
    """Say where a training departs from how a sentence encoder was made; empty where it does not.

    Args:
        name: Of the checkpoint.
        folder: Its files.
        pooling: What its head will read, ``first`` or ``mean``.
        max_length: The longest that a text may be.

    Raises:
        InputError: Its files for sentence-transformers cannot be read.
    """
    modes, notes = _modes(name, folder), []
    if modes and modes != ["cls" if pooling == "first" else pooling]:
        notes.append(f"it was made to pool by {' and '.join(modes)}, and pooling is {pooling} here")
    most = _settings(name, folder / _LENGTHS).get("max_seq_length") if modes else None
    if isinstance(most, int) and most < max_length:
        notes.append(f"it was made for texts of at most {most} tokens, and max_length is {max_length} here")
    return notes


def _modes(name: str, folder: Path) -> list[str]:
    """Return how a folder pools, ``mean``, ``cls`` and the like; empty where it is none of theirs."""
    if not (folder / _MODULES).is_file():
        return []
    settings = _settings(name, folder / _POOLING)
    prefix = "pooling_mode_"  # one key a mode, until version 5 wrote the name of one
    on = [key.removeprefix(prefix) for key, is_on in settings.items() if key.startswith(prefix) and is_on]
    return [mode.split("_")[0] for mode in (on or [str(settings.get("pooling_mode", ""))]) if mode]


def _settings(name: str, path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return read_json(path, dict[str, Any])
    except UnreadableError as error:
        raise InputError(name, [str(error)]) from error
