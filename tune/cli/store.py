"""Commands on the MLflow store: ui."""

from __future__ import annotations

import click

from tune.cli.app import cli
from tune.cli.options import store_option


@cli.command(example="goemo ui --port 5001", needs=("mlflow",))
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@store_option
def ui(port: int, tracking_uri: str | None) -> None:
    """Serve the MLflow UI of the store on 127.0.0.1."""
    from tune.tracking.ui import serve

    serve(port=port, tracking_uri=tracking_uri)
