"""Reading of an untrusted ``config.json``, so that it decides sizes and runs no code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from goemo.configuration.wording import show

# transformers fetches and runs native code for other names: OWNER/NAME is a kernel from the hub, and where
# flash attention is not installed its names stand for such a kernel too.
ATTENTIONS = (None, "eager", "sdpa")

# Each layer is a handful of objects, whatever its size: ten million of them take gigabytes and hours.
MOST_LAYERS = 1_000
_COUNTS_LAYERS = re.compile("layer|depth|block_sizes|num_hidden_groups|inner_group_num")

_ATTENTION_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")


class UnsafeConfigError(ValueError):
    """The folder asks transformers for more than its own weights and classes, or for too many layers."""


def load_config(folder: Path, **changes: Any) -> Any:
    """Load the configuration of a model folder; models are built from this, not from the file.

    XLNet's memory of earlier texts is switched off: it is for texts in segments, costs as much as the
    activations, and a pipeline cannot take a batch of outputs apart where it is returned.

    Args:
        folder: Holds ``config.json``.
        **changes: Set in the configuration.

    Raises:
        UnsafeConfigError: It asks for code from elsewhere, quantised weights or too many layers; or it is
            an adapter, for which transformers loads another model.
        ValueError: The file is no configuration.
        OSError: It cannot be read.
        ImportError: The model needs a package that is not installed.
    """
    from transformers import AutoConfig

    _check(folder)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **changes)
    if config.model_type == "xlnet":
        config.use_mems_eval = False
        config.use_mems_train = False
        config.mem_len = None
    return config


def set_dropout(config: Any, probability: float) -> None:
    """Give every dropout of a configuration one probability; families name theirs differently.

    Also those of the configurations within it, of an encoder beside a decoder say. Flags (ESM's
    ``token_dropout``) and the skipping of whole layers (``layerdrop``) are no dropouts.
    """
    for name, value in vars(config).copy().items():
        if isinstance(getattr(value, "model_type", None), str) or name == "attn_config":
            if not isinstance(value, dict):
                set_dropout(value, probability)
        elif _is_dropout(config, name, value):
            setattr(config, name, probability)


def _is_dropout(config: Any, name: str, value: Any) -> bool:
    if "dropout" not in name and not name.endswith("_pdrop"):
        return False
    # What is declared as something else, a flag say, takes no probability, though it may be None.
    declared = {f.name: str(f.type) for f in fields(config)} if is_dataclass(config) else {}
    if "float" not in declared.get(name, "float"):
        return False
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def adapter_problem(folder: Path) -> str | None:
    """Return why an adapter's folder is none of a model, with the way out; None for other folders."""
    if not (folder / "adapter_config.json").exists():
        return None
    return (
        "it has an adapter_config.json; merge the adapter into its model first "
        "(peft: merge_and_unload) and give the folder of the merged one"
    )


def _check(folder: Path) -> None:
    """Refuse a folder that asks for more than its own weights in the library's own classes.

    Raises:
        UnsafeConfigError: As in ``load_config``.
    """
    adapter = adapter_problem(folder)
    if adapter:
        raise UnsafeConfigError(adapter)
    for key, value in _entries(json.loads((folder / "config.json").read_text(encoding="utf-8"))):
        if key in _ATTENTION_KEYS and not isinstance(value, dict) and value not in ATTENTIONS:
            allowed = ", ".join(str(name) for name in ATTENTIONS if name)
            raise UnsafeConfigError(
                f"{key} in config.json must be one of {allowed}, got {value!r}; remove it"
            )
        if _COUNTS_LAYERS.search(key) and _count(value) > MOST_LAYERS:
            found = show(value) if isinstance(value, list) else f"{value:,}"
            raise UnsafeConfigError(f"{key} in config.json must be at most {MOST_LAYERS:,}, got {found}")
        if key == "quantization_config" and value is not None:
            raise UnsafeConfigError(
                "quantization_config in config.json: quantised weights cannot be used here"
            )


def _count(value: Any) -> int:
    """Return how many layers a value asks for: a number, or numbers by stage."""
    parts = value if isinstance(value, list) else [value]
    return sum(part for part in parts if isinstance(part, int))


def _entries(value: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key and value of a JSON value, at any depth; inside an attention's, under its name."""
    if isinstance(value, dict):
        for key, item in value.items():
            name = within or key
            yield name, item
            yield from _entries(item, name if name in _ATTENTION_KEYS else "")
    elif isinstance(value, list):
        for item in value:
            if within:
                yield within, item
            yield from _entries(item, within)
