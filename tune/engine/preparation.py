"""Preparation of everything that the trials of a search share, done once before the first of them.

What takes seconds to import is imported in the functions, so that a wrong call is refused before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from goemo.configuration import Configuration
from goemo.configuration.settings import ModelSettings
from goemo.data import Splits
from goemo.errors import InputError
from goemo.files import amount
from tune.engine.resources import per_trial, trials_per_gpu
from tune.records import runs_folder
from tune.spec import SearchSpec, models, possible_lengths, possible_values

if TYPE_CHECKING:
    from goemo.training.prepared import StageProgress

# What decides how much memory a trial takes.
_SIZES = ("batch_size", "max_length")


@dataclass(frozen=True)
class ModelCheck:
    """What building a model has shown; of several models, the most of each.

    Attributes:
        weights: How many it has.
        trained: How many of them are trained.
        trial_bytes: Of a GPU, for the largest trial.
        gpu_bytes: Memory of each GPU of this machine.
        least_bytes: Of any device, for weights, gradients and AdamW's moments, however small the batch.
        name: The model that takes the most of these.
    """

    weights: int
    trained: int
    trial_bytes: float
    gpu_bytes: tuple[int, ...]
    least_bytes: float = 0.0
    name: str = ""


def found_checkpoints(spec: SearchSpec) -> list[Path]:
    """Find the folders of the checkpoints before any data is read; those made from the data have none yet.

    Raises:
        InputError: One is not there.
    """
    names = dict.fromkeys(model.checkpoint for model in models(spec))
    named = [name for name in names if not name.startswith("scratch:")]
    if not named:
        return []
    from goemo.models import resolve_checkpoint

    return [resolve_checkpoint(name, texts=None, cache=runs_folder() / "cache").folder for name in named]


def checked_model(spec: SearchSpec, settings: ModelSettings, splits: Splits) -> Any:
    """Build a model of the search once, before any trial is started, and return it.

    Raises:
        InputError: The checkpoint is not there or is damaged, or cannot be trained or pooled as asked.
    """
    from goemo.models import build_model, resolve_checkpoint

    checkpoint = resolve_checkpoint(
        settings.checkpoint, texts=splits.train.texts, cache=runs_folder() / "cache"
    )
    return build_model(
        checkpoint,
        labels=splits.labels,
        trainable=settings.trainable,
        seed=spec.seed,
        pooling=settings.pooling,
    )


def checked_models(spec: SearchSpec, splits: Splits) -> list[ModelCheck]:
    """Build each model of the search once, before any trial is started, and tell what each takes, in order.

    Raises:
        InputError: As of ``checked_model``; or the weights of one are more than the memory of this machine.
    """
    for name in dict.fromkeys(one.checkpoint for one in models(spec)):
        _check_weights_fit(name, splits)
    return [told_by(spec, one, checked_model(spec, one, splits)) for one in models(spec)]


def _check_weights_fit(name: str, splits: Splits) -> None:
    """Refuse a checkpoint that cannot be built here: the system would end the process without a word."""
    from goemo.models import count_weights, resolve_checkpoint

    checkpoint = resolve_checkpoint(name, texts=splits.train.texts, cache=runs_folder() / "cache")
    needed, there = 4 * count_weights(checkpoint, splits.labels), psutil.virtual_memory().total
    if needed > there:
        problem = (
            f"its weights alone take {amount(needed)}, and this machine has {amount(there)}; leave it out, "
            "or search on a larger machine"
        )
        raise InputError(name, [problem])


def dearest(checks: Sequence[ModelCheck]) -> ModelCheck:
    """Return the most of everything that models take."""
    heaviest = max(checks, key=lambda check: check.least_bytes)
    return replace(
        heaviest,
        weights=max(check.weights for check in checks),
        trained=max(check.trained for check in checks),
        trial_bytes=max(check.trial_bytes for check in checks),
    )


def told_by(spec: SearchSpec, settings: ModelSettings, model: Any) -> ModelCheck:
    """Tell what a model from ``checked_model`` takes."""
    import torch

    from goemo.training.memory_estimate import estimate_memory

    gpus = [torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())]
    parameters = list(model.parameters())
    largest = {name: max(possible_values(spec, name, settings)) for name in _SIZES}
    # This machine need not be the one with the GPUs: they are taken to have bfloat16.
    estimate = estimate_memory(
        model,
        Configuration(**asdict(settings), **largest),
        in_bfloat16=settings.mixed_precision != "none",
    )
    weights, trained = (sum(p.numel() for p in parameters if p.requires_grad or not only) for only in (0, 1))
    return ModelCheck(
        weights=weights,
        trained=trained,
        trial_bytes=estimate.total,
        gpu_bytes=tuple(gpus),
        least_bytes=4.0 * weights + 12.0 * trained,
        name=f"{settings.checkpoint} ({settings.trainable})",
    )


def trial_resources(
    spec: SearchSpec, check: ModelCheck, nodes: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Return the CPUs and GPUs of one trial, ``cpu`` and ``gpu``, on nodes that `cluster` tells of.

    As many trials share a GPU as fit on the smallest of those whose memory the nodes have told; where none
    has, of this machine's.

    Raises:
        InputError: No node has what a trial asks for, or a model does not fit into the memory of any.
    """
    gpus = [node["gpu_bytes"] for node in nodes if node.get("gpu_bytes")] or check.gpu_bytes
    sharing = trials_per_gpu(check.trial_bytes, min(gpus)) if gpus else 1
    found = per_trial(spec, nodes, sharing=sharing)
    there = gpus if found["gpu"] else [node["memory"] for node in nodes if node.get("memory")]
    if there and check.least_bytes > max(there):
        device = "GPU" if found["gpu"] else "machine"
        problem = (
            f"training it takes about {amount(check.least_bytes)}, and the largest "
            f"{device} has {amount(max(there))}; leave it out, or train less of it with model.trainable"
        )
        raise InputError(check.name, [problem])
    return found


def prepare(
    spec: SearchSpec,
    splits: Splits,
    *,
    reserved: float = 0,
    on_progress: StageProgress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Tokenize the splits for each encoder and, for a frozen one, compute its output; what exists is reused.

    Args:
        spec: The search.
        splits: Its data.
        reserved: Bytes of the disk that must be left for the trials.
        on_progress: As of `goemo.training.prepared.prepare`.
        on_note: Likewise; where there are several encoders, each line names its own.

    Returns:
        The folder of each checkpoint, for `goemo.training.prepared.Prepared.open`.
    """
    import torch

    from goemo.training.prepared import prepare as prepare_shared

    found: dict[str, Path] = {}
    told: set[str] = set()
    are_several = bool(spec.model.choices)

    def note(of: str, line: str) -> None:
        line = f"{of}: {line}" if are_several else line
        if on_note is not None and line not in told:
            told.add(line)
            on_note(line)

    for one in models(spec):
        prepared = prepare_shared(
            splits,
            one.checkpoint,
            trainable=one.trainable,
            pooling=one.pooling,
            max_lengths=possible_lengths(spec, one),
            cache=runs_folder() / "cache",
            prefix_limit_gb=spec.resources.prefix_limit_gb,
            reserved=reserved,
            on_progress=on_progress,
            on_note=partial(note, one.checkpoint),
        )
        found[one.checkpoint] = prepared.folder
    # What this process holds of a GPU is the trials' from here on.
    torch.cuda.empty_cache()
    return found
