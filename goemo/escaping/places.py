"""Names of data and checkpoints without the folders of this machine."""

from __future__ import annotations

import re
from pathlib import Path

_PUBLIC = ("hub", "sample", "package")  # schemes whose names say the same everywhere


def without_folders(name: str) -> str:
    """Return the name of a source or a checkpoint, a path in it shortened to its last part.

    ``file:/home/me/comments.csv`` becomes ``file:comments.csv``; names of the hub stay, ``owner/model`` among
    them.
    """
    scheme, colon, place = name.partition(":")
    if not colon or not re.fullmatch(r"\w[\w-]*", scheme):  # folders may have colons, too
        scheme, colon, place = "", "", name
    is_hub_id = not colon and name.count("/") <= 1 and name[:1] not in ("/", ".", "~")
    if scheme in _PUBLIC or is_hub_id:
        return name
    return f"{scheme}{colon}{Path(place).name or place}"
