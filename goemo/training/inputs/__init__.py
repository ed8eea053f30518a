"""Inputs of a training: the whole model reads tokens, a suffix reads cached output of the frozen prefix."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.configuration import Configuration
from goemo.errors import InputError
from goemo.fast import fast_twin, training_view
from goemo.frozen import FrozenFeatures, FrozenStates
from goemo.models import split_model
from goemo.models.architectures import encoder_width
from goemo.models.padding import reads_one_length, set_one_length
from goemo.tokens.batches import Rows
from goemo.training.first_batch import FirstBatch, on_fewer_texts
from goemo.training.inputs.features import FeatureInputs
from goemo.training.inputs.suffix import SuffixInputs, fits
from goemo.training.inputs.tokens import TokenInputs
from goemo.training.precision import uses_bfloat16
from goemo.training.prepared import Prepared

__all__ = ["Inputs", "choose_inputs", "reading_inputs"]


class Inputs(Protocol):
    """Where logits come from.

    Attributes:
        view: The module that is called: the plain one, or one that gives the same for less.
        in_bfloat16: Whether the large matrix products of ``train_logits`` are computed so.
        notes: What the engine does without in this training, one line each.
    """

    view: Any
    in_bfloat16: bool
    notes: tuple[str, ...]

    def together(self, rows: Rows) -> list[NDArray[np.int64]] | None:
        """Return the places of rows that may share a batch, group by group; None where all may."""

    def width(self, rows: Rows) -> int:
        """Return the padded width of a batch of training rows, known without asking the device."""

    def train_logits(self, at: Tensor, width: int) -> Tensor:
        """Return logits of training rows, with gradients, in the mode that the model is in.

        Only launches work on the device: nothing is copied from the host and nothing is waited for, so that
        a step can be captured as a CUDA graph.

        Args:
            at: Rows of the training split, int64, shape (b,), on the device.
            width: From ``width`` for these rows.

        Returns:
            float32, shape (b, labels).
        """

    def logits(self, split: str) -> NDArray[np.float32]:
        """Return logits of a whole split in eval mode, shape (texts, labels), in the order of the split."""


_log = logging.getLogger("goemo.training")


@dataclass(frozen=True)
class _Verdict:
    """What a first batch has shown of one kind of training.

    Attributes:
        is_cached: The output of the frozen encoder gives what the whole model gives.
        without: Names of the shortcuts that do not.
        in_bfloat16: The training is computed in it.
        is_one_length: Padding changes a score, so that no text is padded.
        notes: A line for each thing that is done without.
    """

    is_cached: bool
    without: tuple[str, ...]
    in_bfloat16: bool
    is_one_length: bool
    notes: tuple[str, ...]


# By kind of training: a worker that trains one trial after the other compares the first of each kind alone.
_verdicts: dict[tuple[Any, ...], _Verdict] = {}


def choose_inputs(configuration: Configuration, prepared: Prepared, model: Any) -> Inputs:
    """Return the cheapest source of logits that gives what the whole model would.

    Loss and gradients of a first batch are compared with the plain model's. What differs steps aside, with a
    line in the log that names it, and in ``Inputs.notes``.

    Args:
        configuration: What is trained.
        prepared: On what.
        model: The plain model, in eval mode, where it will train. It is told to read batches of one length
            where padding would change a score.

    Raises:
        InputError: ``transformers`` itself cannot train this encoder so; says why.
    """
    c = configuration
    texts = len(prepared.tokens["train"])
    frozen = _frozen_output(c, prepared, model.device)
    data = (prepared.checkpoint.digest, prepared.data["digest"], texts, prepared.labels)
    # Not dropout, of which nothing is drawn while the first batch is compared.
    kind = (c.trainable, c.pooling, c.seed, c.max_length, c.mixed_precision)
    key = (*data, *kind, str(model.device), frozen is not None)
    verdict = _verdicts.get(key)
    if verdict is None:
        verdict, inputs = on_fewer_texts(partial(_compared, c, prepared, model, frozen), model.device)
        _verdicts[key] = verdict
        for note in verdict.notes:
            _log.warning("%s: %s", c.checkpoint, note)
    else:
        if verdict.is_one_length:
            set_one_length(model)
        inputs = _plain_inputs(c, prepared, model, frozen if verdict.is_cached else None)
        inputs.view = training_view(inputs.view, without=verdict.without)
    inputs.in_bfloat16, inputs.notes = verdict.in_bfloat16, verdict.notes
    return inputs


def reading_inputs(configuration: Configuration, prepared: Prepared, model: Any) -> Inputs:
    """Return the source of logits that a training has, for a trained model that does not train.

    Args:
        configuration: What was trained.
        prepared: On what.
        model: Trained, in eval mode.
    """
    c, store = configuration, prepared.tokens["train"]
    name, targets = prepared.checkpoint.name, prepared.targets["train"]
    batch = FirstBatch(model, name, store, targets, c.max_length, with_gradients=False)
    inputs, _, _ = _agreeing(batch, c, prepared, model, _frozen_output(c, prepared, model.device))
    return inputs


def _frozen_output(
    configuration: Configuration, prepared: Prepared, device: torch.device
) -> FrozenFeatures | FrozenStates | None:
    """Return the output of the frozen encoder that a training may read.

    None where none was computed, and where its states are too many for the free memory of a GPU.
    """
    c = configuration
    if c.trainable == "all" or not prepared.checkpoint.has_weights:
        return None
    if c.trainable == "head":
        return prepared.frozen_features(c.pooling, c.max_length)
    states = prepared.frozen_states(c.max_length)
    return states if states is not None and fits(states, device) else None


def _plain_inputs(
    configuration: Configuration,
    prepared: Prepared,
    model: Any,
    frozen: FrozenFeatures | FrozenStates | None,
) -> Inputs:
    """Return what reads the output of the frozen encoder, or tokens where there is none."""
    max_length = configuration.max_length
    if isinstance(frozen, FrozenFeatures):
        return FeatureInputs(model, frozen, max_length)
    parts = None if frozen is None else split_model(model)
    if frozen is None or parts is None:
        return TokenInputs(model, prepared.tokens, max_length)
    return SuffixInputs(parts.suffix, frozen, prepared.tokens["train"].template, max_length)


def _compared(
    configuration: Configuration,
    prepared: Prepared,
    model: Any,
    frozen: FrozenFeatures | FrozenStates | None,
    most_rows: int,
) -> tuple[_Verdict, Inputs]:
    """Compare what is faster with the plain model; return the findings, and the inputs that agree."""
    c = configuration
    name, store, targets = prepared.checkpoint.name, prepared.tokens["train"], prepared.targets["train"]
    batch = FirstBatch(model, name, store, targets, c.max_length, most_rows=most_rows)
    inputs, without, notes = _agreeing(batch, c, prepared, model, frozen)
    # Not of a head alone, whose products are small.
    in_bfloat16 = not isinstance(inputs, FeatureInputs) and uses_bfloat16(
        c.mixed_precision, model.device, encoder_width(model.config)
    )
    if in_bfloat16:
        inputs.in_bfloat16 = True
        failure = batch.failure(inputs)
        if failure and c.mixed_precision == "bfloat16":
            problem = f"cannot be computed in bfloat16 ({failure}); set model.mixed_precision: none"
            raise InputError(name, [problem])
        if failure:
            notes.append(f"computed in float32, because bfloat16 fails: {failure}")
            in_bfloat16 = False
    is_cached = not isinstance(inputs, TokenInputs)
    return _Verdict(is_cached, without, in_bfloat16, reads_one_length(model), tuple(notes)), inputs


def _agreeing(
    batch: FirstBatch,
    configuration: Configuration,
    prepared: Prepared,
    model: Any,
    frozen: FrozenFeatures | FrozenStates | None,
) -> tuple[Inputs, tuple[str, ...], list[str]]:
    """Return inputs whose view is fast and agrees, the shortcuts left out, a line for what stepped aside."""
    notes: list[str] = []
    inputs = _plain_inputs(configuration, prepared, model, frozen)
    reason = "" if isinstance(inputs, TokenInputs) else batch.difference(inputs)
    if reason:
        notes.append(f"the cached output of the frozen encoder steps aside: {reason}")
        inputs = _plain_inputs(configuration, prepared, model, None)
    twin = fast_twin(inputs.view, partial(_difference, batch, inputs))
    inputs.view = twin.model
    return inputs, twin.without, [*notes, *(f"a shortcut steps aside: {reason}" for reason in twin.reasons)]


def _difference(batch: FirstBatch, inputs: Inputs, view: Any) -> str:
    inputs.view = view
    return batch.difference(inputs)
