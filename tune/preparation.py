"""Everything the trials of a search share, made once before the first of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from goemo.data import Splits
from goemo.memory_estimate import estimate_memory
from goemo.models import build_model, resolve_checkpoint
from goemo.prepared import Prepared
from goemo.prepared import prepare as prepare_shared
from tune.progress import progress_bars
from tune.records import runs_folder
from tune.resources import per_trial, trials_per_gpu
from tune.spec import SearchSpec, asked_for, configuration, possible_values

# What decides how much memory a trial takes.
_SIZES = ("batch_size", "max_length")


def found_checkpoint(spec: SearchSpec) -> list[Path]:
    """Find the folder of the checkpoint before any data is read; one made from the data has none yet.

    Raises:
        InputError: It is not there.
    """
    if spec.model.checkpoint.startswith("scratch:"):
        return []
    return [resolve_checkpoint(spec.model.checkpoint, texts=None, cache=runs_folder() / "cache").folder]


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
    first = asked_for(spec.varying, {name: domain.values[0] for name, domain in spec.varying.items()})
    largest = {name: max(possible_values(spec, name)) for name in _SIZES}
    c = replace(configuration(spec, first), **largest)
    # This machine need not be the one with the GPUs: they are taken to have bfloat16.
    return estimate_memory(model, c, in_bfloat16=c.mixed_precision != "none").total


def trial_resources(spec: SearchSpec, model: Any, nodes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the CPUs and GPUs of one trial, ``cpu`` and ``gpu``, on nodes that `tune.cluster` tells of.

    Raises:
        InputError: No node has what a trial asks for.
    """
    return per_trial(spec, nodes, sharing=_sharing(spec, model, nodes))


def _sharing(spec: SearchSpec, model: Any, nodes: Sequence[Mapping[str, float]]) -> int:
    """Return how many trials fit on the smallest GPU; 1 where there is none to ask.

    Args:
        spec: The search.
        model: From ``checked_model``.
        nodes: Of a cluster, with the ``gpu_bytes`` that some may have told; else this machine's GPUs count.
    """
    gpus = [node["gpu_bytes"] for node in nodes if node.get("gpu_bytes")] or [
        torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())
    ]
    return trials_per_gpu(memory_needed(spec, model), min(gpus)) if gpus else 1


def max_lengths(spec: SearchSpec) -> list[int]:
    """Return every maximum length that a trial of the search may ask for, ascending."""
    domain = spec.space.get("max_length")
    values = {int(value) for value in possible_values(spec, "max_length")}
    if domain is not None and not domain.is_listed:
        values |= set(range(domain.values[0], domain.values[1] + 1))
    return sorted(values)


def prepare(spec: SearchSpec, splits: Splits, console: Console, *, reserved: float = 0) -> Prepared:
    """Tokenize the splits and, for a frozen encoder, compute its output; what exists is reused.

    Args:
        spec: The search.
        splits: Its data.
        console: Where progress is shown.
        reserved: Bytes of the disk that must be left for the trials.
    """
    with progress_bars(console) as on_progress:
        return prepare_shared(
            splits,
            spec.model.checkpoint,
            trainable=spec.model.trainable,
            pooling=spec.model.pooling,
            max_lengths=max_lengths(spec),
            cache=runs_folder() / "cache",
            prefix_limit_gb=spec.resources.prefix_limit_gb,
            reserved=reserved,
            on_progress=on_progress,
            on_note=lambda line: console.print(line, soft_wrap=True, highlight=False),
        )
