"""What the engine knows of each architecture: its blocks, the token its head reads, the head itself.

``transformers`` gives every encoder its own names for the same parts. One small entry a family holds what
cannot be told from outside; an architecture without an entry still trains, only without the short cuts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Architecture:
    """How to reach the parts of one family of models.

    Attributes:
        blocks: Path from the whole model to the list of encoder blocks.
        logits: From the features of one token, shape (b, h), to logits, shape (b, l); the model's own modules
            in the model's own order, dropout included.
        position: The token that the head reads, given the configuration: 0, -1, or None when it reads more.
        front: Paths of the modules that make the first block's input; some models lack the later ones.
        beside_first: Path of a module that works with the first block alone.
    """

    blocks: str
    logits: Callable[[Any, Tensor], Any]
    position: Callable[[Any], int | None] = lambda _: 0
    front: tuple[str, ...] = ()
    beside_first: str | None = None


def _bert_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(model.dropout(model.bert.pooler(features[:, None])))


def _albert_logits(model: Any, features: Tensor) -> Any:
    pooled = model.albert.pooler_activation(model.albert.pooler(features))
    return model.classifier(model.dropout(pooled))


def _classification_head_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(features[:, None])


def _xlnet_logits(model: Any, features: Tensor) -> Any:
    return model.logits_proj(model.sequence_summary(features[:, None]))


def _xlnet_position(config: Any) -> int | None:
    # Without a cls_index, which a classifier is never given, "cls_index" falls back to the last token.
    return {"last": -1, "cls_index": -1, "first": 0}.get(config.summary_type)


def _distilbert_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(model.dropout(torch.relu(model.pre_classifier(features))))


def _deberta_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(model.dropout(model.pooler(features[:, None])))


_ROBERTA = Architecture("roberta.encoder.layer", _classification_head_logits, front=("roberta.embeddings",))

ARCHITECTURES: dict[str, Architecture] = {
    "albert": Architecture(
        "albert.encoder.albert_layer_groups",
        _albert_logits,
        front=("albert.embeddings", "albert.encoder.embedding_hidden_mapping_in"),
    ),
    "bert": Architecture("bert.encoder.layer", _bert_logits, front=("bert.embeddings",)),
    "deberta-v2": Architecture(
        "deberta.encoder.layer",
        _deberta_logits,
        front=("deberta.embeddings",),
        beside_first="deberta.encoder.conv",
    ),
    "distilbert": Architecture(
        "distilbert.transformer.layer", _distilbert_logits, front=("distilbert.embeddings",)
    ),
    "electra": Architecture(
        "electra.encoder.layer",
        _classification_head_logits,
        front=("electra.embeddings", "electra.embeddings_project"),
    ),
    "mpnet": Architecture("mpnet.encoder.layer", _classification_head_logits, front=("mpnet.embeddings",)),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    # Its word embeddings are not asked for where states are given, and there is nothing else in front.
    "xlnet": Architecture("transformer.layer", _xlnet_logits, _xlnet_position),
}


def architecture(model: Any) -> Architecture | None:
    """Return the entry of a model's family, or None where there is none."""
    return ARCHITECTURES.get(model.config.model_type)


def encoder_blocks(model: Any) -> nn.ModuleList | None:
    """Return the encoder blocks, first to last, or None for an architecture without an entry.

    ALBERT's list holds its groups of shared weights: one, unless the model is untied.
    """
    entry = architecture(model)
    return model.get_submodule(entry.blocks) if entry else None


def albert_groups(config: Any) -> list[int]:
    """Return which group of shared weights each layer of an ALBERT takes, as its forward pass has it."""
    layers = config.num_hidden_layers
    return [int(i / (layers / config.num_hidden_groups)) for i in range(layers)]


def reads_one_token(model: Any) -> bool:
    """Say whether the head reads a single token, so that its features can be kept for a frozen encoder."""
    entry = architecture(model)
    return entry is not None and entry.position(model.config) is not None


def model_inputs(
    model: Any, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the arguments of a forward pass; token types only where the architecture has them."""
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    if token_type_ids is not None and _takes_types(model.__class__):
        inputs["token_type_ids"] = token_type_ids
    return inputs


@cache
def _takes_types(model_class: type[nn.Module]) -> bool:
    return "token_type_ids" in inspect.signature(model_class.forward).parameters


@torch.no_grad()
def head_features(
    model: Any, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
) -> Tensor:
    """Return what the head reads of each text: the encoder's output at one token.

    The encoder runs in the mode it is in; a frozen one is in eval mode (``train_mode``).

    Args:
        model: A model for which ``reads_one_token`` holds.
        input_ids: Shape (b, t), on the model's device; likewise the others.
        attention_mask: 1 for tokens, 0 for padding.
        token_type_ids: Left out where the architecture has none.

    Returns:
        float32, shape (b, h), such that ``head_logits`` of it equals the logits of the whole model.

    Raises:
        ValueError: The head reads more than one token, or the architecture has no entry.
    """
    entry = architecture(model)
    position = entry.position(model.config) if entry else None
    if position is None:
        raise ValueError(f"the head of {model.config.model_type} does not read one known token")
    inputs = model_inputs(model, input_ids, attention_mask, token_type_ids)
    output = model.base_model(**inputs)
    features: Tensor = output[0][:, position].float()
    return features


def head_logits(model: Any, features: Tensor) -> Tensor:
    """Return the logits, shape (b, l), for features of one token, shape (b, h), as the whole model would.

    Dropout in the head acts as in the model itself, in the mode that the model is in.

    Raises:
        ValueError: The architecture has no entry.
    """
    entry = architecture(model)
    if entry is None:
        raise ValueError(f"the head of {model.config.model_type} is not known")
    logits: Tensor = entry.logits(model, features)
    return logits
