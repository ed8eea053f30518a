"""Should an encoder learn what a bag of words does not say? Evidence for docs/decisions/013.

    python benchmarks/offset.py [--data FOLDER] [--trainable head|all] [--rows N] [--epochs N]

A blend averages the logits of a bag of words and of an encoder that were trained apart. The other way: the
logits of the bag of words are a fixed offset of the encoder's while it trains, so that its gradients are of
what the words leave unexplained. On training rows they come from the folds that a row is not in, as they will
be on new rows. Both ways train the same MiniLM (mean of the tokens, linear head) from the same weights with
the same batches, written plainly, and are judged alike: thresholds cross-fitted on validation, differences
paired on the same rows, and the test split with thresholds of validation.

The frozen encoder, all of the training rows: a quarter of an hour of one CPU core. `--trainable all` has
not been run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from measuring import MINILM, find_goemotions, hardware, say, table
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import AutoModel, AutoTokenizer, get_linear_schedule_with_warmup

from goemo.blending import Candidate, find_blend
from goemo.data import Split, load_splits
from goemo.evaluation import as_kept
from goemo.models.checkpoints import resolve_checkpoint
from goemo.significance import bootstrap, compare
from goemo.thresholds import apply_thresholds, cross_fitted_predictions, fit_thresholds
from goemo.words import choose_settings, fit_words, scores_of

FOLDS = 5
MAX_LENGTH = 48
BATCH_SIZE = {"head": 16, "all": 64}
LEARNING_RATE = {"head": 1e-3, "all": 2e-4}

Logits = NDArray[np.float64]


class Encoder(nn.Module):
    """MiniLM, the mean of its tokens, and a linear head."""

    def __init__(self, folder: Path, labels: int) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder)
        self.head = nn.Linear(self.encoder.config.hidden_size, labels)

    def features(self, tokens: Sequence[list[int]]) -> Tensor:
        """Return the mean of the tokens' vectors, shape (texts, width)."""
        longest = max(len(one) for one in tokens)
        ids = torch.tensor([one + [0] * (longest - len(one)) for one in tokens])
        mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in tokens])
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def words_logits(train: Split, others: Sequence[Split]) -> tuple[Logits, list[Logits]]:
    """Return the logits of a bag of words: of training rows by the folds they are not in, and of others."""
    settings = choose_settings(train.texts, train.targets).settings
    say(f"bag of words: {settings}")
    fold_of = np.random.default_rng(0).integers(FOLDS, size=len(train))
    crossed = np.empty(train.targets.shape)
    for fold in range(FOLDS):
        rest, held = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        model = fit_words([train.texts[row] for row in rest], train.targets[rest], settings)
        crossed[held] = model.logits([train.texts[row] for row in held])
    whole = fit_words(train.texts, train.targets, settings)
    return crossed, [whole.logits(split.texts) for split in others]


def batches(lengths: NDArray[np.int64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield batches of rows of similar length, in random order."""
    order = rng.permutation(len(lengths))
    chunks = [order[start : start + 50 * size] for start in range(0, len(order), 50 * size)]
    rows = np.concatenate([chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks])
    found = [rows[start : start + size] for start in range(0, len(rows), size)]
    yield from (found[number] for number in rng.permutation(len(found)))


class Training:
    """The trainings that are compared: the same texts, batches and first weights."""

    def __init__(self, splits: Sequence[Split], trainable: str, epochs: int) -> None:
        self.targets = torch.tensor(splits[0].targets, dtype=torch.float32)
        self.trainable, self.epochs = trainable, epochs
        self.folder = resolve_checkpoint(MINILM, texts=None, cache=Path("build/offset")).folder
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self.tokens = [
            tokenizer(list(split.texts), truncation=True, max_length=MAX_LENGTH)["input_ids"]
            for split in splits
        ]
        self.frozen = self._frozen() if trainable == "head" else None

    def _model(self) -> Encoder:
        torch.manual_seed(42)
        return Encoder(self.folder, self.targets.shape[1])

    @torch.no_grad()
    def _encode(self, model: Encoder, tokens: Sequence[list[int]]) -> Tensor:
        model.eval()
        order = np.argsort([len(one) for one in tokens], kind="stable")
        found = torch.empty(len(tokens), model.head.in_features)
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            found[rows] = model.features([tokens[row] for row in rows])
        return found

    def _frozen(self) -> list[Tensor]:
        model = self._model()
        return [self._encode(model, tokens) for tokens in self.tokens]

    def run(self, offset: Logits | None) -> list[Logits]:
        """Train, and return the encoder's own logits of the other splits, without the offset."""
        model = self._model()
        size = BATCH_SIZE[self.trainable]
        weights = model.head.parameters() if self.frozen else model.parameters()
        steps = self.epochs * -(-len(self.targets) // size)
        optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE[self.trainable], weight_decay=1e-2)
        schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
        added = None if offset is None else torch.tensor(offset, dtype=torch.float32)
        lengths = np.array([len(one) for one in self.tokens[0]])
        rng = np.random.default_rng(42)
        for epoch in range(self.epochs):
            model.train()
            total = 0.0
            for rows in batches(lengths, size, rng):
                if self.frozen:
                    features = self.frozen[0][rows]
                else:
                    features = model.features([self.tokens[0][row] for row in rows])
                logits = model.head(features)
                if added is not None:
                    logits = logits + added[rows]
                loss = binary_cross_entropy_with_logits(logits, self.targets[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                schedule.step()
                total += float(loss.detach()) * len(rows)
            say(f"epoch {epoch + 1}: training loss {total / len(self.targets):.4f}")
        frozen = self.frozen or [self._encode(model, tokens) for tokens in self.tokens]
        with torch.no_grad():
            return [model.head(features).double().numpy() for features in frozen[1:]]


def main() -> None:
    """Train both ways and print what each is worth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the published GoEmotions files")
    parser.add_argument("--trainable", choices=["head", "all"], default="head")
    parser.add_argument("--rows", type=int, help="training rows drawn for the encoder and the words")
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    loaded = load_splits(f"dir:{find_goemotions(options.data)}")
    train = loaded.train
    if options.rows:
        drawn = np.sort(np.random.default_rng(0).permutation(len(train))[: options.rows])
        train = Split("train", [train.texts[row] for row in drawn], train.targets[drawn], [], "")
    splits = [train, loaded.validation, loaded.test]
    crossed, words = words_logits(train, splits[1:])
    training = Training(splits, options.trainable, options.epochs)
    alone, offset = training.run(None), training.run(crossed)
    print(table(*compared(words, alone, offset, loaded.validation, loaded.test)))
    print(f"\n{hardware()}")


def compared(
    words: Sequence[Logits], alone: Sequence[Logits], offset: Sequence[Logits], *splits: Split
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: macro-F1 of each way on validation and test, and what it has over the blend."""
    ways = {
        "bag of words": [scores_of(one) for one in words],
        "encoder": [scores_of(one) for one in alone],
        "offset": [scores_of(one + other) for one, other in zip(words, offset, strict=True)],
    }
    validation, test = splits
    kept = {name: [as_kept(one) for one in scores] for name, scores in ways.items()}
    chosen = find_blend(
        [Candidate(name, name, kept[name][0]) for name in ("bag of words", "encoder")], validation.targets
    )
    weights = {member.name: member.weight for member in chosen.members}
    say(f"blend: {weights}")
    kept["blend"] = [
        as_kept(scores_of(weights.get("bag of words", 0) * one + weights.get("encoder", 0) * other))
        for one, other in zip(words, alone, strict=True)
    ]
    predicted = {
        name: (
            chosen.predictions if name == "blend" else cross_fitted_predictions(one, validation.targets),
            apply_thresholds(other, fit_thresholds(one, validation.targets)),
        )
        for name, (one, other) in kept.items()
    }
    cells: dict[str, list[str]] = {name: [name] for name in predicted}
    for place, split in enumerate((validation, test)):
        draws = dict(
            zip(
                predicted,
                bootstrap(split.targets, *(pair[place] for pair in predicted.values())),
                strict=True,
            )
        )
        for name, drawn in draws.items():
            paired = compare(drawn, draws["blend"])
            over = f"{paired.difference:+.3f} [{paired.low:+.3f}, {paired.high:+.3f}]"
            cells[name] += [f"{drawn.estimate('macro_f1'):.3f}", "" if name == "blend" else over]
    header = ["model", "validation macro-F1", "over the blend", "test macro-F1", "over the blend"]
    return header, list(cells.values())


if __name__ == "__main__":
    main()
