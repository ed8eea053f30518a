"""Inspection of cluster nodes: each must see the shared folders and have the same software."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tune.environment import versions

# A worker process starts in a second or two; on a machine under load it takes longer.
PATIENCE_S = 60.0


@dataclass(frozen=True)
class NodeReport:
    """What an inspection says of one node.

    Attributes:
        node_id: Ray's name for it.
        node: Its address.
        has_answered: False where it could not be asked, or gave no answer in time.
        problems: Why no trial can run there, each with its remedy.
        note: What differs from the driver's machine but keeps no trial from running; empty when nothing does.
        gpu_bytes: Memory of the smallest of its GPUs; None where its driver tells of none.
    """

    node_id: str
    node: str
    has_answered: bool
    problems: tuple[str, ...]
    note: str = ""
    gpu_bytes: float | None = None


class Inspection:
    """Asks nodes whether trials could run on them.

    It leaves a file in the shared folder for the nodes to find, which `close` takes away.

    Args:
        shared: A folder that every node must see, and write to, at this path.
        needed: Other files or folders that every node must see at these paths.
    """

    def __init__(self, shared: Path, needed: Iterable[Path] = ()) -> None:
        self._marker = shared / f".node-check-{uuid.uuid4().hex}"
        self._needed = [str(path) for path in needed]
        # Without a CPU of its own, the question does not wait for trials that run there.
        self._question = ray.remote(num_cpus=0, max_retries=0)(look_around)
        self._asked: dict[Any, tuple[Mapping[str, Any], float]] = {}  # answer to come -> node, asked when

    def close(self) -> None:
        """Take away what the nodes should find."""
        for path in self._marker.parent.glob(f"{self._marker.name}*"):
            path.unlink(missing_ok=True)

    def ask(self, node: Mapping[str, Any]) -> None:
        """Ask a node, one entry of `ray.nodes()`; its answer is in a later `findings`."""
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.touch()
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        answer = self._question.options(scheduling_strategy=there).remote(str(self._marker), self._needed)
        self._asked[answer] = node, time.monotonic()

    def findings(self, wait_s: float = 0.0) -> list[NodeReport]:
        """Return what the nodes have answered since the last call.

        Args:
            wait_s: Seconds to wait for all of them. A node that has not answered after a minute is a finding.
        """
        if not self._asked:
            return []
        answered, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=wait_s)
        found = []
        for answer in answered:
            node, _ = self._asked.pop(answer)
            try:
                found.append(self._judge(node, ray.get(answer)))
            except RayTaskError as error:
                problem = f"cannot run the project: {_last_line(error)}; install it there as here"
                found.append(_finding(node, problem))
            except RayError as error:
                problem = f"does not run its tasks: {_last_line(error)}"
                found.append(_finding(node, problem, has_answered=False))
        for answer, (node, since) in list(self._asked.items()):
            if time.monotonic() - since > PATIENCE_S:
                del self._asked[answer]
                problem = f"has not answered within {PATIENCE_S:g} s"
                found.append(_finding(node, problem, has_answered=False))
        return found

    def _judge(self, node: Mapping[str, Any], answer: Mapping[str, Any]) -> NodeReport:
        folder = self._marker.parent
        problems = []
        if not answer["sees_folder"]:
            problems.append(
                f"does not see {folder}; mount a folder that all nodes share at one path and let GOEMO_RUNS "
                "point to it"
            )
        elif answer["write_error"]:
            problems.append(f"cannot write to {folder}: {answer['write_error']}")
        problems += [
            f"has no {path}; put it on the shared folder (HF_HOME for checkpoints of the hub), or install "
            "what it belongs to at the same path"
            for path in answer["missing"]
        ]
        here, there = versions(), answer["versions"]
        lacking = [package for package in here if package not in there]
        if lacking:
            problems.append(f"lacks {', '.join(lacking)}; install the project there as here")
        others = [
            f"{package} {there[package]} (here {version})"
            for package, version in here.items()
            if there.get(package, version) != version
        ]
        note = f"has {', '.join(others)}; trials there may differ in their last digits" if others else ""
        return _finding(node, *problems, note=note, gpu_bytes=min(answer["gpu_bytes"], default=None))


def look_around(marker: str, needed: Sequence[str]) -> dict[str, Any]:
    """Say what a trial would find; runs on the node.

    Args:
        marker: A file that the driver has made in the shared folder.
        needed: Paths that must exist.

    Returns:
        ``sees_folder``, ``write_error`` (empty when all is well), ``missing``, ``versions``, and
        ``gpu_bytes``, the memory of each GPU.
    """
    sees_folder, write_error = Path(marker).is_file(), ""
    if sees_folder:
        try:
            Path(f"{marker}-{uuid.uuid4().hex}").touch()
        except OSError as error:
            write_error = error.strerror or str(error)
    return {
        "sees_folder": sees_folder,
        "write_error": write_error,
        "missing": [path for path in needed if not Path(path).exists()],
        "versions": versions(),
        "gpu_bytes": _gpu_bytes(),
    }


def _gpu_bytes() -> list[int]:
    """Ask NVIDIA's driver, and not CUDA, which Ray hides from what has not asked for a GPU."""
    import pynvml

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        return [int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) for handle in handles]
    except pynvml.NVMLError:
        return []


def _finding(
    node: Mapping[str, Any],
    *problems: str,
    has_answered: bool = True,
    note: str = "",
    gpu_bytes: float | None = None,
) -> NodeReport:
    return NodeReport(node["NodeID"], node["NodeManagerAddress"], has_answered, problems, note, gpu_bytes)


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1].strip() if str(error).strip() else type(error).__name__
