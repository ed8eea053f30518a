"""What a bag of words is told: each key once, with its range, default and meaning."""

from __future__ import annotations

from typing import Annotated

from goemo.configuration.declared import declared, meaning
from goemo.configuration.rules import Number, whole


@declared
class WordsSettings:
    """How texts become features, and how strongly the weights of a bag of words are held back."""

    C: Annotated[
        float,
        Number(above=0, most=1_000_000),
        meaning("inverse strength of the L2 penalty, as in scikit-learn: smaller is stricter"),
    ] = 1.0
    word_ngrams: Annotated[
        int, whole(1, 5), meaning("words in a row that make one feature: from 1 up to this many")
    ] = 2
    char_ngrams: Annotated[
        int,
        whole(0, 8),
        meaning("characters in a row, within words, that make one feature: from 2 to this many; 0 for none"),
    ] = 5
    least_rows: Annotated[
        int, whole(1, most=1_000_000), meaning("training rows that a feature must occur in")
    ] = 2
