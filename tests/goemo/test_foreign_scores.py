"""The page about scores from anywhere runs as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

PAGE = Path(__file__).resolve().parents[2] / "docs" / "foreign-scores.md"


def test_the_page_about_foreign_scores_runs(tmp_path, monkeypatch, capsys):
    """Its blocks, one after the other, fit on validation, judge on test, beat 0.5 and keep what they fit."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    assert names["test_scores"].shape == names["test_targets"].shape
    assert names["found"]["validation"]["macro"]["f1"] > names["found"]["fixed_0.5"]["macro"]["f1"]
    assert names["gain"].can_tell_apart
    kept = json.loads((tmp_path / "thresholds.json").read_text(encoding="utf-8"))
    assert kept["labels"] == list(names["labels"])
    assert np.array_equal(names["loaded"].values, names["thresholds"].values)
    assert names["again"] == names["calibration"]
    assert len(pd.read_csv(tmp_path / "per_label.csv")) == len(names["labels"])
    assert "thank you so much! ['gratitude']" in capsys.readouterr().out
