"""Keeps the store up to date while a search runs, from a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from goemo.errors import GoemoError
from tune.records import SearchFolder, Snapshot
from tune.stopping.full_disk import is_full_disk
from tune.tracking.content import SEARCH, SYSTEM
from tune.tracking.store import find_store
from tune.tracking.system import SystemMonitor
from tune.tracking.writer import Writer

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
SEARCH_EVERY_S = 5.0  # the parent changes with every trial; writing it more often tells nobody more
SEARCH_SHARE = 0.05  # of a core, at most: the parent's description ranks all trials, with intervals

_log = logging.getLogger(__name__)


class Tracker:
    """Keeps the store up to date while a search runs, without ever holding it up.

    A thread writes what has been noticed, one trial at a time. What fails goes to the end of the queue
    and is tried again after a pause that doubles up to half a minute. What is still missing when the
    process ends is on disk, and the next `Tracker` on the same search writes it.

    Args:
        search: The records. ``data`` and ``environment`` among its facts become tags and inputs; `start` and
            `close` add ``status``: running, complete or interrupted.
        tracking_uri: See `find_store`; where it is ``none``, artifacts are prepared, as they are part of the
            records, and that is all.
        is_monitored: Whether to record how busy this machine is, as a search that runs trials does.
        describe: Returns Markdown on the best so far, for the parent's description; called in the thread.
        prepare_artifacts: Fills the ``artifacts/`` of an ended trial; called in the thread.
        on_full_disk: Called in the thread with the error, where a disk of this machine is full; the rest is
            then left for later.

    Raises:
        InputError: As `find_store`.
    """

    def __init__(
        self,
        search: SearchFolder,
        tracking_uri: str | None = None,
        *,
        is_monitored: bool = False,
        describe: Callable[[Snapshot], str] | None = None,
        prepare_artifacts: Callable[[str], None] | None = None,
        on_full_disk: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.store = find_store(tracking_uri)
        self._search = search
        self._prepare_artifacts = prepare_artifacts
        self._write: Callable[[str], None] = self._prepare
        if not self.store.is_off:
            self._write = Writer(search, self.store, describe, prepare_artifacts).write
        self._monitor: SystemMonitor | None = None
        if is_monitored:
            self._monitor = SystemMonitor(search, lambda: self.notice(SYSTEM))
        self._changed = threading.Condition()
        self._queue: dict[str, None] = {}  # a set in order
        self._busy: str | None = None
        self._retry_at = 0.0  # the store is away until then, as far as we know
        self._search_due = 0.0
        self._is_closing = False
        self._is_abandoned = False
        self._on_full_disk = on_full_disk
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._work, name="mlflow-writer", daemon=True)

    @property
    def trouble(self) -> str | None:
        """Why the last attempt failed, in one line; None while all is well."""
        return self._trouble

    @property
    def waiting(self) -> tuple[str, ...]:
        """What has not been written yet: trial ids, `SEARCH` for the parent run, `SYSTEM` for its load."""
        with self._changed:
            return tuple(dict.fromkeys([*([self._busy] if self._busy else []), *self._queue]))

    def start(self) -> None:
        """Begin, with everything that is on disk: an earlier process may not have written it all."""
        self._search.add_facts(status="running")
        self._notice_all()
        if self._monitor is not None:
            try:
                self._monitor.start()
            except Exception as error:  # noqa: BLE001 - a search is not worth less without system metrics
                _log.warning("no system metrics: %s", _one_line(error))
        self._thread.start()

    def notice(self, key: str) -> None:
        """Say that a trial's record, or with `SEARCH` the search's, has changed. Returns at once."""
        with self._changed:
            self._queue.setdefault(key)
            self._changed.notify_all()

    def close(
        self,
        *,
        is_complete: bool,
        timeout_s: float = 60.0,
        on_progress: Callable[[int], None] | None = None,
    ) -> tuple[str, ...]:
        """Write the rest and stop.

        Args:
            is_complete: Whether all trials of the search have ended.
            timeout_s: How long to wait without one run being written, for a store that is away.
            on_progress: Called about twice a second with the number of runs still to write.

        Returns:
            What could not be written, as `waiting`; the records have it, and a later run writes it.
        """
        if self._monitor is not None:
            self._monitor.stop()
        self._search.add_facts(status="complete" if is_complete else "interrupted")
        self._notice_all()
        with self._changed:
            self._is_closing = True
            self._retry_at = 0.0
            self._changed.notify_all()
        deadline, waiting = time.monotonic() + timeout_s, len(self.waiting)
        while self._thread.is_alive() and time.monotonic() < deadline:
            if on_progress is not None:
                on_progress(waiting)
            self._thread.join(min(0.5, max(0.0, deadline - time.monotonic())))
            if len(self.waiting) < waiting:  # a slow store is not one that is away
                deadline = time.monotonic() + timeout_s
            waiting = len(self.waiting)
        with self._changed:
            self._is_abandoned = True
            self._changed.notify_all()
        return self.waiting

    def _notice_all(self) -> None:
        now = self._search.snapshot()
        for record in (*now.everyone, *now.answers.values()):
            self.notice(record.trial_id)
        self.notice(SEARCH)
        if self._search.system_samples():
            self.notice(SYSTEM)

    def _work(self) -> None:
        failures = 0
        while (key := self._next()) is not None:
            started = time.thread_time()
            try:
                self._write(key)
            except Exception as error:  # noqa: BLE001 - told by `trouble` and tried again; never the search's problem
                trouble = self.store.hide(_one_line(error))
                if trouble != self._trouble:
                    _log.warning("%s could not be written, trying again: %s", key, trouble)
                self._trouble = trouble
                failures += 1
                if self._on_full_disk is not None and self._is_full_here(error):
                    self._on_full_disk(error)
                    return
                self._failed(key, pause=min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (failures - 1)))
            else:
                if self._trouble is not None:
                    _log.info("the store is accepting runs again")
                self._trouble = None
                failures = 0
                self._written(key, time.thread_time() - started)

    def _is_full_here(self, error: BaseException) -> bool:
        """Say whether it is a disk of this machine that is full; a server's own is the server's trouble."""
        return is_full_disk(error) and (isinstance(error, OSError) or not self.store.is_server)

    def _prepare(self, key: str) -> None:
        """Stand in for the writer where tracking is off."""
        if key in {SEARCH, SYSTEM} or self._prepare_artifacts is None:
            return
        if self._search.trial(key).read().outcome is not None:
            self._prepare_artifacts(key)

    def _next(self) -> str | None:
        """Wait for something to write; None when there is nothing left to do, or no time."""
        with self._changed:
            while not self._is_abandoned:
                now = time.monotonic()
                key = self._first(now) if now >= self._retry_at else None
                if key is not None:
                    del self._queue[key]
                    self._busy = key
                    return key
                if self._is_closing and not self._queue:
                    return None
                later = [at for at in (self._retry_at, self._search_due) if at > now]
                self._changed.wait(min(later) - now if self._queue and later else None)
            return None

    def _first(self, now: float) -> str | None:
        """Return what to write now: in order, but the parent run not too often, and last at the end."""
        other = next((key for key in self._queue if key != SEARCH), None)
        if self._is_closing and self._trouble is None and other is not None:
            return other
        if self._is_closing or now >= self._search_due:
            return next(iter(self._queue), None)
        return other

    def _failed(self, key: str, pause: float) -> None:
        with self._changed:
            self._busy = None
            # Last in the queue, so that one trial that cannot be written does not stand before the others.
            self._queue.pop(key, None)
            self._queue[key] = None
            self._retry_at = time.monotonic() + (min(pause, 2.0) if self._is_closing else pause)

    def _written(self, key: str, cpu_s: float) -> None:
        with self._changed:
            self._busy = None
            if key == SEARCH:
                self._search_due = time.monotonic() + max(SEARCH_EVERY_S, cpu_s / SEARCH_SHARE)
            elif key != SYSTEM:
                self._queue.setdefault(SEARCH)


def _one_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


def sync_all(
    search: SearchFolder,
    tracking_uri: str | None = None,
    *,
    describe: Callable[[Snapshot], str] | None = None,
    prepare_artifacts: Callable[[str], None] | None = None,
) -> None:
    """Make the store equal to the records, in the calling thread; the arguments are those of `Tracker`.

    Raises:
        GoemoError: The store did not take it all; what it took stays, and calling again adds the rest.
    """
    store = find_store(tracking_uri)
    writer = Writer(search, store, describe, prepare_artifacts)
    now = search.snapshot()
    trials = [record.trial_id for record in (*now.everyone, *now.answers.values())]
    for key in [*trials, SEARCH, SYSTEM]:
        try:
            writer.write(key)
        except GoemoError:
            raise
        except Exception as error:
            why = store.hide(_one_line(error))
            raise GoemoError(f"{store.shown}: {key} could not be written: {why}") from error
