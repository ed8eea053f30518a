"""The frozen encoder output that trials share: its place, its missing part, and its cost."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from goemo.errors import InputError
from goemo.fast import faster_on_cpu
from goemo.files import amount
from goemo.frozen import FrozenFeatures, FrozenStates, Sequences, covered_lengths, number_sequences
from goemo.inference import Progress
from goemo.models import Checkpoint, build_model, split_model
from goemo.models.architectures import encoder_width
from goemo.models.features import is_head_right
from goemo.models.padding import few_inputs, settle_padding
from goemo.models.pooling import MEAN_BLOCK_VERSION, MEAN_SCALE
from goemo.models.sentence_encoders import settled_pooling
from goemo.models.splitting import is_split_right
from goemo.tokens import TokenStore

# Beyond this, most output would be read by one trial or none.
_MOST_LENGTHS = 64

_INSTEAD = "trials compute it in every step"


@dataclass(frozen=True, eq=False)
class MissingOutput:
    """Output for maximum lengths that no earlier search has computed.

    Attributes:
        folder: Of the prepared texts.
        trainable: ``head``, for one vector a text (features), or ``last_layer``, for one a token (states).
        pooling: ``first`` or ``mean``.
        max_lengths: The maximum lengths that lack it, ascending.
        tokens: The texts of each split.
        model: Whose output it is, in eval mode; None where the architecture does not allow it.
        sequences: What the encoder has to read; None where it reads nothing, for want of a model or because
            there are more than 64 lengths.
    """

    folder: Path
    trainable: str
    pooling: str
    max_lengths: tuple[int, ...]
    tokens: Mapping[str, TokenStore]
    model: Any
    sequences: Sequences | None

    @property
    def stage(self) -> str:
        """What it is called: ``features`` or ``states``."""
        return "states" if self.trainable == "last_layer" else "features"

    @property
    def bytes_needed(self) -> int:
        """What it takes on disk."""
        if self.sequences is None:
            return 0
        return self._kind.bytes_needed(self.sequences, encoder_width(self.model.config))

    @property
    def amounts(self) -> str:
        """Say how much it is, on disk and for the encoder."""
        return f"{amount(self.bytes_needed)} in {len(self.sequences or ()):,} sequences"

    def obstacle(self, limit_gb: float) -> str:
        """Return why it is not to be computed, so that trials read tokens; empty where it is.

        Args:
            limit_gb: Bytes / 1e9 that it may take on disk.
        """
        if self.model is None:
            return f"not kept of this encoder: {_INSTEAD}"
        if self.sequences is None:
            return f"not kept for {len(self.max_lengths)} values of max_length: {_INSTEAD}"
        if self.bytes_needed > limit_gb * 1e9:
            more = f"more than resources.prefix_limit_gb = {limit_gb:g}"
            return f"would need {amount(self.bytes_needed)}, {more}: {_INSTEAD}"
        return ""

    def check_room(self, *, reserved: float = 0) -> None:
        """Make sure that the disk has room for it.

        Args:
            reserved: Bytes that must be left for what comes after it.

        Raises:
            InputError: It does not.
        """
        free = shutil.disk_usage(self.folder).free
        if self.bytes_needed + reserved > free:
            rest = f", the trials {amount(reserved)}," if reserved else ""
            problem = (
                f"the output of the frozen encoder needs {amount(self.bytes_needed)}{rest} and the disk has "
                f"{amount(free)} free; make room, use fewer values of max_length, set "
                "resources.prefix_limit_gb below that, or use another disk (GOEMO_RUNS)"
            )
            raise InputError(str(self.folder), [problem])

    def build(self, device: torch.device, *, on_progress: Progress | None = None) -> None:
        """Compute it into a folder of its own, which appears when it is complete.

        Args:
            device: Where the encoder runs.
            on_progress: Called with the sequences done and in all.
        """
        assert self.sequences is not None
        name = hashlib.sha256(repr(list(self.max_lengths)).encode()).hexdigest()[:12]
        model = self.model.to(device)
        self._kind.build(
            output_parent(self.folder, output_name(self.trainable, self.pooling)) / name,
            faster_on_cpu(model) if device.type == "cpu" else model,
            self.tokens,
            self.sequences,
            on_progress=on_progress,
        )

    @property
    def _kind(self) -> type[FrozenFeatures | FrozenStates]:
        return FrozenStates if self.trainable == "last_layer" else FrozenFeatures


def missing_output(
    folder: Path,
    checkpoint: Checkpoint,
    labels: Sequence[str],
    tokens: Mapping[str, TokenStore],
    *,
    trainable: str,
    pooling: str,
    max_lengths: Sequence[int],
) -> MissingOutput | None:
    """Return what is to be computed before trials of these maximum lengths start; None where nothing is.

    Args:
        folder: Of the prepared texts.
        checkpoint: Whose output it is; random weights depend on the seed of a trial and have none.
        labels: Of the data.
        tokens: The texts of each split.
        trainable: ``all``, ``last_layer`` or ``head``.
        pooling: ``auto``, ``first`` or ``mean``.
        max_lengths: Every maximum length that a trial may ask for.
    """
    if trainable == "all" or not checkpoint.has_weights:
        return None
    pooling = settled_pooling(pooling, checkpoint.name, checkpoint.folder)
    covered = covered_lengths(output_parent(folder, output_name(trainable, pooling)))
    missing = tuple(sorted(set(max_lengths) - covered))
    if not missing:
        return None
    model = _frozen_part(
        checkpoint,
        labels,
        trainable=trainable,
        pooling=pooling,
        texts=tokens["train"],
        max_length=max(missing),
    )
    is_read = model is not None and len(missing) <= _MOST_LENGTHS
    sequences = number_sequences(tokens, missing) if is_read else None
    return MissingOutput(folder, trainable, pooling, missing, tokens, model, sequences)


def output_name(trainable: str, pooling: str) -> str:
    """Return what output is filed under: states do not depend on the pooling."""
    return "states" if trainable == "last_layer" else pooling


def output_parent(folder: Path, name: str) -> Path:
    """Return where output lies that is the same as that computed now: of this code and these libraries.

    Args:
        folder: Of the prepared texts.
        name: From ``output_name``.
    """
    facts = [str(torch.__version__), metadata.version("transformers"), MEAN_BLOCK_VERSION, MEAN_SCALE]
    return folder / "prefix" / f"{name}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]}"


def _frozen_part(
    checkpoint: Checkpoint,
    labels: Sequence[str],
    *,
    trainable: str,
    pooling: str,
    texts: TokenStore,
    max_length: int,
) -> Any:
    """Return the model whose output is kept, or None where the architecture does not allow it."""
    # The seed only decides the head, which the output does not depend on.
    model = build_model(checkpoint, labels=labels, trainable=trainable, seed=0, pooling=pooling)
    settle_padding(model, checkpoint.name, texts, max_length)
    few = few_inputs(model, texts, max_length)
    if trainable == "head":
        return model if is_head_right(model, few) else None
    parts = split_model(model)
    return parts.prefix if parts is not None and is_split_right(model, parts, few) else None
