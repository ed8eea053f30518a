"""What a reader may do with a file: take it, or refuse it with one short message."""

from __future__ import annotations

import faulthandler
import resource
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from goemo.errors import LONGEST, GoemoError

PATIENCE_S = 60  # of a machine that does something else as well
MEMORY_BYTES = 6 * 2**30  # that a reader may take for a file of some kilobytes
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Complaint:
    """What a reader did that it must not.

    Attributes:
        what: In a line.
        where: The last line of ours that was on its way: the same complaint has the same.
    """

    what: str
    where: str


class TookTooLongError(BaseException):
    """A reader did not come back; no `Exception`, which it might handle."""


def complaint(read: Callable[[], Any]) -> Complaint | None:
    """Have a reader read; return what is wrong with what it did."""
    try:
        with _bounds(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except GoemoError as error:
        text = str(error)
        if not text.strip() or len(text.encode(errors="replace")) > LONGEST:
            return Complaint(f"a message of {len(text)} characters", _place(error))
        return None
    except (Exception, TookTooLongError) as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return Complaint(f"{type(error).__name__}: {str(error)[:200]}", _place(error))
    return None


@contextmanager
def _bounds() -> Iterator[None]:
    """Let the block take so much time and memory and no more."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLongError(f"it did not come back within {PATIENCE_S} s")

    faulthandler.dump_traceback_later(3 * PATIENCE_S, exit=True)  # it hangs in a library's own code
    before = signal.signal(signal.SIGALRM, end)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_virtual_bytes() + MEMORY_BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def _virtual_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/tests/" not in f.filename and Path(f.filename).is_relative_to(REPOSITORY)]
    ours = [f for f in ours if "/.venv/" not in f.filename]
    last = ours[-1] if ours else frames[-1]
    return f"{type(error).__name__} {Path(last.filename).name}:{last.name}:{last.lineno}"
