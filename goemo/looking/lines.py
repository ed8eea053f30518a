"""Findings about data as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 20  # unreadable rows


def looked_lines(looked: Mapping[str, Any]) -> list[str]:
    """Return the lines of `goemo.looking.look`'s result."""
    sizes = ", ".join(f"{rows:,} {split}" for split, rows in looked["splits"].items())
    lines = [f"{looked['source']}: {sizes} (splits: {looked['splitting']})", *looked["notes"]]
    lines += [f"{rows:,} rows {why}: left out" for why, rows in looked["left_out"].items()]
    lines += [*unreadable_lines(looked["unreadable"]), ""]
    width = max([len(row["label"]) for row in looked["labels"]], default=5)
    splits = list(looked["splits"])
    lines.append(f"{'label':<{width}} " + " ".join(f"{split:>10}" for split in splits))
    lines += [
        f"{row['label']:<{width}} " + " ".join(f"{row[split]:>10,}" for split in splits)
        for row in looked["labels"]
    ]
    numbers = ", ".join(f"{rows:,} with {number}" for number, rows in looked["labels_a_row"].items())
    lines += ["", f"labels per row: {numbers}"]
    for rare in looked["rarest"]:
        beside = ", ".join(f"{name} {rows:,}" for name, rows in rare["beside"].items()) or "nothing else"
        lines.append(f"rare: {rare['label']} ({rare['positives']:,}) occurs with {beside}")
    return [
        *lines,
        "",
        *duplicate_lines(looked["duplicates"]),
        "",
        *length_lines(looked),
        *script_lines(looked),
    ]


def unreadable_lines(unreadable: list[str]) -> list[str]:
    """Return how many rows cannot be read, and the first of them."""
    if not unreadable:
        return ["empty or unreadable rows: none"]
    more = [f"  and {len(unreadable) - SHOWN:,} more"] if len(unreadable) > SHOWN else []
    head = f"empty or unreadable rows: {len(unreadable):,}, left out here; a search refuses them"
    return [head, *(f"  {line}" for line in unreadable[:SHOWN]), *more]


def duplicate_lines(found: Mapping[str, Any]) -> list[str]:
    """Return repeated texts within and across splits, and contradictions."""
    lines = []
    for kind, words in (
        ("exact", "equal"),
        ("near", "equal after case, punctuation, symbols and white space"),
    ):
        within = ", ".join(f"{rows:,} in {split}" for split, rows in found[kind]["within"].items())
        across = ", ".join(f"{rows:,} of {pair}" for pair, rows in found[kind]["across"].items())
        lines.append(f"{words}: repeated rows {within}; texts {across}")
    groups = ", ".join(f"{number:,} in {split}" for split, number in found["contradicting"].items())
    lines.append(f"groups of the latter with contradicting labels: {groups}")
    return [*lines, *(f"  {group_line(group)}" for group in found["examples"])]


def group_line(group: Sequence[Mapping[str, Any]]) -> str:
    """Return near duplicates with their labels in one line."""
    return " | ".join(f"{row['text'][:60]!r} {', '.join(row['labels']) or 'no label'}" for row in group)


def length_lines(looked: Mapping[str, Any]) -> list[str]:
    """Return lengths in tokens, what each maximum truncates, and which is suggested."""
    found = looked["lengths"]
    if found is None:
        return [f"lengths in tokens: {unmeasured(looked)}"]
    of = f"a sample of {found['texts']:,} texts" if found["is_sample"] else f"{found['texts']:,} texts"
    quantiles = ", ".join(f"{length} at {at} %" for at, length in found["quantiles"].items())
    truncated = ", ".join(f"{most} truncates {share:.2%}" for most, share in found["truncated"].items())
    return [
        f"lengths in tokens of {looked['checkpoint']}, {of}: {quantiles}",
        f"maximum length: {truncated}",
        f"suggestion: space.max_length {found['suggestion']}",
    ]


def unmeasured(looked: Mapping[str, Any]) -> str:
    """Return why there are no lengths: the checkpoint was out of reach, or none was given."""
    name = looked["checkpoint"]
    return f"not measured, because {name} is not available" if name else "--checkpoint NAME measures them"


def script_lines(looked: Mapping[str, Any]) -> list[str]:
    """Return the scripts of the texts."""
    return ["scripts: " + ", ".join(f"{script} {rows:,}" for script, rows in looked["scripts"].items())]
