"""What the terminal shows while a search runs: one live view, or plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tune.records import Outcome

MARKS = {
    "completed": "done",
    "stopped_early": "stopped early",
    "failed": "FAILED",
    "diverged": "DIVERGED",
    "out_of_memory": "OUT OF MEMORY",
}


@dataclass
class TrialState:
    """What the view knows of one running trial."""

    label: str
    progress: int = 0
    objective: float | None = None


@dataclass
class SearchState:
    """What the view shows; the driver changes it, the view only reads it."""

    name: str
    total: int
    objective: str
    started: float = field(default_factory=time.monotonic)
    training_since: float = field(default_factory=time.monotonic)
    running: dict[str, TrialState] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)  # trial id -> stop reason
    trained: int = 0  # per cents of trials that were trained in this session
    best: tuple[str, str, float] | None = None  # trial id, label, objective
    trouble: str | None = None

    def seconds_left(self) -> float | None:
        """Estimate the time left from the pace so far; None before there is any.

        A trial that was stopped early counts with what it trained, and the trials to come are
        expected to train as much on average as those that have ended.
        """
        elapsed = time.monotonic() - self.training_since
        if not self.trained:
            return None
        unknown = self.total - len(self.ended) - len(self.running)
        mean = self.trained / max(1, len(self.ended)) if len(self.ended) > 2 else 100.0
        under_way = sum(max(0.0, min(mean, 100.0) - t.progress) for t in self.running.values())
        return elapsed / self.trained * (unknown * min(mean, 100.0) + under_way)


def duration(seconds: float) -> str:
    """Return seconds as people say them: ``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def progress_bars(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yield ``on_progress(stage, done, total)``: a bar a stage; in a pipe, a line every tenth of it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    tenths: dict[str, int] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def show(stage: str, done: int, total: int) -> None:
            if console.is_terminal:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=total)
                bars.update(tasks[stage], completed=done, total=total)
                return
            tenth = 10 * done // max(1, total)
            if tenths.get(stage) != tenth:
                tenths[stage] = tenth
                console.print(f"{stage}: {done} of {total}", soft_wrap=True)

        yield show


class View:
    """Shows a search on stderr, so that stdout stays free for results.

    On a terminal one live table; elsewhere a line per event. Use as a context manager.
    """

    def __init__(self, state: SearchState, console: Console | None = None) -> None:
        self.state = state
        self.console = console or Console(file=sys.stderr, highlight=False)
        self.events: deque[str] = deque(maxlen=5)
        self.live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.live = Live(
                get_renderable=self.render, console=self.console, refresh_per_second=4, transient=True
            )
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def trial_ended(self, trial_id: str, trial: TrialState, outcome: Outcome) -> None:
        """Tell that a trial has ended."""
        score = "" if trial.objective is None else f"  {self.state.objective} {trial.objective:.4f}"
        what = MARKS[outcome.stop_reason]
        if outcome.stop_reason == "stopped_early":
            what += f" at {trial.progress} %"
        message = f": {outcome.message}" if outcome.message else ""
        self.say(f"{trial_id}  {trial.label}{score}  {what}{message}")

    def say(self, line: str) -> None:
        """Show one event."""
        if self.live is not None:
            self.events.append(line)
            return
        left = self.state.seconds_left()
        count = f"[{len(self.state.ended)}/{self.state.total}"
        tail = f", about {duration(left)} left" if left else ""
        self.console.print(Text(f"{count}{tail}] {line}"), soft_wrap=True)

    def render(self) -> RenderableType:
        """Return the live view."""
        state = self.state
        done = len(state.ended)
        stopped = sum(reason == "stopped_early" for reason in state.ended.values())
        wrong = sum(reason not in ("completed", "stopped_early") for reason in state.ended.values())
        left = state.seconds_left()
        head = Text.assemble(
            (state.name, "bold"),
            f"  {done} of {state.total} trials ended",
            f", {stopped} stopped early" if stopped else "",
            (f", {wrong} went wrong" if wrong else "", "red"),
            f"  {duration(time.monotonic() - state.started)} so far",
            "" if left is None else f", about {duration(left)} left",
        )
        parts: list[RenderableType] = [head, ProgressBar(total=max(1, state.total), completed=done)]
        if state.best is not None:
            trial_id, words, objective = state.best
            best = f"best so far: {trial_id}  {words}  {state.objective} {objective:.4f}"
            parts.append(Text(best, style="green"))
        if state.running:
            parts.append(self._running())
        if state.trouble:
            parts.append(Text(f"MLflow store: {state.trouble} (kept on disk, trying again)", style="yellow"))
        parts.extend(
            Text(f"  {event}", style="dim", overflow="ellipsis", no_wrap=True) for event in self.events
        )
        return Group(*parts)

    def _running(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for trial_id, trial in sorted(self.state.running.items()):
            score = "" if trial.objective is None else f"{trial.objective:.4f}"
            bar = ProgressBar(total=100, completed=trial.progress, width=20)
            table.add_row(trial_id, bar, f"{trial.progress} %", score, Text(trial.label, overflow="ellipsis"))
        return table
