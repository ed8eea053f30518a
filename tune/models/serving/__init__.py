"""The script that travels with a logged model: MLflow serves it where this project is not installed."""

from __future__ import annotations

from pathlib import Path

PYFUNC_MODEL = Path(__file__).with_name("pyfunc_model.py")
BUNDLE = "bundle"  # what the script calls the model's folder among MLflow's artifacts
