"""One command's work on a search: its arguments, its display, its log, and what stops it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from tune.live.log import SearchLog
from tune.live.progress import ProgressView, SearchState
from tune.records import runs_folder, search_names
from tune.records.holding import using_caches
from tune.spec import SearchSpec
from tune.stopping.budget import Budget
from tune.stopping.full_disk import FullDiskError, full_disk_error, is_full_disk
from tune.stopping.interrupts import Interrupts, SearchInterrupted, interrupts


@dataclass(frozen=True, kw_only=True)
class Command:
    """A `goemo search`, `resume` or `extend`.

    Attributes:
        spec: The search.
        address: A Ray cluster, ``auto`` or ``HOST:PORT``; None for this machine.
        tracking_uri: Of the store; None for the one under ``mlruns``, ``none`` to log nothing.
        budget: What it may spend at most.
        started: When it began, by `time.monotonic`.
        view: Shows what is going on.
        log: Takes it down.
        signals: Says when it is to stop.
    """

    spec: SearchSpec
    address: str | None
    tracking_uri: str | None
    budget: Budget
    started: float
    view: ProgressView
    log: SearchLog
    signals: Interrupts


@contextmanager
def command_on(
    spec: SearchSpec,
    *,
    address: str | None,
    tracking_uri: str | None,
    budget: Budget | None,
    console: Console | None,
) -> Iterator[Command]:
    """Do the block as a command: logged, shown, and stopped by signals.

    Args:
        spec: The search.
        address: As of `Command`, like what follows.
        tracking_uri: Likewise.
        budget: Likewise; None for as much as it takes.
        console: Where progress is shown; None for stderr.

    Raises:
        SearchInterrupted: The block was interrupted; the message says how to go on.
        FullDiskError: The disk is full; likewise.
    """
    started = time.monotonic()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    view = ProgressView(SearchState(spec.name, total=spec.total, objective=spec.objective.metric), console)
    with _explained(spec.name), using_caches(), interrupts() as signals, SearchLog() as log:
        yield Command(
            spec=spec,
            address=address,
            tracking_uri=tracking_uri,
            budget=budget or Budget(),
            started=started,
            view=view,
            log=log,
            signals=signals,
        )


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say of an interrupt, and of a full disk, how to go on with a search of this name."""
    try:
        yield
    except FullDiskError:
        raise
    except KeyboardInterrupt as error:
        raise SearchInterrupted(f"interrupted; {_next_command(name)}") from error
    except Exception as error:
        if is_full_disk(error):
            raise full_disk_error(error, runs_folder(), _next_command(name)) from error
        raise


def _next_command(name: str) -> str:
    if name in search_names():
        return f"continue with: goemo resume {name}"
    return "run the same command again; finished preparation is kept"
