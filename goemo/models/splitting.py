"""A model split in two before the last encoder block that trains: the frozen front, and what trains.

Both parts are views: copies of the model's frame around the model's own blocks and head, one with the blocks
in front, one with those behind. So ``transformers`` itself computes the masks and positions of each part,
and the model stays the plain one that is saved.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from goemo.models.architectures import (
    LAYERS,
    architecture,
    blocks_path,
    encoder_blocks,
    first_of,
    front_path,
    model_inputs,
)
from goemo.models.building import trained_modules
from goemo.models.failures import FAILURES, reason
from goemo.models.features import read_position
from goemo.models.padding import differ
from goemo.models.pooling import MEAN_BLOCKS, POOLING_KEY, has_mean_block, mean_alone


@dataclass(frozen=True)
class SplitModel:
    """The two parts of a model of ``trainable: last_layer``, from ``split_model``.

    Blocks and head are the model's own modules: they train here, are in the mode that ``train_mode`` put the
    model in, and hold the weights that the model holds. A copy of the model has to be split anew.

    Attributes:
        prefix: The frozen front, a base model without the blocks behind.
        suffix: What trains, and a mean block behind it: a classifier, with states as ``inputs_embeds``.
    """

    prefix: Any
    suffix: Any


def split_model(model: Any) -> SplitModel | None:
    """Split a model of ``trainable: last_layer`` before its last trained block.

    Returns:
        None where the blocks are not known, where no block is frozen, or where a block cannot be told from
        the others: ALBERT's shared one, unless it is untied, and those of a BERT that was made a decoder,
        which are numbered.
    """
    entry, blocks = architecture(model), encoder_blocks(model)
    behind = 2 if has_mean_block(model) else 1
    if blocks is None or len(blocks) <= behind or getattr(model.config, "is_decoder", False):
        return None
    if len(blocks) != first_of(model.config, *LAYERS, default=0):
        return None
    first, last = list(blocks[:-behind]), list(blocks[-behind:])
    if has_mean_block(model):
        last[-1] = mean_alone(last[-1], MEAN_BLOCKS[model.config.model_type])
    front = front_path(model)
    stand_ins: dict[str, nn.Module] = {} if front is None else {front: _GivenStates()}
    if entry is not None:
        stand_ins |= dict.fromkeys(entry.front[1:], nn.Identity())
    suffix = _view(model, last, stand_ins)
    if entry is not None and entry.beside_first is not None:
        parent, _, name = entry.beside_first.rpartition(".")
        setattr(suffix.get_submodule(parent), name, None)
    if entry is None or entry.has_norm_behind:  # what follows the blocks belongs to the suffix alone
        first.append(_Stop(last[0]))
    prefix = _view(model, first, {})
    setattr(prefix.config, POOLING_KEY, "first")  # a mean block is behind
    return SplitModel(prefix.base_model, suffix)


def is_split_right(model: Any, parts: SplitModel, inputs: Mapping[str, Tensor]) -> bool:
    """Say whether both parts together give the logits of the model; of other families, they need not.

    Args:
        model: The whole, in eval mode.
        parts: From ``split_model`` of it.
        inputs: From ``model_inputs``, of a few texts.
    """
    with torch.no_grad():
        expected = model(**inputs).logits
        try:
            mask, types = inputs["attention_mask"], inputs.get("token_type_ids")
            states = prefix_states(parts.prefix, inputs["input_ids"], mask, types)
            found = suffix_logits(parts.suffix, *_as_read(parts.suffix, states, mask, types))
        except FAILURES as error:
            reason(error)  # goes on where memory did not suffice
            return False
    return not differ(found, expected)


def pads_states_left(model: Any) -> bool:
    """Say whether states are padded on the left: without ids, decoders read the last column."""
    return read_position(model) == "last"


def _as_read(
    suffix: Any, states: Tensor, mask: Tensor, types: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return states, mask and types with the padding where the suffix wants it."""
    if not pads_states_left(suffix) or bool(mask[:, -1].all()):
        return states, mask, types
    column = torch.arange(mask.shape[1], device=mask.device)
    at = (column + mask.sum(1, keepdim=True)) % mask.shape[1]  # (b, t)
    rows = torch.arange(len(mask), device=mask.device)[:, None]
    return states[rows, at], mask[rows, at], None if types is None else types[rows, at]


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
        float32, shape (b, t, h), such that ``suffix_logits`` of it equals the model's logits.
    """
    try:
        states: Tensor = prefix(**model_inputs(prefix, input_ids, attention_mask, token_type_ids))[0]
    except _LastBlockReached as reached:
        states = reached.states
    return states.float()


def suffix_logits(
    suffix: Any, states: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
) -> Tensor:
    """Return the logits for what enters the last trained block, as the whole model would.

    Args:
        suffix: From ``SplitModel``, or a view of it.
        states: From ``prefix_states``, shape (b, t, h); of padding, any finite numbers.
        attention_mask: 1 for tokens, 0 for padding, shape (b, t).
        token_type_ids: Shape (b, t); left out where the architecture has none.

    Returns:
        Shape (b, l), with gradients for what trains.
    """
    inputs = model_inputs(suffix, states, attention_mask, token_type_ids)
    inputs["inputs_embeds"] = inputs.pop("input_ids")
    logits: Tensor = suffix(**inputs).logits
    return logits


class _LastBlockReached(Exception):  # noqa: N818 - an event, caught where the pass was begun
    """Ends a pass before the last block, with what enters it."""

    def __init__(self, states: Tensor) -> None:
        super().__init__("what enters the last block")
        self.states = states


class _Stop(nn.Module):
    """Stands where the last block was, and looks like it to those who ask: of which attention it is, say."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        kept = {name: value for name, value in vars(block).items() if isinstance(value, str | int | None)}
        self.__dict__.update({name: value for name, value in kept.items() if name != "training"})

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> None:
        """End the pass."""
        raise _LastBlockReached(hidden_states)


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
    view.config.use_cache = False
    view.goemo_blocks = blocks_path(model)
    if vars(view.config).get("layer_types"):  # of which attention each layer is
        types = view.config.layer_types
        ours = [i for i, block in enumerate(encoder_blocks(model) or ()) if any(b is block for b in blocks)]
        view.config.layer_types = [types[i] for i in ours] + types[-1:] * (len(blocks) - len(ours))
    if view.config.model_type == "albert":  # which counts its blocks in the configuration
        view.config.num_hidden_layers = view.config.num_hidden_groups = len(blocks)
    kept = {id(module) for part in (*trained, *blocks) for module in part.modules()}
    for module in view.modules():
        if id(module) not in kept:
            module.training = False
    return view
