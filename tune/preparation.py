"""Everything the trials of a search share, made once before the first of them."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from goemo.configuration import Configuration
from goemo.data import Splits
from goemo.memory_estimate import estimate_memory
from goemo.models import build_model, resolve_checkpoint
from goemo.prepared import Prepared
from goemo.prepared import prepare as prepare_shared
from tune.progress import progress_bars
from tune.records import runs_folder
from tune.spec import SearchSpec, configuration

# What decides how much memory a trial takes.
_SIZES = ("batch_size", "max_length")


def check_checkpoint(spec: SearchSpec) -> None:
    """Find the checkpoint before any data is read, unless it is made from the data.

    Raises:
        InputError: It is not there.
    """
    if not spec.model.checkpoint.startswith("scratch:"):
        resolve_checkpoint(spec.model.checkpoint, texts=None, cache=runs_folder() / "cache")


def checked_model(spec: SearchSpec, splits: Splits) -> Any:
    """Build the model once, before any trial is started, and return it.

    Raises:
        InputError: The checkpoint is not there or is damaged, or cannot be trained or pooled as asked.
    """
    checkpoint = resolve_checkpoint(
        spec.model.checkpoint, texts=splits.train.texts, cache=runs_folder() / "cache"
    )
    return build_model(
        checkpoint,
        labels=splits.labels,
        trainable=spec.model.trainable,
        seed=spec.seed,
        pooling=spec.model.pooling,
    )


def memory_needed(spec: SearchSpec, model: Any) -> float:
    """Estimate the bytes of a GPU that the largest trial of a search takes.

    Args:
        spec: The search.
        model: From ``checked_model``.
    """
    largest = {name: max(domain.values) for name, domain in spec.varying.items() if name in _SIZES}
    others = {name: domain.values[0] for name, domain in spec.varying.items() if name not in _SIZES}
    return estimate_memory(model, configuration(spec, largest | others)).total


def max_lengths(spec: SearchSpec) -> list[int]:
    """Return every maximum length that a trial of the search may ask for, ascending."""
    domain = spec.space.get("max_length")
    if domain is None:
        return [Configuration.max_length]
    values = [int(value) for value in domain.values]
    return sorted(set(values)) if domain.is_listed else list(range(min(values), max(values) + 1))


def prepare(spec: SearchSpec, splits: Splits, console: Console) -> Prepared:
    """Tokenize the splits and, for a frozen encoder, compute its output; what exists is reused."""
    with progress_bars(console) as on_progress:
        return prepare_shared(
            splits,
            spec.model.checkpoint,
            trainable=spec.model.trainable,
            pooling=spec.model.pooling,
            max_lengths=max_lengths(spec),
            cache=runs_folder() / "cache",
            prefix_limit_gb=spec.resources.prefix_limit_gb,
            on_progress=on_progress,
            on_note=lambda line: console.print(line, soft_wrap=True, highlight=False),
        )
