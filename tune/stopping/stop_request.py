"""The reason why a search stops early. The first writer wins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from tune.stopping.stop_sign import StopSign, take_down

Kind = Literal["budget", "interrupt", "error"]


class StopRequest:
    """The reason, and what becomes of the trials that run.

    A budget lets them report what they have and end with it. An interrupt, or an error, lets them save what
    it takes to go on. A later reason counts only where the first was a budget.

    Args:
        search: Folder of the search.

    Attributes:
        kind: None while the search goes on.
        why: In one line.
        error: What went wrong, to be raised when the trials have stopped.
    """

    def __init__(self, search: Path) -> None:
        self._search = search
        self.kind: Kind | None = None
        self.why = ""
        self.error: BaseException | None = None
        take_down(search)

    @property
    def is_at_once(self) -> bool:
        """Whether trials that run are not waited for until they have reported."""
        return self.kind in {"interrupt", "error"}

    def end_budget(self, why: str) -> None:
        """Let the trials that run report and end, and start no other."""
        if self.kind is None:
            self._set("budget", why)
            with self.on_error():
                StopSign("report", why).put_up(self._search)

    def interrupt(self) -> None:
        """Let the trials that run save what it takes to go on."""
        if not self.is_at_once:
            self._set("interrupt", "interrupted")
            self._ask_to_save()

    def fail(self, error: BaseException) -> None:
        """Stop because of an error; the trials that run save what it takes to go on, where they can."""
        if not self.is_at_once:
            self._set("error", str(error))
            self.error = error
            self._ask_to_save()

    @contextmanager
    def on_error(self) -> Iterator[None]:
        """Stop the search where the block raises, and go on: Ray would take it for a failure of a trial."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised by the engine when the trials have stopped
            self.fail(error)

    def _ask_to_save(self) -> None:
        with suppress(OSError):  # perhaps nothing can be written any more: the trials are then run again
            StopSign("save", self.why).put_up(self._search)

    def _set(self, kind: Kind, why: str) -> None:
        self.kind, self.why = kind, why
