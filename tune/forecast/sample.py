"""Prepared data that the probe measures on: that of the search, or a stand-in whose timing predicts its own.

In a stand-in, every text is replaced by one of a few of about its length. So there are as many training texts
as in the search and batches of the same shapes, while the frozen encoder reads next to nothing.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goemo.frozen import number_sequences
from goemo.inference import choose_device
from goemo.models import load_config
from goemo.models.architectures import LAYERS, encoder_width, first_of
from goemo.tokens import TokenStore, evenly, some_texts, spread
from goemo.training.prepared import Prepared
from tune.forecast.setting import Setting

# Neighbours in the order of lengths: a pass over all texts pads next to nothing either.
_BLOCK = 16

# Floating-point operations of a forward pass that are worth timing: seconds on a core, moments on a GPU.
_OPERATIONS = {"cpu": 1e11, "cuda": 1e13}


def sample_of(setting: Setting, folder: Path) -> tuple[Path, float]:
    """Return what to measure on, and the seconds that the frozen encoder will take for what is missing.

    Args:
        setting: The model, and where its trials would run.
        folder: Where a stand-in is written, if it takes one.
    """
    prepared, missing, texts = setting.prepared, setting.missing, _texts_to_time(setting)
    lengths = sorted({c.max_length for c in setting.configurations})
    if missing is None or missing.sequences is None:
        if all(map(setting.reads_output, lengths)):
            return prepared.folder, 0.0
        return write_stand_in(prepared, folder, validation=texts).folder, 0.0
    # Where trials read vectors, all of validation is scored in no time.
    validation = len(prepared.tokens["validation"]) if missing.trainable == "head" else texts
    read: list[tuple[float, float]] = []  # tokens and seconds
    for some in (texts // 4, texts):
        shutil.rmtree(folder, ignore_errors=True)
        stand_in = write_stand_in(prepared, folder, texts=some, validation=validation)
        few = number_sequences(stand_in.tokens, lengths)
        started = time.perf_counter()
        replace(missing, folder=folder, tokens=stand_in.tokens, sequences=few).build(choose_device(None))
        read.append((float(few.lengths.sum()), time.perf_counter() - started))
    (tokens, seconds), (more, more_s) = read
    # What it takes however little it reads is in both; noise has no more than half of the say.
    per_token = np.clip((more_s - seconds) / max(1.0, more - tokens), more_s / more / 2, more_s / more)
    return stand_in.folder, float(per_token * missing.sequences.lengths.sum())


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
        stands_in = rows = spread(store, kept[split])
        if texts is not None:
            stands_in = representatives(store, texts if split == "train" else _BLOCK)[rows]
        some_texts(store, stands_in).save(folder / "tokens" / split)
        np.save(labels / f"targets-{split}.npy", prepared.targets[split][rows], allow_pickle=False)
    return Prepared.open(labels)


def representatives(store: TokenStore, texts: int) -> NDArray[np.int64]:
    """Return for each text the row of the one that stands for it: one of a few, of about its length."""
    order = np.argsort(np.diff(store.offsets), kind="stable")
    starts = evenly(max(1, len(order) // _BLOCK), max(1, texts // _BLOCK)) * _BLOCK
    few = np.concatenate([order[start : start + _BLOCK] for start in starts])
    rows = np.empty(len(order), dtype=np.int64)
    rows[order] = few[np.arange(len(order)) * len(few) // len(order)]
    return rows


def _texts_to_time(setting: Setting) -> int:
    """Return how many texts the whole model reads in about a second, by the size of its blocks."""
    device = choose_device(None).type if setting.per_trial["gpu"] else "cpu"
    config = load_config(setting.prepared.checkpoint.folder)
    per_token = 24 * encoder_width(config) ** 2 * first_of(config, *LAYERS, default=12)
    longest = max(c.max_length for c in setting.configurations)
    tokens = float(np.mean(setting.prepared.tokens["validation"].lengths(longest)))
    return max(64, int(_OPERATIONS[device] / (per_token * tokens)))
