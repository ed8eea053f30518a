"""One architecture, trained for a moment by the engine and scored by plain transformers, text by text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tiny_encoders import WORDS, write_folder

from goemo.configuration import Configuration
from goemo.data import Split, Splits
from goemo.errors import InputError
from goemo.models import train_mode
from goemo.models.padding import reads_one_length, row_logits, trained_logits
from goemo.training import TrainingRun
from goemo.training.prepared import prepare

LABELS = ("joy", "anger", "fear")
_MAX_LENGTH = 12

# Without any dropout, too: the router of PhiMoE draws numbers.
_RANDOM_IN_TRAINING = ("phimoe",)

# The columns of the table in docs/encoders.md.
WAYS: dict[str, dict[str, object]] = {
    "all": {"trainable": "all"},
    "last_layer": {"trainable": "last_layer"},
    "head": {"trainable": "head"},
    "mean": {"trainable": "head", "pooling": "mean"},
    "cached head": {"trainable": "head", "cached": True},
    "cached last_layer": {"trainable": "last_layer", "cached": True},
}


@dataclass(frozen=True)
class Cell:
    """What became of one training.

    Attributes:
        word: ``same``, ``same, one length`` (no text is padded), or ``refused``.
        reason: Why it was refused, or what stepped aside.
    """

    word: str
    reason: str = ""


def _split(name: str, rows: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, size=size)) for size in random.integers(1, 9, rows)]
    targets = random.random((rows, len(LABELS))) < 0.4
    return Split(name, texts, targets, [f"{name}-{i}" for i in range(rows)], digest=f"{name}-{rows}-{seed}")


SPLITS = Splits(
    source="made:by-the-test",
    taxonomy="fine",
    labels=LABELS,
    train=_split("train", 24, 1),
    validation=_split("validation", 8, 2),
    test=_split("test", 4, 3),
    splitting="official",
    notes=(),
)


def cell(
    folder: Path,
    kind: str,
    *,
    trainable: str = "all",
    pooling: str = "first",
    cached: bool = False,
    side: str = "right",
    mixed_precision: str = "none",
    dropout: float = 0.0,
) -> Cell:
    """Train one way; return what became of it.

    Raises:
        AssertionError: Scores or gradients are not those of plain transformers.
    """
    checkpoint = folder / f"{kind}-{side}"
    if not checkpoint.is_dir():
        try:
            write_folder(checkpoint, kind, LABELS, side=side)
        except ImportError:  # of a package that this architecture needs; the engine says so, too
            return Cell("refused", "transformers needs another package for it")
    configuration = Configuration(
        checkpoint=str(checkpoint),
        trainable=trainable,
        pooling=pooling,
        mixed_precision=mixed_precision,
        dropout=dropout,
        batch_size=8,
        learning_rate=1e-3,
        epochs=1,
        max_length=_MAX_LENGTH,
        reports=1,
    )
    try:
        prepared = prepare(
            SPLITS,
            str(checkpoint),
            trainable=trainable if cached or pooling == "mean" else "all",
            pooling=pooling,
            max_lengths=[_MAX_LENGTH],
            cache=folder / f"cache-{cached}",
            device="cpu",
        )
        run = TrainingRun(configuration, prepared, device="cpu")
    except InputError as error:
        return Cell("refused", error.problems[0])
    _check_gradients(run, dropout)
    report = run.advance()
    assert np.isfinite(report.metrics["train/loss"])
    _check_scores(run)
    is_one_length = reads_one_length(run._model)
    if cached and type(run._inputs).__name__ == "TokenInputs":
        return Cell("plain path", "; ".join(run.notes))
    return Cell("same, one length" if is_one_length else "same", "; ".join(run.notes))


def _check_gradients(run: TrainingRun, dropout: float) -> None:
    """Compare those of a batch with the plain model's, of each text alone; with dropout, look at them."""
    rows = np.arange(8)
    steps, store = run._plain_steps, run.prepared.tokens["train"]
    train_mode(run._inputs.view, run.configuration.trainable)
    if run._model.config.model_type in _RANDOM_IN_TRAINING and not dropout:
        run._inputs.view.eval()
    with run._own_random():
        steps.accumulate(steps.pieces(rows, torch.arange(8)))
    found = _gradients(run)
    steps.drop_gradients()
    assert found
    assert all(bool(gradient.isfinite().all()) for gradient in found.values())
    if dropout:
        return
    run._model.eval()
    logits = torch.cat([trained_logits(run._model, store, rows[i : i + 1], _MAX_LENGTH) for i in rows])
    targets = torch.from_numpy(run.prepared.targets["train"][rows].astype(np.float32))
    torch.nn.functional.binary_cross_entropy_with_logits(logits, targets).backward()
    expected = _gradients(run)
    steps.drop_gradients()
    assert found.keys() == expected.keys()
    norm = torch.stack([gradient.norm() for gradient in expected.values()]).norm()
    distance = torch.stack([(found[name] - expected[name]).norm() for name in expected]).norm()
    # Eight bits of random weights: up to .2, of umT5.
    tolerance = 0.3 if run.mixed_precision == "bfloat16" else 1e-3
    assert distance <= tolerance * norm, f"gradients differ by {float(distance / norm):.2g} of their norm"


def _gradients(run: TrainingRun) -> dict[str, torch.Tensor]:
    return {n: p.grad.to_dense().clone() for n, p in run._trained.items() if p.grad is not None}


def _check_scores(run: TrainingRun) -> None:
    store = run.prepared.tokens["validation"]
    scores = run.scores("validation")
    with run.best_model() as plain:
        rows = np.arange(len(store))
        alone = torch.cat([row_logits(plain, store, rows[i : i + 1], _MAX_LENGTH) for i in rows])
    difference = float(np.abs(scores - alone.sigmoid().numpy()).max())
    assert difference <= 1e-4, f"scores differ by {difference:.2g} from those of one text at a time"
