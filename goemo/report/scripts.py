"""Vega's scripts, which make charts interactive without a network, and data that cannot end a script."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from goemo.files import built_file

# In 6.4, which Altair checks against, texts are lost from the tooltips of what lies nearest to the pointer
# (vega-lite pull request 9707). The charts use nothing that 6.1 does not have.
VEGA_LITE = "6.1"


@cache
def vega_bundle(folder: Path | None = None) -> Markup:
    """Return Vega, Vega-Lite and Vega-Embed as one script, about 0.9 MB; it sets ``window.vegaEmbed``.

    They come with the package vl-convert-python, so nothing is fetched. To make the script takes seconds.

    Args:
        folder: Where it is kept once it is made; None makes it once in every process.
    """
    if folder is None:
        return _script(_made_bundle())
    kept = folder / f"vega-{VEGA_LITE}-{version('vl-convert-python')}.js"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with built_file(kept) as partial:
            partial.write_text(_made_bundle(), encoding="utf-8")
    return _script(kept.read_text(encoding="utf-8"))


def _made_bundle() -> str:
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE))


def _script(script: str) -> Markup:
    # Not ours to escape: inside a string or an expression this spelling means the same.
    return Markup(script.replace("</script", "<\\/script").replace("<!--", "<\\!--"))  # noqa: S704


def script_json(value: Any) -> Markup:
    """Return a value as JSON for a ``<script type="application/json">``.

    No text of it can end the script or open a comment: ``<``, ``>`` and ``&`` are written as escapes, which
    JSON reads as the same characters.

    Raises:
        ValueError: A number is NaN or infinite, which JSON cannot say.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above
