"""What `--dry-run` shows of a search that could run, and that it leaves nothing but tokens."""

from __future__ import annotations

import re

import pytest


@pytest.mark.faults
@pytest.mark.slow
def test_a_dry_run_forecasts_and_starts_nothing(shell):
    """Trials, time, early stopping, hours, memory and disk are shown; there is no search, store or sample."""
    mlruns = shell.folder / "mlruns"
    before = _beside_the_cache(mlruns)
    done = shell.run("search", "tiny.yaml", "--name", "not-run", "--set", "scheduler=asha", "--dry-run")
    assert len(re.findall(r"^  t00\d  bs\d\d lr", done.stdout, flags=re.MULTILINE)) == 4
    assert re.search(
        r"^  wall time +about \d+ \w+ \(\d+ \w+ to \d+ \w+\): .* for the trials", done.stdout, re.MULTILINE
    )
    assert re.search(r"^  trials +4, [1-4] at once, ", done.stdout, re.MULTILINE)
    assert re.search(
        r"^  early stopping +leaves about \d+ % \(\d+ to \d+ %\) of [\d,]+ steps", done.stdout, re.MULTILINE
    )
    assert re.search(r"^  compute +.*CPU-hours of trials$", done.stdout, re.MULTILINE)
    assert re.search(r"^  memory +\d.* for the largest trial, \d.* available$", done.stdout, re.MULTILINE)
    assert re.search(r"^  disk +\d.* at most \(.*\), \d.* free$", done.stdout, re.MULTILINE)
    assert "forecast: reading data and model" in done.stderr
    assert not (mlruns / "searches" / "not-run").exists()
    assert _beside_the_cache(mlruns) == before
    assert not list((mlruns / "cache").glob(".*"))


def _beside_the_cache(mlruns):
    """Return what is there but tokens, tokenizers trained on the data, and scripts, which a search reuses."""
    cached = [mlruns / "cache" / name for name in ("prepared", "checkpoints")]
    files = {path for path in mlruns.rglob("*") if path.is_file() and not {*path.parents} & {*cached}}
    return files - {*(mlruns / "cache").glob("vega-*.js")}
