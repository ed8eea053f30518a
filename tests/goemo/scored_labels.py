"""What the tests of pages and charts share: scores that know their targets a little, tables, a picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from goemo import metrics, thresholds


def scored(labels, *, rows, shares=0.3, seed=0):
    """Return scores and targets, both (rows, labels); ``shares`` of the rows have the labels."""
    generator = np.random.default_rng(seed)
    targets = generator.random((rows, labels)) < shares
    return np.clip(0.6 * generator.random(targets.shape) + 0.3 * targets, 0, 1), targets


def tables_of(scores, targets, labels):
    """Return the tables at 0.5 and at fitted thresholds, and these thresholds."""
    fitted = thresholds.fit_thresholds(scores, targets)
    predicted = thresholds.apply_thresholds(scores, fitted)
    half = metrics.per_label_table(targets, scores >= 0.5, 0.5, labels)
    return half, metrics.per_label_table(targets, predicted, fitted, labels), fitted


def picture():
    """Return a PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (946, 40)).save(buffer, format="png")
    return buffer.getvalue()
