"""Make the pictures of the README again, from a finished search.

    pip install selenium                     # and Chromium with its driver, from the distribution's packages
    goemo search minilm_head --data dir:goemotions
    python docs/images/remake.py minilm-head

Run it where the search ran: it reads `mlruns` of the current folder, or $GOEMO_RUNS.
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from tune.cli.tables import leaderboard_table
from tune.ranking import leaderboard
from tune.records import SearchFolder
from tune.reporting.report import write_report
from tune.tracking import find_store, views

FOLDER = Path(__file__).resolve().parent
BROWSER = (
    "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --disable-sync "
    "--disable-background-networking --disable-component-update"
)


def main() -> None:
    """Make all pictures, or those whose names are given."""
    parser = argparse.ArgumentParser(description="Make the pictures of the README from a finished search.")
    parser.add_argument("search")
    parser.add_argument("pictures", nargs="*", help="leaderboard heatmap report runs trial; default: all")
    given = parser.parse_args()
    search = SearchFolder.open(given.search)
    wanted = set(given.pictures) or {"leaderboard", "heatmap", "report", "runs", "trial"}
    board = leaderboard.build(search.snapshot())
    if "heatmap" in wanted:
        figure = search.trial(board.best.trial_id).path / "artifacts/figures/per_label_heatmap.png"
        shutil.copyfile(figure, FOLDER / "per_label_heatmap.png")
    with tempfile.TemporaryDirectory() as scratch, browser(scratch) as driver:
        if "leaderboard" in wanted:
            leaderboard_picture(board, Path(scratch), driver)
        if "report" in wanted:
            page, _ = write_report(search, Path(scratch) / "report.html")
            photograph(driver, page.as_uri(), FOLDER / "report.png", size=(1280, 1500), wait_s=4)
        if wanted & {"runs", "trial"}:
            mlflow_pictures(search.name, board.best.trial_id, wanted, driver)


def leaderboard_picture(board: leaderboard.Leaderboard, scratch: Path, driver: Any) -> None:
    """Draw the terminal with the leaderboard in it."""
    console = Console(record=True, width=108, file=io.StringIO(), highlight=False)
    console.print(f"[bold]$ goemo leaderboard {board.search}[/bold]")
    console.print(leaderboard_table(board, most=14))
    console.print(leaderboard.summary(board))
    drawing = scratch / "leaderboard.svg"
    console.save_svg(str(drawing), title=f"goemo leaderboard {board.search}")
    page = scratch / "leaderboard.html"
    page.write_text(f'<body style="margin:0">{drawing.read_text(encoding="utf-8")}</body>', encoding="utf-8")
    driver.set_window_size(1360, 900)
    driver.get(page.as_uri())
    driver.find_element("css selector", "svg").screenshot(str(FOLDER / "leaderboard.png"))


def mlflow_pictures(name: str, trial_id: str, wanted: set[str], driver: Any) -> None:
    """Photograph the MLflow UI: the list of runs, and the chosen trial."""
    runs = (
        find_store()
        .client()
        .search_runs(
            [find_store().client().get_experiment_by_name("goemo").experiment_id],
            f"tags.`goemo.search` = '{name}' and tags.`goemo.trial_id` = '{trial_id}'",
        )
    )
    experiment, run = runs[0].info.experiment_id, runs[0].info.run_id
    with served() as address:
        pages = {
            "runs": views.address(
                address, experiment, views.SEARCH_VIEW + runs[0].data.tags["goemo.search_id"]
            ),
            "trial": f"{address}/#/experiments/{experiment}/runs/{run}?workflowType=machine_learning",
        }
        for picture in wanted & set(pages):
            photograph(driver, pages[picture], FOLDER / f"mlflow_{picture}.png", size=(1500, 950), wait_s=10)


def photograph(driver: Any, address: str, path: Path, *, size: tuple[int, int], wait_s: float) -> None:
    """Save a page as a picture once its scripts have had time to draw."""
    driver.set_window_size(*size)
    driver.get("about:blank")  # the UI changes its page without loading: a fresh start shows no old dialog
    driver.get(address)
    time.sleep(wait_s)
    for button in driver.find_elements("css selector", 'button[aria-label*="lose"]'):
        if button.is_displayed():  # greetings of the UI
            button.click()
            time.sleep(1)
            break
    driver.save_screenshot(str(path))


@contextmanager
def browser(scratch: str) -> Iterator[Any]:
    """Run a headless Chromium."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in [*BROWSER.split(), f"--user-data-dir={scratch}/profile"]:
        options.add_argument(argument)
    options.binary_location = str(shutil.which("chromium") or shutil.which("google-chrome"))
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def served() -> Iterator[str]:
    """Serve the MLflow UI on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "tune.cli", "ui", "--port", str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


if __name__ == "__main__":
    main()
