"""An estimate of the GPU memory of a training, from its configuration alone, before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from goemo.configuration import Configuration
from goemo.models.architectures import LAYERS, encoder_width, first_of

# The CUDA context, the libraries' kernels and workspaces, and what a recorded step keeps: taken by every
# process, whatever it trains.
PROCESS_BYTES = 1.5e9

# What autograd keeps for the backward pass is partly float32 in mixed precision: norms, softmax, residuals.
_BYTES_FLOAT32 = 4.0
_BYTES_MIXED = 3.0

# Families that keep more than the formula: ALBERT's activation function is written out in elementary steps,
# XLNet and DeBERTa attend to positions too. Measured by what autograd saves for small models of each.
_KEEPS_MORE = {"albert": 1.5, "deberta-v2": 2.0, "xlnet": 1.5}


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on the device.

    Attributes:
        weights: Of the whole model, in float32, with the bfloat16 copies of a step in mixed precision.
        training: Gradients and AdamW's two moments of what trains.
        activations: What the backward pass of one batch of the longest texts needs.
    """

    weights: float
    training: float
    activations: float

    @property
    def total(self) -> float:
        """All of it, with what a process takes by itself."""
        return self.weights + self.training + self.activations + PROCESS_BYTES


def estimate_memory(model: Any, configuration: Configuration, *, in_bfloat16: bool = True) -> MemoryEstimate:
    """Estimate what a training takes at its peak.

    Activations follow Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer
    Models", section 4.1, with the width of the feed-forward part as it is and for numbers of another size:
    of each token a block keeps 9 vectors of the hidden size, 2 of the inner size, and its attention weights
    2.5 times. A frozen block keeps nothing.

    Args:
        model: Of the configuration, on any device (``meta`` is enough), with what trains set to train.
        configuration: Batch size, maximum length and what trains.
        in_bfloat16: Whether its matrix products are (:func:`goemo.training.precision.uses_bfloat16`).
    """
    c = configuration
    parameters = list(model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    config = model.config
    hidden = encoder_width(config)
    heads = first_of(
        config, "num_attention_heads", "encoder_attention_heads", "n_head", "n_heads", "num_heads", default=0
    )  # FNet has none
    inner = first_of(
        config,
        "intermediate_size",
        "encoder_ffn_dim",
        "hidden_dim",
        "ffn_dim",
        "n_inner",
        "d_ff",
        "d_inner",
        "dff",
        default=4 * hidden,
    )
    layers = first_of(config, *LAYERS, default=12) + _decoder_layers(config)
    blocks = {"all": layers, "last_layer": 1, "head": 0}[c.trainable]
    per_token = 9 * hidden + 2 * inner + 2.5 * heads * c.max_length
    numbers = c.batch_size * c.max_length * (blocks * per_token + 4 * hidden)
    numbers *= _KEEPS_MORE.get(config.model_type, 1.0)
    return MemoryEstimate(
        weights=(6.0 if in_bfloat16 else 4.0) * sum(p.numel() for p in parameters),
        training=12.0 * trained,
        activations=numbers * (_BYTES_MIXED if in_bfloat16 else _BYTES_FLOAT32),
    )


def _decoder_layers(config: Any) -> int:
    """Return the blocks of the decoder that an encoder comes with; 0 where there is none."""
    decoder = getattr(config, "decoder", None)
    if decoder is not None and not isinstance(decoder, str):
        return first_of(decoder, "num_hidden_layers", default=0)
    return first_of(config, "decoder_layers", "num_decoder_layers", default=0)
