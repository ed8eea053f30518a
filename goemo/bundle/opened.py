"""An open bundle: texts in, scores and labels out, whatever model is inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.evaluation import as_kept
from goemo.thresholds import FittedThresholds, apply_thresholds

Progress = Callable[[int, int], None]  # texts done, and in all


@dataclass(frozen=True, eq=False)
class Bundle(ABC):
    """A model that was loaded from a bundle.

    Attributes:
        labels: Names in the order of the scores' columns.
        thresholds: From which score each label is predicted.
        provenance: All of ``provenance.json``.
    """

    labels: tuple[str, ...]
    thresholds: FittedThresholds
    provenance: Mapping[str, Any]

    def scores(
        self,
        texts: Sequence[str],
        batch_size: int | None = None,
        on_progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Return the score of every label for each text.

        Args:
            texts: Any number of texts; none give no rows. Half a surrogate pair is read as U+FFFD.
            batch_size: Texts a pass, of similar length; None for what suits the model.
            on_progress: Called with the texts done and the texts in all.

        Returns:
            In [0, 1], shape (texts, labels), in the order of the texts.

        Raises:
            TypeError: A single string, or something that is no text.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a list of texts, got the string {texts[:40]!r}; put it in a list")
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"a text must be a string, got {text!r}")
        return self._scores(texts, batch_size, on_progress)

    @abstractmethod
    def _scores(
        self, texts: Sequence[str], batch_size: int | None, on_progress: Progress | None
    ) -> NDArray[np.float32]:
        """Return the scores of texts that are texts; as in `scores`."""

    def predict(
        self,
        texts: Sequence[str],
        batch_size: int | None = None,
        on_progress: Progress | None = None,
    ) -> list[dict[str, Any]]:
        """Return ``{"text", "labels", "scores": {label: score}}`` for each text, in the order of the texts.

        ``labels`` are those whose score reaches their threshold, in the model's order; there may be none.
        The score is rounded for that as those were that fitted the threshold (``goemo.evaluation.as_kept``).

        Raises:
            TypeError: As in ``scores``.
        """
        scores = self.scores(texts, batch_size, on_progress)
        predictions = apply_thresholds(as_kept(scores), self.thresholds)
        return [
            {
                "text": text,
                "labels": list(compress(self.labels, row)),
                "scores": dict(zip(self.labels, values, strict=True)),
            }
            for text, row, values in zip(texts, predictions, scores.tolist(), strict=True)
        ]
