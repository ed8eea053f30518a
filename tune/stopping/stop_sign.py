"""A file in a search's folder that asks its trials, wherever they run, to stop early."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tune.records import write_json

_FILE = "stop.json"


@dataclass(frozen=True)
class StopSign:
    """What the trials are asked for.

    Attributes:
        how: ``report`` what they have and end with it, or ``save`` what it takes to go on later.
        why: One line for the user.
    """

    how: Literal["report", "save"]
    why: str

    def put_up(self, search: Path) -> None:
        """Ask the trials of a search, in place of what they were asked before.

        Raises:
            OSError: The file cannot be written.
        """
        write_json(search / _FILE, asdict(self))


def stop_sign(search: Path) -> StopSign | None:
    """Return what the trials of a search are asked for now; None where they are to go on."""
    path = search / _FILE
    return StopSign(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def take_down(search: Path) -> None:
    """Let the trials of a search go on."""
    (search / _FILE).unlink(missing_ok=True)
