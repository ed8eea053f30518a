"""A bag of words with chosen settings, fitted once for the same data and kept in a cache.

FOLDER/
    words.json model.safetensors    the model
    validation.npz                  its scores of the validation split, float16
    fitted.json                     how the settings were chosen, and what it took
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from goemo.arrays import Targets
from goemo.configuration.json_files import read_json
from goemo.configuration.words import WordsSettings
from goemo.files import built_folder
from goemo.words.choosing import choose_settings
from goemo.words.model import VOCABULARY, fit_words

FITTED, SCORES = "fitted.json", "validation.npz"

# Changes whenever the same data would give another model.
_VERSION = 1


class _Fitted(BaseModel):
    """What ``fitted.json`` holds."""

    model_config = ConfigDict(extra="forbid")

    settings: WordsSettings
    note: str
    notes: tuple[str, ...]
    seconds: Annotated[FiniteFloat, Field(ge=0)]


@dataclass(frozen=True, eq=False)
class CachedWords:
    """A bag of words that was fitted before.

    Attributes:
        folder: Where it is; `goemo.words.load_words` reads the model.
        settings: What was chosen.
        note: How it was chosen.
        notes: What a reader of its scores should know.
        seconds: Of one core that choosing, fitting and scoring took.
        scores: Of the validation split, as kept, shape (n_examples, n_labels).
    """

    folder: Path
    settings: WordsSettings
    note: str
    notes: tuple[str, ...]
    seconds: float
    scores: NDArray[np.float16]


def cache_key(
    train_digest: str, validation_digest: str, seed: int, among: Mapping[str, Sequence[Any]]
) -> str:
    """Return the name of a cached model: the same for the same data, seed, choice and scikit-learn."""
    told = [_VERSION, train_digest, validation_digest, seed, metadata.version("scikit-learn")]
    told += [sorted(among.items())] if among else []
    return f"words-{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:20]}"


def read_cached(folder: Path) -> CachedWords | None:
    """Return what ``fit_into`` left in a folder; None where there is nothing.

    Raises:
        ValueError: A file is damaged.
        OSError: A file cannot be read.
    """
    if not (folder / VOCABULARY).is_file():
        return None
    fitted = read_json(folder / FITTED, _Fitted)
    try:
        with np.load(folder / SCORES, allow_pickle=False) as archive:
            scores = archive["scores"]
    except (KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{SCORES} is damaged ({error})") from error
    return CachedWords(folder, fitted.settings, fitted.note, fitted.notes, fitted.seconds, scores)


def fit_into(
    folder: Path,
    texts: Sequence[str],
    targets: Targets,
    validation: Sequence[str],
    *,
    labels: Sequence[str],
    among: Mapping[str, Sequence[Any]] = {},
    seed: int = 0,
) -> None:
    """Choose settings, fit a bag of words, and score the validation split; whole or not at all.

    Args:
        folder: In a cache; one that another process has made meanwhile stays.
        texts: Of the training rows.
        targets: True where the label applies, shape (texts, n_labels).
        validation: Texts of the validation split.
        labels: Names of the labels.
        among: As of `choose_settings`.
        seed: Seeds which training rows choose the settings.
    """
    started = time.process_time()
    choice = choose_settings(texts, targets, among=among, seed=seed)
    model = fit_words(texts, targets, choice.settings, labels=labels)
    scores = model.scores(validation).astype(np.float16)
    with built_folder(folder, is_cache=True) as partial:
        model.save(partial)
        np.savez_compressed(partial / SCORES, scores=scores)
        fitted = _Fitted(
            settings=choice.settings,
            note=choice.note,
            notes=model.notes,
            seconds=time.process_time() - started,
        )
        (partial / FITTED).write_text(fitted.model_dump_json(indent=2) + "\n", encoding="utf-8")
