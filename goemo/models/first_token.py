"""The last encoder block where the head reads the first token alone: nothing is computed for the others.

Of the last block's output the head of a BERT-like classifier reads one token. Keys and values still come from
all tokens, but queries, the output map, the feed-forward part and the norms are needed at that token only: of
the 12 h^2 multiplications that the block spends on a token, 2 h^2 remain. The logits and all gradients are
those of the whole block, to rounding. Dropout draws numbers for one token only, so other ones.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

from goemo.models.architectures import architecture
from goemo.models.quick_attention import quick_attention

# Families whose block has the parts of BERT's by their names.
_FAMILIES = ("bert", "electra", "roberta", "xlm-roberta")


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
        first = hidden[:, :1]
        query, key, value = (
            part.unflatten(-1, (-1, attend.attention_head_size)).transpose(1, 2)  # (b, heads, 1 or t, size)
            for part in (attend.query(first), attend.key(hidden), attend.value(hidden))
        )
        mask = None if attention_mask is None else attention_mask[:, :, :1]
        dropout = attend.dropout.p if attend.training else 0.0
        if dropout and hidden.device.type == "cpu":
            context = quick_attention(query, key, value, mask, dropout=dropout, scale=attend.scaling)
        else:
            context = F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, dropout_p=dropout, scale=attend.scaling
            )
        attended = self.attention.output(context.transpose(1, 2).flatten(-2), first)
        output: Tensor = self.output(self.intermediate(attended), attended)
        return output


def reads_first_token_of_block(model: Any) -> bool:
    """Say whether ``FirstTokenBlock`` may stand for the last block that the head reads."""
    entry, config = architecture(model), model.config
    return (
        entry is not None
        and config.model_type in _FAMILIES
        and entry.position(config) == 0
        and not getattr(config, "is_decoder", False)
        and not getattr(config, "add_cross_attention", False)
    )
