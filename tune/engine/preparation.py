"""Preparation of everything that the trials of a search share, once, before the first of them.

What takes seconds to import is imported in the functions, so that a wrong call is refused before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goemo.data import Splits
from goemo.errors import InputError
from tune.engine.resources import per_trial, trials_per_gpu
from tune.records import runs_folder
from tune.spec import SearchSpec, asked_for, configuration, possible_values

if TYPE_CHECKING:
    from goemo.training.prepared import StageProgress

# What decides how much memory a trial takes.
_SIZES = ("batch_size", "max_length")


@dataclass(frozen=True)
class ModelCheck:
    """What building a model of the search has shown.

    Attributes:
        weights: How many it has.
        trained: How many of them are trained.
        trial_bytes: Of a GPU, for the largest trial.
        gpu_bytes: Memory of each GPU of this machine.
    """

    weights: int
    trained: int
    trial_bytes: float
    gpu_bytes: tuple[int, ...]


def found_checkpoint(spec: SearchSpec) -> list[Path]:
    """Find the folder of the checkpoint before any data is read; one made from the data has none yet.

    Raises:
        InputError: It is not there, or the search chooses among several models.
    """
    if choices := spec.model.choices:
        keys = ", ".join(f"model.{name}" for name in choices)
        problem = (
            f"{keys}: a search prepares its data for one model; give one value, and start a search for each"
        )
        raise InputError(spec.name, [problem])
    if spec.model.checkpoint.startswith("scratch:"):
        return []
    from goemo.models import resolve_checkpoint

    return [resolve_checkpoint(spec.model.checkpoint, texts=None, cache=runs_folder() / "cache").folder]


def checked_model(spec: SearchSpec, splits: Splits) -> Any:
    """Build the model once, before any trial is started, and return it.

    Raises:
        InputError: The checkpoint is not there or is damaged, or cannot be trained or pooled as asked.
    """
    from goemo.models import build_model, resolve_checkpoint

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


def check_model(spec: SearchSpec, splits: Splits) -> ModelCheck:
    """Build the model once, before any trial is started, and tell what it takes.

    Raises:
        InputError: As of ``checked_model``.
    """
    return told_by(spec, checked_model(spec, splits))


def told_by(spec: SearchSpec, model: Any) -> ModelCheck:
    """Tell what a model from ``checked_model`` takes."""
    import torch

    gpus = [torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())]
    parameters = list(model.parameters())
    return ModelCheck(
        weights=sum(p.numel() for p in parameters),
        trained=sum(p.numel() for p in parameters if p.requires_grad),
        trial_bytes=memory_needed(spec, model),
        gpu_bytes=tuple(gpus),
    )


def memory_needed(spec: SearchSpec, model: Any) -> float:
    """Estimate the bytes of a GPU that the largest trial of a search takes.

    Args:
        spec: The search.
        model: From ``checked_model``.
    """
    from goemo.training.memory_estimate import estimate_memory

    first = asked_for(spec.varying, {name: domain.values[0] for name, domain in spec.varying.items()})
    largest = {name: max(possible_values(spec, name)) for name in _SIZES}
    c = replace(configuration(spec, first), **largest)
    # This machine need not be the one with the GPUs: they are taken to have bfloat16.
    return estimate_memory(model, c, in_bfloat16=c.mixed_precision != "none").total


def trial_resources(
    spec: SearchSpec, check: ModelCheck, nodes: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Return the CPUs and GPUs of one trial, ``cpu`` and ``gpu``, on nodes that `cluster` tells of.

    As many trials share a GPU as fit on the smallest of those whose memory the nodes have told; where none
    has, of this machine's.

    Raises:
        InputError: No node has what a trial asks for.
    """
    gpus = [node["gpu_bytes"] for node in nodes if node.get("gpu_bytes")] or check.gpu_bytes
    sharing = trials_per_gpu(check.trial_bytes, min(gpus)) if gpus else 1
    return per_trial(spec, nodes, sharing=sharing)


def max_lengths(spec: SearchSpec) -> list[int]:
    """Return every maximum length that a trial of the search may ask for, ascending."""
    domain = spec.space.get("max_length")
    values = {int(value) for value in possible_values(spec, "max_length")}
    if domain is not None and not domain.is_listed:
        values |= set(range(domain.values[0], domain.values[1] + 1))
    return sorted(values)


def prepare(
    spec: SearchSpec,
    splits: Splits,
    *,
    reserved: float = 0,
    on_progress: StageProgress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Path:
    """Tokenize the splits and, for a frozen encoder, compute its output; what exists is reused.

    Args:
        spec: The search.
        splits: Its data.
        reserved: Bytes of the disk that must be left for the trials.
        on_progress: As of `goemo.training.prepared.prepare`.
        on_note: Likewise.

    Returns:
        The folder, for `goemo.training.prepared.Prepared.open`.
    """
    import torch

    from goemo.training.prepared import prepare as prepare_shared

    prepared = prepare_shared(
        splits,
        spec.model.checkpoint,
        trainable=spec.model.trainable,
        pooling=spec.model.pooling,
        max_lengths=max_lengths(spec),
        cache=runs_folder() / "cache",
        prefix_limit_gb=spec.resources.prefix_limit_gb,
        reserved=reserved,
        on_progress=on_progress,
        on_note=on_note,
    )
    # What this process holds of a GPU is the trials' from here on.
    torch.cuda.empty_cache()
    return prepared.folder
