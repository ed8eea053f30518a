"""Commands that read what a search has found: leaderboard, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tune.cli.app import cli
from tune.cli.arguments import SearchName
from tune.cli.options import format_option, output_option
from tune.live.plain import echo

if TYPE_CHECKING:
    from tune.records import Snapshot


@cli.command(
    example="goemo leaderboard minilm-head --format csv > trials.csv\n"
    "goemo leaderboard paper --by checkpoint\n"
    "goemo leaderboard paper-albert paper-xlnet"
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=SearchName(is_read=True))
@click.option(
    "--by",
    type=click.Choice(["search", "checkpoint", "trainable", "pooling"]),
    help="Compare the best trial per search, encoder, trainable part or pooling.",
)
@format_option("table", "json", "csv")
def leaderboard(names: tuple[str, ...], by: str | None, form: str) -> None:
    """Rank the trials of a search by validation, with intervals.

    Works while it runs.
    With several names, compare the best trial of each search on the same validation rows.
    """
    from tune.records import SearchFolder

    found = [SearchFolder.open(name).snapshot() for name in names]
    if by or len(found) > 1:
        _show_comparison(found, by or "search", form)
        return
    from tune.cli.tables import beyond_edges, confirmed_table, leaderboard_table, left_out
    from tune.ranking import leaderboard as boards

    board = boards.build(found[0])
    if form == "json":
        echo(board.to_json(), is_data=True)
    elif form == "csv":
        echo(board.to_csv(), nl=False, is_data=True)
    else:
        from tune.live.consoles import results_console

        console = results_console()
        if board.rows:
            console.print(leaderboard_table(board))
        if board.confirmed:
            console.print(confirmed_table(board))
        for line in left_out(board):
            console.print(line, soft_wrap=True)
        if board.rows:
            console.print(boards.summary(board), soft_wrap=True)
        for line in beyond_edges(found[0].spec, found[0].path, board):
            console.print(line, soft_wrap=True, markup=False)
        if not found[0].trials:
            console.print("no trial has started yet")


def _show_comparison(found: list[Snapshot], by: str, form: str) -> None:
    from tune.cli.tables import comparison_table
    from tune.live.consoles import results_console
    from tune.ranking import comparison

    compared = comparison.compare(found, by=by)
    if form == "json":
        echo(compared.to_json(), is_data=True)
    elif form == "csv":
        echo(compared.to_csv(), nl=False, is_data=True)
    else:
        console = results_console()
        console.print(comparison_table(compared))
        for trial in compared.damaged:
            console.print(f"warning: left out: {trial.why}", soft_wrap=True)
        console.print(comparison.summary(compared), soft_wrap=True)


@cli.command(example="goemo report minilm-head -o minilm-head.html")
@click.argument("name", type=SearchName(is_read=True))
@output_option("Output file (default: NAME.html).")
def report(name: str, output: Path | None) -> None:
    """Write a search as one self-contained HTML page.

    A JSON file with the same content is written beside it. Works while the search runs.
    """
    from tune.records import SearchFolder
    from tune.reporting.report import write_report

    for path in write_report(SearchFolder.open(name), output or Path(f"{name}.html")):
        echo(path)
