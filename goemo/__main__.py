"""`python -m goemo`: the command that the installed package registers, whichever package implements it."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions


def main() -> None:
    """Run the `goemo` command.

    Raises:
        SystemExit: It ended; or goemo is not installed, so that it has no command; or the package of the
            command is another distribution's.
    """
    try:
        registered = distribution("goemo").entry_points.select(group="console_scripts", name="goemo")
    except PackageNotFoundError:
        sys.exit("goemo: not installed, so there is no command; in the checkout: pip install -e .")
    entry = next(iter(registered))
    try:
        command = entry.load()
    except (ImportError, AttributeError) as error:
        package = entry.module.partition(".")[0]
        others = " ".join(sorted(set(packages_distributions().get(package, [])) - {"goemo"}))
        if not others:
            raise
        sys.exit(
            f"goemo: {error}; {others} installs a package {package} in place of this project's: "
            f"pip uninstall {others}; pip install --force-reinstall --no-deps goemo"
        )
    command()


if __name__ == "__main__":
    main()
