"""Small data and a small pretrained-looking encoder, made in seconds and never downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from goemo.data import Split, Splits

WORDS = {
    "joy": ["happy", "glad", "wonderful", "yay", "smile"],
    "anger": ["hate", "furious", "damn", "angry", "rage"],
    "sadness": ["sad", "cry", "lonely", "tears", "miss"],
    "surprise": ["wow", "sudden", "unexpected", "what", "really"],
}
FILLERS = [
    "the",
    "a",
    "this",
    "that",
    "is",
    "was",
    "it",
    "of",
    "to",
    "and",
    "in",
    "my",
    "your",
    "day",
    "dog",
    "game",
    "movie",
    "today",
    "just",
    "so",
    "very",
    "much",
]


def _split(name: str, rows: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    targets = random.random((rows, len(WORDS))) < 0.3
    texts = []
    for row in targets:
        words = list(random.choice(FILLERS, size=random.integers(1, 30)))
        for names, applies in zip(WORDS.values(), row, strict=True):
            if applies:
                words.insert(random.integers(0, len(words) + 1), str(random.choice(names)))
        texts.append(" ".join(words))
    return Split(name, texts, targets, [f"{name}-{i}" for i in range(rows)], digest=f"{name}-{rows}-{seed}")


@pytest.fixture(scope="session")
def small_splits() -> Splits:
    """Return three splits of 4 labels, texts of 3 to 40 tokens, easy to learn."""
    return Splits(
        source="made:by-the-test",
        taxonomy="fine",
        labels=tuple(WORDS),
        train=_split("train", 203, 1),
        validation=_split("validation", 90, 2),
        test=_split("test", 70, 3),
        splitting="official",
        notes=(),
    )


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> str:
    """Return the folder of a BERT with weights: 2 layers of 32, dropout 0.1, words that no text has."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder: Path = tmp_path_factory.mktemp("checkpoints") / "tiny-bert"
    folder.mkdir()
    words = [word for names in WORDS.values() for word in names]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    unread = [f"unread{i}" for i in range(30)]  # a data set never reads all of a vocabulary
    vocabulary = {token: i for i, token in enumerate([*special, *words, *FILLERS, *unread])}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary) - len(unread),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = BertModel(config)
    model.resize_token_embeddings(len(vocabulary), mean_resizing=False)
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """Return a cache that the tests of a session share, as searches do."""
    return tmp_path_factory.mktemp("cache")
