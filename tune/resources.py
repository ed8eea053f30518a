"""What one trial takes from the machine or the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goemo.errors import InputError
from tune.spec import SearchSpec


def threads_per_trial(spec: SearchSpec) -> int:
    """Return the threads of one trial on the CPU.

    Part of what a trial gives: sums over other numbers of threads differ in their last bits, and a training
    carries the difference on.
    """
    return max(1, int(spec.resources.cpus_per_trial))


def per_trial(spec: SearchSpec, nodes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the CPUs and GPUs of one trial.

    ``gpus_per_trial: auto`` is one whole GPU where any node has one, else none.

    Args:
        spec: What the search asks for.
        nodes: Resources of each node by Ray's names, ``CPU`` and ``GPU``.

    Raises:
        InputError: No node has what a trial asks for, and it would wait for ever.
    """
    asked = spec.resources.gpus_per_trial
    most_gpus = max(node.get("GPU", 0.0) for node in nodes)
    gpus = float(most_gpus > 0) if asked == "auto" else float(asked)
    wanted = {"CPU": float(spec.resources.cpus_per_trial), "GPU": gpus}
    if any(all(node.get(kind, 0.0) >= wanted[kind] for kind in wanted) for node in nodes):
        return {kind.lower(): amount for kind, amount in wanted.items()}
    have = "; ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
    problem = (
        f"a trial asks for {wanted['CPU']:g} CPUs and {gpus:g} GPUs on one node, but there is {have}; "
        "change resources.cpus_per_trial or resources.gpus_per_trial"
    )
    raise InputError("resources", [problem])
