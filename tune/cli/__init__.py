"""The `goemo` command: one file a group of commands, in the order of a user's path.

Heavy modules are imported inside the commands, so that help is instant.
"""

from importlib import import_module

from tune.cli.app import SECTIONS, cli, main

for _module in SECTIONS:
    import_module(_module)

__all__ = ["cli", "main"]
