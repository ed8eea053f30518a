"""Tokenization into ragged arrays, once per tokenizer and content; padded batches by index arithmetic.

Texts are tokenized without special tokens and without truncation, so one store serves every maximum
length: a batch truncates, frames and pads at the moment it is asked for, and equals what the tokenizer itself
gives for the same texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goemo.data.tables import TEXT_SEPARATOR
from goemo.errors import GoemoError, InputError

Side = Literal["left", "right"]

# Distinct words whose tokens are no special tokens; two, so that a chance match of one gives itself away.
_PROBES = ("hello", "good morning")


_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Template:
    """What a tokenizer puts around one text, and how it truncates and pads.

    Attributes:
        prefix_ids: Special tokens before the text.
        suffix_ids: Special tokens after the text.
        prefix_types: Token types of the prefix.
        suffix_types: Token types of the suffix.
        body_type: Token type of the text itself.
        pad_id: Token that pads.
        pad_type: Token type of padding.
        padding_side: Where padding goes.
        truncation_side: Which end of a long text is cut off.
        returns_types: The tokenizer gives ``token_type_ids`` unasked, so a pipeline passes them to the model.
    """

    prefix_ids: tuple[int, ...]
    suffix_ids: tuple[int, ...]
    prefix_types: tuple[int, ...]
    suffix_types: tuple[int, ...]
    body_type: int
    pad_id: int
    pad_type: int
    padding_side: Side
    truncation_side: Side
    returns_types: bool = True

    @property
    def special_tokens(self) -> int:
        """Number of special tokens around one text."""
        return len(self.prefix_ids) + len(self.suffix_ids)

    @property
    def has_types(self) -> bool:
        """Some special token has another type than the text, so that types carry information."""
        return any(t != self.body_type for t in (*self.prefix_types, *self.suffix_types))

    @classmethod
    def learn(cls, tokenizer: Any) -> Template:
        """Learn the template of a ``transformers`` tokenizer by probing it.

        Raises:
            InputError: The tokenizer has no padding token.
            GoemoError: It does not put fixed tokens around a text.
        """
        name = getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__
        if tokenizer.pad_token_id is None:
            raise InputError(name, ["the tokenizer has no padding token; set pad_token in its configuration"])
        splits = [_possible_frames(tokenizer, probe) for probe in _PROBES]
        frames = [frame for frame in splits[0] if all(frame in others for others in splits[1:])]
        if not frames:
            raise GoemoError(f"{name}: the tokenizer does not put the same tokens around every text")
        prefix, suffix, types, body_type = frames[0]
        return cls(
            prefix_ids=prefix,
            suffix_ids=suffix,
            prefix_types=types[: len(prefix)],
            suffix_types=types[len(prefix) :],
            body_type=body_type,
            pad_id=int(tokenizer.pad_token_id),
            pad_type=int(tokenizer.pad_token_type_id),
            padding_side=tokenizer.padding_side,
            truncation_side=tokenizer.truncation_side,
            returns_types="token_type_ids" in tokenizer.model_input_names,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Template:
        """Rebuild a template from ``to_dict``."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**fields)


_Frame = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]


def _possible_frames(tokenizer: Any, text: str) -> list[_Frame]:
    """Return every (prefix, suffix, their types, type of the body) that explains one probe."""
    # Not verbose: a probe may be longer than the model, which only matters of texts.
    body = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    framed = tokenizer(text, return_token_type_ids=True, verbose=False)
    ids, types = framed["input_ids"], framed["token_type_ids"]
    n = len(body)
    return [
        (tuple(ids[:i]), tuple(ids[i + n :]), tuple(types[:i] + types[i + n :]), types[i])
        for i in range(len(ids) - n + 1)
        if ids[i : i + n] == body and len(set(types[i : i + n])) == 1
    ]


@dataclass(frozen=True)
class Batch:
    """Padded rows; each an int64 array of shape (rows, width), C-contiguous."""

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]
    token_type_ids: NDArray[np.int64]


@dataclass(frozen=True)
class TokenStore:
    """The tokens of many texts, one after another.

    Attributes:
        ids: Tokens of all texts without special tokens, int32, possibly memory-mapped.
        offsets: Where each text starts in ``ids``, and the end of the last; int64, one more than texts.
        template: What belongs around each text.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    template: Template

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def lengths(self, max_length: int) -> NDArray[np.int64]:
        """Return the tokens of each text, special tokens included, after truncation; shape (texts,).

        Raises:
            ValueError: ``max_length`` does not even hold the special tokens.
        """
        return self._body_lengths(np.diff(self.offsets), max_length) + self.template.special_tokens

    def spans(self, max_length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where in ``ids`` each text begins and ends, after truncation; shape (texts,) each.

        Raises:
            ValueError: ``max_length`` does not even hold the special tokens.
        """
        starts, ends = self.offsets[:-1], self.offsets[1:]
        bodies = self._body_lengths(ends - starts, max_length)
        return (ends - bodies, ends) if self.template.truncation_side == "left" else (starts, starts + bodies)

    def distinct(self) -> NDArray[np.int64]:
        """Return every token that a batch may have, special tokens and padding included, sorted."""
        t = self.template
        around = np.array([*t.prefix_ids, *t.suffix_ids, t.pad_id], dtype=np.int64)
        return np.union1d(np.flatnonzero(np.bincount(self.ids)), around)

    def batch(self, rows: ArrayLike, max_length: int, *, width: int | None = None) -> Batch:
        """Frame, truncate and pad some texts, as the tokenizer would.

        Args:
            rows: Indices of the texts, in the order wanted; repeats are fine.
            max_length: Tokens per text at most, special tokens included.
            width: Columns of the result; the longest of the rows when not given.

        Returns:
            What ``tokenizer(texts, truncation=True, max_length=max_length, padding="longest")`` gives
            (``padding="max_length"`` when ``width`` is ``max_length``); no rows give width 0 by default.

        Raises:
            ValueError: ``max_length`` does not hold the special tokens, or ``width`` not the longest row.
        """
        t = self.template
        rows = np.asarray(rows, dtype=np.int64)
        starts, ends = self.offsets[rows], self.offsets[rows + 1]
        bodies = self._body_lengths(ends - starts, max_length)  # (b,)
        if t.truncation_side == "left":
            starts = ends - bodies
        longest = int(bodies.max()) + t.special_tokens if len(rows) else 0
        width = longest if width is None else width
        if width < longest:
            raise ValueError(f"width must hold the longest row of {longest} tokens, got {width}")
        left = width - t.special_tokens - bodies if t.padding_side == "left" else np.zeros_like(bodies)

        body_at = left + len(t.prefix_ids)  # (b,) column of the first token of the text
        column = np.arange(width) - body_at[:, None]  # (b, t) position within the text
        is_body = (column >= 0) & (column < bodies[:, None])
        is_token = (column >= -len(t.prefix_ids)) & (column < bodies[:, None] + len(t.suffix_ids))

        input_ids = np.full((len(rows), width), t.pad_id, dtype=np.int64)
        token_type_ids = np.full((len(rows), width), t.pad_type, dtype=np.int64)
        input_ids[is_body] = self.ids[(starts[:, None] + column)[is_body]]
        token_type_ids[is_body] = t.body_type
        every = np.arange(len(rows))
        for i, (token, token_type) in enumerate(zip(t.prefix_ids, t.prefix_types, strict=True)):
            input_ids[every, left + i] = token
            token_type_ids[every, left + i] = token_type
        for i, (token, token_type) in enumerate(zip(t.suffix_ids, t.suffix_types, strict=True)):
            input_ids[every, body_at + bodies + i] = token
            token_type_ids[every, body_at + bodies + i] = token_type
        return Batch(input_ids, is_token.astype(np.int64), token_type_ids)

    def _body_lengths(self, lengths: NDArray[np.int64], max_length: int) -> NDArray[np.int64]:
        room = max_length - self.template.special_tokens
        if room < 0:
            raise ValueError(
                f"max_length must hold the {self.template.special_tokens} special tokens, got {max_length}"
            )
        return np.minimum(lengths, room)

    @classmethod
    def build(cls, texts: Sequence[str], tokenizer: Any) -> TokenStore:
        """Tokenize texts once, in batches on all cores where the tokenizer can.

        Half a surrogate pair, which is no character and no tokenizer takes, is read as U+FFFD. Between the
        columns of a text that has several stands the tokenizer's own separator.

        Raises:
            InputError: The tokenizer has no padding token.
            GoemoError: It does not put fixed tokens around a text.
        """
        template = Template.learn(tokenizer)
        between = f"{tokenizer.sep_token or tokenizer.eos_token or chr(10)} "
        bodies: list[NDArray[np.int32]] = []
        for start in range(0, len(texts), 8192):  # bounds the memory of the tokenizer's own lists
            encoded = tokenizer(
                [
                    _SURROGATES.sub("\ufffd", text).replace(TEXT_SEPARATOR, between)
                    for text in texts[start : start + 8192]
                ],
                add_special_tokens=False,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,  # nothing is too long here: truncation comes later
            )
            bodies.extend(np.asarray(ids, dtype=np.int32) for ids in encoded["input_ids"])
        offsets = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum([len(body) for body in bodies], out=offsets[1:])
        ids = np.concatenate(bodies) if bodies else np.empty(0, dtype=np.int32)
        return cls(ids, offsets, template)

    def save(self, folder: Path) -> None:
        """Write the store to a folder: two arrays and a JSON file."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "ids.npy", self.ids, allow_pickle=False)
        np.save(folder / "offsets.npy", self.offsets, allow_pickle=False)
        (folder / "template.json").write_text(json.dumps(self.template.to_dict(), indent=2), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> TokenStore:
        """Open a saved store; the arrays are memory-mapped, read-only and shared between processes."""
        template = Template.from_dict(json.loads((folder / "template.json").read_text(encoding="utf-8")))
        ids = np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False)
        offsets = np.load(folder / "offsets.npy", mmap_mode="r", allow_pickle=False)
        return cls(ids, offsets, template)
