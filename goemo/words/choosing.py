"""Choice of settings that suit the data, from training rows only: validation and test stay unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from goemo.arrays import Targets
from goemo.configuration.words import WordsSettings
from goemo.words.regression import fit_regressions
from goemo.words.terms import families_of, fit_family, joined

# Of more training rows than this, so many are drawn for the choice; the model itself is fitted on all.
MOST_ROWS = 15_000

# Of more labels that can be judged, so many are drawn: thousands would take an hour.
MOST_LABELS = 100

# With fewer, a third of them says nothing: the defaults are taken.
LEAST_ROWS = 300

# What is tried of each setting but C, where nothing else is asked for; of what is equally good, the first.
_USUAL: Mapping[str, Sequence[Any]] = {"word_ngrams": (2,), "char_ngrams": (0, 5), "least_rows": (2,)}

# Where the search for C begins, and the ends that it stops at.
_FIRST, _LEAST, _MOST = (1.0, 2.0), 0.125, 16.0


@dataclass(frozen=True)
class Choice:
    """The settings that suit the data.

    Attributes:
        settings: The best of those tried.
        tried: Macro average precision on held-out training rows, by settings; empty where none were tried.
        rows: Training rows that took part.
        note: What was done, in a line.
    """

    settings: WordsSettings
    tried: tuple[tuple[WordsSettings, float], ...]
    rows: int
    note: str


def choose_settings(
    texts: Sequence[str],
    targets: Targets,
    *,
    among: Mapping[str, Sequence[Any]] = {},
    seed: int = 0,
) -> Choice:
    """Choose between words alone and words with characters, and the penalty of each.

    A third of the rows judges what the others fit, by the mean of the labels' average precision: it needs no
    thresholds, and is far steadier than F1 on rare labels. C is doubled or halved from 1 and 2 for as long as
    that helps.

    Args:
        texts: Of the training rows.
        targets: True where the label applies, shape (texts, n_labels).
        among: Fields of `WordsSettings`, each with the values to try in place of these.
        seed: Seeds which rows take part, and which of them judge.

    Returns:
        The defaults, or the first of the values given, without a try, where there are few rows or no label
        with both classes among those that judge, or where ``among`` leaves no choice; characters only where
        they help.
    """
    first = {name: values[0] for name, values in among.items()}
    if {*_USUAL, "C"} == {name for name, values in among.items() if len(values) == 1}:
        return Choice(WordsSettings(**first), (), 0, "settings as asked for: nothing to choose")
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(texts))[:MOST_ROWS]
    judges, fits = np.sort(rows[: len(rows) // 3]), np.sort(rows[len(rows) // 3 :])
    judged = targets[judges]
    labels = np.flatnonzero(judged.any(axis=0) & ~judged.all(axis=0))
    if len(rows) < LEAST_ROWS or not len(labels):
        which = "the first of the settings given" if first else "default settings"
        return Choice(WordsSettings(**first), (), 0, f"{which}: too few training rows to choose any")
    if len(labels) > MOST_LABELS:
        labels = np.sort(rng.permutation(labels)[:MOST_LABELS])
    fitted_targets, judged_targets = targets[np.ix_(fits, labels)], judged[:, labels]
    fitting, judging = [texts[row] for row in fits], [texts[row] for row in judges]

    @cache
    def family_vectors(*family: Any) -> tuple[csr_matrix, csr_matrix]:
        terms, vectors = fit_family(fitting, *family)
        return vectors, terms.transform(judging)

    tried: list[tuple[WordsSettings, float]] = []
    for values in product(*(among.get(name, usual) for name, usual in _USUAL.items())):
        settings = WordsSettings(**dict(zip(_USUAL, values, strict=True)))
        parts = [family_vectors(*family, settings.least_rows) for family in families_of(settings)]
        vectors, held_out = (joined(side) for side in zip(*parts, strict=True))
        figure = partial(_figure, vectors, fitted_targets, held_out, judged_targets)
        asked = among.get("C")
        for C, value in _climb(figure) if asked is None else ((C, figure(C)) for C in asked):  # noqa: N806
            tried.append((replace(settings, C=C), value))
    best = max(tried, key=lambda one: one[1])[0]
    return Choice(
        best,
        tuple(tried),
        len(rows),
        _note(best, rows=(len(rows), len(texts)), labels=(len(labels), targets.shape[1])),
    )


def _figure(
    vectors: csr_matrix,
    targets: Targets,
    held_out: csr_matrix,
    judged: Targets,
    C: float,  # noqa: N803
) -> float:
    """Return the mean of the labels' average precision on held-out rows, of regressions on the others."""
    from sklearn.metrics import average_precision_score

    weights, intercepts, _ = fit_regressions(vectors, targets, C)
    return float(average_precision_score(judged, held_out @ weights + intercepts))


def _climb(figure: Callable[[float], float]) -> Iterator[tuple[float, float]]:
    """Yield values of C with their figures, doubled or halved for as long as the figure rises."""
    low, high = _FIRST
    at = {low: figure(low), high: figure(high)}
    yield from at.items()
    best, factor = (high, 2.0) if at[high] > at[low] else (low, 0.5)
    while _LEAST <= best * factor <= _MOST:
        value = figure(best * factor)
        yield best * factor, value
        if value <= at[best]:
            return
        best *= factor
        at[best] = value


def _note(settings: WordsSettings, *, rows: tuple[int, int], labels: tuple[int, int]) -> str:
    of = "{:,} of {:,} training rows".format(*rows) if rows[0] < rows[1] else f"{rows[0]:,} training rows"
    by = ", judged by {:,} of {:,} labels".format(*labels) if labels[0] == MOST_LABELS < labels[1] else ""
    features = f"word 1- to {settings.word_ngrams}-grams" if settings.word_ngrams > 1 else "single words"
    if settings.char_ngrams:
        features += f", character 2- to {settings.char_ngrams}-grams"
    return f"{features}, C {settings.C:g}: chosen on {of}, a third of them held out{by}"
