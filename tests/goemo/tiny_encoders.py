"""Small random configurations of every architecture that transformers classifies texts with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

EVERY_KIND = tuple(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)

VOCABULARY = 96
WORDS = tuple(f"word{i}" for i in range(60))
PAD = 1

_WIDTH = [
    "d_latents",
    "d_model",
    "dim",
    "emb_dim",
    "embedding_size",
    "hidden_size",
    "input_embedding_size",
    "n_embd",
    "output_embedding_size",
    "pooler_hidden_size",
    "pronunciation_embed_dim",
    "shape_embed_dim",
    "word_embed_proj_dim",
    "moe_intermediate_size",
    "shared_expert_intermediate_size",
    "attention_hidden_size",
    "prediction_head_size",
    "kv_lora_rank",
    "q_lora_rank",
]
_INNER = [
    "d_ff",
    "d_inner",
    "decoder_ffn_dim",
    "dff",
    "encoder_ffn_dim",
    "feed_forward_size",
    "ffn_dim",
    "ffn_hidden_size",
    "hidden_dim",
    "intermediate_size",
    "n_inner",
    "prompt_mid_dim",
]
_HEADS = [
    "decoder_attention_heads",
    "encoder_attention_heads",
    "n_head",
    "n_heads",
    "num_attention_heads",
    "num_heads",
    "num_self_attention_heads",
    "num_cross_attention_heads",
    "num_key_value_heads",
    "num_kv_heads",
]
_HEAD = [
    "attention_head_size",
    "d_head",
    "d_kv",
    "head_dim",
    "kv_channels",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "v_head_dim",
]
_LAYERS = [
    "decoder_layers",
    "encoder_layers",
    "n_layer",
    "n_layers",
    "num_decoder_layers",
    "num_hidden_layers",
    "num_layers",
    "num_self_attends_per_block",
]
_FEW = [
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
    "num_latents",
    "num_experts_per_tok",
]
_SIZES: dict[str, int] = {
    **dict.fromkeys(_WIDTH, 32),
    **dict.fromkeys(_INNER, 48),
    **dict.fromkeys(_HEADS, 4),
    **dict.fromkeys(_HEAD, 8),
    **dict.fromkeys(_LAYERS, 2),
    **dict.fromkeys(_FEW, 4),
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "n_positions": 64,
    "max_seq_len": 64,
    "pad_token_id": PAD,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "query_pre_attn_scalar": 8,
    "entity_vocab_size": 16,
    "entity_emb_size": 16,
    "n_inner": 48,
    "image_size": 16,
    "patch_size": 8,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}

# What the sizes above leave without sense.
_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_CHANGES: dict[str, dict[str, Any]] = {
    "axk1": {"n_group": 2, "topk_group": 1, "num_experts_per_tok": 2},
    "axk2": {"num_experts_per_tok": 2, "index_topk": 8},
    "big_bird": {"attention_type": "original_full"},
    "canine": {"num_hash_buckets": 64, "local_transformer_stride": 16},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"sliding_attention": _ROPE, "full_attention": _ROPE},
    },
    "deepseek_v2": {"num_experts_per_tok": 2},
    "deepseek_v3": {"n_group": 2, "topk_group": 1, "num_experts_per_tok": 2},
    "esm": {"vocab_size": VOCABULARY, "pad_token_id": PAD},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 8},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_dt_rank": 4, "num_experts_per_tok": 2},
    "lilt": {"channel_shrink_ratio": 4, "hidden_size": 48, "max_2d_position_embeddings": 64},
    "ministral": {"head_dim": 8},
    "mistral4": {"num_experts_per_tok": 2, "qk_head_dim": 16, "head_dim": 16},
    "nemotron": {"num_key_value_heads": 4},
    "qwen3_5_text": {"layer_types": ["linear_attention", "full_attention"]},
    "qwen3_next": {"layer_types": ["linear_attention", "full_attention"]},
    "reformer": {
        "axial_pos_shape": [8, 8],
        "axial_pos_embds_dim": [16, 16],
        "local_attn_chunk_length": 8,
        "lsh_attn_chunk_length": 8,
    },
    "roc_bert": {"pronunciation_vocab_size": 64, "shape_vocab_size": 64},
    "t5": {"decoder_start_token_id": PAD},
    "umt5": {"decoder_start_token_id": PAD},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 8},
    "qwen3_5": {"text_config": {"layer_types": ["linear_attention", "full_attention"]}},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 3,
        "layers_block_type": ["linear_attention", "hybrid", "hybrid"],
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
    },
    "zamba2": {
        "layers_block_type": ["linear_attention", "hybrid"],
        "mamba_headdim": 8,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
    },
}


def tiny_config(kind: str, **changes: Any) -> Any:
    """Return a small configuration of an architecture, with the sizes it can have."""
    default = AutoConfig.for_model(kind)
    values = _shrunk(default.to_dict())
    for name, value in (_CHANGES.get(kind, {}) | changes).items():
        nested = name in values and isinstance(values[name], dict)
        values[name] = values[name] | value if nested else value
    return type(default)(**values)


def _shrunk(values: dict[str, Any]) -> dict[str, Any]:
    small = {
        name: _SIZES[name]
        for name, value in values.items()
        if name in _SIZES and (isinstance(value, int) or name.endswith("_id"))
    }
    for name, value in values.items():
        if isinstance(value, dict) and "model_type" in value:
            small[name] = {"model_type": value["model_type"], **_shrunk(value)}
    return small


def write_folder(
    folder: Path, kind: str, labels: tuple[str, ...], *, side: str = "right", **changes: Any
) -> Path:
    """Write a small random encoder with its tokenizer of ``WORDS``, as save_pretrained does.

    Args:
        folder: To be made.
        kind: Model type.
        labels: Names of the outputs.
        side: On which texts are padded.
        **changes: To the configuration.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = tiny_config(kind, num_labels=len(labels), **changes)
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: i for i, label in enumerate(labels)}
        model = AutoModelForSequenceClassification.from_config(config)
        for parameter in model.parameters():
            if parameter.ndim > 1:  # large enough that texts score differently
                torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    (_of_letters(side) if kind in _OWN_TOKENIZER else _tokenizer(side)).save_pretrained(folder)
    return folder


# transformers reads any tokenizer of these as its own class, which knows no words.
_OWN_TOKENIZER = ("qwen2", "qwen3_5")


def _of_letters(side: str) -> PreTrainedTokenizerFast:
    from transformers import Qwen2Tokenizer

    letters = {letter: i for i, letter in enumerate("\u0120word0123456789", start=5)}
    vocabulary = {"<unk>": 0, "<pad>": PAD, "<s>": 2, "</s>": 3, "<|endoftext|>": 4} | letters
    return Qwen2Tokenizer(
        vocab=vocabulary, merges=[], pad_token="<pad>", unk_token="<unk>", padding_side=side
    )


def _tokenizer(side: str) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    special = {"<unk>": 0, "<pad>": PAD, "<s>": 2, "</s>": 3}
    vocabulary = special | {word: i for i, word in enumerate(WORDS, start=5)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        padding_side=side,
        model_input_names=["input_ids", "attention_mask"],
    )
