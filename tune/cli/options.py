"""Options that several commands share, each declared once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tune.stopping.budget import Budget

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _store_option(default: str) -> Callable[[Decorated], Decorated]:
    text = f"MLflow server, instead of the store in mlruns (default: {default})."
    return click.option("--tracking-uri", metavar="URI", help=text)


store_option = _store_option("$MLFLOW_TRACKING_URI")
search_store_option = _store_option("the one that the search was logged to")
trials_option = click.option(
    "--trials", type=click.IntRange(1), metavar="N", help="Run N trials now and the rest later."
)


def output_option(text: str | None = None, **more: Any) -> Callable[[Decorated], Decorated]:
    """Return ``-o``, a path to write to, with its help and what else `click.option` takes."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), help=text, **more)


def format_option(*formats: str) -> Callable[[Decorated], Decorated]:
    """Return the option of what a command writes; the first format is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Output format.",
    )


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a duration."""
    from tune.durations import read_duration

    try:
        return None if value is None else read_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def duration_option(name: str, *, metavar: str, help: str) -> Callable[[Decorated], Decorated]:  # noqa: A002
    """Return an option that takes ``30m``, ``2h`` or ``30d`` and gives seconds; None where it is left out."""
    return click.option(name, callback=_seconds, metavar=metavar, help=help)


@dataclass(frozen=True)
class Running:
    """Where trials run, what they are logged to, and what ends them: the options of `running`.

    Attributes:
        address: A Ray cluster, ``auto`` or ``HOST:PORT``; None for this machine.
        tracking_uri: Of the store; None for the default, ``none`` to log nothing.
        time_budget: Seconds that the command may take.
        gpu_hours: Hours of GPUs that the search may take, earlier commands included.
        trial_timeout: Seconds that a trial may take.
    """

    address: str | None
    tracking_uri: str | None
    time_budget: float | None
    gpu_hours: float | None
    trial_timeout: float | None

    def budget(self, trials: int | None) -> Budget:
        """Return the budget of a command that runs at most that many trials now."""
        from tune.stopping.budget import Budget

        return Budget(self.time_budget, self.gpu_hours, trials)


_RUNNING = (
    click.option(
        "--address",
        metavar="ADDR",
        help="Ray cluster: auto, or HOST:PORT (default: that of a search that goes on, else $RAY_ADDRESS, "
        "else this machine).",
    ),
    click.option(
        "--tracking-uri",
        metavar="URI",
        help="MLflow server, instead of the store in mlruns (default: that of a search that goes on, else "
        "$MLFLOW_TRACKING_URI); none logs nothing.",
    ),
    duration_option(
        "--time-budget",
        metavar="2h",
        help="Stop after this long, including preparation; running trials then report what they have.",
    ),
    click.option(
        "--gpu-hours",
        type=click.FloatRange(0, min_open=True),
        metavar="H",
        help="Stop after this many GPU-hours, including those of earlier commands.",
    ),
    duration_option(
        "--trial-timeout",
        metavar="30m",
        help="Trials that take longer count as failed (default: trial_timeout_s of the search space).",
    ),
)


def running(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of all commands that run trials; the command gets them as one `Running`."""

    @functools.wraps(command)
    def called(**values: Any) -> None:
        given = {field.name: values.pop(field.name) for field in fields(Running)}
        command(**values, running=Running(**given))

    for option in reversed(_RUNNING):
        called = option(called)
    return called
