"""The forecast of a dry run beside its search: two spaces, each with a cold and then a warm cache.

    python benchmarks/forecast.py --data FOLDER_OF_GOEMOTIONS

In a runs folder of its own, new for each space: a dry run, the search, the same dry run again, the search
again. The first forecast is from a probe, the second from the records of the first search. A row is printed
as soon as its search has ended; seconds are those of whole commands.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DRY_RUN = """
import json, sys
import psutil
from tune.forecast import forecast
from tune.spec import load_spec
found = forecast(load_spec(sys.argv[1], data=sys.argv[2] or None), started=psutil.Process().create_time())
print(json.dumps({"wall_s": vars(found.wall_s), "phases": vars(found.phases), "source": found.source}))
"""


def taken(runs: Path, *arguments: str) -> tuple[float, str]:
    """Run Python with these arguments; return the seconds and what it printed."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "GOEMO_RUNS": str(runs)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return time.monotonic() - started, done.stdout


def row(runs: Path, space: str, data: str, cache: str) -> str:
    """Forecast and search a space; return the figures as a line of the table."""
    dry_s, told = taken(runs, "-c", DRY_RUN, space, data)
    found = json.loads(told.splitlines()[-1])
    given = ["--data", data] if data else []
    search_s, _ = taken(runs, "-m", "tune.cli", "search", space, *given, "--name", f"{space}-{cache}")
    logged = json.loads((runs / "searches" / f"{space}-{cache}" / "search.json").read_text())["seconds"]
    phases = (", ".join(f"{name} {s:.0f}" for name, s in told.items()) for told in (found["phases"], logged))
    for which, words in zip(("forecast", "search"), phases, strict=True):
        print(f"{space}, {cache}, seconds of the {which}: {words}", file=sys.stderr)
    wall, source = found["wall_s"], found["source"].replace(f"{space}-cold", "the search before")
    expected = f"{wall['expected']:.0f} s ({wall['low']:.0f} to {wall['high']:.0f})"
    ratio = wall["expected"] / search_s
    return f"| `{space}` | {cache} | {dry_s:.0f} s, {source} | {expected} | {search_s:.0f} s | {ratio:.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="GoEmotions, as published")
    folder = Path(parser.parse_args().data).resolve()
    print("| space | cache | dry run | forecast | search | forecast / search |")
    print("| --- | --- | ---: | ---: | ---: | ---: |", flush=True)
    for space, data in (("quickstart", ""), ("minilm_head", f"dir:{folder}")):
        with tempfile.TemporaryDirectory(prefix="goemo-forecast-") as runs:
            for cache in ("cold", "warm"):
                print(row(Path(runs), space, data, cache), flush=True)


if __name__ == "__main__":
    main()
