"""Commands that run trials: search, resume, extend."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from goemo.errors import GoemoError
from tune.cli.app import SEARCH_PACKAGES, cli
from tune.cli.arguments import SearchName, SpaceName
from tune.cli.data import Data, data_options
from tune.cli.options import Running, running, trials_option
from tune.live.plain import echo

if TYPE_CHECKING:
    from tune.driver import SearchResult


@cli.command(
    example="goemo search minilm_head --data dir:goemotions --name first --time-budget 2h\n"
    "goemo search my_space.yaml --set space.epochs=3 --set scheduler.algorithm=none",
    needs=SEARCH_PACKAGES,
)
@click.argument("space", type=SpaceName())
@data_options("dir:PATH, file:PATH, hub:ID or sample:, instead of the file's.")
@click.option("--name", help="Name of the search, instead of the file's.")
@click.option("--experiment", metavar="NAME", help="MLflow experiment, instead of the file's (goemo).")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one value of the file."
)
@running
@trials_option
@click.option("--dry-run", is_flag=True, help="Show the trials and forecast what they will take.")
@click.option(
    "--no-probe", is_flag=True, help="With --dry-run: show the trials only; nothing is read or run."
)
def search(  # noqa: PLR0917 - click passes them by name
    space: str,
    data: Data,
    name: str | None,
    experiment: str | None,
    overrides: tuple[str, ...],
    running: Running,
    trials: int | None,
    dry_run: bool,
    no_probe: bool,
) -> None:
    """Run the trials of a search space.

    SPACE is a file, or the name of a shipped one: see goemo spaces.
    """
    data.check()
    from goemo.data.places import check_source
    from tune.engine.cluster import check_address
    from tune.spec import load_spec

    if running.trial_timeout is not None:
        overrides = (*overrides, f"trial_timeout_s={running.trial_timeout}")
    if experiment is not None:
        overrides = (*overrides, f"experiment={json.dumps(experiment, ensure_ascii=False)}")
    spec = load_spec(space, overrides=(*overrides, *data.overrides), data=data.source, name=name)
    check_source(spec.data.source)
    if no_probe and not dry_run:
        raise click.UsageError("--no-probe needs --dry-run")
    if trials is not None and dry_run:
        raise click.UsageError("--dry-run shows and forecasts the whole search; leave out --trials")
    if not no_probe:
        check_address(running.address)
    if dry_run:
        from tune.driver.plan import plan

        echo(plan(spec))
        if not no_probe:
            import psutil

            from tune.forecast import forecast, lines, over_budget

            found = forecast(spec, address=running.address, started=psutil.Process().create_time())
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            echo(lines(found, width))
            for sentence in over_budget(found, running.time_budget, running.gpu_hours):
                echo(sentence)
        return
    with _stoppable():
        from tune.driver import run_search

        result = run_search(
            spec,
            address=running.address,
            tracking_uri=running.tracking_uri,
            budget=running.budget(trials),
        )
    show_result(result)


@cli.command(
    example="goemo resume minilm-head\ngoemo resume minilm-head --trials 5 --trial-timeout 30m",
    needs=SEARCH_PACKAGES,
)
@click.argument("name", type=SearchName())
@running
@trials_option
def resume(name: str, running: Running, trials: int | None) -> None:
    """Continue a search that has stopped.

    After a crash, an interrupt, a reboot, or the end of a budget.
    """
    from tune.engine.cluster import check_address

    check_address(running.address)
    with _stoppable():
        from tune.driver import resume_search

        result = resume_search(
            name,
            address=running.address,
            tracking_uri=running.tracking_uri,
            budget=running.budget(trials),
            trial_timeout_s=running.trial_timeout,
        )
    show_result(result)


@cli.command(example="goemo extend roberta-tpe --trials 20", needs=SEARCH_PACKAGES)
@click.argument("name", type=SearchName())
@click.option("--trials", type=click.IntRange(1), metavar="N", required=True, help="Number of trials to add.")
@running
def extend(name: str, trials: int, running: Running) -> None:
    """Add trials to a random or TPE search, and run them.

    A complete search can be extended too. A grid has all the trials it can have.
    """
    from tune.engine.cluster import check_address

    check_address(running.address)
    with _stoppable():
        from tune.driver import extend_search

        result = extend_search(
            name,
            trials,
            address=running.address,
            tracking_uri=running.tracking_uri,
            budget=running.budget(None),
            trial_timeout_s=running.trial_timeout,
        )
    show_result(result)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Have the first Ctrl-C end a search in order, and say so in one line; the second one ends at once."""
    from tune.stopping.interrupts import second_ends_at_once

    with second_ends_at_once(
        "ended at once; continue with goemo resume, or with the same command if no trial ran"
    ):
        try:
            yield
        except KeyboardInterrupt as error:  # click would leave its message out
            raise GoemoError(str(error) or "interrupted; run the same command again") from error


def show_result(result: SearchResult) -> None:
    """Print where a search stands after a command.

    Raises:
        GoemoError: It was interrupted, or no trial has a score.
    """
    from tune.cli.tables import beyond_edges, confirmed_table, leaderboard_table, left_out
    from tune.live.consoles import results_console
    from tune.ranking import leaderboard
    from tune.records import SearchFolder

    if result.leaderboard.rows:
        console = results_console()
        console.print(leaderboard_table(result.leaderboard, most=10))
        if result.leaderboard.confirmed:
            console.print(confirmed_table(result.leaderboard))
        echo(leaderboard.summary(result.leaderboard))
        search = SearchFolder.open(result.name)
        edges = beyond_edges(search.spec, search.path, result.leaderboard)
        for line in (*edges, *left_out(result.leaderboard)):
            echo(line)
        echo(f"Next: goemo ui | goemo report {result.name} | goemo export {result.name}")
    if result.unlogged:
        echo(
            f"{len(result.unlogged)} runs are missing from the MLflow store; when it answers again: "
            f"goemo resume {result.name}",
            err=True,
        )
    left = result.remaining
    trials, remain = ("1 trial", "remains") if left == 1 else (f"{left} trials", "remain")
    if result.stopped_by:
        echo(f"{result.stopped_by}; {trials} {remain}: goemo resume {result.name}")
        return
    if not result.is_complete:
        raise GoemoError(f"interrupted with {trials} to go; continue with: goemo resume {result.name}")
    if not result.leaderboard.rows:
        raise GoemoError(
            f"no trial of {result.name} has a score; to see why: goemo leaderboard {result.name}"
        )
