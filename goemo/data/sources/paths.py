"""A folder or a file: which of its files make which split."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from goemo.configuration.data import DataOptions
from goemo.data.formats import FORMATS, ending, read_file, stem
from goemo.data.labels.files import read_label_file
from goemo.data.sources.saved import is_saved, read_saved
from goemo.data.tables import SourceContent, listed, refuse
from goemo.data.words import SPLIT_FILES, split_of

LABEL_FILE = "labels.txt"
_NO_DATA = frozenset(
    {"dataset_info", "dataset_infos", "dataset_dict", "state", "labels", "config", "package"}
)
_SHARD = re.compile(r"(?P<stem>.+?)[-_](?P<number>\d{1,6})[-_]of[-_](?P<all>\d{1,6})")
_PART = re.compile(r"(?P<stem>.*\D)(?P<number>\d{1,4})")
_NOTHING = (
    f"no data files: looked for {', '.join(f'{split}.csv' for split in SPLIT_FILES)} and others, "
    f"which may end in {', '.join(FORMATS)}"
)
_WAY_OUT = "data.splits names the files of each split"


@dataclass
class _Files:
    """Files by split, None for those that are still to be split, and what to say of them."""

    by_split: dict[str | None, list[Path]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_path(path: str, _seed: int, options: DataOptions) -> SourceContent:
    """Read the files of a folder, or one file; `parted` has seen that it is there.

    Raises:
        InputError: Which files are which split cannot be told.
    """
    place = Path(path).expanduser()
    if place.is_dir() and is_saved(place):
        found = read_saved(place, options)
        folder = place
    else:
        files = _files(place, options)
        refuse(str(place), files.problems)
        tables = [
            (split, read_file(file, options)) for split, group in files.by_split.items() for file in group
        ]
        found = SourceContent(tables, notes=files.notes)
        folder = next(file for group in files.by_split.values() for file in group).parent
    return _with_label_file(found, [folder, place if place.is_dir() else place.parent])


def _with_label_file(found: SourceContent, folders: Sequence[Path]) -> SourceContent:
    file = next((folder / LABEL_FILE for folder in folders if (folder / LABEL_FILE).is_file()), None)
    if file is None:
        return found
    names, problems = read_label_file(file)
    return SourceContent(
        found.tables, names, file.name, [*found.problems, *problems], found.notes, found.splitting
    )


def _files(place: Path, options: DataOptions) -> _Files:
    if given := options.split_sources():
        return _given_files(place, given)
    if not place.is_dir():
        return _Files({None: [place]})
    files = _split_files(place)
    return files if files.by_split or files.problems else _inner_files(place)


def _inner_files(place: Path) -> _Files:
    """Return the files of a folder in the folder: ``data``, a folder a split, or the only configuration."""
    inner = [place / "data"] if (place / "data").is_dir() else sorted(filter(Path.is_dir, place.iterdir()))
    by_folder = {split_of(folder.name): _readable(folder) for folder in inner}
    if "train" in by_folder and len(by_folder) == len(inner):
        return _Files({split: group for split, group in by_folder.items() if group})
    found = {folder: _split_files(folder) for folder in inner}
    configurations = [folder for folder, files in found.items() if files.by_split]
    if len(configurations) > 1:
        names = listed([folder.name for folder in configurations])
        rule = f"holds several data sets: {names}; say which, for example dir:{configurations[0]}"
        return _Files(problems=[rule])
    for folder in configurations:
        found[folder].notes.append(f"read from the folder {folder.name}")
        return found[folder]
    damaged = [files for files in found.values() if files.problems]
    return damaged[0] if damaged else _Files(problems=[_NOTHING])


def _given_files(place: Path, given: dict[str, tuple[str, ...]]) -> _Files:
    files = _Files()
    folder = place if place.is_dir() else place.parent
    for split, patterns in given.items():
        group: list[Path] = []
        for pattern in patterns:
            inside = [folder / pattern] if (folder / pattern).exists() else _matching(folder, pattern)
            group += inside
            if not inside:
                there = listed([file.name for file in _readable(folder)], 8)
                files.problems.append(f"data.splits.{split}: no file {pattern}; there are {there}")
        files.by_split[split] = group
    if "train" not in given:
        files.problems.append("data.splits: must name the files of train")
    return files


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder that a pattern names; none where it is no pattern: ``/x/*.csv``."""
    try:
        return sorted(folder.glob(pattern))
    except (NotImplementedError, ValueError):  # the caller names it as a file that is not there
        return []


def _readable(folder: Path) -> list[Path]:
    """Return the files that may be data, in the order of their names; a FIFO by such a name too."""
    return sorted(
        file
        for file in folder.iterdir()
        if ending(file) in FORMATS
        and not file.is_dir()
        and stem(file).casefold() not in _NO_DATA
        and not file.name.startswith(".")
        and (ending(file) != ".txt" or split_of(_shard_stem(file)) is not None)
    )


def _only_text(folder: Path) -> list[Path]:
    """Return the only ``.txt`` of a folder, which is data where nothing else is."""
    there = [
        file for file in folder.iterdir() if ending(file) == ".txt" and stem(file).casefold() not in _NO_DATA
    ]
    return there if len(there) == 1 and there[0].is_file() else []


def _shard_stem(file: Path) -> str:
    match = _SHARD.fullmatch(stem(file))
    return match["stem"] if match else stem(file)


def _split_files(folder: Path) -> _Files:
    """Return the files of each split, or the only file of a folder without splits."""
    files = _Files()
    there = _readable(folder) or _only_text(folder)
    candidates: dict[str, list[Path]] = defaultdict(list)
    for file in there:
        if (split := split_of(_shard_stem(file))) is not None:
            candidates[split].append(file)
    for split in SPLIT_FILES:
        if group := candidates.get(split, []):
            files.by_split[split] = _one_or_shards(split, group, files)
    if files.by_split:
        taken = [file for group in files.by_split.values() for file in group]
        alike = [file for file in there if ending(file) in set(map(ending, taken))]
        if others := [file.name for file in alike if file not in taken]:
            files.notes.append(f"not read: {listed(others, 6)}")
        if "train" not in files.by_split:
            held_out = listed([file.name for group in files.by_split.values() for file in group], 6)
            wanted = f"looked for train.tsv, and the same as {', '.join(list(FORMATS)[1:])}"
            files.problems.append(f"no train file: {wanted}, beside {held_out}; {_WAY_OUT}")
        return files
    if len(there) == 1:
        files.by_split[None] = there
    elif there:
        parts = _parts(there)
        if parts is None:
            names = listed([file.name for file in there], 8)
            files.problems.append(f"which of {names} is train, validation and test? {_WAY_OUT}")
        else:
            files.notes.append(f"{listed([file.name for file in parts], 6)} are read as parts of one table")
            files.by_split[None] = parts
    return files


def _one_or_shards(split: str, group: Sequence[Path], files: _Files) -> list[Path]:
    shards: dict[tuple[str, str], dict[int, Path]] = defaultdict(dict)
    single = []
    for file in group:
        match = _SHARD.fullmatch(stem(file))
        if match is None:
            single.append(file)
        else:
            shards[match["stem"], match["all"]][int(match["number"])] = file
    for (name, all_), numbered in shards.items():
        missing = sorted(set(range(int(all_))) - numbered.keys())
        if missing:
            example = f"{name}-{missing[0]:05d}-of-{all_}"
            files.problems.append(
                f"{split} has {len(numbered)} of its {int(all_)} shards; {example} is missing"
                + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            )
    exact = [file for file in single if stem(file).casefold() in SPLIT_FILES[split]]
    choices = [[file] for file in (exact or single)]
    choices += [[numbered[number] for number in sorted(numbered)] for numbered in shards.values()]
    if len(choices) > 1:
        names = " and ".join(choice[0].name for choice in choices)
        files.problems.append(f"{split} has {names}; keep one, or {_WAY_OUT}")
    return choices[0]


def _parts(there: Sequence[Path]) -> list[Path] | None:
    """Return files that are parts of one table, as ``name_1.csv``, ``name_2.csv``; None for others."""
    matches = [(_PART.fullmatch(stem(file)), file) for file in there]
    numbered = {int(match["number"]): (match["stem"], ending(file), file) for match, file in matches if match}
    kinds = {(name, end) for name, end, _ in numbered.values()}
    first = min(numbered, default=0)
    if len(numbered) != len(there) or len(kinds) != 1 or first not in (0, 1):
        return None
    if sorted(numbered) != list(range(first, first + len(there))):
        return None
    return [numbered[number][2] for number in sorted(numbered)]
