"""What one trial takes from the machine or the cluster."""

from __future__ import annotations

from goemo.errors import InputError
from tune.spec import SearchSpec


def per_trial(spec: SearchSpec, cluster: dict[str, float]) -> dict[str, float]:
    """Return the CPUs and GPUs of one trial.

    ``gpus_per_trial: auto`` is one whole GPU where the cluster has any, else none.

    Args:
        spec: What the search asks for.
        cluster: All resources by Ray's names, as ``ray.cluster_resources()`` gives them.

    Raises:
        InputError: A trial asks for more than there is, and would wait for ever.
    """
    asked = spec.resources.gpus_per_trial
    gpus = float(cluster.get("GPU", 0) > 0) if asked == "auto" else float(asked)
    wanted = {"cpu": float(spec.resources.cpus_per_trial), "gpu": gpus}
    there = {"cpu": cluster.get("CPU", 0.0), "gpu": cluster.get("GPU", 0.0)}
    problems = [
        f"{kind}s_per_trial: must be at most what there is, {there[kind]:g}, got {wanted[kind]:g}"
        for kind in wanted
        if wanted[kind] > there[kind]
    ]
    if problems:
        raise InputError("resources", problems)
    return wanted
