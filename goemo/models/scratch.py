"""Small encoders from configuration, with a tokenizer trained on the data.

They make everything run with no download: right for mechanics and speed, never for quality.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from goemo.errors import InputError
from goemo.files import built_folder

_VOCABULARY = 4000
_VERSION = 1  # part of the digest: raise it when the files made from the same texts change


@dataclass(frozen=True)
class ScratchKind:
    """One small encoder: its configuration, and how its tokenizer frames a text.

    Attributes:
        config: ``config.json`` without what depends on the vocabulary.
        special_tokens: All special tokens by role; their order gives their ids.
        single: Template of one text, as ``tokenizers.processors.TemplateProcessing`` wants it.
        lowercase: The tokenizer folds case and strips accents.
        tokenizer: Further keys of ``tokenizer_config.json``.
    """

    config: dict[str, Any]
    special_tokens: dict[str, str]
    single: str
    lowercase: bool
    tokenizer: dict[str, Any] = field(default_factory=dict)


SCRATCH_KINDS: dict[str, ScratchKind] = {
    "albert-tiny": ScratchKind(
        config={
            "model_type": "albert",
            "architectures": ["AlbertForSequenceClassification"],
            "embedding_size": 64,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 3,
            "num_hidden_groups": 1,
            "inner_group_num": 1,
            "num_attention_heads": 4,
            "hidden_act": "gelu_new",
            "max_position_embeddings": 512,
            "type_vocab_size": 2,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "classifier_dropout_prob": 0.1,
        },
        special_tokens={
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
        },
        single="[CLS]:0 $A:0 [SEP]:0",
        lowercase=True,
    ),
    "xlnet-tiny": ScratchKind(
        config={
            "model_type": "xlnet",
            "architectures": ["XLNetForSequenceClassification"],
            "d_model": 128,
            "n_layer": 2,
            "n_head": 4,
            "d_inner": 256,
            "dropout": 0.1,
            "summary_type": "last",
            "summary_use_proj": True,
            "summary_activation": "tanh",
            "summary_last_dropout": 0.1,
        },
        special_tokens={
            "unk_token": "<unk>",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "cls_token": "<cls>",
            "sep_token": "<sep>",
            "pad_token": "<pad>",
            "mask_token": "<mask>",
        },
        single="$A:0 <sep>:0 <cls>:2",
        lowercase=False,
        tokenizer={
            "padding_side": "left",
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        },
    ),
}


def scratch_folder(kind: str, texts: Sequence[str] | None, cache: Path) -> Path:
    """Return the folder of a small encoder whose tokenizer is trained on the texts; made once.

    The same texts and the same software give the same files. Several processes may ask at once: a folder
    appears whole or not.

    Raises:
        InputError: There are no texts to train a tokenizer on.
    """
    if not texts:
        raise InputError(f"scratch:{kind}", ["its tokenizer is trained on the data, but there are no texts"])
    facts = (_VERSION, _VOCABULARY, metadata.version("tokenizers"), SCRATCH_KINDS[kind])
    digest = hashlib.sha256(f"{facts!r}\0{kind}\0".encode())
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    folder = cache.resolve() / "checkpoints" / f"{kind}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        with built_folder(folder, is_cache=True) as partial:
            _write(SCRATCH_KINDS[kind], texts, partial)
    return folder


def _write(kind: ScratchKind, texts: Sequence[str], folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    backend = _train_tokenizer(kind, texts)
    names = kind.special_tokens
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **names, **kind.tokenizer)
    tokenizer.save_pretrained(folder)
    config = {
        **kind.config,
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": backend.token_to_id(names.get("bos_token", names["cls_token"])),
        "eos_token_id": backend.token_to_id(names.get("eos_token", names["sep_token"])),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _train_tokenizer(kind: ScratchKind, texts: Sequence[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = list(kind.special_tokens.values())
    # BPE, not Unigram as in the originals: its training is the same every time, to the last merge.
    tokenizer = Tokenizer(models.BPE(unk_token=kind.special_tokens["unk_token"]))
    folding = [normalizers.StripAccents(), normalizers.Lowercase()] if kind.lowercase else []
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), *folding])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        min_frequency=2,
        special_tokens=special,
        limit_alphabet=500,  # rare characters become <unk> rather than a vocabulary of their own
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    names = [kind.special_tokens[role] for role in ("cls_token", "sep_token")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=kind.single,
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in names],
    )
    return tokenizer
