"""Folders of searches, and files that are written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np


def runs_folder() -> Path:
    """Return the folder that holds the store, the searches and the caches: ``$GOEMO_RUNS`` or ``mlruns``."""
    return Path(os.environ.get("GOEMO_RUNS", "mlruns")).absolute()


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader, or a crash, never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:  # a full disk gets nothing to keep that nobody reads
        partial.unlink(missing_ok=True)
        raise


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write a compressed ``.npz`` of arrays, whole or not at all."""
    partial = path.with_name(f".{path.stem}.partial.npz")
    try:
        np.savez_compressed(partial, **arrays)
        partial.replace(path)
    except OSError:  # as above
        partial.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
