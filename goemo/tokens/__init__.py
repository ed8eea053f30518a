"""Text as ragged token arrays, tokenized once per tokenizer and content, and the batches made of them."""

from goemo.tokens.some import evenly, some_texts, spread
from goemo.tokens.texts import (
    Batch,
    Side,
    Template,
    TokenStore,
)

__all__ = [
    "Batch",
    "Side",
    "Template",
    "TokenStore",
    "evenly",
    "some_texts",
    "spread",
]
