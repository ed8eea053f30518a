"""Resources of one trial on the machine or the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goemo.errors import InputError
from tune.spec import SearchSpec

# Trials that share a GPU take turns on it: a few keep it busy while one of them measures itself on the CPU.
_MOST_TRIALS_PER_GPU = 4

# What is left of a GPU's memory for allocations that no estimate knows of.
_USABLE = 0.9


def threads_per_trial(spec: SearchSpec) -> int:
    """Return the threads of one trial on the CPU.

    Part of what a trial gives: sums over other numbers of threads differ in their last bits, and a training
    carries the difference on.
    """
    return max(1, int(spec.resources.cpus_per_trial))


def trials_per_gpu(needed: float, gpu_bytes: float) -> int:
    """Return how many trials fit on a GPU together, 1 to 4.

    Args:
        needed: Bytes that the largest trial takes, from ``goemo.training.memory_estimate``.
        gpu_bytes: Memory of the GPU.
    """
    return max(1, min(_MOST_TRIALS_PER_GPU, int(_USABLE * gpu_bytes // needed)))


def trials_on(node: Mapping[str, float], per_trial: Mapping[str, float]) -> int:
    """Return how many trials fit on a node at once.

    Args:
        node: Its resources by Ray's names, ``CPU`` and ``GPU``.
        per_trial: CPUs and GPUs of a trial, ``cpu`` and ``gpu``. A share of a GPU is of one and the same.
    """
    cpu, gpu = per_trial["cpu"], per_trial["gpu"]
    fit = [node.get("CPU", 0.0) / cpu] if cpu else []
    if gpu:
        gpus = node.get("GPU", 0.0)
        fit.append(gpus / gpu if gpu >= 1 else int(gpus) * int(1 / gpu + 1e-9))
    return int(min(fit, default=1) + 1e-9)


def per_trial(
    spec: SearchSpec, nodes: Sequence[Mapping[str, float]], *, sharing: int = 1
) -> dict[str, float]:
    """Return the CPUs and GPUs of one trial.

    ``gpus_per_trial: auto`` is a GPU where any node has one, or its share among ``sharing`` trials where the
    node has CPUs for as many; else none.

    Args:
        spec: What the search asks for.
        nodes: Resources of each node by Ray's names, ``CPU`` and ``GPU``.
        sharing: Trials that fit on a GPU together, from ``trials_per_gpu``.

    Raises:
        InputError: No node has what a trial asks for, and it would wait for ever.
    """
    asked = spec.resources.gpus_per_trial
    gpus = _share(spec, nodes, sharing) if asked == "auto" else float(asked)
    wanted = {"CPU": float(spec.resources.cpus_per_trial), "GPU": gpus}
    if any(all(node.get(kind, 0.0) >= wanted[kind] for kind in wanted) for node in nodes):
        return {kind.lower(): amount for kind, amount in wanted.items()}
    have = "; ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
    problem = (
        f"a trial asks for {wanted['CPU']:g} CPUs and {gpus:g} GPUs on one node, but there is {have}; "
        "change resources.cpus_per_trial or resources.gpus_per_trial"
    )
    raise InputError("resources", [problem])


def _share(spec: SearchSpec, nodes: Sequence[Mapping[str, float]], sharing: int) -> float:
    """Return a trial's share of a GPU: no more trials on it than any node with one has CPUs for."""
    cpus = min((node.get("CPU", 0.0) / node["GPU"] for node in nodes if node.get("GPU")), default=None)
    if cpus is None:
        return 0.0
    return 1 / max(1, min(sharing, int(cpus // spec.resources.cpus_per_trial)))
