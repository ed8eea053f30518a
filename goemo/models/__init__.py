"""Encoders with a multi-label head: where they come from, which part trains, what the head reads."""

from goemo.models.architectures import encoder_blocks, model_inputs
from goemo.models.building import build_model, count_weights, train_mode
from goemo.models.checkpoints import Checkpoint, load_tokenizer, resolve_checkpoint
from goemo.models.configs import load_config
from goemo.models.features import head_features, head_logits, reads_one_vector
from goemo.models.learning_rates import learning_rate_scales
from goemo.models.quiet import quiet_transformers
from goemo.models.splitting import SplitModel, prefix_states, split_model, suffix_logits

__all__ = [
    "Checkpoint",
    "SplitModel",
    "build_model",
    "count_weights",
    "encoder_blocks",
    "head_features",
    "head_logits",
    "learning_rate_scales",
    "load_config",
    "load_tokenizer",
    "model_inputs",
    "prefix_states",
    "quiet_transformers",
    "reads_one_vector",
    "resolve_checkpoint",
    "split_model",
    "suffix_logits",
    "train_mode",
]
