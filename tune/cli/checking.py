"""Commands that check things before training: spaces, schema, data, doctor."""

from __future__ import annotations

import json
from pathlib import Path

import click

from goemo.errors import GoemoError, InputError
from tune.cli.app import cli
from tune.cli.data import Data, data_options
from tune.cli.options import format_option, output_option, store_option
from tune.live.plain import echo


@cli.command(example="goemo spaces")
def spaces() -> None:
    """List the shipped search spaces and check them."""
    from tune.spec import load_spec, shipped_spaces

    wrong = []
    for path in shipped_spaces():
        try:
            spec = load_spec(str(path))
        except InputError as error:
            wrong.append(str(error))
            continue
        varies = ", ".join(spec.varying)
        size = f"{spec.total:>4} trials  {spec.search.algorithm:<6}"
        echo(f"{path.stem:<18} {size} {spec.model.words}  over {varies}")
    if wrong:
        raise InputError("search spaces", wrong)


@cli.command(example="goemo schema -o schema.json")
@output_option("Output file (default: stdout).")
def schema(output: Path | None) -> None:
    """Write the JSON Schema of a search space, for editors."""
    from tune.spec.documents import schema_text

    if output is None:
        click.echo(schema_text(), nl=False)
        return
    _write(output, schema_text())
    echo(f"{output}: name it in a search space with # yaml-language-server: $schema={output}")


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(str(output), [error.strerror or str(error)]) from error


@cli.command("data", example="goemo data dir:my_data --checkpoint roberta-base -o page.html")
@data_options("", is_argument=True)
@click.option("--checkpoint", metavar="NAME", help="Count tokens with the tokenizer of this checkpoint.")
@format_option("text", "json")
@output_option("Also write an HTML page with charts.")
def look_at_data(data: Data, checkpoint: str | None, form: str, output: Path | None) -> None:
    """Describe data: splits, labels, lengths, duplicates.

    Also contradicting labels of the same text, and scripts.
    """
    data.check()
    from goemo.data import load_splits
    from goemo.looking import look, looked_lines
    from tune.records import runs_folder

    splits = load_splits(data.source or "", options=data.options, leaves_out_unreadable=True)
    cache = runs_folder() / "cache"
    tokenizer = out_of_reach = None
    if checkpoint is not None:
        from goemo.models import load_tokenizer, resolve_checkpoint

        try:
            tokenizer = load_tokenizer(resolve_checkpoint(checkpoint, texts=splits.train.texts, cache=cache))
        except InputError:
            raise
        except GoemoError as error:  # the hub cannot be reached: told after all else was shown
            out_of_reach = error
    looked = look(splits, tokenizer, checkpoint or "")
    if form == "json":
        echo(json.dumps(looked, indent=2, ensure_ascii=False))
    else:
        for line in looked_lines(looked):
            echo(line)
    if output is not None:
        from goemo.report.data_page import data_page

        _write(output, data_page(looked, cache=cache))
        echo(f"{output}: open it in a browser", err=True)
    if out_of_reach is not None:
        raise out_of_reach


@cli.command(example="goemo doctor")
@store_option
def doctor(tracking_uri: str | None) -> None:
    """Check this machine: what is installed and what is wrong.

    Packages, GPUs, disk, weights, and the MLflow store.
    """
    from tune.cli.doctor import examine

    findings = examine(tracking_uri)
    for finding in findings:
        echo(finding)
    wrong = [finding for finding in findings if finding.problem]
    if wrong:
        raise GoemoError("1 problem" if len(wrong) == 1 else f"{len(wrong)} problems")
