"""Implementation of `goemo data`: reads data, and shows it as text, JSON or a page."""

from __future__ import annotations

import json
from pathlib import Path

from goemo.data import load_splits
from goemo.errors import GoemoError, InputError
from goemo.looking import look, looked_lines
from tune.cli.data import Data
from tune.live.plain import echo
from tune.records import runs_folder


def look_at(data: Data, checkpoint: str | None, form: str, output: Path | None) -> None:
    """Show what is to be seen of data before anything trains.

    Args:
        data: With a source.
        checkpoint: Whose tokens are counted; None counts none.
        form: ``text`` or ``json``.
        output: Where a page is written too; None writes none.

    Raises:
        InputError: The data or the checkpoint is wrong, or the page cannot be written.
        GoemoError: The hub cannot be reached: for the checkpoint, after all else was shown.
    """
    splits = load_splits(data.source or "", options=data.options, leaves_out_unreadable=True)
    cache = runs_folder() / "cache"
    tokenizer = out_of_reach = None
    if checkpoint is not None:
        from goemo.models import load_tokenizer, resolve_checkpoint

        texts = splits.train.texts
        try:
            tokenizer = load_tokenizer(resolve_checkpoint(checkpoint, texts=texts, cache=cache))
        except InputError:
            raise
        except GoemoError as error:
            out_of_reach = error
    looked = look(splits, tokenizer, checkpoint or "")
    if form == "json":
        echo(json.dumps(looked, indent=2, ensure_ascii=False))
    else:
        for line in looked_lines(looked):
            echo(line)
    if output is not None:
        from goemo.report.data_page import data_page

        try:
            output.write_text(data_page(looked, cache=cache), encoding="utf-8")
        except OSError as error:
            raise InputError(str(output), [error.strerror or str(error)]) from error
        echo(f"{output}: open it in a browser", err=True)
    if out_of_reach is not None:
        raise out_of_reach
