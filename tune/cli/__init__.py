"""The `goemo` command. Heavy modules are imported inside the commands, so that help is instant."""

from tune.cli.commands import cli, main

__all__ = ["cli", "main"]
