"""A stand-in for the prepared data of a search, with a few distinct texts, whose timing predicts that of all.

Every text is replaced by one of a few of about its length. So there are as many training texts as in the
search and batches of the same shapes, while the frozen encoder reads next to nothing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from goemo.frozen import number_sequences
from goemo.frozen.output import MissingOutput
from goemo.tokens import TokenStore, evenly, some_texts, spread
from goemo.training.prepared import Prepared

# Neighbours in the order of lengths: a pass over all texts pads next to nothing either.
_BLOCK = 16


def write_stand_in(
    prepared: Prepared, folder: Path, *, validation: int, texts: int | None = None
) -> Prepared:
    """Write a stand-in, and open it.

    Args:
        prepared: What the search will train on.
        folder: Where to.
        validation: Texts of the validation split, at most.
        texts: Distinct training texts, about; None for all of them, and of validation.
    """
    labels = folder / "labels" / "sample"
    for made in (labels, folder / "tokens"):
        made.mkdir(parents=True)
    shutil.copyfile(prepared.folder / "prepared.json", labels / "prepared.json")
    kept = {"train": len(prepared.tokens["train"]), "validation": validation, "test": 1}
    for split, store in prepared.tokens.items():
        rows = spread(store, kept[split])
        stands_in = rows
        if texts is not None:
            stands_in = representatives(store, texts if split == "train" else _BLOCK)[rows]
        some_texts(store, stands_in).save(folder / "tokens" / split)
        np.save(labels / f"targets-{split}.npy", prepared.targets[split][rows], allow_pickle=False)
    return Prepared.open(labels)


def representatives(store: TokenStore, texts: int) -> NDArray[np.int64]:
    """Return for each text the row of the one that stands for it: one of a few, of about its length."""
    order = np.argsort(np.diff(store.offsets), kind="stable")
    blocks = max(1, len(order) // _BLOCK)
    starts = evenly(blocks, max(1, texts // _BLOCK)) * _BLOCK
    few = np.concatenate([order[start : start + _BLOCK] for start in starts])
    rows = np.empty(len(order), dtype=np.int64)
    rows[order] = few[np.arange(len(order)) * len(few) // len(order)]
    return rows


def read_some(
    prepared: Prepared,
    missing: MissingOutput,
    folder: Path,
    *,
    lengths: Iterable[int],
    texts: int,
    validation: int,
    device: torch.device,
) -> tuple[Prepared, float]:
    """Let the frozen encoder read the texts of a stand-in; return that, and the seconds for all output.

    Args:
        prepared: What the search will train on.
        missing: Output of the frozen encoder that the search will compute.
        folder: Where the stand-in is written, with its output.
        lengths: Every maximum length of the trials, those too whose output is there: of other texts.
        texts: Distinct training texts that are read, about.
        validation: Texts of the validation split, at most.
        device: Where the encoder reads.
    """
    assert missing.sequences is not None
    read: list[tuple[float, float]] = []  # tokens and seconds
    for some in (texts // 4, texts):
        shutil.rmtree(folder, ignore_errors=True)
        stand_in = write_stand_in(prepared, folder, texts=some, validation=validation)
        few = number_sequences(stand_in.tokens, [*lengths])
        started = time.perf_counter()
        replace(missing, folder=folder, tokens=stand_in.tokens, sequences=few).build(device)
        read.append((float(few.lengths.sum()), time.perf_counter() - started))
    (tokens, seconds), (more, more_s) = read
    # What it takes however little it reads is in both; noise has no more than half of the say.
    per_token = np.clip((more_s - seconds) / max(1.0, more - tokens), more_s / more / 2, more_s / more)
    return stand_in, float(per_token * missing.sequences.lengths.sum())
