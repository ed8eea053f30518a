"""One logistic regression per label, on sparse features.

The solver was chosen by measurement on GoEmotions (43,410 rows, 28 labels, one core). Words and characters:
liblinear's dual coordinate descent at its own tolerance, 0.1, took 27 to 38 s, its Newton method in the
primal 83 s for the same macro-F1. Words alone: 9 s and 8 s; L-BFGS over all labels at once 64 s for its first
200 steps, which did not suffice.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from goemo.arrays import Targets

_TOLERANCE = 0.1
_MOST_PASSES = 300


def fit_regressions(
    vectors: csr_matrix,
    targets: Targets,
    C: float,  # noqa: N803 - as it is called everywhere
    *,
    on_label: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float64], int]:
    """Fit one logistic regression a label, each against the rest.

    A label of one class, all rows or none, has nothing to learn: its logit is that of its share, (k + 1/2) of
    (n + 1), for every text. So has every label where there are no features.

    Args:
        vectors: Shape (n_examples, n_terms), at least one example.
        targets: True where the label applies, shape (n_examples, n_labels).
        C: Inverse strength of the L2 penalty, above 0.
        on_label: Called with the labels done and the labels in all.

    Returns:
        Weights, shape (n_terms, n_labels), intercepts, shape (n_labels,), and how many labels were still
        moving when the solver stopped.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((vectors.shape[1], targets.shape[1]), dtype=np.float32)
    shares = (targets.sum(axis=0) + 0.5) / (len(targets) + 1)
    intercepts = np.log(shares) - np.log1p(-shares)
    unfinished = 0
    for label, applies in enumerate(targets.T):
        if vectors.shape[1] and applies.any() and not applies.all():
            model = LogisticRegression(
                C=C, solver="liblinear", dual=True, tol=_TOLERANCE, max_iter=_MOST_PASSES, random_state=0
            )
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ConvergenceWarning)
                model.fit(vectors, applies)
            unfinished += any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
            weights[:, label], intercepts[label] = model.coef_[0], model.intercept_[0]
        if on_label is not None:
            on_label(label + 1, targets.shape[1])
    return weights, intercepts, unfinished
