"""Data that all trials of a search share: tokens, targets, the checkpoint, the frozen encoder output.

It is made once and lies in a folder of its own, named for what it is made from:

    CACHE/prepared/TEXTS/        of the texts and the checkpoint
        tokens/SPLIT/            tokens of one split, see goemo.tokens
        prefix/POOLING-SOFTWARE/LENGTHS/
                                 features of a frozen encoder, see goemo.frozen; added when first needed
        prefix/states-SOFTWARE/LENGTHS/
                                 the same for states, which do not depend on the pooling
        labels/LABELS/           of the labels; other labels of the same texts lie beside them
            prepared.json        labels, checkpoint, facts of the data
            targets-SPLIT.npy    bool, shape (texts, labels)

Texts are not kept: nothing that trains needs them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from goemo.configuration.limits import PREFIX_LIMIT_GB
from goemo.data import Splits
from goemo.errors import GoemoError, InputError
from goemo.files import built_folder
from goemo.frozen import FrozenFeatures, FrozenStates, output_folders
from goemo.frozen.output import MissingOutput, missing_output, output_name, output_parent
from goemo.inference import choose_device
from goemo.models import Checkpoint, build_model, load_config, load_tokenizer, resolve_checkpoint
from goemo.models.architectures import text_config
from goemo.models.checkpoints import pooling_note
from goemo.models.heads import head_note
from goemo.models.pooling import has_mean_block
from goemo.models.sentence_encoders import sentence_notes, settled_pooling
from goemo.tokens import TokenStore
from goemo.training.first_batch import FirstBatch, on_fewer_texts

SPLITS = ("train", "validation", "test")

# Called with the stage ("tokens", "features", "states"), what is done and what there is to do.
StageProgress = Callable[[str, int, int], None]

# Part of every digest: raise it when the layout of the folder changes.
_LAYOUT = 2

_Output = TypeVar("_Output", FrozenFeatures, FrozenStates)


@dataclass(frozen=True)
class Prepared:
    """Everything that trials share, memory-mapped.

    Attributes:
        folder: Of the labels; all that another process needs, see ``Prepared.open``.
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
                tokens={split: TokenStore.open(_texts_of(folder) / "tokens" / split) for split in SPLITS},
                data=facts["data"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GoemoError(
                f"{_texts_of(folder)}: no prepared data that can be read ({error}); delete the folder and "
                "prepare again"
            ) from error

    @property
    def texts_folder(self) -> Path:
        """The folder of what does not depend on the labels: tokens, and the output of a frozen encoder."""
        return _texts_of(self.folder)

    def distinct_tokens(self) -> NDArray[np.int64]:
        """Return every token that a batch of any split may have, sorted."""
        return np.unique(np.concatenate([store.distinct() for store in self.tokens.values()]))

    def frozen_features(self, pooling: str, max_length: int) -> FrozenFeatures | None:
        """Return features that cover a maximum length, or None where this software has computed none.

        Of several, those computed first: what a trial gets does not change when others are added.
        """
        pooling = settled_pooling(pooling, self.checkpoint.name, self.checkpoint.folder)
        return self._frozen(FrozenFeatures, output_name("head", pooling), max_length)

    def frozen_states(self, max_length: int) -> FrozenStates | None:
        """Return states that cover a maximum length, for any pooling; see ``frozen_features``."""
        return self._frozen(FrozenStates, output_name("last_layer", ""), max_length)

    def missing_output(
        self, trainable: str, pooling: str, max_lengths: Sequence[int]
    ) -> MissingOutput | None:
        """Return what is to be computed before trials start; see ``goemo.frozen.output.missing_output``."""
        return missing_output(
            self.texts_folder,
            self.checkpoint,
            self.labels,
            self.tokens,
            trainable=trainable,
            pooling=pooling,
            max_lengths=max_lengths,
        )

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

    def _frozen(self, kind: type[_Output], name: str, max_length: int) -> _Output | None:
        for folder in output_folders(output_parent(self.texts_folder, name)):
            output = kind.open(folder)
            if max_length in output.max_lengths:
                return output
        return None


@dataclass(frozen=True)
class _Joined(Prepared):
    """What ``Prepared.joined`` gives; its folder still holds the splits apart."""

    def _frozen(self, kind: type[_Output], name: str, max_length: int) -> _Output | None:
        """Return the output for the splits apart, with its rows joined as the splits are."""
        output = super()._frozen(kind, name, max_length)
        if output is None:
            return None
        rows = output.rows  # (maximum lengths, texts) each
        both = np.concatenate([rows["train"], rows["validation"]], axis=1)
        return replace(output, rows={"train": both, "test": rows["test"]})

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
    pooling: str = "auto",
    max_lengths: Sequence[int],
    cache: Path,
    device: str | torch.device | None = None,
    prefix_limit_gb: float = PREFIX_LIMIT_GB,
    reserved: float = 0,
    on_progress: StageProgress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Prepared:
    """Make what all trials of a search share, or open it where an earlier search has made it.

    The output of the frozen encoder is computed where it has weights of its own; random weights depend on
    the seed of a trial. Where only the head trains, and reads one vector, that is one a text
    (features); where the last block trains too, one a token (states). For more than 64 new maximum lengths,
    or beyond ``prefix_limit_gb``, there is none, and trials read tokens.

    Args:
        splits: The data.
        checkpoint_name: As in a search space.
        trainable: ``all``, ``last_layer`` or ``head``.
        pooling: ``auto``, ``first`` or ``mean``.
        max_lengths: Every maximum length that a trial may ask for.
        cache: Folder for what is made; may be shared by searches that run at the same time.
        device: Where the encoder runs; the first GPU when not given, else the CPU.
        prefix_limit_gb: Bytes / 1e9 that its output may take on disk at most, each time some is added.
        reserved: Bytes of the disk that must be left beside it, for what trials will write.
        on_progress: Called with the stage (``tokens``, ``features``, ``states``), what is done and what there
            is to do.
        on_note: Called with a line on the head of the checkpoint, where it brings one, with those of
            ``sentence_notes`` and ``pooling_note``, and with one on the size of the output before it is
            computed, or on why it is not.

    Raises:
        InputError: The checkpoint is unknown or cannot be used, is too short for a maximum length, has no
            embedding for a token of the texts, or ``transformers`` cannot train it so that a score depends on
            its text alone; or the disk does not have room for the output.
        GoemoError: What lies there is damaged.
    """
    cache = Path(cache).resolve()  # what is made is found from other working directories too
    checkpoint = resolve_checkpoint(checkpoint_name, texts=splits.train.texts, cache=cache)
    _check_lengths(checkpoint, max_lengths)
    texts = cache / "prepared" / _texts_digest(splits, checkpoint)
    folder = texts / "labels" / splits.digest[:16]
    if not (texts / "tokens").is_dir():
        _write_tokens(texts / "tokens", splits, checkpoint, on_progress)
    if not (folder / "prepared.json").is_file():
        _write_labels(folder, splits, checkpoint)
    prepared = Prepared.open(folder)
    if prepared.data != splits.facts:
        _write_facts(folder, splits, checkpoint)
        prepared = Prepared.open(folder)
    _check_tokens(prepared)
    note = on_note or (lambda _: None)
    head = head_note(prepared.checkpoint, prepared.labels)
    if head:
        note(head)
    model = _rehearsed(prepared, trainable, pooling, max(max_lengths))
    own = "mean" if has_mean_block(model) else "first"
    for line in sentence_notes(checkpoint.name, checkpoint.folder, own, max(max_lengths)):
        note(line)
    unknown = pooling_note(checkpoint) if pooling == "auto" else None
    if unknown:
        note(unknown)
    missing = prepared.missing_output(trainable, pooling, max_lengths)
    if missing is not None:
        obstacle = missing.obstacle(prefix_limit_gb)
        if obstacle:
            note(f"frozen encoder output: {obstacle}")
            return prepared
        note(f"frozen encoder output: {missing.amounts}")
        missing.check_room(reserved=reserved)
        tell = None if on_progress is None else partial(on_progress, missing.stage)
        missing.build(choose_device(device), on_progress=tell)
    return prepared


def _texts_of(folder: Path) -> Path:
    """Return the folder of the texts that a folder of labels lies in."""
    return folder.parent.parent


def _write_tokens(
    folder: Path, splits: Splits, checkpoint: Checkpoint, on_progress: StageProgress | None
) -> None:
    tokenizer = load_tokenizer(checkpoint)
    total = sum(len(split) for split in splits.splits())
    done = 0
    with built_folder(folder, is_cache=True) as partial:
        for split in splits.splits():
            TokenStore.build(split.texts, tokenizer).save(partial / split.name)
            done += len(split)
            if on_progress is not None:
                on_progress("tokens", done, total)


def _write_labels(folder: Path, splits: Splits, checkpoint: Checkpoint) -> None:
    with built_folder(folder, is_cache=True) as partial:
        for split in splits.splits():
            np.save(partial / f"targets-{split.name}.npy", split.targets, allow_pickle=False)
        _write_facts(partial, splits, checkpoint)


def _write_facts(folder: Path, splits: Splits, checkpoint: Checkpoint) -> None:
    """Record what the folder holds and, because the same content may come from several places, from where."""
    facts = {"labels": splits.labels, "checkpoint": checkpoint.to_dict(), "data": splits.facts}
    partial = folder / ".prepared.json.partial"
    partial.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / "prepared.json")


def _texts_digest(splits: Splits, checkpoint: Checkpoint) -> str:
    # By content: the same texts from another path, or with other labels, are not read by the encoder again.
    facts = [_LAYOUT, splits.texts_digest, str(checkpoint.folder), checkpoint.digest]
    facts += [metadata.version(name) for name in ("transformers", "tokenizers")]  # they make the tokens
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _rehearsed(prepared: Prepared, trainable: str, pooling: str, max_length: int) -> Any:
    """Return the model; refuse one that transformers cannot train so that its scores can be trusted."""
    checkpoint, store = prepared.checkpoint, prepared.tokens["train"]
    model = build_model(checkpoint, labels=prepared.labels, trainable=trainable, seed=0, pooling=pooling)
    targets = prepared.targets["train"]
    on_fewer_texts(
        lambda rows: FirstBatch(model, checkpoint.name, store, targets, max_length, most_rows=rows),
        model.device,
    )
    return model


def _check_tokens(prepared: Prepared) -> None:
    """Refuse a tokenizer that gives the texts ids for which the checkpoint has no embedding."""
    config = text_config(load_config(prepared.checkpoint.folder))
    rows = getattr(config, "vocab_size", None)
    most = int(prepared.distinct_tokens()[-1])
    if isinstance(rows, int) and most >= rows:
        problem = (
            f"its tokenizer gives the texts ids up to {most}, but its embedding has {rows} rows; give the "
            "model the tokenizer that it was trained with, or model.resize_token_embeddings and save both"
        )
        raise InputError(prepared.checkpoint.name, [problem])


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
