"""Commands that check things before training: spaces, schema, data, doctor."""

from __future__ import annotations

from pathlib import Path

import click

from goemo.errors import GoemoError, InputError
from tune.cli.app import cli
from tune.cli.data import Data, data_options
from tune.cli.options import format_option, store_option
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
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Output file (default: stdout).")
def schema(output: Path | None) -> None:
    """Write the JSON Schema of a search space, for editors."""
    from tune.spec.documents import schema_text

    if output is None:
        click.echo(schema_text(), nl=False)
        return
    try:
        output.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise InputError(str(output), [error.strerror or str(error)]) from error
    echo(f"{output}: name it in a search space with # yaml-language-server: $schema={output}")


@cli.command("data", example="goemo data dir:my_data --checkpoint roberta-base -o page.html")
@data_options("", is_argument=True)
@click.option("--checkpoint", metavar="NAME", help="Count tokens with the tokenizer of this checkpoint.")
@format_option("text", "json")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write an HTML page with charts.")
def look_at_data(data: Data, checkpoint: str | None, form: str, output: Path | None) -> None:
    """Describe data: splits, labels, lengths, duplicates.

    Also contradicting labels of the same text, and scripts.
    """
    data.check()
    from tune.cli.data_looking import look_at

    look_at(data, checkpoint, form, output)


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
