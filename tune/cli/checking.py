"""Commands that check what is there before anything trains: spaces, doctor."""

from __future__ import annotations

from goemo.errors import GoemoError, InputError
from tune.cli.app import cli
from tune.cli.options import store_option
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
        model = f"{spec.model.checkpoint} ({spec.model.trainable})"
        varies = ", ".join(spec.varying)
        echo(f"{path.stem:<18} {spec.total:>4} trials  {spec.search.algorithm:<6} {model}  over {varies}")
    if wrong:
        raise InputError("search spaces", wrong)


@cli.command(example="goemo doctor")
@store_option
def doctor(tracking_uri: str | None) -> None:
    """Say what is installed, which GPUs and which store there are, and what is wrong."""
    from tune.cli.doctor import examine

    findings = examine(tracking_uri)
    for finding in findings:
        echo(finding)
    wrong = [finding for finding in findings if finding.problem]
    if wrong:
        raise GoemoError(f"{len(wrong)} problems")
