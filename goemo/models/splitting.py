"""A model cut in two before the last encoder block that trains: what is frozen in front, what trains behind.

Both parts are views: copies of the model's frame around the model's own blocks and head, one with the blocks
in front, one with those behind. So ``transformers`` itself computes the masks and positions of each part,
and the model stays the plain one that is saved.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from goemo.models.architectures import architecture, encoder_blocks, model_inputs
from goemo.models.building import trained_modules
from goemo.models.pooling import MEAN_BLOCKS, POOLING_KEY, has_mean_block, mean_alone


class SplitModel:
    """The two parts of a model of ``trainable: last_layer``, from ``split_model``.

    Blocks and head are the model's own modules: they train here, are in the mode that ``train_mode`` put the
    model in, and hold the weights that the model holds. A copy of the model has to be split anew.

    Attributes:
        prefix: The frozen front, a base model without the blocks behind.
        suffix: What trains, and a mean block behind it: a classifier, with states as ``inputs_embeds``.
    """

    def __init__(self, prefix: Any, suffix: Any) -> None:
        self.prefix, self.suffix = prefix, suffix

    def suffix_logits(
        self, states: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """Return the logits for what enters the last trained block, as the whole model would.

        Args:
            states: From ``prefix_states``, shape (b, t, h); of padding, any finite numbers.
            attention_mask: 1 for tokens, 0 for padding, shape (b, t).
            token_type_ids: Shape (b, t); left out where the architecture has none.

        Returns:
            Shape (b, l), with gradients for what trains.
        """
        inputs = model_inputs(self.suffix, states, attention_mask, token_type_ids)
        inputs["inputs_embeds"] = inputs.pop("input_ids")
        logits: Tensor = self.suffix(**inputs).logits
        return logits


def split_model(model: Any) -> SplitModel | None:
    """Split a model of ``trainable: last_layer`` before its last trained block.

    Returns:
        None where the architecture has no entry, where no block is frozen, or where a block cannot be told
        from the others: ALBERT's shared one, unless it is untied, and those of decoders, which are numbered.
    """
    entry, blocks = architecture(model), encoder_blocks(model)
    behind = 2 if has_mean_block(model) else 1
    if entry is None or blocks is None or len(blocks) <= behind or getattr(model.config, "is_decoder", False):
        return None
    if len(blocks) != model.config.num_hidden_layers:
        return None
    first, last = list(blocks[:-behind]), list(blocks[-behind:])
    if has_mean_block(model):
        last[-1] = mean_alone(last[-1], MEAN_BLOCKS[model.config.model_type])
    stand_ins: dict[str, nn.Module] = dict.fromkeys(entry.front[:1], _GivenStates())
    stand_ins |= dict.fromkeys(entry.front[1:], nn.Identity())
    suffix = _view(model, last, stand_ins)
    if entry.beside_first is not None:
        parent, _, name = entry.beside_first.rpartition(".")
        setattr(suffix.get_submodule(parent), name, None)
    prefix = _view(model, first, {})
    setattr(prefix.config, POOLING_KEY, "first")  # a mean block is behind
    return SplitModel(prefix.base_model, suffix)


@torch.no_grad()
def prefix_states(
    prefix: Any, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
) -> Tensor:
    """Return what enters the last trained block.

    Args:
        prefix: From ``SplitModel``, or ``faster_on_cpu`` of it.
        input_ids: Shape (b, t), on the model's device; likewise the others.
        attention_mask: 1 for tokens, 0 for padding.
        token_type_ids: Left out where the architecture has none.

    Returns:
        float32, shape (b, t, h), such that ``SplitModel.suffix_logits`` of it equals the model's logits.
    """
    states: Tensor = prefix(**model_inputs(prefix, input_ids, attention_mask, token_type_ids))[0]
    return states.float()


class _GivenStates(nn.Module):
    """Stands where the embeddings were, and passes on what the encoder is given in their place."""

    def forward(
        self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, *_: Any, **__: Any
    ) -> Tensor | None:
        """Return the states; every architecture names them so, or gives them second."""
        del input_ids
        return inputs_embeds


def _view(model: Any, blocks: Sequence[nn.Module], stand_ins: Mapping[str, nn.Module]) -> Any:
    """Return the model with other blocks, and with other modules in the place of some."""
    trained = trained_modules(model, "last_layer")
    taken_over: dict[int, Any] = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    taken_over |= {id(module): module for module in trained}
    taken_over[id(encoder_blocks(model))] = nn.ModuleList(blocks)
    for name, module in model.named_modules():
        if name in stand_ins:
            taken_over[id(module)] = stand_ins[name]
    view = copy.deepcopy(model, taken_over)
    if view.config.model_type == "albert":  # which counts its blocks in the configuration
        view.config.num_hidden_layers = view.config.num_hidden_groups = len(blocks)
    kept = {id(module) for part in (*trained, *blocks) for module in part.modules()}
    for module in view.modules():
        if id(module) not in kept:
            module.training = False
    return view
