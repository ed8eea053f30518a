"""Files that every bundle has, whatever its model is: labels, thresholds, provenance and model card."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from goemo.bundle.files import Labels, Provenance, read
from goemo.errors import GoemoError, InputError, shortened
from goemo.files import built_folder, check_model_folder, is_filled_in_place
from goemo.thresholds import FittedThresholds
from goemo.thresholds.json_file import ThresholdsFile, thresholds_from_json, thresholds_to_json

LABELS, THRESHOLDS, PROVENANCE, CARD = "labels.json", "thresholds.json", "provenance.json", "README.md"
COMMON_FILES = (LABELS, THRESHOLDS, PROVENANCE)


def check_target(folder: Path) -> None:
    """Say before a long training whether its bundle can be saved to a folder.

    Raises:
        InputError: The folder holds something that is no bundle, is a file, or cannot be written to.
    """
    folder = Path(folder).resolve()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not _is_bundle(folder)):
        raise InputError(str(folder), ["holds something that is not a bundle; give a new or empty folder"])
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest == folder and not is_filled_in_place(folder):
        nearest = folder.parent  # the new bundle is made there, and takes the old one's place
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(str(folder), [f"cannot be created: {nearest} is not a writable folder"])


@contextmanager
def new_bundle(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill with a bundle; it takes the place of ``folder``, whole or not at all.

    Raises:
        InputError: As in ``check_target``.
    """
    check_target(folder)
    # The last file is one without which a folder is no bundle.
    with built_folder(folder, replace=True, last=LABELS) as partial:
        yield partial


def write_common(
    folder: Path,
    labels: Sequence[str],
    thresholds: FittedThresholds,
    provenance: Mapping[str, Any],
    card: str,
) -> None:
    """Write the files that every bundle has, and make its weights as readable as these are."""
    write_json(folder / LABELS, labels)
    write_json(folder / THRESHOLDS, thresholds_to_json(thresholds, labels))
    write_json(folder / PROVENANCE, provenance)
    (folder / CARD).write_text(card, encoding="utf-8")
    for weights in folder.glob("*.safetensors"):
        # safetensors writes for the owner alone, whatever the umask
        weights.chmod((folder / CARD).stat().st_mode)


def read_common(
    folder: Path, declared: type[Provenance] = Provenance
) -> tuple[tuple[str, ...], FittedThresholds, dict[str, Any]]:
    """Return labels, thresholds and provenance.

    Args:
        folder: Of the bundle.
        declared: What ``provenance.json`` must hold.

    Raises:
        InputError: A file is damaged; the message names it and the field.
        ValueError: They do not fit each other.
    """
    labels, _ = read(folder / LABELS, Labels)
    thresholds, _ = read(folder / THRESHOLDS, ThresholdsFile)
    _, provenance = read(folder / PROVENANCE, declared)
    return labels, thresholds_from_json(thresholds, labels), provenance


@contextmanager
def damage_named(folder: Path) -> Iterator[None]:
    """Let whatever damaged files raise become one line that names the folder.

    Raises:
        InputError: It does not load.
    """
    try:
        yield
    except GoemoError:
        raise
    except Exception as error:  # the libraries that read the files raise whatever their parts do
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(
            str(folder), [f"does not load: {shortened(why, 1_000)}; write it again with goemo retrain"]
        ) from error


def check_files(folder: Path, names: Sequence[str]) -> None:
    """Say which files a bundle lacks.

    Raises:
        InputError: The folder or a file is missing.
    """
    check_model_folder(folder)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputError(
            str(folder), [f"no {name}; a bundle has one: goemo retrain writes it" for name in missing]
        )


def write_json(path: Path, value: Any) -> None:
    """Write plain values as a person reads them."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _is_bundle(folder: Path) -> bool:
    return all((folder / name).is_file() for name in COMMON_FILES)
