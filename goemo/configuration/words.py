"""Settings of a bag of words: each key once, with its range, default and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Annotated, Any

from goemo.configuration.declared import declared, meaning
from goemo.configuration.rules import Number, Text, whole
from goemo.configuration.settings import Measuring, Seed

CHECKPOINT = "words:tfidf"


@declared
class WordsSettings:
    """How texts become features, and how strongly the weights of a bag of words are held back."""

    C: Annotated[
        float,
        Number(above=0, most=1_000_000),
        meaning("inverse strength of the L2 penalty, as in scikit-learn: smaller regularises more"),
    ] = 1.0
    word_ngrams: Annotated[
        int, whole(1, 5), meaning("consecutive words that make one feature: from 1 to this many")
    ] = 2
    char_ngrams: Annotated[
        int,
        whole(0, 8),
        meaning("consecutive characters within words that make one feature: from 2 to this many; 0 for none"),
    ] = 5
    least_rows: Annotated[
        int, whole(1, most=1_000_000), meaning("training rows that a feature must occur in")
    ] = 2


@declared
class WordsConfiguration(Measuring, WordsSettings):
    """A bag of words to the last choice, as `goemo.configuration.Configuration` is one of an encoder."""

    checkpoint: Annotated[str, Text(example=CHECKPOINT), meaning("which features: `words:tfidf`")] = (
        CHECKPOINT
    )
    seed: Annotated[Seed, meaning("seeds which training rows choose the settings")] = 42

    @property
    def settings(self) -> WordsSettings:
        """What the model itself is told."""
        return WordsSettings(**{field.name: getattr(self, field.name) for field in fields(WordsSettings)})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for YAML and JSON."""
        values = asdict(self)
        del values["reports"]  # a fit is measured once, at its end
        return {"checkpoint": values.pop("checkpoint"), **values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WordsConfiguration:
        """Rebuild a configuration.

        Raises:
            ValueError: A key is unknown, or a value is not one that the key allows.
        """
        return cls(**values)
