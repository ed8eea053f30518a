"""The progress view of a search: one live view, or plain lines in a pipe."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from goemo.configuration.outcomes import RANKED
from tune.durations import duration
from tune.live.consoles import progress_console
from tune.live.listing import first_words
from tune.live.machine import Machine, MachineLoad
from tune.records import Outcome

MARKS = {
    "completed": "done",
    "stopped_early": "stopped early",
    "failed": "FAILED",
    "diverged": "DIVERGED",
    "out_of_memory": "OUT OF MEMORY",
}
EVENTS = 8  # shown at once, at most
FRAMES_PER_SECOND = 2
LOOK_EVERY_S = 2.0  # at the machine

_log = logging.getLogger(__name__)


@dataclass
class TrialState:
    """What the view knows of one running trial.

    Attributes:
        label: What varies, in a few words.
        progress: Per cent of its training.
        objective: Of its best report.
        begun_at: The progress at which it started, or went on, in this process.
    """

    label: str
    progress: int = 0
    objective: float | None = None
    begun_at: int = 0


@dataclass(frozen=True)
class Best:
    """The best trial so far.

    Attributes:
        trial_id: The trial.
        label: What varies, in a few words.
        objective: Of its best report.
    """

    trial_id: str
    label: str
    objective: float


@dataclass
class SearchState:
    """What the view shows; the driver changes it, the view only reads it.

    Attributes:
        name: The search.
        total: How many trials it has.
        objective: The metric that ranks.
        started: When this process began with it, by the monotonic clock.
        running: The trials that run now.
        ended: How each of the others ended, by trial id.
        ended_before: How many of them had ended when this stage began: the trials of the search are one, what
            confirms its leaders is the next (`begin_stage`).
        training_since: When the first trial of this stage could start, by the monotonic clock.
        trained: Per cents of trials that were trained in this stage, summed.
        best: The best trial so far.
        interval: Both ends of the interval of a trial's objective, and of which trial and objective: it is
            computed beside the search, so that it may be that of an earlier best.
        baseline: The baseline's objective, once it is known.
        ahead: How far a trial is ahead of the baseline, with both ends of the interval, and which trial and
            objective that is; computed beside the search, as ``interval``.
        budget: Says what is left of a budget, in a few words.
        trouble: Why the MLflow store did not take something, in one line.
    """

    name: str
    total: int
    objective: str
    started: float = field(default_factory=time.monotonic)
    running: dict[str, TrialState] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    ended_before: int = 0
    training_since: float = field(default_factory=time.monotonic)
    trained: int = 0
    best: Best | None = None
    interval: tuple[Best, float, float] | None = None
    baseline: float | None = None
    ahead: tuple[Best, float, float, float] | None = None
    budget: Callable[[], str] | None = None
    trouble: str | None = None

    def begin_stage(self, total: int) -> None:
        """Count time and training anew: how it went before says nothing of the trials to come.

        Args:
            total: How many trials there are by the end of the stage, those that have ended included.
        """
        self.total, self.ended_before = total, len(self.ended)
        self.training_since, self.trained = time.monotonic(), 0

    def seconds_left(self) -> float | None:
        """Estimate the time left from the pace of this stage; None before there is any.

        A trial that was stopped early counts with what it trained, and the trials to come are
        expected to train as much on average as those that have ended.
        """
        elapsed = time.monotonic() - self.training_since
        if not self.trained:
            return None
        running = self.running.copy().values()
        ended = len(self.ended) - self.ended_before
        of_ended = self.trained - sum(trial.progress - trial.begun_at for trial in running)
        mean = min(of_ended / ended, 100.0) if ended > 2 else 100.0
        unknown = self.total - len(self.ended) - len(running)
        under_way = sum(max(0.0, mean - trial.progress) for trial in running)
        return elapsed / self.trained * (unknown * mean + under_way)


def is_live(console: Console) -> bool:
    """Say whether what was drawn can be drawn again: on a real terminal, whatever $FORCE_COLOR says."""
    return console.is_interactive and console.file.isatty()


@contextmanager
def progress_bars(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yield ``on_progress(stage, done, total)``: a bar a stage; in a pipe, a line every tenth of it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    tenths: dict[str, int] = {}
    with Progress(*columns, console=console, transient=True, disable=not is_live(console)) as bars:

        def show(stage: str, done: int, total: int) -> None:
            if is_live(console):
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=total)
                bars.update(tasks[stage], completed=done, total=total)
                return
            tenth = 10 * done // max(1, total)
            if tenths.get(stage) != tenth:
                tenths[stage] = tenth
                console.print(f"{stage}: {done} of {total}", soft_wrap=True)

        yield show


class ProgressView:
    """Shows a search on stderr, so that stdout stays free for results, and writes its events to the log.

    On a terminal one live picture, no higher or wider than the terminal; elsewhere a line an event. Use as
    a context manager.
    """

    def __init__(self, state: SearchState, console: Console | None = None) -> None:
        self.state = state
        self.console = console or progress_console()
        self.events: deque[str] = deque(maxlen=EVENTS)
        self.live: Live | None = None
        self._machine: Machine | None = None
        self._load: MachineLoad | None = None
        self._looked = 0.0
        self._drawn_at: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        if is_live(self.console):
            self._machine = Machine()
            self._looked = time.monotonic()
            self.live = Live(
                get_renderable=self.render,
                console=self.console,
                refresh_per_second=FRAMES_PER_SECOND,
                transient=True,
            )
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def trial_ended(self, trial_id: str, trial: TrialState, outcome: Outcome) -> None:
        """Tell that a trial has ended."""
        score = "" if trial.objective is None else f"  {self.state.objective} {trial.objective:.4f}"
        what = MARKS[outcome.stop_reason]
        if outcome.stop_reason == "stopped_early":
            what += f" at {trial.progress} %"
        message = f": {outcome.message}" if outcome.message else ""
        best = self.state.best
        lead = "  best so far" if best is not None and best.trial_id == trial_id else ""
        self.say(f"{trial_id}  {trial.label}{score}  {what}{message}{lead}")

    def say(self, line: str) -> None:
        """Show one event."""
        _log.info(line)
        now = time.strftime("%H:%M:%S")
        if self.live is not None:
            self.events.append(f"{now}  {line}")
            return
        count = ""
        if self.state.ended or self.state.running:  # before and after trials there is nothing to count
            count = f"[{len(self.state.ended)}/{self.state.total}{self._left()}] "
        self.console.print(Text(f"{now} {count}{line}"), soft_wrap=True)

    def render(self) -> RenderableType:
        """Return the live view: every part a line, as many as the terminal has room for."""
        self._clear_after_resize()
        head = [self._title(), self._bar(), *map(_line, self._facts())]
        running, events = sorted(self.state.running.copy().items()), list(self.events)
        room = max(2, self.console.height - 1 - len(head))  # the last line is the cursor's
        # The trials that run come first; the events have the rest, but at least a quarter.
        for_events = min(len(events), max(1, room // 4, room - len(running)))
        gap = [Text()] if room >= len(running) + for_events + 2 else []
        shown = (_line(Text(words, "dim")) for words in events[len(events) - for_events :])
        return Group(*head, *gap, *self._trials(running, room - for_events), *gap, *shown)

    def _title(self) -> RenderableType:
        times = f"{duration(time.monotonic() - self.state.started)} so far{self._left()}"
        line = Table.grid(padding=(0, 2, 0, 0), expand=True)
        line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        line.add_column(no_wrap=True, overflow="ellipsis", justify="right")
        line.add_row(Text(self.state.name, "bold"), times)
        return line

    def _left(self) -> str:
        """Return the time left in words; nothing where there is none, or none that is worth a word."""
        left = self.state.seconds_left()
        return "" if left is None or left < 1 else f", about {duration(left)} left"

    def _bar(self) -> RenderableType:
        state = self.state
        done = len(state.ended) + sum(trial.progress for trial in state.running.copy().values()) / 100
        line = Table.grid(expand=True)  # a bar by itself does not end its line
        line.add_row(ProgressBar(total=max(1, state.total), completed=min(done, state.total)))
        return line

    def _facts(self) -> Iterator[Text]:
        """Yield what there is to say of the whole search, each in a line."""
        state = self.state
        reasons = Counter(state.ended.copy().values())
        wrong = sum(count for reason, count in reasons.items() if reason not in RANKED)
        yield Text.assemble(
            f"{len(state.ended)} of {state.total} trials ended: {reasons['completed']} done, "
            f"{reasons['stopped_early']} stopped early",
            (f", {wrong} went wrong" if wrong else "", "red"),
            f"; {len(state.running)} running",
        )
        best, interval = state.best, state.interval
        if best is not None:
            score = f"{state.objective} {best.objective:.4f}"
            if interval is not None and interval[0] == best:
                score += f" [{interval[1]:.4f}, {interval[2]:.4f}]"
            line = f"best so far  {best.trial_id}  {score}  "
            yield Text(line + first_words(best.label.split(), self.console.width - len(line)), "green")
        if state.baseline is not None:
            yield self._baseline(state.baseline, best)
        if self._machine is not None and time.monotonic() - self._looked >= LOOK_EVERY_S:
            self._looked = time.monotonic()
            self._load = self._machine.look()
        if self._load is not None:
            yield Text(load_in_words(self._load), "cyan")
        if state.budget is not None:
            yield Text(state.budget())
        if state.trouble:
            yield Text(f"MLflow store: {state.trouble} (kept on disk, trying again)", "yellow")

    def _baseline(self, baseline: float, best: Best | None) -> Text:
        """Return the baseline, and how far the best is ahead of it: green where its interval lies above 0."""
        line, ahead = f"baseline     a bag of words  {self.state.objective} {baseline:.4f}", self.state.ahead
        if ahead is None or ahead[0] != best:
            return Text(line)
        _, value, low, high = ahead
        return Text(f"{line}; best {value:+.4f} [{low:+.4f}, {high:+.4f}]", "green" if low > 0 else "yellow")

    def _trials(self, running: list[tuple[str, TrialState]], room: int) -> Iterator[RenderableType]:
        shown = running if len(running) <= room else running[: max(0, room - 1)]
        if shown:
            table = Table.grid(padding=(0, 2))
            width = 10 if self.console.width < 100 else 30
            ids = max(len(trial_id) for trial_id, _ in shown)
            room = self.console.width - (ids + width + len("100 %") + len("0.1234") + 4 * 2)
            for trial_id, trial in shown:
                score = "" if trial.objective is None else f"{trial.objective:.4f}"
                bar = ProgressBar(total=100, completed=trial.progress, width=width)
                label = first_words(trial.label.split(), room)
                table.add_row(trial_id, bar, f"{trial.progress:>3} %", score, Text(label))
            yield table
        if len(shown) < len(running):
            more = len(running) - len(shown)
            yield Text(f"and {more} more" if shown else f"{more} trials running")

    def _clear_after_resize(self) -> None:
        """Begin anew on a clean screen when the terminal has another size: what was drawn has been folded."""
        size = (self.console.width, self.console.height)
        if self.live is not None and self._drawn_at not in {None, size}:
            self.console.control(Control.clear(), Control.home())
        self._drawn_at = size


def load_in_words(load: MachineLoad) -> str:
    """Return how busy a machine is, in one line; of several GPUs, each with its use, and the fullest."""
    cpu = f"CPU {load.cpu:.0f} %, {_of(load.memory_used, load.memory_total)}"
    if not load.gpus:
        return cpu
    busy = " ".join("?" if gpu.busy is None else f"{gpu.busy:.0f}" for gpu in load.gpus)
    fullest = max(load.gpus, key=lambda gpu: (gpu.memory_used or 0.0) / (gpu.memory_total or 1.0))
    memory = _of(fullest.memory_used, fullest.memory_total)
    if len(load.gpus) == 1:
        return f"GPU {busy} %, {memory}   {cpu}"
    return f"{len(load.gpus)} GPUs {busy} %, up to {memory}   {cpu}"


def _of(used: float | None, total: float | None) -> str:
    return "memory unknown" if used is None or total is None else f"{used / 1e9:.1f} of {total / 1e9:.0f} GB"


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
