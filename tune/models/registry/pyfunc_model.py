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
BETWEEN_COLUMNS = "\x1e"  # of a text in several columns; the tokenizer's separator goes there
TOKEN = r"\w+|[^\w\s]"  # noqa: S105 - of a bag of words: words, and each sign that is none

Scores = np.ndarray[Any, np.dtype[np.float32]]


class TextLabels(PythonModel):  # type: ignore[misc]  # MLflow has no types
    """A text classifier that may give a text any number of labels."""

    def load_context(self, context: Any) -> None:
        """Read the folder: the model, and from which score each label is predicted."""
        folder = Path(context.artifacts["bundle"])
        self.labels: list[str] = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        kept = json.loads((folder / "thresholds.json").read_text(encoding="utf-8"))
        thresholds = [kept["thresholds"][label] for label in self.labels]
        self.thresholds = np.array(
            [math.inf if value is None else value for value in thresholds]
        )  # null is never
        self.has_fallback = kept["options"].get("fallback") == "top1"
        self.model = _opened(folder, len(self.labels))

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
        # Half a surrogate pair, which JSON may hold, stops tokenizers.
        texts = [re.sub("[\ud800-\udfff]", "\ufffd", text) for text in model_input.iloc[:, 0].tolist()]
        scores = self.model.scores(texts)
        # Rounded as those scores were that fitted the thresholds.
        rounded = scores.astype(np.float16).astype(np.float64)
        predicted = rounded >= self.thresholds
        if self.has_fallback:
            without = np.flatnonzero(~predicted.any(axis=1))
            predicted[without, rounded[without].argmax(axis=1)] = True
        labels = [[self.labels[column] for column in np.flatnonzero(row)] for row in predicted]
        by_name = [dict(zip(self.labels, row, strict=True)) for row in scores.tolist()]
        return pd.DataFrame({"labels": labels, "scores": by_name})


def _opened(folder: Path, labels: int) -> Encoder | Words | Blend:
    if (folder / "blend.json").is_file():
        return Blend(folder, labels)
    return Words(folder) if (folder / "words.json").is_file() else Encoder(folder, labels)


class Encoder:
    """A ``transformers`` model."""

    def __init__(self, folder: Path, labels: int) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.labels = labels
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.between = f"{self.tokenizer.sep_token or self.tokenizer.eos_token or chr(10)} "
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = AutoModelForSequenceClassification.from_pretrained(folder).to(self.device).eval()

    def scores(self, texts: list[str]) -> Scores:
        """Return scores in [0, 1], shape (texts, labels); texts of similar length go through together."""
        import torch

        texts = [text.replace(BETWEEN_COLUMNS, self.between) for text in texts]
        scores = np.empty((len(texts), self.labels), dtype=np.float32)
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


class Words:
    """A bag of words: TF-IDF and one logistic regression a label."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from sklearn.feature_extraction.text import TfidfVectorizer

        arrays = load_file(folder / "model.safetensors")
        self.weights = arrays["weights"].astype(np.float64)
        self.intercepts = arrays["intercepts"]
        self.families: list[Any] = []
        for terms in json.loads((folder / "words.json").read_text(encoding="utf-8"))["terms"]:
            if not terms["vocabulary"]:
                continue
            pattern = {"token_pattern": TOKEN} if terms["family"] == "word" else {}
            family = TfidfVectorizer(
                analyzer=terms["family"],
                ngram_range=(terms["shortest"], terms["longest"]),
                sublinear_tf=True,
                vocabulary={term: column for column, term in enumerate(terms["vocabulary"])},
                **pattern,
            )
            family.idf_ = arrays[f"idf.{terms['family']}"]
            self.families.append(family)

    def scores(self, texts: list[str]) -> Scores:
        """Return scores in [0, 1], shape (texts, labels)."""
        logits = np.tile(self.intercepts, (len(texts), 1))
        if texts and self.families:
            from scipy.sparse import hstack

            logits += (
                hstack([family.transform(texts) for family in self.families], format="csr") @ self.weights
            )
        return _sigmoid(logits)


class Blend:
    """Several models as one: the sigmoid of the weighted mean of their logits."""

    def __init__(self, folder: Path, labels: int) -> None:
        members = json.loads((folder / "blend.json").read_text(encoding="utf-8"))["members"]
        self.members = [(one["tenths"] / 10, _opened(folder / one["folder"], labels)) for one in members]

    def scores(self, texts: list[str]) -> Scores:
        """Return scores in [0, 1], shape (texts, labels)."""
        mean = sum(weight * _logits(model.scores(texts)) for weight, model in self.members)
        return _sigmoid(mean)


def _sigmoid(logits: Any) -> Scores:
    scores: Scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return scores


def _logits(scores: Scores) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the logits of scores, rounded as those were that chose the weights; none is infinite."""
    inside = np.clip(scores.astype(np.float16).astype(np.float64), 2.0**-24, 1 - 2.0**-24)
    logits: np.ndarray[Any, np.dtype[np.float64]] = np.log(inside) - np.log1p(-inside)
    return logits


mlflow.models.set_model(TextLabels())
