"""Writes the table of docs/encoders.md: python tests/goemo/encoders_table.py [KIND]...

Rows of other kinds stay as they are, so that it can be written in parts.
"""

from __future__ import annotations

import fcntl
import logging
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from architecture_matrix import WAYS, cell
from tiny_encoders import EVERY_KIND
from transformers import logging as transformers_logging

from goemo.fast import one_dnn

_TABLE = Path(__file__).parents[2] / "docs" / "encoders.md"


def main(kinds: list[str]) -> None:
    """Train each architecture in each way, and write what became of it."""
    torch.set_num_threads(1)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("goemo.training").setLevel(logging.ERROR)
    one_dnn._FEW_PRODUCTS = 0
    one_dnn._has_avx512 = lambda: True
    for kind in kinds:
        words, reasons = [], []
        with tempfile.TemporaryDirectory() as folder:
            for way, options in WAYS.items():
                try:
                    found = cell(Path(folder), kind, **options)
                except Exception as error:  # noqa: BLE001 - what is wrong is to be seen in the table
                    words.append("WRONG")
                    reasons.append(f"{way}: {type(error).__name__} {error}".splitlines()[0])
                else:
                    words.append(found.word)
                    if found.reason:
                        reasons.append(f"{way}: {found.reason}")
        print(kind, words, *reasons, sep="\n    ", flush=True)  # noqa: T201 - what is written is shown
        _write(kind, f"| {kind} | {' | '.join(words)} |")


def _write(kind: str, row: str) -> None:
    with _TABLE.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        rows = re.findall(r"^\|.*\|$", text, re.MULTILINE)[2:]
        head = f"| architecture | {' | '.join(WAYS)} |"
        divider = f"| {' | '.join(['---'] * (len(WAYS) + 1))} |"
        kept = [other for other in rows if not other.startswith(f"| {kind} |")]
        table = "\n".join([head, divider, *sorted([*kept, row])])
        text = re.sub(r"^\|.*\|$(\n^\|.*\|$)*", lambda _: table, text, count=1, flags=re.MULTILINE)
        file.seek(0)
        file.write(text)
        file.truncate()


if __name__ == "__main__":
    main(sys.argv[1:] or list(EVERY_KIND))
