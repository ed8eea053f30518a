"""Reduced vocabulary: during training, a model's word embedding has only the rows that its texts use.

A data set reads a part of a vocabulary: GoEmotions has 17,957 of the 30,522 tokens of BERT. The rows of the
others get no gradient, yet an optimizer would read and write them and their moments in every step. Where they
are left out, they keep the values that they had: weight decay does not shrink what the data never reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class ReducedEmbedding(nn.Embedding):
    """Some rows of a word embedding, read by the token ids of the whole.

    Args:
        whole: The embedding.
        tokens: The ids whose rows are copied, each once, int64, shape (rows,), on its device.
    """

    def __init__(self, whole: nn.Embedding, tokens: Tensor) -> None:
        # An id whose row is not there fails in the look-up.
        places = tokens.new_full((whole.num_embeddings,), -1)
        places[tokens] = torch.arange(len(tokens), device=tokens.device)
        pad = None if whole.padding_idx is None else int(places[whole.padding_idx])
        super().__init__(len(tokens), whole.embedding_dim, pad, _weight=whole.weight.detach()[tokens])
        self.places: Tensor
        self.register_buffer("places", places, persistent=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """Return the rows of token ids, of any shape."""
        return super().forward(self.places[input])


class ReducedVocabulary:
    """A model whose word embedding is reduced to some tokens, and what makes it whole again.

    Args:
        model: Any classifier whose word embedding trains; it is changed, and trains the reduced one from now
            on.
        tokens: Ids of all tokens that it will read, each once, the padding token among them, on its device.
    """

    def __init__(self, model: Any, tokens: Tensor) -> None:
        self._model, self._tokens = model, tokens
        self._whole: nn.Embedding = model.get_input_embeddings()
        self._cut = ReducedEmbedding(self._whole, self._tokens)
        model.set_input_embeddings(self._cut)

    @contextmanager
    def made_whole(self) -> Iterator[None]:
        """Give the model its whole vocabulary, with the rows as they are trained now."""
        with torch.no_grad():
            self._whole.weight.index_copy_(0, self._tokens, self._cut.weight)
        self._model.set_input_embeddings(self._whole)
        try:
            yield
        finally:
            self._model.set_input_embeddings(self._cut)


def reduce_vocabulary(model: Any, tokens: NDArray[np.int64]) -> ReducedVocabulary | None:
    """Reduce a model's vocabulary to the tokens that it will read; None where that leaves nothing out.

    Args:
        model: Any classifier. Its parameters keep their names; the word embedding is another one.
        tokens: Ids of all tokens of its texts, special tokens included.
    """
    try:
        words = model.get_input_embeddings()
    except NotImplementedError:  # raised by transformers for kinds that have none: CANINE hashes characters
        return None
    # Kinds that scale what they look up, say, are called in ways of their own.
    if type(words) is not nn.Embedding or words.max_norm is not None or not words.weight.requires_grad:
        return None
    # A model may put tokens of its own before the text, as a decoder does.
    own = [value for name, value in model.config.to_dict().items() if name.endswith("_token_id")]
    own = [i for i in (*own, words.padding_idx) if isinstance(i, int) and 0 <= i < words.num_embeddings]
    read = np.union1d(tokens, np.array(own, dtype=np.int64))
    if len(read) == words.num_embeddings:
        return None
    return ReducedVocabulary(model, torch.from_numpy(read).to(words.weight.device))
