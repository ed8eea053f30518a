"""Load labelled splits from a hub id, a folder, a file or the built-in sample, and check every row."""

from __future__ import annotations

import ast
import csv
import difflib
import hashlib
import io
import itertools
import json
import re
import tokenize
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo import sample
from goemo.errors import GoemoError, InputError
from goemo.taxonomy import GOEMOTIONS, check_taxonomy, group_targets

SPLIT_FILES: dict[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("dev", "validation", "valid", "val"),
    "test": ("test",),
}
SCHEMES = ("sample", "dir", "file", "hub")
PROBLEMS_SHOWN = 20
# The fewest rows of which a tenth, rounded, is LEAST_VALIDATION_ROWS.
LEAST_ROWS_TO_SPLIT = 15
# Thresholds are fitted on some rows of validation and judged on others.
LEAST_VALIDATION_ROWS = 2

# The hub lists two configurations of GoEmotions; the other one is the raw annotations.
HUB_CONFIGURATIONS = {"google-research-datasets/go_emotions": "simplified"}
HUB_TIMEOUT_S = 5.0

# What gave the labels their names, where it is neither labels.txt nor the features of a data set.
_PUBLISHED = "the 28 GoEmotions labels"
_ROWS = "the rows"

_SOURCES = "sources are sample:, sample:ROWS, dir:PATH, file:PATH and hub:ID"
_MULTI_HOT_HINT = "; a row of 0 and 1, one a label, must be written as the indices of its ones"
_Label = int | str  # as it stands in the data: an index, or a name (or an index as text)


@dataclass(frozen=True, eq=False)
class Split:
    """One part of the data.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        texts: The texts as they stand in the source, none empty.
        targets: True where the label applies, shape (n_examples, n_labels).
        ids: The source's own ids, else file and line.
        digest: SHA-256 over label names, texts and targets; the same data from another place has
            the same digest.
    """

    name: str
    texts: list[str]
    targets: NDArray[np.bool_]
    ids: list[str]
    digest: str

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class Splits:
    """The three splits of one data set.

    Attributes:
        source: As asked for.
        taxonomy: ``fine``, ``ekman`` or ``sentiment``.
        labels: Names of the columns of every split's targets.
        train: What models learn from.
        validation: What selects and fits thresholds.
        test: What is opened at the end.
        splitting: Who made the splits: ``official``, or ``seeded 80/10/10, seed 42``.
        notes: What a user should see: texts that stand in two splits, labels without training rows.
    """

    source: str
    taxonomy: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    splitting: str
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the three splits."""
        return hashlib.sha256("".join(split.digest for split in self.splits()).encode()).hexdigest()

    def splits(self) -> tuple[Split, Split, Split]:
        """Return train, validation and test, in that order."""
        return self.train, self.validation, self.test


@dataclass
class _Table:
    """The rows of one file, labels still as written, and what is wrong with the others."""

    name: str
    texts: list[str] = field(default_factory=list)
    labels: list[tuple[_Label, ...]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)  # (line, what); line 0: the whole file

    def add(self, line: int, text: str, labels: tuple[_Label, ...], row_id: str | None) -> None:
        self.texts.append(text)
        self.labels.append(labels)
        self.ids.append(row_id or f"{self.name}:{line}")
        self.lines.append(line)

    def reject(self, line: int, why: str) -> None:
        self.problems.append((line, why))

    def messages(self) -> list[str]:
        ordered = sorted(self.problems, key=lambda problem: problem[0])
        return [f"{self.name}:{line}: {why}" if line else f"{self.name}: {why}" for line, why in ordered]


@dataclass(frozen=True)
class _Read:
    """What a source holds: three tables, or one that is still to be split."""

    tables: Sequence[_Table]
    labels: tuple[str, ...] | None  # None: to be found in the rows
    named_by: str  # what gave the labels, for messages
    problems: Sequence[str] = ()
    splitting: str = "official"


# ----------------------------------------------------------------------------------------------
# From a source to splits


def load_splits(source: str, taxonomy: str = "fine", *, seed: int = 42) -> Splits:
    """Load train, validation and test, and refuse data with a single unreadable row.

    Sources:

    * ``sample:`` or ``sample:ROWS``: the built-in corpus, ROWS rows in all (see ``goemo.sample``).
    * ``dir:PATH``: a folder with ``train``, ``dev`` (or ``validation``, ``valid``, ``val``) and
      ``test`` as ``.tsv`` (text, comma-separated labels, optional id; no header, no quoting) or as
      ``.csv``, ``.parquet`` or ``.jsonl`` with ``text`` and ``labels`` (and an optional ``id``).
    * ``file:PATH``, or a folder that holds one such file with ``text`` and ``labels`` and nothing
      else: no official splits, so 80/10/10 by a permutation seeded with ``seed``; at least 15 rows.
    * ``hub:ID`` or ``hub:ID:CONFIGURATION``: a data set of the Hugging Face hub, or of its local cache.

    A path that exists may stand without ``dir:`` or ``file:``.

    Labels are indices or names, as a list or as text that separates them by ``,``, ``;`` or ``|``.
    Their names come from ``labels.txt`` in the folder (one a line, in index order). Without it they
    are the sorted names of all splits (published order when they are the 28 of GoEmotions); indices
    alone mean the 28 of GoEmotions where they fit (below 28 in a ``.tsv``; reaching 27 elsewhere).
    A name outside train that is almost one of train's is then a problem: it is likely misspelt.
    No row may have a label twice, which is how rows of 0 and 1, one a label, show themselves. A row
    without labels is all false, except in a ``.tsv``: that layout always has one, so an empty
    column there is damage. Validation has at least 2 rows.

    Args:
        source: Where the data is.
        taxonomy: ``fine`` keeps the labels; ``ekman`` and ``sentiment`` group those of GoEmotions.
        seed: Seeds the built-in corpus, and the splits of data that has none.

    Raises:
        InputError: The source or its data is wrong: all problems at once, the first 20 in full.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    check_taxonomy(taxonomy)
    read, rest = _reader(source)
    found = read(rest, seed)
    labels, named_by = _label_names(found)
    for table in found.tables:
        _reject_multi_hot(table, len(labels))
    targets = [_targets(table, labels, named_by) for table in found.tables]
    _refuse(source, [*found.problems, *itertools.chain(*(table.messages() for table in found.tables))])
    splitting = found.splitting
    parts = [(table.texts, table.ids, rows) for table, rows in zip(found.tables, targets, strict=True)]
    if len(parts) == 1:
        splitting, parts = f"seeded 80/10/10, seed {seed}", _seeded_split(source, *parts[0], seed)
    _refuse_short_validation(source, parts[1])
    grouped = [group_targets(rows, labels, taxonomy) for _, _, rows in parts]
    labels = grouped[0][1]
    train, validation, test = (
        Split(name, texts, rows, ids, _digest(labels, texts, rows))
        for name, (texts, ids, _), (rows, _) in zip(SPLIT_FILES, parts, grouped, strict=True)
    )
    notes = (
        *_naming_note(named_by),
        *_overlap_notes(train, validation, test),
        *_absence_notes(labels, train),
    )
    return Splits(source, taxonomy, labels, train, validation, test, splitting, notes)


def _reader(source: str) -> tuple[Callable[[str, int], _Read], str]:
    scheme, colon, rest = source.partition(":")
    readers = {"sample": _read_sample, "dir": _read_path, "file": _read_path, "hub": _read_hub}
    if colon and scheme in readers:
        return readers[scheme], rest
    if source and Path(source).expanduser().exists():
        return _read_path, source
    if colon:
        raise InputError(source, [f"unknown kind of source{_nearest(scheme, SCHEMES)}; {_SOURCES}"])
    raise InputError(source or "data source", [f"no such file or folder; {_SOURCES}"])


def _refuse(where: str, problems: Sequence[str]) -> None:
    if not problems:
        return
    shown = list(problems[:PROBLEMS_SHOWN])
    if len(problems) > PROBLEMS_SHOWN:
        shown.append(f"and {len(problems) - PROBLEMS_SHOWN} more")
    raise InputError(where, shown)


def _digest(labels: Sequence[str], texts: Sequence[str], targets: NDArray[np.bool_]) -> str:
    content = hashlib.sha256(json.dumps([labels, texts]).encode())
    content.update(np.packbits(targets).tobytes())
    return content.hexdigest()


_Part = tuple[list[str], list[str], NDArray[np.bool_]]  # texts, ids, targets


def _seeded_split(
    source: str, texts: list[str], ids: list[str], targets: NDArray[np.bool_], seed: int
) -> list[_Part]:
    """Deal rows into 80/10/10 by a permutation that depends on the seed and the number of rows."""
    if len(texts) < LEAST_ROWS_TO_SPLIT:
        raise InputError(
            source, [f"must have at least {LEAST_ROWS_TO_SPLIT} rows to be split, got {len(texts)}"]
        )
    order = np.random.default_rng(seed).permutation(len(texts))
    tenth = round(len(texts) / 10)
    # Sorted: within a split, rows keep the order of the file.
    parts = [np.sort(part) for part in np.split(order, [len(texts) - 2 * tenth, len(texts) - tenth])]
    return [([texts[row] for row in rows], [ids[row] for row in rows], targets[rows]) for rows in parts]


def _refuse_short_validation(source: str, validation: _Part) -> None:
    rows = len(validation[0])
    if rows < LEAST_VALIDATION_ROWS:
        rule = f"validation must have at least {LEAST_VALIDATION_ROWS} rows, got {rows}"
        raise InputError(source, [f"{rule}; thresholds are fitted on some and judged on others: add rows"])


# ----------------------------------------------------------------------------------------------
# Notes


def _overlap_notes(*splits: Split) -> list[str]:
    distinct = {split.name: set(split.texts) for split in splits}
    counts = {(a, b): len(distinct[a] & distinct[b]) for a, b in itertools.combinations(distinct, 2)}
    return [f"{_count(shared, 'text')} in both {a} and {b}" for (a, b), shared in counts.items() if shared]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun} stands" if number == 1 else f"{number} {noun}s stand"


def _absence_notes(labels: Sequence[str], train: Split) -> list[str]:
    absent = [labels[column] for column in np.flatnonzero(~train.targets.any(axis=0)).tolist()]
    return [f"no training row has the label {', '.join(absent)}"] if absent else []


def _naming_note(named_by: str) -> list[str]:
    return [f"labels.txt is missing: the indices are read as {_PUBLISHED}"] if named_by == _PUBLISHED else []


# ----------------------------------------------------------------------------------------------
# Labels


def _is_index(label: _Label) -> bool:
    return isinstance(label, int) or re.fullmatch(r"[+-]?[0-9]+", label) is not None


def _label_names(found: _Read) -> tuple[tuple[str, ...], str]:
    """Return the names of the labels and what they come from; reject rows that name none."""
    if found.labels is not None:
        return found.labels, found.named_by
    distinct = {label for table in found.tables for labels in table.labels for label in labels}
    indices = {int(label) for label in distinct if _is_index(label)}
    names = {str(label) for label in distinct if not _is_index(label)}
    if names:
        _reject_likely_misspellings(found.tables, names)
        return (GOEMOTIONS if names == set(GOEMOTIONS) else tuple(sorted(names))), _ROWS
    last = len(GOEMOTIONS) - 1
    are_published = min(indices, default=-1) >= 0 and max(indices, default=-1) <= last
    if are_published and (max(indices) == last or all(t.name.endswith(".tsv") for t in found.tables)):
        return GOEMOTIONS, _PUBLISHED
    if any(table.texts for table in found.tables):
        reason = (
            "has no row with a label"
            if not distinct
            else f"has label indices up to {max(indices)} and no names"
        )
        found.tables[0].reject(
            0, f"{reason}; put labels.txt beside it, one name a line in the order of the indices"
        )
    for table in found.tables:
        # Without names no label can be read; one message is enough.
        table.labels = [()] * len(table.labels)
    return (), _ROWS


def _reject_likely_misspellings(tables: Sequence[_Table], names: set[str]) -> None:
    """Reject a name outside train that is almost one of train's: with labels.txt it would be unknown."""
    known = sorted(names & {str(label) for labels in tables[0].labels for label in labels})
    for table in tables[1:]:
        for line, labels in zip(table.lines, table.labels, strict=True):
            for label in labels:
                if str(label) not in known and (
                    near := difflib.get_close_matches(str(label), known, 1, 0.85)
                ):
                    hint = f"did you mean {near[0]}? If not, add labels.txt"
                    table.reject(line, f"unknown label name {label!r}, not in {tables[0].name}; {hint}")


def _targets(table: _Table, names: Sequence[str], named_by: str) -> NDArray[np.bool_]:
    """Return the targets of a table's rows, shape (n_rows, n_names); reject rows with unknown labels."""
    column: dict[_Label, int] = {}
    if named_by != _ROWS:  # names that were found in the rows have no indices that anyone wrote
        column |= {label: index for index in range(len(names)) for label in (index, str(index))}
    column |= {name: index for index, name in enumerate(names)}  # last: a name wins over an index
    rows: list[int] = []
    columns: list[int] = []
    for row, labels in enumerate(table.labels):
        for label in labels:
            index = column.get(label)
            if index is None:
                table.reject(table.lines[row], _unknown_label(label, names, named_by))
                continue
            rows.append(row)
            columns.append(index)
    targets = np.zeros((len(table.labels), len(names)), dtype=np.bool_)
    targets[rows, columns] = True
    return targets


def _reject_multi_hot(table: _Table, labels: int) -> None:
    """Reject a table whose every row is as long as there are labels, and of 0 and 1 alone.

    Longer rows repeat a label and have been rejected one by one; two labels are left to catch here.
    """
    if labels < 2 or not table.labels:
        return
    if all(len(row) == labels and {str(label) for label in row} <= {"0", "1"} for row in table.labels):
        table.reject(0, f"every row has {labels} labels of 0 and 1{_MULTI_HOT_HINT}")


def _unknown_label(label: _Label, names: Sequence[str], named_by: str) -> str:
    if named_by == _ROWS:
        return f"label index {label}, but other rows have names and there is no labels.txt to number them"
    if _is_index(label):
        return f"label index {label}, must be 0 to {len(names) - 1} ({named_by} has {len(names)} names)"
    return f"unknown label name {label!r}, not in {named_by}{_nearest(str(label), names)}"


def _nearest(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _parse_labels(value: Any) -> tuple[_Label, ...]:
    """Return the labels in a value of a ``labels`` column.

    Raises:
        ValueError: The value is missing, it holds something that is neither index nor name, or a label twice.
    """
    labels = _read_labels(value)
    for label in labels:
        if isinstance(label, str) and _has_control_characters(label):
            raise ValueError(f"label {label!r} holds a control character or line break, which no name may")
    if repeated := sorted({str(label) for label in labels if labels.count(label) > 1}):
        hint = _MULTI_HOT_HINT if {str(label) for label in labels} <= {"0", "1"} else "; name it once"
        raise ValueError(f"label {repeated[0]} stands more than once{hint}")
    return labels


def _has_control_characters(name: str) -> bool:
    """Say whether a name holds what would break a line of a table, a file or a terminal."""
    return any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name)


def _read_labels(value: Any) -> tuple[_Label, ...]:
    if isinstance(value, str):
        return _split_labels(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return (int(value),)
    if not isinstance(value, list | tuple | np.ndarray):
        raise ValueError(  # noqa: TRY004 - a wrong value in a file, reported with its line
            f"labels must be indices or names, or a list of them, got {value!r}"
        )
    labels: list[_Label] = []
    for item in value:
        if isinstance(item, str) and item.strip():
            labels.append(item.strip())
        elif isinstance(item, int | np.integer) and not isinstance(item, bool):
            labels.append(int(item))
        else:
            raise ValueError(f"a label must be an index or a name, got {item!r}")
    return tuple(labels)


def _split_labels(text: str) -> tuple[_Label, ...]:
    """Split ``a,b``, ``a;b``, ``a|b``, and lists as Python and NumPy print them."""
    text = text.strip()
    is_list = text[:1] + text[-1:] in ("[]", "()")
    if is_list:
        listed = _python_list(text)
        if listed is not None:
            return _read_labels(listed)
        text = text[1:-1].strip()
    elif text.startswith("["):
        raise ValueError(f"a list of labels must end in ], got {text!r}")
    if not text:
        return ()
    if is_list and _NUMPY_NAMES.fullmatch(text):
        labels = [quoted[1:-1] for quoted in _QUOTED.findall(text)]
    elif is_list and re.fullmatch(r"[0-9\s]+", text):
        labels = text.split()
    else:
        labels = re.split(r"[,;|]", text.removesuffix(",") if is_list else text)
        if is_list and any(label.strip()[:1] in _QUOTES or label.strip()[-1:] in _QUOTES for label in labels):
            raise ValueError(f"a list of labels must quote every name or none, got {text!r}")
    labels = [label.strip() for label in labels]
    if not all(labels):
        raise ValueError(f"labels must be separated by single commas, got {text!r}")
    return tuple(labels)


_QUOTES = ("'", '"')
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMPY_NAMES = re.compile(rf"(?:{_QUOTED.pattern})(?:\s+(?:{_QUOTED.pattern}))*")


def _python_list(text: str) -> list[Any] | None:
    """Return what a list or tuple in Python's notation holds, or None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes that mean nothing
            value = ast.literal_eval(text)
            tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (ValueError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        return None
    items = list(value) if isinstance(value, list | tuple) else [value]
    # Python joins 'a' 'b' into one name, where NumPy prints two.
    strings = sum(token.type == tokenize.STRING for token in tokens)
    return items if strings == sum(isinstance(item, str) for item in items) else None


# ----------------------------------------------------------------------------------------------
# The built-in sample


def _read_sample(rows: str, seed: int) -> _Read:
    least = sample.LEAST_ROWS
    number = int(rows) if re.fullmatch(r"[0-9]{1,9}", rows) else 0
    if rows and not least <= number <= sample.MOST_ROWS:
        rule = f"rows must be a whole number from {least} to {sample.MOST_ROWS}, got {rows!r}"
        raise InputError(f"sample:{rows}", [rule])
    examples = sample.generate(number or sample.DEFAULT_ROWS, seed)
    tenth = round(len(examples) / 10)
    bounds = [0, len(examples) - 2 * tenth, len(examples) - tenth, len(examples)]
    tables = [_Table(name) for name in SPLIT_FILES]
    for table, (start, end) in zip(tables, itertools.pairwise(bounds), strict=True):
        for line, (text, labels) in enumerate(examples[start:end], start=1):
            table.add(line, text, labels, None)
    return _Read(tables, GOEMOTIONS, _PUBLISHED + " of the sample", splitting=f"seeded 80/10/10, seed {seed}")


# ----------------------------------------------------------------------------------------------
# Files


def _read_path(path: str, _seed: int) -> _Read:
    place = Path(path).expanduser()
    if not path or not place.exists():
        raise InputError(path or "data source", [f"no such file or folder; {_SOURCES}"])
    files = _split_files(place) if place.is_dir() else [place]
    label_file = (place if place.is_dir() else place.parent) / "labels.txt"
    labels, problems = _read_label_file(label_file) if label_file.is_file() else (None, [])
    tables = [_read_table(file) for file in files]
    if problems:
        for table in tables:
            # Which label an index or a name means is unknown until labels.txt is right.
            table.labels = [()] * len(table.labels)
        labels = ()
    return _Read(tables, labels, label_file.name, problems)


def _split_files(folder: Path) -> list[Path]:
    """Return the files of train, validation and test, or the only file of a folder without splits."""
    there = sorted(file for file in folder.iterdir() if file.suffix in _READERS and file.is_file())
    held_out = (*SPLIT_FILES["validation"], *SPLIT_FILES["test"])
    if len(there) == 1 and there[0].suffix != ".tsv" and there[0].stem not in held_out:
        return there
    files, problems = [], []
    for name, stems in SPLIT_FILES.items():
        candidates = [file for file in there if file.stem in stems]
        if len(candidates) == 1:
            files.append(candidates[0])
        elif candidates:
            problems.append(f"{name} has {' and '.join(file.name for file in candidates)}; keep one")
        else:
            wanted = ", ".join(f"{stem}.tsv" for stem in stems)
            others = ", ".join(suffix for suffix in _READERS if suffix != ".tsv")
            problems.append(f"no {name} file: looked for {wanted}, and the same as {others}")
    _refuse(str(folder), problems)
    return files


def _read_label_file(file: Path) -> tuple[tuple[str, ...], list[str]]:
    table = _Table(file.name)
    names = [line.strip() for _, line in _lines(file, table)]
    while names and not names[-1]:
        names.pop()
    first = {name: line for line, name in reversed(list(enumerate(names, start=1)))}
    for line, name in enumerate(names, start=1):
        if not name:
            table.reject(line, "empty line; every line names one label")
        elif _has_control_characters(name):
            table.reject(line, f"label {name!r} holds a control character, which no name may")
        elif first[name] != line:
            table.reject(line, f"label {name!r} stands in line {first[name]} already")
    if not names and not table.problems:
        table.reject(0, "is empty; must name one label a line")
    return tuple(names), table.messages()


def _read_table(file: Path) -> _Table:
    table = _Table(file.name)
    read = _READERS.get(file.suffix)
    if read is None:
        table.reject(0, f"must end in {', '.join(_READERS)}, got {file.suffix or 'no ending'}")
        return table
    try:
        read(file, table)
    except OSError as error:
        table.reject(0, f"cannot be read ({error.strerror or error})")
    if not table.texts and not table.problems:
        table.reject(0, "has no rows")
    return table


def _lines(file: Path, table: _Table) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a text file; reject those that are not UTF-8.

    Only a line feed ends a line: other separators of Unicode are part of people's texts.
    """
    offset = 0
    for number, raw in enumerate(file.read_bytes().removesuffix(b"\n").split(b"\n"), start=1):
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            bad = offset + error.start
            table.reject(number, f"not UTF-8: byte 0x{raw[error.start]:02x} at offset {bad} of the file")
        offset += len(raw) + 1


def _read_tsv(file: Path, table: _Table) -> None:
    for number, line in _lines(file, table):
        fields = line.split("\t")
        if len(fields) not in (2, 3):
            if line or number > 1:  # one empty line is an empty file
                table.reject(
                    number, f"{_columns(len(fields))}, must be 3: text, labels, id, separated by tabs"
                )
        elif not fields[0].strip():
            table.reject(number, "empty text")
        elif not fields[1].strip():
            table.reject(number, "no label; the second column must hold at least one")
        else:
            _add_row(table, number, {"text": fields[0], "labels": fields[1], "id": "".join(fields[2:])})


def _columns(number: int) -> str:
    return "1 column" if number == 1 else f"{number} columns"


def _read_csv(file: Path, table: _Table) -> None:
    text = "\n".join(line for _, line in _lines(file, table))
    if table.problems:  # quoted line breaks make rows after a broken line unsafe to read
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header, start = None, 1
    limit = csv.field_size_limit(len(text) + 1)  # a long text is no error; the file is in memory anyway
    try:
        for values in reader:
            if header is None:
                header = values
                if not _has_columns(table, header):
                    return
            elif values and len(values) != len(header):
                why = f"{_columns(len(values))}, must be {len(header)} (quote what holds a comma)"
                table.reject(start, why)
            elif values:
                _add_row(table, start, dict(zip(header, values, strict=True)))
            start = reader.line_num + 1
    except csv.Error as error:
        table.reject(start, f"not readable as CSV ({error})")
    finally:
        csv.field_size_limit(limit)


def _read_jsonl(file: Path, table: _Table) -> None:
    for number, line in _lines(file, table):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            table.reject(number, f"not JSON ({error})")
            continue
        if not isinstance(row, dict):
            table.reject(number, f"must be an object with text and labels, got {line[:40]}")
        elif missing := [name for name in ("text", "labels") if name not in row]:
            hints = "".join(_nearest(name, map(str, row)) for name in missing)
            table.reject(number, f"no {' and no '.join(missing)}{hints}")
        else:
            _add_row(table, number, row)


def _read_parquet(file: Path, table: _Table) -> None:
    import pandas as pd  # half a second that only parquet needs

    try:
        frame = pd.read_parquet(file)
    except (ValueError, OSError) as error:  # pyarrow's own errors are of these two kinds
        table.reject(0, f"not readable as parquet ({error})")
        return
    if _has_columns(table, [str(name) for name in frame.columns]):
        _add_columns(table, {name: frame[name].tolist() for name in frame.columns})


def _has_columns(table: _Table, names: Sequence[str]) -> bool:
    missing = [name for name in ("text", "labels") if name not in names]
    for name in missing:
        hint = _nearest(name, names) or "."
        table.reject(0, f"no column {name}{hint} Columns are {', '.join(names)}")
    repeated = [name for name in ("text", "labels", "id") if names.count(name) > 1]
    for name in repeated:
        table.reject(0, f"has {names.count(name)} columns called {name}; keep one")
    return not missing and not repeated


def _add_columns(table: _Table, columns: Mapping[str, Sequence[Any]]) -> None:
    ids = columns.get("id", itertools.repeat(None))
    for row, (text, labels, row_id) in enumerate(
        zip(columns["text"], columns["labels"], ids, strict=False), 1
    ):
        _add_row(table, row, {"text": text, "labels": labels, "id": row_id})


def _add_row(table: _Table, line: int, row: Mapping[str, Any]) -> None:
    """Take one row into the table, or reject it with the first reason found."""
    text, row_id = row["text"], row.get("id")
    if not isinstance(text, str):
        table.reject(line, f"text must be a string, got {text!r}")
    elif not text.strip():
        table.reject(line, "empty text")
    elif not text.isascii() and re.search("[\ud800-\udfff]", text):
        table.reject(line, "text holds half a surrogate pair, which is not a character")
    else:
        try:
            labels = _parse_labels(row["labels"])
        except ValueError as error:
            table.reject(line, str(error))
            return
        table.add(line, text, labels, None if row_id is None else str(row_id))


_READERS: dict[str, Callable[[Path, _Table], None]] = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}


# ----------------------------------------------------------------------------------------------
# The hub


def _read_hub(name: str, _seed: int) -> _Read:
    hub_id, _, configuration = name.partition(":")
    source = f"hub:{name}"
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", hub_id):
        raise InputError(source, ["must be hub:OWNER/NAME or hub:OWNER/NAME:CONFIGURATION"])
    dataset = _load_from_hub(source, hub_id, configuration or HUB_CONFIGURATIONS.get(hub_id))
    return _from_dataset(source, dataset)


def _load_from_hub(source: str, hub_id: str, configuration: str | None) -> Mapping[str, Any]:
    import datasets  # a second that only hub sources need
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        failure = _hub_failure(hub_id)
    except RepositoryNotFoundError:
        raise InputError(source, ["the hub has no such data set, or not for everyone"]) from None
    try:
        with _hub_calls(datasets.config, are_allowed=failure is None):
            loaded: Mapping[str, Any] = datasets.load_dataset(hub_id, configuration)
    except RuntimeError as error:  # a data set that is a script
        remedy = "download its files, or convert it to parquet, and use dir:PATH"
        raise InputError(source, [f"cannot be used ({_first_sentence(error)}); {remedy}"]) from error
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        reason = _first_sentence(error)
        if failure is None and isinstance(error, ValueError):
            raise InputError(source, [reason]) from error
        if failure is None:
            raise GoemoError(f"{source}: could not be downloaded ({reason}); try again later") from error
        remedy = "connect to the network once, or download the files and use dir:PATH"
        raise GoemoError(
            f"{source}: the hub cannot be reached ({failure}), and no copy is in the local cache; {remedy}"
        ) from error
    return loaded


def _hub_failure(hub_id: str) -> str | None:
    """Return why the hub gives no answer, or None when it does; a few seconds at most.

    ``datasets`` itself would try again for half a minute.

    Raises:
        RepositoryNotFoundError: The hub answers that it has no such data set.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        HfApi().dataset_info(hub_id, timeout=HUB_TIMEOUT_S)
    except RepositoryNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - the HTTP library and its errors changed names between releases
        return _first_sentence(error)
    return None


def _first_sentence(error: Exception) -> str:
    return re.split(r"\n|\.(?:\s|$)", str(error).strip())[0] or type(error).__name__


@contextmanager
def _hub_calls(config: Any, *, are_allowed: bool) -> Iterator[None]:
    """Let ``datasets`` go straight to its cache when the hub is known to be out of reach."""
    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = before or not are_allowed
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


def _from_dataset(source: str, dataset: Mapping[str, Any]) -> _Read:
    """Read a ``datasets.DatasetDict``: its usual three splits, or train alone, to be split."""
    chosen = {name: [key for key in stems if key in dataset] for name, stems in SPLIT_FILES.items()}
    missing = [name for name, keys in chosen.items() if not keys]
    if missing and missing != ["validation", "test"]:
        rule = "must have train, validation (or dev) and test, or train alone"
        raise InputError(source, [f"{rule}; it has {', '.join(map(str, dataset))}"])
    tables: list[_Table] = []
    for keys in filter(None, chosen.values()):
        rows = dataset[keys[0]]
        table = _Table(keys[0])
        if _has_columns(table, rows.column_names):
            _add_columns(table, rows.with_format(None)[:])
            if not table.texts and not table.problems:
                table.reject(0, "has no rows")
        tables.append(table)
    names = _class_names(dataset[chosen["train"][0]].features.get("labels"))
    bad = [name for name in names or () if _has_control_characters(name)]
    problems = [f"label {name!r} holds a control character or line break, which no name may" for name in bad]
    return _Read(tables, names, "the data set's features", problems)


def _class_names(feature: Any) -> tuple[str, ...] | None:
    """Return the names of a ClassLabel, or of a list of them; None where labels are plain values."""
    inner = getattr(feature, "feature", feature)
    names = getattr(inner, "names", None)
    return None if names is None else tuple(names)
