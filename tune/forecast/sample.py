"""A subset of the prepared data of a search, whose timing predicts that of the whole.

The training texts are all there, so that batches are those of the search. Validation and test are reduced to
a few texts. The frozen encoder has read a few sequences for every maximum length, and every text stands on
one of about its own length.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from goemo.frozen import Sequences, output_folders
from goemo.frozen.output import MissingOutput, output_name, output_parent
from goemo.tokens import evenly, some_texts, spread
from goemo.training.prepared import Prepared

Rows = NDArray[np.int64]

# Sequences that are read together, of one length: enough for a pass of short texts.
_BLOCK = 16

# A first look says how many sequences fit into the time; the next has up to so many times as many.
_FIRST_LOOK = 2 * _BLOCK
_FASTER = 20.0


@dataclass(frozen=True)
class Sample:
    """The stand-in, and what it took.

    Attributes:
        folder: For `goemo.training.prepared.Prepared.open`.
        encoder_s: Seconds that the frozen encoder will take for all that is missing; 0 where nothing is.
    """

    folder: Path
    encoder_s: float = 0.0


@contextmanager
def sample_of(
    prepared: Prepared,
    missing: MissingOutput | None,
    *,
    rows: int,
    seconds: float,
    device: torch.device,
    parent: Path,
) -> Iterator[Sample]:
    """Yield a stand-in for prepared data, which goes with the context.

    Args:
        prepared: What the search will train on.
        missing: Output of the frozen encoder that the search will compute.
        rows: Texts of validation, and of test, that are kept at most.
        seconds: About how long the encoder may read.
        device: Where it does.
        parent: Folder, shared by all machines, that the stand-in is made in.
    """
    with tempfile.TemporaryDirectory(prefix=".goemo-partial-", dir=parent) as made:
        texts = Path(made)
        folder = texts / "labels" / "sample"
        chosen = {name: spread(store, rows) for name, store in prepared.tokens.items() if name != "train"}
        _write(prepared, chosen, folder)
        if missing is None or missing.sequences is None:
            # Else the probe would run the encoder.
            for output in (prepared.texts_folder / "prefix").glob("*"):
                _link_output(prepared.texts_folder, texts, output.name)
            yield Sample(folder)
            return
        name = output_name(missing.trainable, missing.pooling)
        most, all_of_them = _FIRST_LOOK, len(missing.sequences)
        while True:
            _link_output(prepared.texts_folder, texts, output_parent(texts, name).name)
            taken_s, tokens = _read(missing, most, chosen, texts, device)
            if taken_s >= seconds / 2 or most >= all_of_them:
                break
            # The first look is slow, for it also warms up: what it promises is taken with caution.
            most = int(most * min(_FASTER, max(2.0, seconds / taken_s)))
            shutil.rmtree(output_parent(texts, name))
        yield Sample(folder, taken_s / tokens * float(missing.sequences.lengths.sum()))


def some_sequences(sequences: Sequences, most: int, chosen: Mapping[str, Rows]) -> Sequences:
    """Return a few of the sequences, with every text on one of about its length.

    For each maximum length they come from the split with most of them, evenly spread over the order of
    lengths, in runs of neighbours as in a pass over all of them.

    Args:
        sequences: All of them.
        most: About how many of them for each maximum length.
        chosen: Texts that are kept, by split; of a split without an entry, all.
    """
    stands_for = np.zeros(len(sequences), dtype=np.int64)
    lengths: list[NDArray[np.int64]] = []
    sources: dict[tuple[str, int], tuple[Rows, Rows]] = {}
    taken = 0
    for max_length in sequences.max_lengths:
        groups = {split: at for (split, length), at in sequences.sources.items() if length == max_length}
        split = max(groups, key=lambda name: len(groups[name][0]))
        numbers, texts = groups[split]
        if not len(numbers):
            continue
        order = np.argsort(-sequences.lengths[numbers], kind="stable")
        some = order[_runs(len(order), most)]
        sources[split, max_length] = (np.arange(taken, taken + len(some)), texts[some])
        lengths.append(sequences.lengths[numbers[some]])
        for others, _ in groups.values():
            by_length = others[np.argsort(-sequences.lengths[others], kind="stable")]
            place = np.arange(len(others)) * len(some) // max(1, len(others))
            stands_for[by_length] = taken + place
        taken += len(some)
    kept = {
        name: numbers[:, chosen[name]] if name in chosen else numbers
        for name, numbers in sequences.rows.items()
    }
    return Sequences(
        sequences.max_lengths,
        {name: stands_for[numbers] for name, numbers in kept.items()},
        np.concatenate(lengths),
        sources,
    )


def _runs(n: int, most: int) -> Rows:
    """Return about ``most`` of 0..n-1 in runs of neighbours that are evenly spread."""
    if n <= most:
        return np.arange(n)
    starts = evenly(n // _BLOCK, max(1, most // _BLOCK)) * _BLOCK
    return np.concatenate([np.arange(start, min(start + _BLOCK, n)) for start in starts])


def _write(prepared: Prepared, chosen: Mapping[str, Rows], folder: Path) -> None:
    tokens = folder.parent.parent / "tokens"
    for made in (folder, tokens):
        made.mkdir(parents=True)
    shutil.copyfile(prepared.folder / "prepared.json", folder / "prepared.json")
    (folder / "targets-train.npy").symlink_to((prepared.folder / "targets-train.npy").resolve())
    (tokens / "train").symlink_to((prepared.texts_folder / "tokens" / "train").resolve())
    for name, rows in chosen.items():
        some_texts(prepared.tokens[name], rows).save(tokens / name)
        np.save(folder / f"targets-{name}.npy", prepared.targets[name][rows], allow_pickle=False)


def _link_output(source: Path, folder: Path, kind: str) -> None:
    """Let what an earlier search has computed be found in the stand-in too.

    Args:
        source: Of the prepared texts.
        folder: Of the texts of the stand-in.
        kind: Folder of the output in ``prefix``, see `goemo.frozen.output.output_parent`.
    """
    for output in output_folders(source / "prefix" / kind):
        link = folder / "prefix" / kind / output.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(output.resolve())


def _read(
    missing: MissingOutput, most: int, chosen: Mapping[str, Rows], folder: Path, device: torch.device
) -> tuple[float, float]:
    """Let the encoder read a few sequences; return the seconds and the tokens."""
    assert missing.sequences is not None
    few = some_sequences(missing.sequences, most, chosen)
    started = time.perf_counter()
    replace(missing, folder=folder, sequences=few).build(device)
    return time.perf_counter() - started, float(few.lengths.sum())
