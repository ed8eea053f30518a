"""The `goemo` command: its subcommands, and how it reports failures."""

from __future__ import annotations

import atexit
import gc
import io
import os
import select
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import click

from goemo import __version__
from goemo.errors import LONGEST, GoemoError, InputError, shortened
from tune.live.plain import echo

SEARCH_PACKAGES = ("mlflow", "optuna", "ray")  # what the extra `search` installs


class Command(click.Command):
    """A command that takes ``--debug`` and shows its example as it was written.

    Attributes:
        example: Calls, one a line.
        needs: Packages of the extra `search` without which it does not start.
    """

    def __init__(self, *args: Any, example: str = "", needs: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.needs = needs
        self.params.append(
            click.Option(
                ["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error."
            )
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; end as done when the reader of its output, `head` say, has enough.

        Raises:
            GoemoError: A package that the command needs is not installed, or a connection broke.
        """
        missing = [name for name in self.needs if find_spec(name) is None]
        if missing:
            raise GoemoError(missing_packages(missing))
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # here, for click itself would end with 1 and no word
            if not _reader_is_gone():
                raise GoemoError(f"lost the connection to another process: {error}") from error
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


SECTIONS = {
    "tune.cli.searching": "Search",
    "tune.cli.results": "Results",
    "tune.cli.studies": "Other tools",
    "tune.cli.models": "Models",
    "tune.cli.store": "MLflow",
    "tune.cli.housekeeping": "Searches on this machine",
    "tune.cli.checking": "Before training",
}  # module with commands to its heading in the help, both in the order of a user's path


class Group(click.Group):
    """Commands in the order of a user's path, under the heading of their module."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were added."""
        del ctx
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of each module under its heading."""
        del ctx
        width = max(map(len, self.commands))
        for module, heading in SECTIONS.items():
            rows = [
                (name.ljust(width), command.get_short_help_str(formatter.width - 6 - width))
                for name, command in self.commands.items()
                if command.callback is not None and command.callback.__module__ == module
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)


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
        shown = io.StringIO()
        error.show(file=shown)
        echo(shortened(shown.getvalue().rstrip("\n"), LONGEST), err=True)
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
    missing = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing in SEARCH_PACKAGES:
        return missing_packages([missing])
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror or type(error).__name__} (add --debug for the traceback)"
    kind = type(error).__name__
    return f"unexpected {kind}: {str(error) or 'no message'} (add --debug for the traceback)"


def missing_packages(names: Sequence[str]) -> str:
    """Return a sentence on packages of the extra `search` that are not there, with what installs them."""
    is_or_are = "is" if len(names) == 1 else "are"
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f'this needs {listed}, which {is_or_are} not installed: pip install "goemo[search]"'


def _fail(message: str, code: int) -> None:
    echo(shortened(f"goemo: {message}", LONGEST), err=True)
    sys.exit(code)
