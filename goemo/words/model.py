"""A bag of words: TF-IDF and one logistic regression per label; fitting, scoring, and its two files.

FOLDER/
    words.json           settings and vocabulary
    model.safetensors    idf of each family of terms, weights and intercepts
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors.numpy import load_file, save_file
from scipy.special import expit

from goemo.arrays import Targets
from goemo.configuration.json_files import read_json
from goemo.configuration.words import WordsSettings
from goemo.words.regression import fit_regressions
from goemo.words.terms import Family, Terms, families_of, fit_family, joined

VOCABULARY, WEIGHTS = "words.json", "model.safetensors"

# Texts whose features are in memory together.
_TEXTS_AT_ONCE = 8_192

Progress = Callable[[int, int], None]  # done, and in all


@dataclass(frozen=True, eq=False)
class WordsModel:
    """A bag of words.

    Attributes:
        settings: What it was fitted with.
        terms: The families of terms, words first.
        weights: One a term and label, shape (n_terms, n_labels), terms in the order of the families.
        intercepts: One a label, shape (n_labels,).
        notes: What a reader of its scores should know: no features, labels of one class.
    """

    settings: WordsSettings
    terms: tuple[Terms, ...]
    weights: NDArray[np.float32] = field(repr=False)
    intercepts: NDArray[np.float64] = field(repr=False)
    notes: tuple[str, ...] = ()

    def logits(self, texts: Sequence[str], on_progress: Progress | None = None) -> NDArray[np.float64]:
        """Return the logits of texts, shape (texts, n_labels), in their order.

        A text without a known term, the empty one among them, has the intercepts.

        Args:
            texts: Any number.
            on_progress: Called with the texts done and the texts in all.
        """
        found = np.empty((len(texts), len(self.intercepts)))
        weights = self.weights.astype(np.float64)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = slice(start, start + _TEXTS_AT_ONCE)
            vectors = joined([terms.transform(texts[part]) for terms in self.terms])
            found[part] = vectors @ weights + self.intercepts
            if on_progress is not None:
                on_progress(min(part.stop, len(texts)), len(texts))
        return found

    def scores(self, texts: Sequence[str], on_progress: Progress | None = None) -> NDArray[np.float32]:
        """Return the scores of texts, in [0, 1], shape (texts, n_labels), in their order; see `logits`."""
        return scores_of(self.logits(texts, on_progress))

    def save(self, folder: Path) -> None:
        """Write both files into a folder that exists; the same model gives the same bytes."""
        stored = {
            "settings": asdict(self.settings),
            "terms": [
                {"family": t.family, "shortest": t.shortest, "longest": t.longest, "vocabulary": t.vocabulary}
                for t in self.terms
            ],
            "notes": self.notes,
        }
        (folder / VOCABULARY).write_text(json.dumps(stored, ensure_ascii=False) + "\n", encoding="utf-8")
        arrays: dict[str, NDArray[Any]] = {f"idf.{terms.family}": terms.idf for terms in self.terms}
        arrays |= {"weights": self.weights, "intercepts": self.intercepts}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / WEIGHTS)


class _StoredTerms(BaseModel):
    model_config = ConfigDict(extra="forbid")

    family: Family
    shortest: int
    longest: int
    vocabulary: tuple[str, ...]


class _StoredWords(BaseModel):
    """What ``words.json`` holds."""

    model_config = ConfigDict(extra="forbid")

    settings: WordsSettings
    terms: tuple[_StoredTerms, ...]
    notes: tuple[str, ...] = ()


def load_words(folder: Path) -> WordsModel:
    """Read what :meth:`WordsModel.save` wrote; nothing in the folder runs.

    Raises:
        ValueError: A file is not what it should be, or the two do not fit each other.
        OSError: A file cannot be read.
        SafetensorError: The weights are damaged.
    """
    stored = read_json(folder / VOCABULARY, _StoredWords)
    if any(len(set(terms.vocabulary)) < len(terms.vocabulary) for terms in stored.terms):
        raise ValueError(f"{VOCABULARY} must name each term once")
    arrays = load_file(folder / WEIGHTS)
    sizes = {f"idf.{terms.family}": len(terms.vocabulary) for terms in stored.terms}
    if len(sizes) != len(stored.terms) or arrays.keys() != {*sizes, "weights", "intercepts"}:
        raise ValueError(f"{WEIGHTS} must hold the weights of the terms in {VOCABULARY}, and nothing else")
    weights, intercepts = arrays["weights"], arrays["intercepts"]
    wrong = [name for name, size in sizes.items() if arrays[name].shape != (size,)]
    if wrong or intercepts.ndim != 1 or weights.shape != (sum(sizes.values()), len(intercepts)):
        raise ValueError(f"{WEIGHTS} must have one weight per label for each term of {VOCABULARY}")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError(f"{WEIGHTS} must hold finite numbers")
    terms = tuple(
        Terms(t.family, t.shortest, t.longest, t.vocabulary, arrays[f"idf.{t.family}"]) for t in stored.terms
    )
    return WordsModel(stored.settings, terms, weights, intercepts, stored.notes)


def fit_words(
    texts: Sequence[str],
    targets: Targets,
    settings: WordsSettings,
    *,
    labels: Sequence[str] | None = None,
    on_label: Progress | None = None,
) -> WordsModel:
    """Fit a bag of words; the same rows in the same order and the same settings give the same model.

    Args:
        texts: Of the training rows, at least one.
        targets: True where the label applies, shape (texts, n_labels).
        settings: N-grams and penalty.
        labels: Names of the labels, for the notes; without it they are numbered.
        on_label: Called with the labels done and the labels in all.

    Raises:
        ValueError: No texts.
    """
    if not len(texts):
        raise ValueError("a bag of words needs at least one training text, got none")
    fitted = [fit_family(texts, *family, settings.least_rows) for family in families_of(settings)]
    vectors = joined([vectors for _, vectors in fitted])
    weights, intercepts, unfinished = fit_regressions(vectors, targets, settings.C, on_label=on_label)
    names = labels if labels is not None else [str(label) for label in range(targets.shape[1])]
    notes = _notes(len(weights), targets, names, settings)
    if unfinished:
        notes.append(f"{unfinished} labels were still moving when the solver stopped; a smaller C converges")
    return WordsModel(settings, tuple(terms for terms, _ in fitted), weights, intercepts, tuple(notes))


def scores_of(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the scores, in [0, 1], of logits of any shape."""
    scores: NDArray[np.float32] = expit(logits).astype(np.float32)
    return scores


def _notes(terms: int, targets: Targets, labels: Sequence[str], settings: WordsSettings) -> list[str]:
    notes = []
    if not terms:
        notes.append(
            f"no term occurs in {settings.least_rows} training rows or more: every text gets the shares of "
            "the labels as scores"
        )
    for word, is_so in (("no", ~targets.any(axis=0)), ("every", targets.all(axis=0))):
        if is_so.any():
            named = ", ".join(labels[label] for label in np.flatnonzero(is_so).tolist())
            notes.append(
                f"{word} training row has {named}: nothing to learn there, every text scores the same"
            )
    return notes
