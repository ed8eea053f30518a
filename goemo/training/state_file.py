"""The file from which a training resumes: ``safetensors``, whole or not there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from goemo.files import remove_abandoned

_STATE_FILE = "training.safetensors"


def write_state(
    folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], made_by: Mapping[str, Any]
) -> None:
    """Put a state in its folder such that a crash leaves the earlier one, or none and no folder.

    Args:
        folder: Made where it is not there.
        tensors: On any device.
        facts: Plain values that belong to the state.
        made_by: Plain values that name what it is a state of.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}.goemo-partial-"
    remove_abandoned(folder.parent, prefix)
    # Of its own name: a trial may be started again elsewhere while its last process is still writing.
    partial = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    metadata = {"state": json.dumps(facts), "made_by": json.dumps(made_by)}
    try:
        on_host = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        save_file(on_host, partial / _STATE_FILE, metadata)
        partial.chmod(0o755)
        try:
            partial.rename(folder)
        except OSError:  # the folder is there, and holds a state
            (partial / _STATE_FILE).replace(folder / _STATE_FILE)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def state_path(folder: Path) -> Path:
    """Return the file of a folder, for messages."""
    return Path(folder) / _STATE_FILE


def read_state(folder: Path, device: str) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Return the tensors, the facts and what they were made by, as ``write_state`` was given them.

    Raises:
        OSError, SafetensorError, KeyError, ValueError, TypeError: It is not there, or not whole.
    """
    with safe_open(state_path(folder), framework="pt", device=device) as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        return tensors, json.loads(metadata["state"]), json.loads(metadata["made_by"])
