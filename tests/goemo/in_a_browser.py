"""A page in a headless browser, and what a script on it tells."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--virtual-time-budget=60000",
    "--dump-dom",
)


def heard_from(page: Path) -> Any:
    """Open a page, and return the JSON that it has written into its element ``heard``."""
    assert BROWSER is not None
    run = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={page.parent / 'profile'}", page.as_uri()],
        env={**os.environ, "HOME": str(page.parent)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    heard = re.search(r'<pre id="heard">(.*?)</pre>', run.stdout, re.DOTALL)
    assert heard, f"the page never answered; the browser said: {run.stderr[-2000:]}"
    return json.loads(html.unescape(heard[1]))
