"""The last encoder block if the head reads only the first token: nothing is computed for the others.

Of the last block's output the head of a BERT-like classifier reads one token. Keys and values still come from
all tokens, but queries, the output map, the feed-forward part and the norms are needed at that token only: of
the 12 h^2 multiplications that the block spends on a token, 2 h^2 remain. The logits and all gradients are
those of the whole block, to rounding. Dropout draws numbers for one token only, so other ones.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

from goemo.models.architectures import albert_groups, architecture, encoder_blocks
from goemo.models.pooling import has_mean_block

# Families whose block has the parts of BERT's by their names; those of ALBERT and DistilBERT have others.
_LIKE_BERT = ("bert", "camembert", "data2vec-text", "electra", "ernie", "roberta", "xlm-roberta")


class FirstTokenBlock(nn.Module):
    """A block of a BERT-like encoder that gives its output at the first token alone.

    Args:
        block: The whole block, whose modules it calls.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.attention, self.intermediate, self.output = block.attention, block.intermediate, block.output

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
        """Return (b, 1, h) for (b, t, h); the mask is (b, 1, 1 or t, t), bool or added to attention."""
        attend: Any = self.attention.self
        maps = (attend.query, attend.key, attend.value)
        context = _context(attend, maps, hidden, attention_mask, attend.dropout.p)
        attended = self.attention.output(context, hidden[:, :1])
        output: Tensor = self.output(self.intermediate(attended), attended)
        return output


class FirstTokenGroup(nn.Module):
    """A group of ALBERT's layers that gives its output at the first token alone.

    Args:
        group: The whole group, whose modules it calls; others may share them.
    """

    def __init__(self, group: Any) -> None:
        super().__init__()
        self.albert_layers = group.albert_layers

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, **options: Any) -> Tensor:
        """Return (b, 1, h) for (b, t, h); the mask is (b, 1, 1 or t, t), bool or added to attention."""
        *before, last = self.albert_layers
        for layer in before:
            hidden = layer(hidden, attention_mask, **options)
        attend = last.attention
        maps = (attend.query, attend.key, attend.value)
        context = _context(attend, maps, hidden, attention_mask, attend.attention_dropout.p)
        attended = attend.LayerNorm(hidden[:, :1] + attend.output_dropout(attend.dense(context)))
        output: Tensor = last.full_layer_layer_norm(last.ff_chunk(attended) + attended)
        return output


class FirstTokenOfDistilbert(nn.Module):
    """A block of DistilBERT that gives its output at the first token alone.

    Args:
        block: The whole block, whose modules it calls.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.attention, self.sa_layer_norm = block.attention, block.sa_layer_norm
        self.ffn, self.output_layer_norm = block.ffn, block.output_layer_norm

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, **_: Any) -> Tensor:
        """Return (b, 1, h) for (b, t, h); the mask is (b, 1, 1 or t, t), bool or added to attention."""
        attend: Any = self.attention
        maps = (attend.q_lin, attend.k_lin, attend.v_lin)
        context = _context(attend, maps, hidden, attention_mask, attend.dropout.p)
        attended = self.sa_layer_norm(attend.out_lin(context) + hidden[:, :1])
        output: Tensor = self.output_layer_norm(self.ffn(attended) + attended)
        return output


def shorten_last_block(view: Any) -> None:
    """Let the last block of a view compute the first token alone, where that is all that the head reads."""
    entry, config, blocks = architecture(view), view.config, encoder_blocks(view)
    if (
        entry is None
        or blocks is None
        or entry.position(config) != 0
        or has_mean_block(view)
        or getattr(config, "is_decoder", False)
        or getattr(config, "add_cross_attention", False)
    ):
        return
    if config.model_type in _LIKE_BERT:
        blocks[-1] = FirstTokenBlock(blocks[-1])
    elif config.model_type == "distilbert":
        blocks[-1] = FirstTokenOfDistilbert(blocks[-1])
    elif config.model_type == "albert":
        # A list with one entry a layer, so that the last one can differ; its weights stay the shared ones.
        groups = [blocks[group] for group in albert_groups(config)]
        groups[-1] = FirstTokenGroup(groups[-1])
        view.albert.encoder.albert_layer_groups = nn.ModuleList(groups)
        config.num_hidden_groups = len(groups)


def _context(
    attend: Any,
    maps: tuple[nn.Module, nn.Module, nn.Module],
    hidden: Tensor,
    mask: Tensor | None,
    dropout: float,
) -> Tensor:
    """Return what the first token gathers from all, shape (b, 1, h).

    Args:
        attend: The attention of a block; knows the size of its heads and the scale.
        maps: Those of queries, keys and values.
        hidden: Shape (b, t, h).
        mask: Shape (b, 1, 1 or t, t), bool or added to attention.
        dropout: Of attention, in train mode.
    """
    query, key, value = (  # (b, heads, 1 or t, size)
        part(tokens).unflatten(-1, (-1, attend.attention_head_size)).transpose(1, 2)
        for part, tokens in zip(maps, (hidden[:, :1], hidden, hidden), strict=True)
    )
    context = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=None if mask is None else mask[:, :, :1],
        dropout_p=dropout if attend.training else 0.0,
        scale=attend.scaling,
    )
    return context.transpose(1, 2).flatten(-2)
