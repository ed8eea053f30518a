"""The environment of a search: versions, hardware, the commit; never user names or paths."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from goemo.configuration.plugins import GROUPS, plugins

PACKAGES = ("goemo", "torch", "transformers", "tokenizers", "ray", "mlflow", "optuna", "datasets", "numpy")


def versions() -> dict[str, str]:
    """Return the versions of what decides the results and is there, of packages that add to goemo too."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for plugin in (plugin for group in GROUPS for plugin in plugins(group).values()):
        if plugin.entry.dist is not None:
            found[plugin.entry.dist.name] = plugin.entry.dist.version
    return found


def describe() -> dict[str, Any]:
    """Return versions, hardware and the git commit of the working directory, for the record."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "gpus": gpus,
        "git_commit": _git_commit(),
    }


def _processor() -> str:
    """Return the processor's model, as Linux names it; elsewhere what Python knows of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _git_commit() -> str | None:
    """Return the commit of the working directory, with ``+`` when it has changes; None outside git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    return done.stdout.strip()
