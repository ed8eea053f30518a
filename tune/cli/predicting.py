"""Implementation of `goemo predict`: texts from the call, a file or a pipe; results streamed or to a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from goemo import bundle
from goemo.bundle.predictions import FORMATS, Output, Prediction
from goemo.configuration.data import DataOptions
from goemo.data import Rows, load_rows
from goemo.data.formats import holds_columns, open_bytes
from goemo.data.loading import text_columns
from goemo.data.tables import MOST_TEXT_CHARACTERS, counted
from goemo.data.text_lines import chunks, count_texts, texts_of
from goemo.errors import GoemoError, InputError
from goemo.escaping import printable
from goemo.files import built_file
from tune.cli.tables import predictions_table
from tune.durations import duration
from tune.live.consoles import CommandConsole, progress_console

# Without a terminal, a line of progress this often.
_LINE_EVERY_S = 15.0

Chunk = Sequence[Prediction]


def predict_texts(folder: Path, texts: Sequence[str], *, form: str, output: Path | None = None) -> None:
    """Predict some texts with a bundle, in one go.

    Args:
        folder: The bundle.
        texts: Half a surrogate pair, which stands for bytes of the call that are no UTF-8, becomes U+FFFD.
        form: ``table``, or one of `goemo.bundle.predictions.FORMATS`.
        output: A file that is written whole or not at all; None for stdout.

    Raises:
        InputError: No bundle, or the output cannot be written.
    """
    with _opened(output) as file:
        model = bundle.load(folder)
        whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
        predicted = iter([model.predict(whole)])
        for piece in _pieces(model, predicted, Output(model.labels), form, is_long=False):
            _write(file, piece, is_data=form != "table")


def predict_file(
    folder: Path,
    path: Path,
    *,
    form: str,
    output: Path | None = None,
    options: DataOptions | None = None,
    console: Console | None = None,
) -> None:
    """Predict each row of a table, or each line of any other file, chunk by chunk, in their order.

    Args:
        folder: The bundle.
        path: A file that the readers of data know, whose other columns are kept, or one with a text a line
            (`goemo.data.text_lines`); ``-`` for lines from stdin.
        form: ``table``, or one of `goemo.bundle.predictions.FORMATS`.
        output: A file that is written whole or not at all; None for stdout, where each chunk appears at once.
        options: Which column is the text and how the file is read, where that cannot be found out.
        console: Where progress is shown; None for stderr.

    Raises:
        InputError: No bundle, the file cannot be read, or the output cannot be written.
        GoemoError: It was interrupted; the message says how far it came.
    """
    console = console or progress_console()
    if str(path) != "-" and (options is not None or holds_columns(path)):
        _predict_table(folder, path, options, form=form, output=output, console=console)
    else:
        _predict_lines(folder, path, form=form, output=output, console=console)


def _predict_table(
    folder: Path, path: Path, options: DataOptions | None, *, form: str, output: Path | None, console: Console
) -> None:
    with _opened(output) as file:
        if not path.exists():
            raise InputError(str(path), ["No such file or directory"])
        model = bundle.load(folder)
        usual = text_columns(model.provenance.get("data", {}))
        rows = load_rows(f"file:{path}", options=options, usual_text=usual)
        for note in _read_as(path, rows):
            console.print(note, soft_wrap=True, highlight=False, markup=False)
        to = Output(model.labels, rows.columns)
        if to.predicted != "labels" and form != "table":
            note = f"{path.name} already has a column labels: predictions are in the column {to.predicted}"
            console.print(note, soft_wrap=True, highlight=False, markup=False)
        meter = _Meter(console, total=len(rows))
        _predict_all(model, rows.texts, to, meter, form=form, file=file, output=output)


def _read_as(path: Path, rows: Rows) -> list[str]:
    """Return what a user should see of how a table was read."""
    said = any("texts are" in note for note in rows.notes)
    column = "" if said else f", texts are read from the column {' and '.join(rows.text_columns)}"
    return [f"{path.name}: {counted(len(rows), 'row')}{column}", *rows.notes]


def _predict_lines(folder: Path, path: Path, *, form: str, output: Path | None, console: Console) -> None:
    replaced: list[int] = []
    cut: list[int] = []
    with _opened(output) as file, _read(path) as source:
        model = bundle.load(folder)
        meter = _Meter(console, total=_number_of_texts(source))
        texts = texts_of(source, replaced.append, cut.append)
        _predict_all(model, texts, Output(model.labels), meter, form=form, file=file, output=output)
    for numbers, what, then in (
        (replaced, "not UTF-8", "unreadable bytes are replaced by \ufffd"),
        (cut, f"longer than {MOST_TEXT_CHARACTERS:,} characters", "the rest is ignored"),
    ):
        if numbers:
            lines = "1 line is" if len(numbers) == 1 else f"{len(numbers):,} lines are"
            console.print(f"{lines} {what} (the first is line {numbers[0]:,}): {then}", soft_wrap=True)


def _predict_all(
    model: bundle.Bundle,
    texts: Iterable[str],
    to: Output,
    meter: _Meter,
    *,
    form: str,
    file: BinaryIO,
    output: Path | None,
) -> None:
    """Predict texts and write what is predicted, chunk by chunk.

    Raises:
        GoemoError: It was interrupted; the message says how far it came.
    """
    predicted = (model.predict(chunk, on_progress=partial(meter.show, meter.done)) for chunk in chunks(texts))
    try:
        with meter:
            for piece in _pieces(model, predicted, to, form, is_long=True):
                with meter.aside():
                    _write(file, piece, is_data=form != "table")
                meter.written = meter.done
    except KeyboardInterrupt:
        kept = f"nothing was written to {output}" if output else "these have been written"
        of = "" if meter.total is None else f" of {meter.total:,}"
        raise GoemoError(f"interrupted after {meter.written:,}{of} texts; {kept}") from None


def _pieces(
    model: bundle.Bundle, predicted: Iterator[Chunk], to: Output, form: str, *, is_long: bool
) -> Iterable[bytes]:
    return _tables(model, predicted, is_long=is_long) if form == "table" else FORMATS[form](predicted, to)


def _tables(model: bundle.Bundle, predicted: Iterator[Chunk], *, is_long: bool) -> Iterator[bytes]:
    """Yield tables as the terminal shall get them; what it cannot show becomes a question mark."""
    console = CommandConsole()
    thresholds = dict(zip(model.labels, model.thresholds.values.tolist(), strict=True))
    for number, chunk in enumerate(predicted):
        with console.capture() as captured:
            console.print(predictions_table(chunk, thresholds, part=number if is_long else None))
        text = captured.get()
        yield (text.rstrip("\n") + "\n").encode(console.encoding, "replace")


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    with built_file(output) as partial, partial.open("wb") as file:
        yield file


def _write(file: BinaryIO, piece: bytes, *, is_data: bool) -> None:
    """Write a piece at once; data on a terminal without what that would obey, tables have lost it already."""
    if is_data and file.isatty():
        piece = printable(piece.decode("utf-8", "replace")).encode()
    file.write(piece)
    file.flush()


@contextmanager
def _read(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open_bytes(path)
    except OSError as error:
        raise InputError(str(path), [error.strerror or str(error)]) from error
    with file:
        yield file


def _number_of_texts(source: BinaryIO) -> int | None:
    """Count the texts of a file and go back to where it stood; None for a pipe, which tells at its end."""
    if not source.seekable():
        return None
    start = source.tell()
    total = count_texts(source)
    source.seek(start)
    return total


class _Meter:
    """Shows on stderr how far it is: a bar on a terminal, elsewhere a line now and then.

    Attributes:
        total: Texts in all, if that is known.
        done: Texts that are predicted.
        written: Texts whose results are written.
    """

    def __init__(self, console: Console, *, total: int | None) -> None:
        self.total, self.done, self.written = total, 0, 0
        self._console = console
        self._started = self._last_line = time.monotonic()
        pace = TextColumn("{task.fields[pace]}")
        columns = (TextColumn("predicting"), BarColumn(), MofNCompleteColumn(), pace, TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=total, pace="")

    def __enter__(self) -> None:
        if self._console.is_terminal:
            self._bar.start()

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, before: int, done: int, _: int) -> None:
        """Tell how many texts of a chunk are predicted, and how many there were before it."""
        self.done = done = before + done
        now = time.monotonic()
        pace = done / max(now - self._started, 1e-9)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=done, pace=f"{pace:,.0f} texts/s")
        elif now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            of = "" if self.total is None else f" of {self.total:,}"
            left = "" if self.total is None else f", about {duration((self.total - done) / pace)} left"
            line = f"predicted {done:,}{of} texts, {pace:,.0f} texts/s{left}"
            self._console.print(line, soft_wrap=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while results are written: they may go to the same terminal."""
        if not (self._console.is_terminal and sys.stdout.isatty()):
            yield
            return
        self._bar.stop()
        yield
        self._bar.start()
