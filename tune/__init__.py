"""Search over configurations of `goemo` with Ray Tune, and keep what it finds in MLflow."""
