"""Features: the one vector that a head reads of each text, the head on it, and where that is so.

The entry of a family says it. Of a family without one it is read off the modules beside the encoder; that is
a guess, which holds where it gives the logits of the whole model (``is_head_right``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from goemo.models.architectures import Position, architecture, encoder_width, model_inputs, text_config
from goemo.models.failures import FAILURES, reason
from goemo.models.padding import differ


def read_position(model: Any) -> Position | None:
    """Return what the head reads, or None where that is more than a vector, or not known.

    Without an entry: a linear map alone beside the encoder is how decoders classify, by their last token;
    other heads read the first.
    """
    entry = architecture(model)
    if entry is not None:
        return entry.position(model.config)
    head = _found_head(model)
    if head is None:
        return None
    dropouts, last = head
    return "last" if _is_linear(last) and not dropouts and _pooler(model) is None else 0


def reads_one_vector(model: Any) -> bool:
    """Say whether the head reads one vector a text, so that it can be kept for a frozen encoder."""
    return read_position(model) is not None


def is_head_right(model: Any, inputs: Mapping[str, Tensor]) -> bool:
    """Say whether the head on its features gives the logits of the model.

    Args:
        model: In eval mode.
        inputs: From ``model_inputs``, of a few texts.
    """
    if not reads_one_vector(model):
        return False
    with torch.no_grad():
        try:
            features = head_features(
                model, inputs["input_ids"], inputs["attention_mask"], inputs.get("token_type_ids")
            )
            found, expected = head_logits(model, features), model(**inputs).logits
        except FAILURES as error:
            reason(error)  # goes on where memory did not suffice
            return False
    is_whole = features.shape[-1] == encoder_width(model.config) and found.shape == expected.shape
    return is_whole and not differ(found, expected)


@torch.no_grad()
def head_features(
    model: Any, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
) -> Tensor:
    """Return what the head reads of each text: the encoder's output at one token, or the mean over tokens.

    The encoder runs in the mode it is in; a frozen one is in eval mode (``train_mode``).

    Args:
        model: A model for which ``reads_one_vector`` holds.
        input_ids: Shape (b, t), on the model's device; likewise the others.
        attention_mask: 1 for tokens, 0 for padding.
        token_type_ids: Left out where the architecture has none.

    Returns:
        float32, shape (b, h), such that ``head_logits`` of it equals the logits of the whole model.

    Raises:
        ValueError: The head reads more than one vector, or it is not known which.
    """
    position = read_position(model)
    if position is None:
        raise ValueError(f"the head of {model.config.model_type} does not read one known vector")
    output: Tensor = model.base_model(**model_inputs(model, input_ids, attention_mask, token_type_ids))[0]
    if position == "mean":
        weights = attention_mask[..., None].float()
        return (output * weights).sum(1) / weights.sum(1)
    if position != "last":
        return output[:, position].float()
    # As transformers looks for it: by the id, and not by the mask.
    is_token = input_ids != text_config(model.config).pad_token_id
    places = torch.arange(input_ids.shape[1], device=input_ids.device)
    return output[torch.arange(len(output), device=output.device), (places * is_token).argmax(-1)].float()


def head_logits(model: Any, features: Tensor) -> Tensor:
    """Return the logits, shape (b, l), for features, shape (b, h), as the whole model would.

    Dropout in the head acts as in the model itself, in the mode that the model is in.

    Raises:
        ValueError: The head is not known.
    """
    entry, head = architecture(model), _found_head(model)
    if entry is not None:
        logits: Tensor = entry.logits(model, features)
        return logits
    if head is None:
        raise ValueError(f"the head of {model.config.model_type} is not known")
    dropouts, last = head
    pooler = _pooler(model)
    read = features if pooler is None else pooler(features[:, None])
    for dropout in dropouts:
        read = dropout(read)
    found: Tensor = last(read if _is_linear(last) else read[:, None])
    return found


def _found_head(model: Any) -> tuple[list[nn.Module], nn.Module] | None:
    """Return the dropouts beside the encoder and what follows them, where that is a single module."""
    if model.base_model is model:
        return None
    beside = [module for name, module in model.named_children() if name != model.base_model_prefix]
    dropouts: list[nn.Module] = [module for module in beside if isinstance(module, nn.Dropout)]
    others = [module for module in beside if module not in dropouts]
    if len(others) != 1 or (dropouts and not _is_linear(others[0])):
        return None
    return dropouts, others[0]


def _is_linear(module: nn.Module) -> bool:
    """Say whether a module is a linear map, of torch or of a fast view."""
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim == 2 and not any(module.children())


def _pooler(model: Any) -> nn.Module | None:
    pooler = getattr(model.base_model, "pooler", None)
    return pooler if isinstance(pooler, nn.Module) else None
