"""Commands on the searches of this machine: list, delete, rename, clean."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import click

from tune.cli.app import cli
from tune.cli.arguments import SearchName
from tune.cli.options import duration_option, format_option, search_store_option
from tune.live.plain import confirm, echo

if TYPE_CHECKING:
    from tune.housekeeping import Summary
    from tune.live.listing import Listing

_yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@cli.command("list", example="goemo list\ngoemo list --format json")
@format_option("table", "json")
def list_searches(form: str) -> None:
    """List the searches on this machine."""
    from tune.housekeeping import summaries

    found = list(summaries())
    if form == "json":
        echo(json.dumps([one.to_dict() for one in found], indent=2, ensure_ascii=False), is_data=True)
        return
    from tune.live.consoles import results_console

    if not found:
        echo("no searches yet; to start one: goemo search quickstart")
        return
    results_console().print(searches_table(found))
    for one in found:
        if one.problem:
            echo(f"{one.name}: {one.problem}")


def searches_table(found: list[Summary]) -> Listing:
    """Return one row a search."""
    from tune.durations import duration
    from tune.housekeeping.sizes import in_words
    from tune.live.listing import Column, Listing

    now = time.time()
    rows = []
    for one in found:
        best = one.best
        rows.append(
            (
                one.name,
                one.state,
                f"{one.ended}/{'?' if one.trials is None else one.trials}",
                "" if best is None else f"{best.value:.4f}",
                "" if best is None else f"{best.low:.4f} to {best.high:.4f}",
                duration(max(0.0, now - one.started)),
                in_words(one.size),
                one.space,
                one.data,
            )
        )
    return Listing(
        title="",
        columns=(
            Column("search"),
            Column("state"),
            Column("trials", is_number=True, spare=5),
            Column("best", is_number=True),
            Column("95 % interval"),
            Column("age", is_number=True, spare=4),
            Column("size", is_number=True, spare=3),
            Column("space", spare=6),
            Column("data", spare=7),
        ),
        rows=rows,
        elsewhere="--format json",
    )


@cli.command(example="goemo delete first-try\ngoemo delete first-try --yes", needs=("mlflow",))
@click.argument("name", type=SearchName())
@_yes_option
@search_store_option
def delete(name: str, yes: bool, tracking_uri: str | None) -> None:
    """Delete a search: its records, and its runs in MLflow.

    The name must be exact. Models that were retrained from it stay. An interrupted deletion can be
    repeated. With --tracking-uri none, the runs stay where they are.
    """
    from tune.housekeeping import delete_search
    from tune.housekeeping.deleting import is_half_deleted
    from tune.housekeeping.sizes import in_words

    if not yes and not is_half_deleted(name):
        from tune.housekeeping import summary

        one = summary(name)
        best = "" if one.best is None else f", best {one.best.value:.4f}"
        confirm(f"Delete {one.name} ({one.state}, {one.ended} trials{best}, {in_words(one.size)}) for good?")
    done = delete_search(name, tracking_uri=tracking_uri)
    runs = "1 run" if done.runs == 1 else f"{done.runs} runs"
    echo(f"{name}: {in_words(done.size)} of records and {runs} in MLflow deleted")
    if done.remains:
        echo(f"what remains: {done.remains}")


@cli.command(example="goemo rename quickstart first-try", needs=("mlflow",))
@click.argument("name", type=SearchName())
@click.argument("new", metavar="NEW")
@search_store_option
def rename(name: str, new: str, tracking_uri: str | None) -> None:
    """Give a search another name, in its records and in MLflow."""
    from tune.housekeeping import rename_search

    runs = rename_search(name, new, tracking_uri=tracking_uri)
    echo(f"{name} is now {new}{f', with {runs} runs in MLflow' if runs else ''}")


def _bytes(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Read a size such as ``500MB`` or ``5GB``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", value.strip())
    if found is None:
        raise click.BadParameter(f"must be a size such as 500MB or 5GB, got {value!r}", ctx, param)
    return int(float(found[1]) * 1000 ** " kMGT".index(found[2] or " "))


@cli.command(example="goemo clean --dry-run\ngoemo clean --older-than 30d --keep 5GB\ngoemo clean --models")
@duration_option("--older-than", metavar="30d", help="Remove only what has not been used for this long.")
@click.option(
    "--keep",
    callback=_bytes,
    default="0",
    metavar="5GB",
    help="Keep the most recently used caches up to this total size.",
)
@click.option(
    "--models",
    is_flag=True,
    help="Also remove the weights that complete searches keep of their best trials, and the finished seeds "
    "of a killed retrain.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and stop.")
@_yes_option
def clean(older_than: float | None, keep: int, models: bool, dry_run: bool, yes: bool) -> None:
    """Remove caches and half-done work.

    Caches are rebuilt when needed. Searches with their results stay.
    """
    from tune import housekeeping
    from tune.durations import duration
    from tune.housekeeping.sizes import in_words
    from tune.live.consoles import results_console
    from tune.live.listing import Column, Listing

    found = housekeeping.find_waste(older_than_s=older_than or 0.0, keep_bytes=keep, models=models)
    if not found:
        echo("nothing to remove")
        return
    now = time.time()
    rows = [
        (in_words(one.size), "" if not one.used else duration(now - one.used), one.path.name, one.what)
        for one in found
    ]
    columns = (
        Column("size", is_number=True),
        Column("last used", is_number=True),
        Column("folder", spare=1),
        Column("what"),
    )
    results_console().print(Listing("", columns, rows))
    total = in_words(sum(one.size for one in found))
    if dry_run:
        echo(f"{total} would be freed")
        return
    if not yes:
        confirm(f"Free {total}?")
    echo(f"{in_words(housekeeping.clean(found))} freed")
