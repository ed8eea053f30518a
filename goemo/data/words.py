"""Common names of columns, splits and missing values."""

from __future__ import annotations

import re

SPLIT_FILES: dict[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("dev", "validation", "valid", "val"),
    "test": ("test",),
}
# Further words for the same, where none of those above stands.
SPLIT_WORDS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training", "trn", "tr"),
    "validation": ("dev", "validation", "valid", "val", "development", "devel", "eval", "heldout"),
    "test": ("test", "testing", "tst"),
}

# In order: of several columns, the first name counts.
TEXT_NAMES = (
    "text", "texts", "comment_text", "comment", "tweet", "tweet_text", "sentence", "utterance", "content",
    "body", "message", "review_text", "review", "post", "document", "passage", "snippet", "question", "input",
)  # fmt: skip
LABEL_NAMES = (
    "labels", "label", "emotions", "emotion", "categories", "category", "classes", "class", "tags", "topics",
    "targets", "target", "label_names", "emotion_labels", "annotations",
)  # fmt: skip
ID_NAMES = ("id", "ids", "text_id", "comment_id", "tweet_id", "example_id", "uid", "guid", "uuid", "idx")
SPLIT_NAMES = ("split", "partition", "subset", "set", "fold", "usage")

# What programs write where nothing stands.
MISSING = frozenset(
    {"nan", "none", "null", "na", "n/a", "<na>", "nil", "#n/a", "-nan", "undefined", "nat"}
    | {"-", "--", "\u2013", "\u2014", "?"}
)

# Columns of 0 and 1 that say something about a row, and not what its text is about.
_ABOUT_ROWS = re.compile(
    r"(unnamed.*|index|idx|row|row_?(id|num|number|nr|no)|(.*_)?(ids?|uid|guid|uuid)|nr|no|number|level_0|"
    r"(is|has|was|in|use|used|needs)_.*|(.*_)?(rater|annotator|worker|coder|judge|user|author|annotation)s?(_.*)?|"
    r"(.*_)?unclear(_.*)?|(.*_)?(time|timestamp|date|datetime|created|updated|year|month|day|utc|at|seconds)|"
    r"(.*_)?(split|fold|partition|subset|batch|round|version|lang|language|source|gold|golden|count|score|"
    r"votes?|likes?|length|len|weight|confidence|agreement|duplicate|verified|skip|skipped|batch_no)|"
    r"(n|num|nb)_.*|train|test|dev|val|validation)"
)


def plain_word(name: str) -> str:
    """Return a column's name in small letters, its words joined by underscores."""
    return re.sub(r"[\s\-.]+", "_", name.strip().removeprefix("\ufeff").casefold())


def is_about_rows(name: str) -> bool:
    """Tell whether a column's name is one that raters, ids, row numbers, flags or times have."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return not name.strip() or _ABOUT_ROWS.fullmatch(plain_word(spaced)) is not None


def split_of(word: str) -> str | None:
    """Return the split that a word or the words of a file's name stand for; None for none or several."""
    exact = [split for split, words in SPLIT_FILES.items() if word.strip().casefold() in words]
    if exact:
        return exact[0]
    parts = set(re.split(r"[^a-z]+", word.casefold()))
    found = [split for split, words in SPLIT_WORDS.items() if parts & set(words)]
    return found[0] if len(found) == 1 else None
