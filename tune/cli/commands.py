"""The `goemo` command. Heavy modules are imported inside the commands, so that help is instant."""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import select
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from goemo import __version__
from goemo.errors import GoemoError, InputError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Command(click.Command):
    """A command that takes ``--debug`` and shows its example as it was written."""

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.params.append(
            click.Option(
                ["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error."
            )
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; end as done when the reader of its output, `head` say, has enough."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # here, for click itself would end with 1 and no word
            if not _reader_is_gone():
                raise GoemoError(f"a connection to another process broke: {error}") from error
            from tune.live.consoles import discard

            discard(sys.stdout)
            ctx.exit(0)
        except EOFError as error:  # likewise; click would take it for an interrupt
            raise GoemoError(_message(error)) from error

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example under the options."""
        del ctx
        with formatter.section("Example"):
            formatter.write("".join(f"  {line}\n" for line in self.example.splitlines()))


def _reader_is_gone() -> bool:
    """Say whether stdout is a pipe that nobody reads any more."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


class Group(click.Group):
    """Commands in the order of a user's path."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were added."""
        del ctx
        return list(self.commands)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="goemo")
def cli() -> None:
    """Search hyperparameters for emotion classifiers, browse the trials, keep the best model.

    A search: goemo search quickstart; then goemo leaderboard quickstart, goemo ui,
    goemo export quickstart, goemo retrain best.yaml -o model.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exit with 0 when done, 1 when it failed, 2 when the call or the input is wrong."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # The objects of torch and others stay to the end: looking through them during the imports, and once more
    # at the exit, takes seconds.
    gc.set_threshold(50_000, 20, 50)
    atexit.register(gc.freeze)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    debug = "--debug" in arguments
    if isinstance(sys.stdout, io.TextIOWrapper):  # a notebook has another one
        sys.stdout.reconfigure(errors="replace")  # what it cannot show is no reason to fail
    try:
        cli.main(args=arguments, prog_name="goemo", standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 1)
    except Exception as error:
        if debug:
            raise
        _fail(_message(error), 2 if isinstance(error, InputError) else 1)


def _message(error: Exception) -> str:
    if isinstance(error, GoemoError):
        return str(error)
    kind = type(error).__name__
    return f"unexpected {kind}: {str(error) or 'no message'} (add --debug for the traceback)"


def _fail(message: str, code: int) -> None:
    click.echo(f"goemo: {message}", err=True)
    sys.exit(code)


_store_option = click.option(
    "--tracking-uri",
    metavar="URI",
    help="MLflow server, instead of the store in mlruns (default: $MLFLOW_TRACKING_URI); none logs nothing.",
)


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a duration."""
    from tune.durations import read_duration

    try:
        return None if value is None else read_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


_RUNNING = (
    click.option(
        "--address", metavar="ADDR", help="Ray cluster: auto, or HOST:PORT (default: this machine)."
    ),
    _store_option,
    click.option(
        "--time-budget",
        callback=_seconds,
        metavar="2h",
        help="Stop after this long, preparing included; trials that run then report what they have.",
    ),
    click.option(
        "--gpu-hours",
        type=click.FloatRange(0, min_open=True),
        metavar="H",
        help="The same, after this many hours of GPUs, those of earlier commands included.",
    ),
    click.option(
        "--trial-timeout",
        callback=_seconds,
        metavar="30m",
        help="A trial that takes longer ends as failed (default: trial_timeout_s of the search space).",
    ),
)
_some_trials = click.option(
    "--trials", type=click.IntRange(1), metavar="N", help="Run N trials now, the others later."
)


def _running(command: Decorated) -> Decorated:
    """Add the options of all commands that run trials: where, logged to what, and what ends them."""
    for option in reversed(_RUNNING):
        command = option(command)
    return command


def _format_option(*formats: str) -> Callable[[Decorated], Decorated]:
    return click.option(
        "--format", "form", type=click.Choice(formats), default=formats[0], show_default=True, help="Output."
    )


@cli.command(
    example="goemo search minilm_head --data dir:goemotions --name first --time-budget 2h\n"
    "goemo search my_space.yaml --set space.epochs=3 --set scheduler.algorithm=none"
)
@click.argument("space")
@click.option("--data", metavar="SRC", help="dir:PATH, file:PATH, hub:ID or sample:, instead of the file's.")
@click.option("--name", help="Name of the search, instead of the file's.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one value of the file."
)
@_running
@_some_trials
@click.option(
    "--dry-run", is_flag=True, help="Show the trials, probe for less than a minute what they take, and stop."
)
@click.option("--no-probe", is_flag=True, help="With --dry-run: show the trials; nothing is read or run.")
def search(  # noqa: PLR0917 - click passes them by name
    space: str,
    data: str | None,
    name: str | None,
    overrides: tuple[str, ...],
    address: str | None,
    tracking_uri: str | None,
    time_budget: float | None,
    gpu_hours: float | None,
    trials: int | None,
    trial_timeout: float | None,
    dry_run: bool,
    no_probe: bool,
) -> None:
    """Run the trials of a search space: a file, or the name of a shipped one (see goemo spaces)."""
    from tune.spec import load_spec

    if trial_timeout is not None:
        overrides = (*overrides, f"trial_timeout_s={trial_timeout}")
    spec = load_spec(space, overrides=overrides, data=data, name=name)
    if no_probe and not dry_run:
        raise click.UsageError("--no-probe goes with --dry-run")
    if trials is not None and dry_run:
        raise click.UsageError("--dry-run shows and forecasts the whole search; leave out --trials")
    if dry_run:
        from tune.driver.plan import plan

        click.echo(plan(spec))
        if not no_probe:
            from tune.forecast import forecast, lines, over_budget

            found = forecast(spec, address=address)
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            click.echo(lines(found, width))
            for sentence in over_budget(found, time_budget, gpu_hours):
                click.echo(sentence)
        return
    with _stoppable():
        from tune.driver import run_search
        from tune.stopping.budget import Budget

        budget = Budget(time_budget, gpu_hours, trials)
        result = run_search(spec, address=address, tracking_uri=tracking_uri, budget=budget)
    _show_result(result)


@cli.command(example="goemo resume minilm-head\ngoemo resume minilm-head --trials 5 --trial-timeout 30m")
@click.argument("name")
@_running
@_some_trials
def resume(  # noqa: PLR0917 - click passes them by name
    name: str,
    address: str | None,
    tracking_uri: str | None,
    time_budget: float | None,
    gpu_hours: float | None,
    trials: int | None,
    trial_timeout: float | None,
) -> None:
    """Go on with a search after a crash, an interrupt, a reboot, or the end of a budget."""
    with _stoppable():
        from tune.driver import resume_search
        from tune.stopping.budget import Budget

        result = resume_search(
            name,
            address=address,
            tracking_uri=tracking_uri,
            budget=Budget(time_budget, gpu_hours, trials),
            trial_timeout_s=trial_timeout,
        )
    _show_result(result)


@cli.command(example="goemo extend roberta-tpe --trials 20")
@click.argument("name")
@click.option("--trials", type=click.IntRange(1), metavar="N", required=True, help="How many more.")
@_running
def extend(  # noqa: PLR0917 - click passes them by name
    name: str,
    trials: int,
    address: str | None,
    tracking_uri: str | None,
    time_budget: float | None,
    gpu_hours: float | None,
    trial_timeout: float | None,
) -> None:
    """Add trials to a random or TPE search, a complete one too, and run them; a grid has all it can have."""
    with _stoppable():
        from tune.driver import extend_search
        from tune.stopping.budget import Budget

        result = extend_search(
            name,
            trials,
            address=address,
            tracking_uri=tracking_uri,
            budget=Budget(time_budget, gpu_hours, None),
            trial_timeout_s=trial_timeout,
        )
    _show_result(result)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Have the first Ctrl-C end a search in order, and say so in one line; the second one ends at once."""
    from tune.stopping.interrupts import second_ends_at_once

    with second_ends_at_once("ended at once; goemo resume goes on, or the same command where no trial ran"):
        try:
            yield
        except KeyboardInterrupt as error:  # click would leave its message out
            raise GoemoError(str(error) or "interrupted; run the same command again") from error


def _show_result(result: Any) -> None:
    from tune.cli.tables import confirmed_table, leaderboard_table, left_out
    from tune.live.consoles import results_console
    from tune.ranking import leaderboard

    if result.leaderboard.rows:
        console = results_console()
        console.print(leaderboard_table(result.leaderboard, most=10))
        if result.leaderboard.confirmed:
            console.print(confirmed_table(result.leaderboard))
        click.echo(leaderboard.summary(result.leaderboard))
        for line in left_out(result.leaderboard):
            click.echo(line)
        click.echo(f"Next: goemo ui | goemo report {result.name} | goemo export {result.name}")
    if result.unlogged:
        click.echo(
            f"The MLflow store has not taken {len(result.unlogged)} runs; when it answers again: "
            f"goemo resume {result.name}",
            err=True,
        )
    left = result.remaining
    trials, remain = ("1 trial", "remains") if left == 1 else (f"{left} trials", "remain")
    if result.cut_by:
        click.echo(f"{result.cut_by}; {trials} {remain}: goemo resume {result.name}")
        return
    if not result.is_complete:
        raise GoemoError(f"interrupted with {trials} to go; go on with: goemo resume {result.name}")
    if not result.leaderboard.rows:
        raise GoemoError(f"no trial of {result.name} has a score; why: goemo leaderboard {result.name}")


@cli.command(
    example="goemo leaderboard minilm-head --format csv > trials.csv\n"
    "goemo leaderboard paper-albert paper-xlnet"
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_format_option("table", "json", "csv")
def leaderboard(names: tuple[str, ...], form: str) -> None:
    """Rank the trials of a search by validation, with intervals; works while it runs.

    With several names, compare the best trial of each search on the same validation rows.
    """
    from tune.records import SearchFolder

    found = [SearchFolder.open(name) for name in names]
    if len(found) > 1:
        _show_comparison(found, form)
        return
    from tune.cli.tables import confirmed_table, leaderboard_table, left_out
    from tune.ranking import leaderboard as boards

    board = boards.build(found[0])
    if form == "json":
        click.echo(board.to_json())
    elif form == "csv":
        click.echo(board.to_csv(), nl=False)
    else:
        from tune.live.consoles import results_console

        console = results_console()
        if board.rows:
            console.print(leaderboard_table(board))
        if board.confirmed:
            console.print(confirmed_table(board))
        if board.rows:
            console.print(boards.summary(board), soft_wrap=True, markup=False)
        for line in left_out(board):
            console.print(line, soft_wrap=True, markup=False)
        if not found[0].records():
            console.print("no trial has started yet")


def _show_comparison(found: list[Any], form: str) -> None:
    from tune.cli.tables import comparison_table
    from tune.live.consoles import results_console
    from tune.ranking import comparison

    compared = comparison.compare(found)
    if form == "json":
        click.echo(compared.to_json())
    elif form == "csv":
        click.echo(compared.to_csv(), nl=False)
    else:
        console = results_console()
        console.print(comparison_table(compared))
        console.print(comparison.summary(compared), soft_wrap=True)


@cli.command(example="goemo report minilm-head -o minilm-head.html")
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to (default: NAME.html).")
def report(name: str, output: Path | None) -> None:
    """Write a search as one self-contained HTML page, with a JSON twin beside it."""
    from tune.records import SearchFolder
    from tune.reporting.report import write_report

    for path in write_report(SearchFolder.open(name), output or Path(f"{name}.html")):
        click.echo(path)


@cli.command(example="goemo ui --port 5001")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@_store_option
def ui(port: int, tracking_uri: str | None) -> None:
    """Serve the MLflow UI of the store on 127.0.0.1."""
    from tune.tracking.ui import serve

    serve(port=port, tracking_uri=tracking_uri)


@cli.command(
    example="goemo export minilm-head -o best.yaml\ngoemo export minilm-head --trial t014 -o t014.yaml"
)
@click.argument("name")
@click.option("--trial", metavar="ID", help="A trial (default: the best by validation).")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("best.yaml"), show_default=True)
def export(name: str, trial: str | None, output: Path) -> None:
    """Write a trial's configuration, where it came from and its expected score, as YAML."""
    from tune.models.export import write_export
    from tune.records import SearchFolder

    click.echo(write_export(SearchFolder.open(name), output, trial_id=trial))


@cli.command(
    example="goemo retrain best.yaml -o model --seeds 3\n"
    "goemo retrain best.yaml -o final --seeds 3 --on train+validation --register support-emotions"
)
@click.argument("exported", metavar="BEST_YAML", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the bundle.")
@click.option("--data", metavar="SRC", help="Another source than the exported one.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Keep the best of N seeds; one that diverges or runs out of memory is told of and left out.",
)
@click.option(
    "--on",
    type=click.Choice(["train", "train+validation"]),
    default="train",
    show_default=True,
    help="What the saved model learns from; with train+validation, all is chosen on train alone first.",
)
@click.option(
    "--register", "name", metavar="NAME", help="Registered model (default: of the data: go_emotions-fine)."
)
@click.option("--no-register", is_flag=True, help="Log the model, but register no version of it.")
@_store_option
def retrain(  # noqa: PLR0917 - click passes them by name
    exported: Path,
    output: Path,
    data: str | None,
    seeds: int,
    on: Literal["train", "train+validation"],
    name: str | None,
    no_register: bool,
    tracking_uri: str | None,
) -> None:
    """Train an exported configuration into a model folder, test it once, and register it in MLflow.

    The new version becomes the champion if there is none, or if it beats the present one on validation by the
    paired bootstrap; else it becomes the challenger.
    """
    from tune.cli.tables import results_table
    from tune.live.consoles import results_console
    from tune.models.retrain import retrain as train_exported

    if name and no_register:
        raise click.UsageError("give --register NAME or --no-register, not both")
    done = train_exported(
        exported,
        output,
        data=data,
        seeds=seeds,
        on=on,
        register=name or not no_register,
        tracking_uri=tracking_uri,
    )
    results_console().print(results_table(done.results))
    if done.registered is not None:
        click.echo(done.registered.summary)
    click.echo(f'{output}: a transformers folder; try: goemo predict {output} "thank you so much!"')
    if done.trouble is not None:
        raise GoemoError(done.trouble)


@cli.command(example="goemo register model --name support-emotions")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Registered model (default: of the data: go_emotions-fine).")
@click.option("--log-only", is_flag=True, help="Log the model, but register no version of it.")
@_store_option
def register(folder: Path, name: str | None, log_only: bool, tracking_uri: str | None) -> None:
    """Log and register a model that retrain wrote, where the store was away or another one shall have it."""
    from tune.models.registry import register as register_bundle

    done = register_bundle(folder, name=name, is_registered=not log_only, tracking_uri=tracking_uri)
    click.echo(done.summary)


@cli.command(example="goemo evaluate model --data dir:goemotions --format json")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--data", metavar="SRC", help="Another source than the one it was trained on.")
@click.option("--split", type=click.Choice(["validation", "test"]), default="test", show_default=True)
@_format_option("table", "json")
def evaluate(folder: Path, data: str | None, split: str, form: str) -> None:
    """Measure a model on a split: at 0.5, with its validation thresholds, and the test-tuned bound."""
    from tune.models.retrain import evaluate_bundle

    results = evaluate_bundle(folder, data=data, split=split)
    if form == "json":
        click.echo(json.dumps(results, indent=2, ensure_ascii=False))
        return
    from tune.cli.tables import per_label_table, results_table
    from tune.live.consoles import results_console

    console = results_console()
    console.print(per_label_table(results))
    console.print(results_table(results))


@cli.command(
    example='goemo predict model "thank you so much!"\n'
    "goemo predict model --file comments.txt -o predictions.jsonl\n"
    "cat comments.txt | goemo predict model --file - --format csv > predictions.csv"
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option(
    "--file", type=click.Path(path_type=Path, allow_dash=True), help="One text a line; - for stdin."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Written whole or not at all (default: stdout)."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl", "csv"]),
    help="Output (default: the suffix of -o, else table).",
)
def predict(
    folder: Path, texts: tuple[str, ...], file: Path | None, output: Path | None, form: str | None
) -> None:
    """Give the labels and scores of texts, in their order.

    A file may have any number of lines; results appear as they are made.
    """
    if bool(texts) == (file is not None):
        raise click.UsageError("give texts, or --file F")
    if form is None and output is not None:
        form = output.suffix.removeprefix(".")
        if form not in ("json", "jsonl", "csv"):
            raise click.UsageError("-o needs a name with the suffix .json, .jsonl or .csv, or --format")
    from tune.models.predicting import predict_file, predict_texts

    form = form or "table"
    if file is None:
        predict_texts(folder, texts, form=form, output=output)
    else:
        predict_file(folder, file, form=form, output=output)


@cli.command(
    example="goemo onnx model\ngoemo onnx model -o emotions.onnx",
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to (default: model.onnx in DIR)."
)
def onnx(folder: Path, output: Path | None) -> None:
    """Write a model as ONNX, for other runtimes, once its scores are found to be the same.

    Inputs are input_ids, attention_mask and, where the model has them, token_type_ids, each (batch, length),
    both free; the output is logits, whose sigmoid the scores are. Needs: pip install -e ".[onnx]".
    """
    from goemo.bundle.onnx_export import export_onnx

    done = export_onnx(folder, output or folder / "model.onnx")
    click.echo(
        f"{done.path}: {done.megabytes:.1f} MB; scores of {done.texts} texts within "
        f"{done.largest_difference:.1e} of torch"
    )


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
        click.echo(
            f"{path.stem:<18} {spec.total:>4} trials  {spec.search.algorithm:<6} {model}  over {varies}"
        )
    if wrong:
        raise InputError("search spaces", wrong)


@cli.command(example="goemo doctor")
@_store_option
def doctor(tracking_uri: str | None) -> None:
    """Say what is installed, which GPUs and which store there are, and what is wrong."""
    from tune.cli.doctor import examine

    findings = examine(tracking_uri)
    for finding in findings:
        click.echo(finding)
    wrong = [finding for finding in findings if finding.problem]
    if wrong:
        raise GoemoError(f"{len(wrong)} problems")


if __name__ == "__main__":
    main()
