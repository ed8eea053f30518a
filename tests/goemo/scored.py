"""Scores and targets for tests of thresholds: small ones with every odd corner, and realistic ones."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st


@st.composite
def cases(draw, most_rows, most_labels):
    """Scores and targets with many ties, all-negative and all-positive labels, in every precision."""
    shape = draw(st.tuples(st.integers(1, most_rows), st.integers(1, most_labels)))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    tied = st.sampled_from([0.0, -0.0, 0.05, 0.1, 0.25, 0.5, 0.95, 1.0])
    free = st.floats(0, 1, width=np.dtype(dtype).itemsize * 8)
    scores = draw(hnp.arrays(dtype, shape, elements=draw(st.sampled_from([tied, free]))))
    return scores, draw(hnp.arrays(np.bool_, shape))


def scored(rows, shares, *, seed=0, dtype=np.float64):
    """Scores that know their targets a little; each label has about its share of positives."""
    generator = np.random.default_rng(seed)
    targets = generator.random((rows, len(shares))) < shares
    scores = 1 / (1 + np.exp(2 - generator.normal(size=targets.shape) - 2 * targets))
    return scores.astype(dtype), targets


def imbalanced(rows=300, labels=6, *, seed=0, dtype=np.float32):
    """Such scores of labels from rare to frequent."""
    return scored(rows, np.linspace(0.01, 0.4, labels), seed=seed, dtype=dtype)
