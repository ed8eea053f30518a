"""Label names and their order; the Ekman and sentiment groupings.

The names, their order and the groups are those of Demszky et al. 2020, "GoEmotions: A Dataset of
Fine-Grained Emotions" (ACL 2020): the label file, and the mappings of sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goemo.errors import InputError

# What gives labels the names below, for messages.
PUBLISHED = "the 28 GoEmotions labels"

GOEMOTIONS: tuple[str, ...] = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief",
    "joy", "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness",
    "surprise", "neutral",
)  # fmt: skip

_POSITIVE = (
    "amusement", "excitement", "joy", "love", "desire", "optimism", "caring", "pride", "admiration",
    "gratitude", "relief", "approval",
)  # fmt: skip
_SADNESS = ("sadness", "disappointment", "embarrassment", "grief", "remorse")
_ANGER = ("anger", "annoyance", "disapproval")
_FEAR = ("fear", "nervousness")
_AMBIGUOUS = ("realization", "surprise", "curiosity", "confusion")

# Group -> the fine labels in it; the order of the groups is the order of the grouped labels.
GROUPINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "ekman": {
        "anger": _ANGER,
        "disgust": ("disgust",),
        "fear": _FEAR,
        "joy": _POSITIVE,
        "sadness": _SADNESS,
        "surprise": _AMBIGUOUS,
        "neutral": ("neutral",),
    },
    "sentiment": {
        "positive": _POSITIVE,
        "negative": (*_FEAR, *_SADNESS, "disgust", *_ANGER),
        "ambiguous": _AMBIGUOUS,
        "neutral": ("neutral",),
    },
}

TAXONOMIES: tuple[str, ...] = ("fine", *GROUPINGS)


def check_taxonomy(taxonomy: str) -> None:
    """Raise ``InputError`` when ``taxonomy`` is none of ``TAXONOMIES``."""
    if taxonomy not in TAXONOMIES:
        raise InputError("taxonomy", [f"must be one of {', '.join(TAXONOMIES)}, got {taxonomy!r}"])


def group_targets(
    targets: NDArray[np.bool_], labels: Sequence[str], taxonomy: str
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Merge the 28 fine labels into the groups of a taxonomy.

    A group applies to a row where at least one of its labels does, so a row keeps at least one
    label when it had one. The order of ``labels`` does not matter.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        labels: Names of the columns of ``targets``.
        taxonomy: ``fine`` (both come back unchanged), ``ekman`` (7 groups) or ``sentiment`` (4).

    Returns:
        Targets of shape (n_examples, n_groups), and the names of the groups.

    Raises:
        InputError: The taxonomy is unknown, or it groups and ``labels`` are not the 28 of GoEmotions.
        ValueError: ``targets`` does not have one column per label.
    """
    check_taxonomy(taxonomy)
    if targets.ndim != 2 or targets.shape[1] != len(labels):
        raise ValueError(f"targets must have shape (n, {len(labels)}), got {targets.shape}")
    if taxonomy == "fine":
        return targets, tuple(labels)
    if len(labels) != len(GOEMOTIONS) or set(labels) != set(GOEMOTIONS):
        shown = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
        rule = (
            f"{taxonomy} groups the {len(GOEMOTIONS)} GoEmotions labels, but the data has {shown}; use fine"
        )
        raise InputError("taxonomy", [rule])
    column = {label: index for index, label in enumerate(labels)}
    groups = GROUPINGS[taxonomy]
    grouped = [targets[:, [column[label] for label in group]].any(axis=1) for group in groups.values()]
    return np.stack(grouped, axis=1), tuple(groups)
