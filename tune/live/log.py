"""The log file of a search: every process that works on it writes to it.

It grows with the trials and their reports alone: of what engines and libraries say again and again, it holds
the first times.
"""

from __future__ import annotations

import logging
import logging.handlers
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from goemo import __version__
from goemo.errors import GoemoError
from goemo.escaping import printable
from tune.records import SearchFolder

OWN = "tune"  # the logger of this package, whose lines are bounded by what they tell of
SAID_AT_MOST = 20  # times, by others
BUFFERED = 1_000  # lines, until the search has a folder
# They advise to restore from Ray's own state, and miss files that the records replace.
MISLEADING = ("ray.tune.tune", "ray.tune.analysis.experiment_analysis")

_log = logging.getLogger(__name__)


class SearchLog:
    """Writes the log file of a search from the start of the command; use as a context manager.

    What is logged before the search has a folder is kept until `open`; a search that is refused leaves none.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self._buffer = logging.handlers.MemoryHandler(
            BUFFERED, flushLevel=logging.CRITICAL + 1, flushOnClose=False
        )
        self._buffer.addFilter(_FirstTimes())
        self._phase: tuple[str, float] | None = None
        self._seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        own = logging.getLogger(OWN)
        self._level = own.level
        own.setLevel(logging.INFO)
        logging.getLogger().addHandler(self._buffer)
        logging.captureWarnings(capture=True)
        _log.info("goemo %s, python %s: %s", __version__, sys.version.split()[0], shlex.join(sys.argv))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._phase is not None:
            self._end_phase(*self._phase)
        if isinstance(error, GoemoError):
            _log.error("ended: %s", error)
        elif isinstance(error, KeyboardInterrupt):
            _log.warning("ended: interrupted")
        elif error is not None:
            _log.error("ended: %s", type(error).__name__, exc_info=error)
        else:
            _log.info("ended")
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(self._buffer)
        logging.getLogger(OWN).setLevel(self._level)
        file = self._buffer.target
        self._buffer.close()
        if file is not None:
            file.close()

    @property
    def shown(self) -> str:
        """The file as the user would name it from here."""
        assert self.path is not None
        here = Path.cwd()
        return str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)

    def open(self, search: SearchFolder, hide: Callable[[str], str]) -> None:
        """Write to the search's file from here on, and first what was logged before.

        Args:
            search: The search.
            hide: Takes out of a text what lets into its store.
        """
        self.path = search.path / "log.txt"
        file = _File(self.path, encoding="utf-8")
        file.setFormatter(_Formatter(hide))
        self._buffer.setTarget(file)
        self._buffer.flush()
        self._buffer.flushLevel = logging.NOTSET  # every line at once from now on
        self._buffer.capacity = 0

    def phase(self, name: str) -> None:
        """Say that a part of the work begins, and so how long the one before it took."""
        if self._phase is not None:
            self._end_phase(*self._phase)
        self._phase = name, time.monotonic()
        _log.info("%s: starts", name)

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each phase, the present one so far."""
        if self._phase is None:
            return dict(self._seconds)
        name, started = self._phase
        return {**self._seconds, name: time.monotonic() - started}

    def _end_phase(self, name: str, started: float) -> None:
        self._seconds = self.seconds()
        self._phase = None
        _log.info("%s: %.1f s", name, time.monotonic() - started)


@contextmanager
def engine_logs() -> Iterator[None]:
    """Send what Ray logs, warnings included, to the search's log and not to the terminal.

    For a Ray that has been started: its start sets its logger up.
    """
    ray, misleading = logging.getLogger("ray"), [logging.getLogger(name) for name in MISLEADING]
    before, propagates = list(ray.handlers), ray.propagate
    levels = {logger: logger.level for logger in (ray, *misleading)}
    ray.handlers, ray.propagate = [], True
    ray.setLevel(logging.WARNING)
    for logger in misleading:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.handlers, ray.propagate = before, propagates
        for logger, level in levels.items():
            logger.setLevel(level)


class _File(logging.FileHandler):
    """Loses lines where they cannot be written: what fills the disk stops the search, and says so itself."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging knows
        """Say nothing of a line that the disk does not take."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close the file, whatever becomes of the lines that are still to be written."""
        with suppress(OSError):
            super().close()


class _FirstTimes(logging.Filter):
    """Lets all lines of our own pass, and the first ones of each kind of others."""

    def __init__(self) -> None:
        super().__init__()
        self._said: Counter[tuple[str, int, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == OWN or record.name.startswith(f"{OWN}."):
            return True
        kind = record.name, record.levelno, _kind_of(record)
        self._said[kind] += 1
        if self._said[kind] == SAID_AT_MOST:
            record.msg = (
                f"{record.getMessage()} (logged {SAID_AT_MOST} times; repeats are left out from here on)"
            )
            record.args = ()
        return self._said[kind] <= SAID_AT_MOST


def _kind_of(record: logging.LogRecord) -> str:
    """Return where a line comes from: what it says differs by trial, path or time."""
    if record.name == "py.warnings":
        return record.getMessage().partition("\n")[0]
    return f"{record.pathname}:{record.lineno}"


class _Formatter(logging.Formatter):
    def __init__(self, hide: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        return self._hide(printable(super().format(record)))
