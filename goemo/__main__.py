"""`python -m goemo`: the command that the installed package registers, whichever package implements it."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution


def main() -> None:
    """Run the `goemo` command.

    Raises:
        SystemExit: It ended; or goemo is on the path, but not installed, so that it has no command.
    """
    try:
        registered = distribution("goemo").entry_points.select(group="console_scripts", name="goemo")
    except PackageNotFoundError:
        sys.exit("goemo: not installed, so there is no command; in the checkout: pip install -e .")
    next(iter(registered)).load()()


if __name__ == "__main__":
    main()
