"""TF-IDF of word or character n-grams: what one family of terms is, fitted, stored and applied.

Term frequencies are sublinear (1 + log tf), inverse document frequencies are smoothed, and each text's vector
has length 1 within its family, so that characters, which are many more, do not drown the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from goemo.configuration.words import WordsSettings

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

Family = Literal["word", "char_wb"]  # as scikit-learn calls its analyzers

# Punctuation is no noise here: "!", "?" and emoji carry emotion, and so do words of one letter.
_TOKEN = r"\w+|[^\w\s]"  # noqa: S105 - a pattern

# More terms than this are left out, the rarest first: a model of 28 labels stays below 50 MB.
MOST_TERMS = 200_000


@dataclass(frozen=True, eq=False)
class Terms:
    """One family of terms with their weights.

    Attributes:
        family: ``word``, or ``char_wb`` for characters within words.
        shortest: Words or characters of the shortest term.
        longest: Of the longest.
        vocabulary: The terms in the order of the columns; may be empty.
        idf: Inverse document frequency of each, shape (n_terms,).
    """

    family: Family
    shortest: int
    longest: int
    vocabulary: tuple[str, ...] = field(repr=False)
    idf: NDArray[np.float64] = field(repr=False)

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Return the TF-IDF vectors of texts, shape (texts, n_terms); texts without a known term are 0."""
        if not self.vocabulary:
            return csr_matrix((len(texts), 0), dtype=np.float64)
        return (
            csr_matrix(self._vectorizer.transform(texts)) if texts else csr_matrix((0, len(self.vocabulary)))
        )

    @cached_property
    def _vectorizer(self) -> TfidfVectorizer:
        known = {term: column for column, term in enumerate(self.vocabulary)}
        vectorizer = _vectorizer(self.family, self.shortest, self.longest, vocabulary=known)
        vectorizer.idf_ = self.idf
        return vectorizer


def families_of(settings: WordsSettings) -> list[tuple[Family, int, int]]:
    """Return the families that settings ask for, words first: each with its shortest and longest terms."""
    families: list[tuple[Family, int, int]] = [("word", 1, settings.word_ngrams)]
    if settings.char_ngrams:
        families.append(("char_wb", min(2, settings.char_ngrams), settings.char_ngrams))
    return families


def fit_family(
    texts: Sequence[str], family: Family, shortest: int, longest: int, least_rows: int
) -> tuple[Terms, csr_matrix]:
    """Learn one family of terms; return it with the vectors of the texts, shape (texts, n_terms)."""
    vectorizer = _vectorizer(family, shortest, longest, min_df=least_rows, max_features=MOST_TERMS)
    try:
        vectors = csr_matrix(vectorizer.fit_transform(texts))
    except ValueError:
        # All that is left to refuse: no term at all, or none in enough rows.
        terms = Terms(family, shortest, longest, (), np.empty(0))
        return terms, terms.transform(texts)
    vocabulary = tuple(str(term) for term in vectorizer.get_feature_names_out())
    return Terms(family, shortest, longest, vocabulary, np.asarray(vectorizer.idf_, np.float64)), vectors


def joined(families: Sequence[csr_matrix]) -> csr_matrix:
    """Return the vectors of texts in all families, side by side, from those in each."""
    return csr_matrix(hstack(families, format="csr")) if len(families) > 1 else families[0]


def _vectorizer(family: Family, shortest: int, longest: int, **options: Any) -> TfidfVectorizer:
    # scikit-learn takes seconds to import, also where an encoder's bundle is opened.
    from sklearn.feature_extraction.text import TfidfVectorizer

    pattern = {"token_pattern": _TOKEN} if family == "word" else {}
    return TfidfVectorizer(
        analyzer=family, ngram_range=(shortest, longest), sublinear_tf=True, **pattern, **options
    )
