"""What all trials of a search share: tokens, targets, the checkpoint, and features of a frozen encoder.

It is made once and lies in a folder of its own, named for what it is made from:

    CACHE/prepared/DIGEST/
        prepared.json            labels, checkpoint, facts of the data
        tokens/SPLIT/            tokens of one split, see goemo.tokens
        targets-SPLIT.npy        bool, shape (texts, labels)
        prefix/POOLING-SOFTWARE/LENGTHS/
                                 features of a frozen encoder, see goemo.prefix; added when first needed

Texts are not kept: nothing that trains needs them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from goemo.data import Splits
from goemo.errors import GoemoError, InputError
from goemo.files import built_folder
from goemo.inference import choose_device
from goemo.models import Checkpoint, build_model, load_tokenizer, reads_one_token, resolve_checkpoint
from goemo.models.pooling import MEAN_BLOCK_VERSION, MEAN_SCALE
from goemo.prefix import FrozenFeatures, feature_bytes
from goemo.tokens import TokenStore

SPLITS = ("train", "validation", "test")

# Called with the stage ("tokens", "features"), what is done and what there is to do.
StageProgress = Callable[[str, int, int], None]

# Beyond this, most features would be read by one trial or none.
_MOST_LENGTHS = 64

# Part of every digest: raise it when the layout of the folder changes.
_LAYOUT = 1


@dataclass(frozen=True)
class Prepared:
    """Everything that trials share, memory-mapped.

    Attributes:
        folder: Where it lies; all that another process needs, see ``Prepared.open``.
        labels: Names in the order of the targets' columns.
        checkpoint: Where the encoder comes from.
        targets: For ``train``, ``validation`` and ``test``: bool, shape (texts, labels).
        tokens: For the same splits.
        data: Facts: ``source``, ``taxonomy``, ``splitting``, ``notes``, ``digest``, ``examples`` by split.
    """

    folder: Path
    labels: tuple[str, ...]
    checkpoint: Checkpoint
    targets: Mapping[str, NDArray[np.bool_]]
    tokens: Mapping[str, TokenStore]
    data: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Prepared:
        """Open what ``prepare`` made, in milliseconds.

        Raises:
            GoemoError: It is not there, or not whole.
        """
        folder = Path(folder)
        try:
            facts = json.loads((folder / "prepared.json").read_text(encoding="utf-8"))
            return cls(
                folder=folder,
                labels=tuple(facts["labels"]),
                checkpoint=Checkpoint.from_dict(facts["checkpoint"]),
                targets={
                    split: np.load(folder / f"targets-{split}.npy", mmap_mode="r", allow_pickle=False)
                    for split in SPLITS
                },
                tokens={split: TokenStore.open(folder / "tokens" / split) for split in SPLITS},
                data=facts["data"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GoemoError(
                f"{folder}: no prepared data that can be read ({error}); delete the folder and prepare again"
            ) from error

    def frozen_features(self, pooling: str, max_length: int) -> FrozenFeatures | None:
        """Return features that cover a maximum length, or None where this software has computed none.

        Of several, those computed first: what a trial gets does not change when others are added.
        """
        for folder in self._prefix_folders(pooling):
            features = FrozenFeatures.open(folder)
            if max_length in features.max_lengths:
                return features
        return None

    def joined(self) -> Prepared:
        """Return the same data with the validation rows behind the training rows, and no validation split.

        For the final model, once everything has been chosen: a training on it cannot look at validation,
        because there is none. It is the training that a source would give whose ``train`` has both parts in
        this order. ``data`` says ``trained_on: train+validation``, with a digest of its own.
        """
        train, validation = self.tokens["train"], self.tokens["validation"]
        rows = [self.targets[split] for split in ("train", "validation")]
        examples = {"train": len(rows[0]) + len(rows[1]), "test": len(self.targets["test"])}
        digest = hashlib.sha256(f"train+validation {self.data['digest']}".encode()).hexdigest()
        facts = {"trained_on": "train+validation", "digest": digest, "examples": examples}
        return _Joined(
            folder=self.folder,
            labels=self.labels,
            checkpoint=self.checkpoint,
            targets={"train": np.concatenate(rows), "test": self.targets["test"]},
            tokens={"train": _one_after_the_other(train, validation), "test": self.tokens["test"]},
            data={**self.data, **facts},
        )

    def _prefix_folders(self, pooling: str) -> list[Path]:
        files = _prefix_folder(self.folder, pooling).glob("[!.]*/prefix.json")
        return [p.parent for p in sorted(files, key=lambda p: (p.stat().st_mtime_ns, p))]


@dataclass(frozen=True)
class _Joined(Prepared):
    """What ``Prepared.joined`` gives; its folder still holds the splits apart."""

    def frozen_features(self, pooling: str, max_length: int) -> FrozenFeatures | None:
        """Return the features of the splits apart, with their rows joined as the splits are."""
        features = super().frozen_features(pooling, max_length)
        if features is None:
            return None
        rows = features.rows  # (maximum lengths, texts) each
        both = np.concatenate([rows["train"], rows["validation"]], axis=1)
        return replace(features, rows={"train": both, "test": rows["test"]})

    def joined(self) -> Prepared:
        """Return itself: nothing is left to join."""
        return self


def _one_after_the_other(first: TokenStore, second: TokenStore) -> TokenStore:
    """Return the texts of both stores, which one tokenizer made."""
    offsets = np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]])
    return TokenStore(np.concatenate([first.ids, second.ids]), offsets, first.template)


def prepare(
    splits: Splits,
    checkpoint_name: str,
    *,
    trainable: str,
    pooling: str = "first",
    max_lengths: Sequence[int],
    cache: Path,
    device: str | torch.device | None = None,
    on_progress: StageProgress | None = None,
) -> Prepared:
    """Make what all trials of a search share, or open it where an earlier search has made it.

    Features of the encoder are computed where only the head trains, reads one token, and the encoder has
    weights of its own; random weights depend on the seed of a trial. For more than 64 new maximum lengths
    there are none, and trials read tokens.

    Args:
        splits: The data.
        checkpoint_name: As in a search space.
        trainable: ``all``, ``last_layer`` or ``head``.
        pooling: ``first`` or ``mean``.
        max_lengths: Every maximum length that a trial may ask for.
        cache: Folder for what is made; may be shared by searches that run at the same time.
        device: Where features are computed; the first GPU when not given, else the CPU.
        on_progress: Called with the stage (``tokens``, ``features``), what is done and what there is to do.

    Raises:
        InputError: The checkpoint is unknown or cannot be used, or is too short for a maximum length.
        GoemoError: What lies there is damaged, or the disk does not have room for the features.
    """
    cache = Path(cache).resolve()  # what is made is found from other working directories too
    checkpoint = resolve_checkpoint(checkpoint_name, texts=splits.train.texts, cache=cache)
    _check_lengths(checkpoint, max_lengths)
    folder = cache / "prepared" / _digest(splits, checkpoint)
    if not (folder / "prepared.json").is_file():
        _write(folder, splits, checkpoint, on_progress)
    prepared = Prepared.open(folder)
    if prepared.data != _data_facts(splits):
        _write_facts(folder, splits, checkpoint)
        prepared = Prepared.open(folder)
    if trainable == "head" and checkpoint.has_weights:
        _add_features(prepared, pooling, max_lengths, choose_device(device), on_progress)
    return prepared


def _write(folder: Path, splits: Splits, checkpoint: Checkpoint, on_progress: StageProgress | None) -> None:
    tokenizer = load_tokenizer(checkpoint)
    total = sum(len(split) for split in splits.splits())
    done = 0
    with built_folder(folder, is_cache=True) as partial:
        for split in splits.splits():
            TokenStore.build(split.texts, tokenizer).save(partial / "tokens" / split.name)
            np.save(partial / f"targets-{split.name}.npy", split.targets, allow_pickle=False)
            done += len(split)
            if on_progress is not None:
                on_progress("tokens", done, total)
        _write_facts(partial, splits, checkpoint)


def _write_facts(folder: Path, splits: Splits, checkpoint: Checkpoint) -> None:
    """Record what the folder holds and, because the same content may come from several places, from where."""
    facts = {"labels": splits.labels, "checkpoint": checkpoint.to_dict(), "data": _data_facts(splits)}
    partial = folder / ".prepared.json.partial"
    partial.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / "prepared.json")


def _data_facts(splits: Splits) -> dict[str, Any]:
    return {
        "source": splits.source,
        "taxonomy": splits.taxonomy,
        "splitting": splits.splitting,
        "notes": list(splits.notes),
        "digest": splits.digest,
        "examples": {split.name: len(split) for split in splits.splits()},
    }


def _add_features(
    prepared: Prepared,
    pooling: str,
    max_lengths: Sequence[int],
    device: torch.device,
    on_progress: StageProgress | None,
) -> None:
    missing = sorted({m for m in max_lengths if prepared.frozen_features(pooling, m) is None})
    if not missing or len(missing) > _MOST_LENGTHS:
        return
    # The seed only decides the head, which features do not see.
    model = build_model(
        prepared.checkpoint, labels=prepared.labels, trainable="head", seed=0, pooling=pooling
    ).to(device)
    if not reads_one_token(model):
        return
    size = feature_bytes(prepared.tokens, missing, model.config.hidden_size)
    free = shutil.disk_usage(prepared.folder).free
    if size > free:
        raise GoemoError(
            f"{prepared.folder}: features of the frozen encoder need {size / 1e9:.1f} GB and the disk has "
            f"{free / 1e9:.1f} GB free; make room, ask for fewer max_length, or use another disk"
        )
    name = hashlib.sha256(repr(missing).encode()).hexdigest()[:12]
    FrozenFeatures.build(
        _prefix_folder(prepared.folder, pooling) / name,
        model,
        prepared.tokens,
        missing,
        on_progress=None if on_progress is None else lambda done, total: on_progress("features", done, total),
    )


def _digest(splits: Splits, checkpoint: Checkpoint) -> str:
    # By content: the same texts from another path need not be read by the encoder again.
    facts = [_LAYOUT, splits.digest, str(checkpoint.folder), checkpoint.digest]
    facts += [metadata.version(name) for name in ("transformers", "tokenizers")]  # they make the tokens
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _prefix_folder(folder: Path, pooling: str) -> Path:
    """Return where features lie that are the same as those computed now: of this code and these libraries."""
    facts = [str(torch.__version__), metadata.version("transformers"), MEAN_BLOCK_VERSION, MEAN_SCALE]
    return folder / "prefix" / f"{pooling}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]}"


def _check_lengths(checkpoint: Checkpoint, max_lengths: Sequence[int]) -> None:
    """Refuse a maximum length for which the checkpoint has no positions."""
    config = json.loads((checkpoint.folder / "config.json").read_text(encoding="utf-8"))
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        return
    if config.get("model_type") in _POSITIONS_AFTER_PADDING:
        positions -= (config.get("pad_token_id", 1) or 0) + 1
    too_long = sorted({m for m in max_lengths if m > positions})
    if too_long:
        raise InputError(
            checkpoint.name,
            [f"max_length {m}: must be at most the {positions} positions that it has" for m in too_long],
        )


# Families that count positions from the padding token's id upwards.
_POSITIONS_AFTER_PADDING = ("camembert", "longformer", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl")
