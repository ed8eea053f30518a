"""A bag of words as a folder; opening it, and predicting with it, imports no torch.

FOLDER/
    words.json           settings and vocabulary
    model.safetensors    idf, weights and intercepts
    labels.json thresholds.json provenance.json README.md    as in every bundle
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import goemo
from goemo.bundle.card_parts import card, data_line
from goemo.bundle.folder import COMMON_FILES, check_files, damage_named, new_bundle, read_common, write_common
from goemo.bundle.opened import Bundle, Progress
from goemo.escaping import prose
from goemo.thresholds import FittedThresholds
from goemo.words import CHECKPOINT, VOCABULARY, WordsModel, load_words
from goemo.words.model import WEIGHTS


@dataclass(frozen=True, eq=False)
class WordsBundle(Bundle):
    """A bag of words.

    Attributes:
        model: Texts to logits.
    """

    model: WordsModel

    def _scores(
        self, texts: Sequence[str], batch_size: int | None, on_progress: Progress | None
    ) -> NDArray[np.float32]:
        del batch_size  # what is in memory does not depend on the longest text
        whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
        return self.model.scores(whole, on_progress)


def save_words(
    model: WordsModel,
    folder: Path,
    *,
    labels: Sequence[str],
    thresholds: FittedThresholds,
    provenance: Mapping[str, Any],
    results: Mapping[str, Any] | None = None,
) -> None:
    """Write a bag of words as a bundle, whole or not at all.

    Args:
        model: What was fitted.
        folder: New or empty, or an earlier bundle, which is replaced.
        labels: Names in the order of the scores' columns.
        thresholds: Fitted on the validation split.
        provenance: Has ``data`` and ``report``, and ``metric``, the objective; recorded beside configuration
            and versions.
        results: From ``goemo.evaluation.results``, for the tables of the model card.

    Raises:
        InputError: As in ``goemo.bundle.check_target``.
    """
    facts = {
        "configuration": {"checkpoint": CHECKPOINT, **asdict(model.settings)},
        "notes": list(model.notes),
        "versions": {"goemo": goemo.__version__, "scikit-learn": metadata.version("scikit-learn")},
        **provenance,
    }
    with new_bundle(folder) as partial:
        model.save(partial)
        write_common(partial, labels, thresholds, facts, _card(model, labels, facts, thresholds, results))


def load_words_bundle(folder: Path) -> WordsBundle:
    """Load a bundle that ``save_words`` wrote; no code from the folder runs.

    Raises:
        InputError: It is no such bundle, a file is damaged, or the files do not fit each other.
    """
    check_files(folder, (VOCABULARY, WEIGHTS, *COMMON_FILES))
    with damage_named(folder):
        labels, thresholds, provenance = read_common(folder)
        model = load_words(folder)
        if len(model.intercepts) != len(labels):
            raise ValueError(f"{WEIGHTS} must have weights for the {len(labels)} labels of labels.json")
    return WordsBundle(labels, thresholds, provenance, model)


def _card(
    model: WordsModel,
    labels: Sequence[str],
    provenance: Mapping[str, Any],
    thresholds: FittedThresholds,
    results: Mapping[str, Any] | None,
) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in asdict(model.settings).items())
    sizes = ", ".join(
        f"{len(terms.vocabulary):,} {'words' if terms.family == 'word' else 'pieces of words'}"
        for terms in model.terms
    )
    notes = "".join(f"- Note: {prose(note)}.\n" for note in model.notes)
    return card(
        "a bag of words",
        labels,
        provenance,
        thresholds,
        results,
        metric=provenance["metric"],
        use="It needs scikit-learn, and neither torch nor a GPU. ",
        training=f"""## Training

{data_line(provenance["data"])}
- What was fitted: TF-IDF of {sizes}, and one logistic regression a label.
- Settings: {settings}.
{notes}- {prose(provenance.get("training", "Thresholds were fitted on validation."))}

`provenance.json` has the full configuration, digests and versions.
""",
    )
