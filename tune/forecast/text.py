"""A forecast as text."""

from __future__ import annotations

from textwrap import fill

from goemo.files import amount
from tune.durations import duration
from tune.forecast.expected import Forecast, Span
from tune.stopping.budget import check_gpu_hours

_PHASES = {
    "opening": "to start",
    "encoder": "for the frozen encoder",
    "trials": "for the trials",
    "confirming": "for the confirmations",
    "closing": "to test and report",
}


def lines(forecast: Forecast, width: int | None = None) -> str:
    """Return a forecast in lines: the data, time, early stopping, hours, memory, disk.

    Args:
        forecast: The forecast.
        width: Columns into which long lines are broken; None for a line a figure, however long.
    """
    f = forecast
    device = f"{f.per_trial['cpu']:g} CPU" if not f.per_trial["gpu"] else f"{f.per_trial['gpu']:.3g} GPU"
    parts = [f"{duration(s)} {_PHASES[name]}" for name, s in vars(f.phases).items() if s >= 0.5]
    shortest, median, longest = (duration(s) for s in f.trial_s)
    hours = [f"{_hours(f.gpu_hours)} GPU-hours"] if f.per_trial["gpu"] else []
    facts = {
        "wall time": f"about {duration(f.wall_s.expected)} ({_range(f.wall_s)}): {', '.join(parts)}",
        "trials": f"{f.trials}, {f.at_once} at once, {device} each; each {shortest} to {longest} if it runs "
        f"to its end, the median {median}",
        "early stopping": _stopping(f),
        "compute": ", ".join([*hours, f"{_hours(f.cpu_hours)} CPU-hours"]) + " of trials",
        "memory": f"{amount(f.memory_bytes)} for the largest trial, {amount(f.memory_there)} available",
        "disk": f"{amount(f.disk.total)} at most ({_disk(f)}), {amount(f.disk_free)} free",
    }
    indent = 2 + max(map(len, facts)) + 2
    shown = [f"  {name:<{indent - 4}}  {text}" for name, text in facts.items() if text]
    shown += [f"  {name:<{indent - 4}}  {line}" for name in ("model", "note") for line in vars(f)[f"{name}s"]]
    read = [f"  {line}" for line in f.data]
    if width is not None:
        read = [fill(line, width, subsequent_indent="    ", break_on_hyphens=False) for line in read]
        shown = [fill(line, width, subsequent_indent=" " * indent, break_on_hyphens=False) for line in shown]
    told = ["data:", *read] if read else []
    return "\n".join([*told, f"forecast, from {f.source}:", *shown])


def over_budget(forecast: Forecast, time_s: float | None, gpu_hours: float | None) -> list[str]:
    """Return a sentence for each budget that is likely to end the search before its last trial.

    Args:
        forecast: Of the search.
        time_s: Seconds that it may take; None for as many as it takes.
        gpu_hours: Hours of GPUs that it may take; None likewise.

    Raises:
        InputError: GPU-hours are limited, and trials have no GPU; the search would be refused too.
    """
    check_gpu_hours(gpu_hours, forecast.per_trial["gpu"])
    f, found = forecast, []
    if time_s is not None and f.wall_s.high > time_s:
        found.append(
            f"--time-budget {duration(time_s)} may end it first: it may take {duration(f.wall_s.high)}"
        )
    if gpu_hours is not None and f.gpu_hours > gpu_hours:
        found.append(f"--gpu-hours {gpu_hours:g} ends it first: it takes about {_hours(f.gpu_hours)}")
    return found


def _range(span: Span) -> str:
    return f"{duration(span.low)} to {duration(span.high)}"


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def _stopping(f: Forecast) -> str:
    if f.kept_steps is None:
        return ""
    low, middle, high = (100 * x for x in (f.kept_steps.low, f.kept_steps.expected, f.kept_steps.high))
    return (
        f"leaves about {middle:.0f} % ({low:.0f} to {high:.0f} %) of {f.steps:,} steps and saves about "
        f"{duration(f.saved_s)}"
    )


def _disk(f: Forecast) -> str:
    parts = {
        "frozen encoder": f.disk.frozen_output,
        "trials' files": f.disk.records,
        "leaders' weights": f.disk.weights,
        "checkpoints": f.disk.checkpoints,
    }
    return ", ".join(f"{name} {amount(size)}" for name, size in parts.items() if size)
