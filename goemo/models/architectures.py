"""Architectures that the engine knows: their blocks, the token their head reads, the head itself.

``transformers`` gives every encoder its own names for the same parts. One small entry a family holds what
cannot be told from outside; of an architecture without an entry, blocks are found from the
structure, where that can be done; where not, it still trains, only without the shortcuts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

# A column of the encoder's output; "last" is the rightmost token that is no padding, "mean" that over tokens.
Position = int | Literal["last", "mean"]


@dataclass(frozen=True)
class Architecture:
    """How to reach the parts of one family of models.

    Attributes:
        blocks: Path from the whole model to the list of encoder blocks.
        logits: From features, shape (b, h), to logits, shape (b, l); the model's own modules in the model's
            own order, dropout included.
        position: What the head reads, given the configuration, see ``goemo.models.features``; None where
            that is more than a vector.
        front: Paths of the modules that make the first block's input; some models lack the later ones.
        beside_first: Path of a module that works with the first block alone.
        has_norm_behind: The encoder norms what leaves the last block.
    """

    blocks: str
    logits: Callable[[Any, Tensor], Any]
    position: Callable[[Any], Position | None] = lambda _: 0
    front: tuple[str, ...] = ()
    beside_first: str | None = None
    has_norm_behind: bool = False


def _bert_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(model.dropout(model.base_model.pooler(features[:, None])))


def _albert_logits(model: Any, features: Tensor) -> Any:
    pooled = model.albert.pooler_activation(model.albert.pooler(features))
    return model.classifier(model.dropout(pooled))


def _classification_head_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(features[:, None])


def _xlnet_logits(model: Any, features: Tensor) -> Any:
    return model.logits_proj(model.sequence_summary(features[:, None]))


def _xlnet_position(config: Any) -> Position | None:
    # Without a cls_index, which a classifier is never given, "cls_index" falls back to the last token.
    return {"last": -1, "cls_index": -1, "first": 0}.get(config.summary_type)


def _distilbert_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(model.dropout(torch.relu(model.pre_classifier(features))))


def _deberta_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(model.dropout(model.pooler(features[:, None])))


def _modernbert_logits(model: Any, features: Tensor) -> Any:
    return model.classifier(model.drop(model.head(features)))


_ROBERTA = Architecture("roberta.encoder.layer", _classification_head_logits, front=("roberta.embeddings",))

ARCHITECTURES: dict[str, Architecture] = {
    "albert": Architecture(
        "albert.encoder.albert_layer_groups",
        _albert_logits,
        front=("albert.embeddings", "albert.encoder.embedding_hidden_mapping_in"),
    ),
    "bert": Architecture("bert.encoder.layer", _bert_logits, front=("bert.embeddings",)),
    "camembert": _ROBERTA,
    "data2vec-text": Architecture(
        "data2vec_text.encoder.layer", _classification_head_logits, front=("data2vec_text.embeddings",)
    ),
    "deberta": Architecture("deberta.encoder.layer", _deberta_logits, front=("deberta.embeddings",)),
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
    "ernie": Architecture("ernie.encoder.layer", _bert_logits, front=("ernie.embeddings",)),
    "modernbert": Architecture(
        "model.layers",
        _modernbert_logits,
        lambda config: 0 if config.classifier_pooling == "cls" else "mean",
        front=("model.embeddings",),
        has_norm_behind=True,
    ),
    "mpnet": Architecture("mpnet.encoder.layer", _classification_head_logits, front=("mpnet.embeddings",)),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    # Its word embeddings are not asked for where states are given, and there is nothing else in front.
    "xlnet": Architecture("transformer.layer", _xlnet_logits, _xlnet_position),
}


LAYERS = ("num_hidden_layers", "encoder_layers", "n_layer", "n_layers", "num_layers")

_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim", "emb_dim")


def text_config(config: Any) -> Any:
    """Return the part of a configuration that is about text: of an encoder with a decoder, the encoder's."""
    part = getattr(config, "encoder", None)
    config = config if part is None or isinstance(part, str) else part
    return getattr(config, "text_config", None) or config


def encoder_width(config: Any) -> int:
    """Return the size of the vectors between blocks, whatever a family calls it.

    Raises:
        ValueError: None of the names that are known.
    """
    width = first_of(config, *_WIDTHS, default=0)
    if not width:
        raise ValueError(f"the hidden size of {config.model_type} is not known")
    return width


def first_of(config: Any, *names: str, default: int) -> int:
    """Return the first of these settings that a configuration of a text encoder has as a number."""
    text = text_config(config)
    values = (getattr(text, name, None) for name in names)
    return next((int(v) for v in values if isinstance(v, int) and not isinstance(v, bool)), default)


def architecture(model: Any) -> Architecture | None:
    """Return the entry of a model's family, or None where there is none."""
    return ARCHITECTURES.get(model.config.model_type)


def encoder_blocks(model: Any) -> nn.ModuleList | None:
    """Return the encoder blocks, first to last, or None where they are not known and not to be found.

    ALBERT's list holds its groups of shared weights: one, unless the model is untied.
    """
    path = blocks_path(model)
    return None if path is None else model.get_submodule(path)


def blocks_path(model: Any) -> str | None:
    """Return the path of the list of encoder blocks; of a family without an entry, by the model's structure.

    That is the one list in the encoder with as many modules as the configuration counts layers, where no
    decoder follows and the last block shares no weights with another.
    """
    known = getattr(model, "goemo_blocks", None)  # of a view, whose blocks are fewer
    if known is not None:
        return str(known)
    entry = architecture(model)
    if entry is not None:
        return entry.blocks
    config = model.config
    layers = first_of(config, *LAYERS, default=0)
    if getattr(config, "is_encoder_decoder", False) or model.base_model is model or layers < 1:
        return None
    lists = [
        f"{model.base_model_prefix}.{name}"
        for name, module in model.base_model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == layers
    ]
    outermost = [path for path in lists if not any(path.startswith(f"{other}.") for other in lists)]
    if len(outermost) != 1:
        return None
    *before, last = model.get_submodule(outermost[0])
    shared = {id(p) for block in before for p in block.parameters()}
    return None if any(id(p) in shared for p in last.parameters()) else outermost[0]


def front_path(model: Any) -> str | None:
    """Return the path of the module that makes the first block's input and cannot be left out.

    Of a family without an entry: what the encoder calls its word embedding through; None where it looks
    words up itself, and does not where it is given vectors.
    """
    entry = architecture(model)
    if entry is not None:
        return entry.front[0] if entry.front else None
    words = model.get_input_embeddings()
    for name, module in model.base_model.named_children():
        if module is not words and any(part is words for part in module.modules()):
            return f"{model.base_model_prefix}.{name}"
    return None


def albert_groups(config: Any) -> list[int]:
    """Return which group of shared weights each layer of an ALBERT takes, as its forward pass has it."""
    layers = config.num_hidden_layers
    return [int(i / (layers / config.num_hidden_groups)) for i in range(layers)]


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
