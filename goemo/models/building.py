"""Builds an encoder with a multi-label head: new weights seeded, and only the trainable part set to train."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from goemo.configuration import POOLING, TRAINABLE
from goemo.errors import InputError
from goemo.models.architectures import ARCHITECTURES, albert_groups, encoder_blocks, text_config
from goemo.models.checkpoints import Checkpoint, load_tokenizer
from goemo.models.configs import load_config, set_dropout
from goemo.models.heads import settle_head, trained_labels
from goemo.models.pooling import MEAN_BLOCKS, POOLING_KEY, has_mean_block, make_mean_block
from goemo.models.quiet import quiet_transformers
from goemo.models.sentence_encoders import settled_pooling


def build_model(
    checkpoint: Checkpoint,
    *,
    labels: Sequence[str],
    trainable: str,
    seed: int,
    pooling: str = "auto",
    dropout: float | None = None,
) -> Any:
    """Build the multi-label classifier of a checkpoint, in eval mode, on the CPU, in float32.

    Args:
        checkpoint: From ``resolve_checkpoint``.
        labels: Names in the order of the outputs.
        trainable: ``head``: the classification head, and the pooler where the architecture has one;
            ``last_layer``: also the last encoder block; ``all``: everything.
        seed: Seeds the weights that the checkpoint does not have; the same seed gives the same model,
            and torch's global random state is left as it was.
        pooling: ``first`` lets the head read the token that the architecture reads; ``mean`` appends a
            frozen block that makes it the mean over tokens (``make_mean_block``); ``auto`` is how the folder
            of a sentence encoder pools, where it says so and that is possible, else ``first``.
        dropout: Probability of every dropout, in [0, 1); None for those of the checkpoint.

    Returns:
        A plain ``transformers`` model. ALBERT with ``last_layer`` has untied blocks (one group a layer).

    Raises:
        InputError: The weights do not fit the configuration, or the architecture does not allow what is
            asked for.
    """
    assert trainable in TRAINABLE, trainable
    assert pooling in POOLING, pooling
    with quiet_transformers(), _seeded(seed):
        config = _config(checkpoint, labels)
        if dropout is not None:
            set_dropout(config, dropout)
        pooling = settled_pooling(pooling, checkpoint.name, checkpoint.folder)
        _check_pooling(checkpoint, config, pooling)
        adds_block = pooling == "mean" and getattr(config, POOLING_KEY, "first") != "mean"
        if adds_block:
            names = MEAN_BLOCKS[config.model_type]
            setattr(config, names.depth, getattr(config, names.depth) + 1)
            setattr(config, POOLING_KEY, "mean")
        model = _load(checkpoint, config, added_blocks=int(adds_block))
        settle_head(model, trained_labels(checkpoint), labels)
        if adds_block:
            blocks = encoder_blocks(model)
            assert blocks is not None
            make_mean_block(blocks[-1], MEAN_BLOCKS[config.model_type])
        if trainable == "last_layer" and config.model_type == "albert":
            model = _untied_albert(model)
        if trainable == "last_layer" and encoder_blocks(model) is None:
            problem = f"trainable: the last block of {config.model_type} is not known; take all or head"
            raise InputError(checkpoint.name, [problem])
    _set_trainable(model, trainable)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        problem = f"trainable: {config.model_type} has no head beside its encoder; take all"
        raise InputError(checkpoint.name, [problem])
    return model.eval()


def count_weights(checkpoint: Checkpoint, labels: Sequence[str]) -> int:
    """Return how many weights the classifier of a checkpoint has; none of them takes any memory.

    Raises:
        InputError: The configuration does not load.
    """
    with quiet_transformers(), torch.device("meta"):
        model = _load(replace(checkpoint, has_weights=False), _config(checkpoint, labels), added_blocks=0)
    return sum(parameter.numel() for parameter in model.parameters())


def train_mode(model: Any, trainable: str) -> None:
    """Put what trains in train mode and the rest in eval mode: frozen parts run without dropout."""
    if trainable == "all":
        model.train()
        if has_mean_block(model):
            _last_block(model, mean=True).eval()
        return
    model.eval()
    for module in trained_modules(model, trainable):
        module.train()


def _config(checkpoint: Checkpoint, labels: Sequence[str]) -> Any:
    try:
        config = load_config(
            checkpoint.folder,
            id2label=dict(enumerate(labels)),
            label2id={label: i for i, label in enumerate(labels)},
            problem_type="multi_label_classification",
        )
        _set_pad_token(checkpoint, config)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise InputError(checkpoint.name, [f"its config.json cannot be used: {error}"]) from error
    return config


def _set_pad_token(checkpoint: Checkpoint, config: Any) -> None:
    """Give a configuration without a padding token that of the tokenizer: a decoder's head looks for it."""
    parts = [part for part in (config, text_config(config)) if getattr(part, "pad_token_id", None) is None]
    if parts:
        pad = load_tokenizer(checkpoint).pad_token_id
        for part in parts:
            part.pad_token_id = pad


def _check_pooling(checkpoint: Checkpoint, config: Any, pooling: str) -> None:
    kind = config.model_type
    if pooling == "mean" and kind not in MEAN_BLOCKS:
        known = ", ".join(sorted(MEAN_BLOCKS))
        problem = f"pooling: mean is possible for {known}, not for {kind}; take first"
        raise InputError(checkpoint.name, [problem])


def _load(checkpoint: Checkpoint, config: Any, *, added_blocks: int) -> Any:
    """Load the weights, or make them at random; only the head and added blocks may be new."""
    from transformers import AutoModelForSequenceClassification

    try:
        if not checkpoint.has_weights:
            return AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # a head for other labels is replaced; the encoder is checked below
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        what = "weights do" if checkpoint.has_weights else "configuration does"
        raise InputError(checkpoint.name, [f"its {what} not load: {error}"]) from error
    missing = _new_encoder_weights(model, report, added_blocks)
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise InputError(
            checkpoint.name, [f"its weights do not fit its config.json: no {shown} of the right shape"]
        )
    return model


def _new_encoder_weights(model: Any, report: dict[str, Any], added_blocks: int) -> list[str]:
    """Return the names of encoder weights that the file lacks or has in another shape."""
    allowed = [name for name, _ in head_modules(model)]
    blocks = encoder_blocks(model)
    if added_blocks and blocks is not None:
        allowed.append(f"{ARCHITECTURES[model.config.model_type].blocks}.{len(blocks) - 1}")
    names = {key if isinstance(key, str) else key[0] for key in report["missing_keys"]}
    names |= {key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]}
    return sorted(name for name in names if not name.startswith(tuple(f"{part}." for part in allowed)))


def head_modules(model: Any) -> list[tuple[str, nn.Module]]:
    """Return the modules around the encoder, by name, and the encoder's pooler where it has one."""
    prefix = model.base_model_prefix
    head = [(name, module) for name, module in model.named_children() if name != prefix]
    for name in ("pooler", "pooler_activation"):
        pooler = getattr(model.base_model, name, None)
        if isinstance(pooler, nn.Module):
            head.append((f"{prefix}.{name}", pooler))
    return head


def trained_modules(model: Any, trainable: str) -> list[nn.Module]:
    """Return the modules that train where not all do."""
    modules = [module for _, module in head_modules(model)]
    if trainable == "last_layer":
        modules.append(_last_block(model, mean=False))
    return modules


def _last_block(model: Any, *, mean: bool) -> nn.Module:
    """Return the mean block, or the last block before it."""
    blocks = encoder_blocks(model)
    assert blocks is not None
    return blocks[-1 if mean or not has_mean_block(model) else -2]


def _set_trainable(model: Any, trainable: str) -> None:
    model.requires_grad_(trainable == "all")
    if trainable != "all":
        for module in trained_modules(model, trainable):
            module.requires_grad_(True)
    if has_mean_block(model):
        _last_block(model, mean=True).requires_grad_(False)


def _untied_albert(model: Any) -> Any:
    """Give each layer of an ALBERT weights of its own, copied from the group it shared; same outputs."""
    groups = albert_groups(model.config)
    encoder = model.albert.encoder
    encoder.albert_layer_groups = nn.ModuleList(
        copy.deepcopy(encoder.albert_layer_groups[group]) for group in groups
    )
    model.config.num_hidden_groups = len(groups)
    return model


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the CPU's random generator, which makes new weights, and put it back afterwards."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed: that seeds GPUs too, which are not put back.
        torch.default_generator.manual_seed(seed)
        yield
