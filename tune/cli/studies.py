"""Commands that hand a search to other tools: optuna."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tune.cli.app import cli
from tune.cli.arguments import SearchName
from tune.cli.options import output_option
from tune.live.plain import echo

LOOK_EVERY_S = 3.0


@cli.command(
    example="goemo optuna roberta-tpe\ngoemo optuna roberta-tpe --follow -o studies.db", needs=("optuna",)
)
@click.argument("name", type=SearchName(is_read=True))
@output_option("SQLite file (default: optuna.db in mlruns).")
@click.option("--follow", is_flag=True, help="Add the trials of a running search as they end.")
def optuna(name: str, output: Path | None, follow: bool) -> None:
    """Write a search as an Optuna study, for optuna-dashboard.

    There: history, importance, parallel coordinates, timeline.
    The dashboard is an extra: pip install "goemo[dashboard]".
    """
    from tune.records import SearchFolder, runs_folder
    from tune.records.holding import is_held
    from tune.space.study import write_study

    search = SearchFolder.open(name)
    path = output or runs_folder() / "optuna.db"
    study = write_study(search.snapshot(), path)
    waiting = f", {study.waiting} not finished" if study.waiting else ""
    echo(f"{path}: study {name}, {study.trials} trials, {study.added} of them new{waiting}")
    echo(f"to view it: optuna-dashboard {study.url}")
    while follow and is_held(search):
        time.sleep(LOOK_EVERY_S)
        study = write_study(search.snapshot(), path)
        if study.added:
            echo(f"{study.trials} trials, {study.added} new")
