"""A bundle behind MLflow's model interface: texts in, labels and scores out.

MLflow keeps this very file beside the model and runs it where the model is loaded, so it imports nothing of
the project that wrote it. What it gives is what ``goemo predict`` gives.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

TEXTS_A_PASS = 64


class TextLabels(PythonModel):  # type: ignore[misc]  # MLflow has no types
    """A text classifier that may give a text any number of labels."""

    def load_context(self, context: Any) -> None:
        """Read the folder: the model, its tokenizer, and from which score each label is predicted."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = Path(context.artifacts["bundle"])
        self.labels: list[str] = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        kept = json.loads((folder / "thresholds.json").read_text(encoding="utf-8"))
        cuts = [kept["thresholds"][label] for label in self.labels]
        self.thresholds = np.array([math.inf if cut is None else cut for cut in cuts])  # null is never
        self.has_fallback = kept["options"].get("fallback") == "top1"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = AutoModelForSequenceClassification.from_pretrained(folder).to(self.device).eval()

    def predict(
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return the labels, and the score of every label, of each text.

        Args:
            context: Not used.
            model_input: Texts, in the first column. MLflow makes this frame of whatever it is given: a frame,
                a column, a list.
            params: Not used.

        Returns:
            A row a text, in the order of the texts: ``labels``, a list of names, and ``scores``, a mapping of
            names to scores in [0, 1].
        """
        del context, params
        scores = self.scores(model_input.iloc[:, 0].tolist())
        # Rounded as those scores were that fitted the thresholds.
        rounded = scores.astype(np.float16).astype(np.float64)
        predicted = rounded >= self.thresholds
        if self.has_fallback:
            without = np.flatnonzero(~predicted.any(axis=1))
            predicted[without, rounded[without].argmax(axis=1)] = True
        labels = [[self.labels[column] for column in np.flatnonzero(row)] for row in predicted]
        by_name = [dict(zip(self.labels, row, strict=True)) for row in scores.tolist()]
        return pd.DataFrame({"labels": labels, "scores": by_name})

    def scores(self, texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return scores in [0, 1], shape (texts, labels); texts of similar length go through together."""
        import torch

        # Half a surrogate pair, which JSON may hold, stops tokenizers.
        texts = [re.sub("[\ud800-\udfff]", "\ufffd", text) for text in texts]
        scores = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        encoded = self.tokenizer(texts, truncation=True)["input_ids"] if texts else []
        order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
        for start in range(0, len(order), TEXTS_A_PASS):
            rows = order[start : start + TEXTS_A_PASS]
            chosen = [texts[row] for row in rows]
            batch = self.tokenizer(chosen, truncation=True, padding=True, return_tensors="pt")
            with torch.inference_mode():
                logits = self.model(**batch.to(self.device)).logits
            scores[rows] = logits.float().sigmoid().cpu().numpy()
        return scores


mlflow.models.set_model(TextLabels())
