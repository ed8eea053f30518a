"""The built-in corpus: a seeded generator of labelled emotional comments, any size.

It stands in for GoEmotions (Demszky et al. 2020) where no data can be downloaded, so it copies what
makes that data hard: the imbalance of the 28 labels, rows with two labels, neighbouring emotions
that share their words, sarcasm, side remarks, and annotators who disagree. Every text is put
together from the phrase banks beside this file; none is taken from a data set.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from goemo.data.sample.phrases import (
    CLOSERS,
    EMOJI,
    MENTIONS,
    NEGATIVE,
    NEIGHBOURS,
    OPENERS,
    PHRASES,
    PUBLISHED_ROWS,
    REMARKS,
    SHARED_BY,
    SLOTS,
    UNCOLOURED,
)
from goemo.data.taxonomy import GOEMOTIONS

DEFAULT_ROWS = 6_000
LEAST_ROWS = 300
MOST_ROWS = 1_000_000

BLOCKS = 10
RAREST_ROWS = 40  # at the default size: four rows of the rarest label in each tenth

_TWO_LABELS = 0.19  # of the rows that are not neutral-first; about a sixth of all rows
_MISREAD = 0.10  # annotators who heard a neighbouring emotion
_AMBIGUOUS = 0.16  # a phrase that several neighbouring emotions share
_SIDE_REMARK = 0.45
_NEUTRAL_WITH_EMOTION_WORD = 0.12

# ----------------------------------------------------------------------------------------------
# Which labels


def generate(rows: int, seed: int) -> list[tuple[str, tuple[str, ...]]]:
    """Write a corpus: the same rows for the same arguments, on every machine.

    Labels are as unequal as in GoEmotions, but none has fewer than 40 rows in 6,000 (fewer than one
    per cent below 4,000). The rows stand in ten blocks of equal shares of every label, so that cuts
    at tenths are stratified: from 1,000 rows, each label is in each tenth.

    Args:
        rows: Number of rows, at least ``LEAST_ROWS``.
        seed: Seeds every choice.

    Returns:
        Texts with their one or two labels, names of ``GOEMOTIONS`` in published order.

    Raises:
        ValueError: ``rows`` is below ``LEAST_ROWS``.
    """
    if rows < LEAST_ROWS:
        raise ValueError(f"rows must be at least {LEAST_ROWS}, got {rows}")
    rng = random.Random(seed)
    examples = []
    for label in _deal(rng, _label_counts(rows)):
        labels = _with_second_label(rng, label)
        examples.append((_write(rng, labels), tuple(sorted(labels, key=GOEMOTIONS.index))))
    return examples


def _label_counts(rows: int) -> dict[str, int]:
    """Return the rows that each label leads: published shares, rare labels lifted, neutral takes the rest."""
    floor = min(RAREST_ROWS, rows // 100)
    total = sum(PUBLISHED_ROWS.values())
    counts = {label: max(floor, round(rows * count / total)) for label, count in PUBLISHED_ROWS.items()}
    counts["neutral"] += rows - sum(counts.values())
    return counts


def _deal(rng: random.Random, counts: dict[str, int]) -> list[str]:
    """Return every label as often as counted, in ``BLOCKS`` shuffled blocks with equal shares of each."""
    ordered = [label for label, count in counts.items() for _ in range(count)]
    dealt = []
    for start in range(BLOCKS):
        block = ordered[start::BLOCKS]
        rng.shuffle(block)
        dealt += block
    return dealt


def _neighbour(rng: random.Random, label: str) -> str:
    return rng.choices(NEIGHBOURS[label], (5, 3, 2))[0]


def _with_second_label(rng: random.Random, label: str) -> list[str]:
    share = _TWO_LABELS / 2 if label == "neutral" else _TWO_LABELS
    return [label, _neighbour(rng, label)] if rng.random() < share else [label]


# ----------------------------------------------------------------------------------------------
# Which words


def _write(rng: random.Random, labels: Sequence[str]) -> str:
    """Return a comment that a reader could give these labels."""
    heard = [_neighbour(rng, label) if rng.random() < _MISREAD else label for label in labels]
    clauses = [_clause(rng, label) for label in heard]
    if rng.random() < _SIDE_REMARK:
        clauses.insert(rng.randrange(len(clauses) + 1), _fill(rng, rng.choice(REMARKS)))
    return _style(rng, _decorate(rng, _join(rng, clauses), heard[0]))


def _clause(rng: random.Random, label: str) -> str:
    if label == "neutral" and rng.random() < _NEUTRAL_WITH_EMOTION_WORD:
        return _fill(rng, rng.choice(MENTIONS))
    if rng.random() < _AMBIGUOUS:
        return _fill(rng, rng.choice(rng.choice(SHARED_BY[label])))
    return _fill(rng, rng.choice(PHRASES[label]))


def _fill(rng: random.Random, phrase: str) -> str:
    """Fill the slots of a phrase, and the slots of what fills them."""
    while "{" in phrase:
        phrase = re.sub(r"\{(\w+)\}", lambda slot: rng.choice(SLOTS[slot[1]]), phrase)
    return phrase


def _join(rng: random.Random, clauses: Sequence[str]) -> str:
    text = clauses[0]
    for clause in clauses[1:]:
        link = rng.choice((". ", ". ", "! ", ", ", " and ", " but ", "... ", " - "))
        text = text.rstrip("!?.") + link + clause if not text.endswith("?") else f"{text} {clause}"
    return text


def _decorate(rng: random.Random, text: str, label: str) -> str:
    """Put words around the text that say little, or nothing, about its label."""
    if rng.random() < 0.3:
        text = f"{rng.choice(OPENERS)} {text}"
    if rng.random() < 0.25:
        text = f"{text} {rng.choice(CLOSERS)}"
    elif text[-1].isalnum():
        text += rng.choice(("", ".", ".", "!"))
    if rng.random() < 0.2:
        text = f"{text} {rng.choice(EMOJI[_mood(rng, label)])}"
    return text


def _mood(rng: random.Random, label: str) -> str:
    if label in UNCOLOURED or rng.random() < 0.35:  # emoji are often ironic
        return "any"
    return "negative" if label in NEGATIVE else "positive"


def _swap_two_letters(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) - 1)
    if not (text[at : at + 2].isalpha() and text[at : at + 2].islower()):
        return text
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _stretch_a_vowel(rng: random.Random, text: str) -> str:
    vowels = [found.start() for found in re.finditer(r"[aeiou](?=\w?\b)", text)]
    if not vowels:
        return text
    at = rng.choice(vowels)
    return text[:at] + text[at] * rng.randint(3, 5) + text[at + 1 :]


# How people type: share of the texts, and what they do to it.
_STYLES: tuple[tuple[float, Callable[[random.Random, str], str]], ...] = (
    (0.55, lambda _, text: text[:1].upper() + text[1:]),
    (0.30, lambda _, text: text.lower().replace("[name]", "[NAME]")),
    (0.03, lambda _, text: text.upper()),
    (0.12, lambda _, text: text.replace("'", "")),
    (0.08, _swap_two_letters),
    (0.07, _stretch_a_vowel),
)


def _style(rng: random.Random, text: str) -> str:
    for share, change in _STYLES:
        if rng.random() < share:
            text = change(rng, text)
    return text
