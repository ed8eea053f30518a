"""The confusion counts behind a published table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from goemo.metrics import Counts

# Half of the last of three decimals, and a little for the arithmetic.
_ROUNDING = 0.0005 + 1e-9


def implied_counts(table: pd.DataFrame, examples: int) -> Counts:
    """Return the counts of each label that a table rounded to three decimals implies.

    Hits follow from recall and support, false alarms from hits and precision. Rounding leaves a frequent
    label several counts to choose from: of these, the ones whose accuracy, F1 and MCC come nearest to the
    printed ones. A label without hits has no precision to tell its false alarms from: its accuracy does.

    Args:
        table: Columns accuracy, precision, recall, f1, mcc and support; one row a label.
        examples: Number of examples that the table was measured on.

    Raises:
        ValueError: No counts give a label's recall and precision.
    """
    cells = np.array([_label_counts(row, examples) for _, row in table.iterrows()])  # (l, 4)
    return Counts(*cells.T)


def _label_counts(row: pd.Series, examples: int) -> NDArray[np.int64]:
    """Return the four counts of one label, (4,)."""
    support = int(row["support"])
    hits = np.arange(support + 1)
    hits = hits[np.abs(hits / max(support, 1) - row["recall"]) <= _ROUNDING]
    tp, fp = (grid.ravel() for grid in np.meshgrid(hits, np.arange(examples - support + 1)))
    fits = np.abs(tp / np.maximum(tp + fp, 1) - row["precision"]) <= _ROUNDING
    tp, fp = tp[fits], fp[fits]
    if not len(tp):
        raise ValueError(
            f"no counts of label {row['label']!r} give recall {row['recall']} and precision "
            f"{row['precision']} with support {support}"
        )
    fn = support - tp
    counts = Counts(tp, fp, fn, examples - tp - fp - fn)
    misfits = np.abs([counts.accuracy - row["accuracy"], counts.f1 - row["f1"], counts.mcc - row["mcc"]])
    best = int(misfits.max(axis=0).argmin())
    return np.array([counts.tp[best], counts.fp[best], counts.fn[best], counts.tn[best]])
