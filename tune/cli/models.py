"""Commands on models: export, retrain, register, evaluate, predict, onnx."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from goemo.errors import GoemoError
from goemo.files import check_model_folder
from tune.cli.app import cli
from tune.cli.arguments import SearchName
from tune.cli.data import Data, data_options, reading_options
from tune.cli.options import format_option, output_option, store_option
from tune.live.plain import echo

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_NAME_HELP = "Name of the registered model (default: from the data, such as go_emotions-fine)."


@cli.command(
    example="goemo export minilm-head -o best.yaml\ngoemo export minilm-head --trial t014 -o t014.yaml"
)
@click.argument("name", type=SearchName(is_read=True))
@click.option(
    "--trial",
    metavar="ID",
    help="Trial to export, or baseline or blend (default: the best on validation, by the mean over seeds "
    "where leaders were confirmed).",
)
@output_option(default=Path("best.yaml"), show_default=True)
def export(name: str, trial: str | None, output: Path) -> None:
    """Write the configuration of a trial as YAML, for retrain.

    With its origin, and the score that a retrain should reproduce.
    """
    from tune.models.export import write_export
    from tune.records import SearchFolder
    from tune.records.holding import is_held

    search = SearchFolder.open(name)
    echo(write_export(search, output, trial_id=trial))
    if is_held(search):
        echo(f"warning: {name} is still running; a better trial may follow", err=True)


@cli.command(example="goemo blend minilm-head albert-head -o blend.yaml")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=SearchName(is_read=True))
@output_option("Export the blend to this file, for retrain.")
def blend(names: tuple[str, ...], output: Path | None) -> None:
    """Blend the best models of searches on the same data.

    Says what the blend gains over the best model alone, paired on the same validation rows.
    """
    from tune.answer.blend import blend_across
    from tune.models.export import write_export_across
    from tune.records import SearchFolder

    found = blend_across([SearchFolder.open(name).snapshot() for name in names])
    echo(found.sentence)
    if output is not None and found.blend.is_offered:
        echo(write_export_across(found, output))


@cli.command(
    example="goemo retrain best.yaml -o model --seeds 3\n"
    "goemo retrain best.yaml -o final --seeds 3 --on train+validation --register support-emotions",
    needs=("mlflow",),
)
@click.argument("exported", metavar="BEST_YAML", type=click.Path(path_type=Path))
@output_option("Folder for the model.", required=True)
@data_options("Data source, if not the exported one.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Keep the best of N seeds; those that diverge or run out of memory are reported and left out.",
)
@click.option(
    "--on",
    type=click.Choice(["train", "train+validation"]),
    default="train",
    show_default=True,
    help="What the saved model trains on; with train+validation, all choices are first made on train alone.",
)
@click.option("--kept", is_flag=True, help="Use the weights that the search kept, without training.")
@click.option("--register", "name", metavar="NAME", help=_NAME_HELP)
@click.option("--no-register", is_flag=True, help="Log the model without registering a version.")
@store_option
def retrain(  # noqa: PLR0917 - click passes them by name
    exported: Path,
    output: Path,
    data: Data,
    seeds: int,
    on: Literal["train", "train+validation"],
    kept: bool,
    name: str | None,
    no_register: bool,
    tracking_uri: str | None,
) -> None:
    """Train an exported configuration into a model folder.

    The model is tested once, and registered in MLflow.
    The new version becomes the champion if there is none, or if it beats the present one on validation by the
    paired bootstrap; else it becomes the challenger.
    """
    if name and no_register:
        raise click.UsageError("give --register NAME or --no-register, not both")
    data.check()
    from tune.models.exported import read_export

    read_export(exported)  # before the long imports
    from tune.cli.tables import results_table
    from tune.live.consoles import results_console
    from tune.models.retrain import retrain as train_exported

    done = train_exported(
        exported,
        output,
        data=data.source,
        options=data.options,
        seeds=seeds,
        on=on,
        kept=kept,
        register=name or not no_register,
        tracking_uri=tracking_uri,
    )
    results_console().print(results_table(done.results))
    if done.registered is not None:
        echo(done.registered.summary)
    echo(f'{output}: a model folder; try: goemo predict {output} "thank you so much!"')
    if done.trouble is not None:
        raise GoemoError(done.trouble)


@cli.command(example="goemo register model --name support-emotions", needs=("mlflow",))
@_folder
@click.option("--name", metavar="NAME", help=_NAME_HELP)
@click.option("--log-only", is_flag=True, help="Log the model without registering a version.")
@store_option
def register(folder: Path, name: str | None, log_only: bool, tracking_uri: str | None) -> None:
    """Log and register a model that retrain wrote.

    For when the store was unreachable, or for another store.
    """
    check_model_folder(folder)
    from tune.models.registry import register as register_bundle

    done = register_bundle(folder, name=name, is_registered=not log_only, tracking_uri=tracking_uri)
    echo(done.summary)


@cli.command(example="goemo evaluate model --data dir:goemotions --format json")
@_folder
@data_options("Data source, if not the one it was trained on; all rows are used if it has no splits.")
@click.option("--split", type=click.Choice(["validation", "test"]), default="test", show_default=True)
@click.option(
    "--labels-in-common",
    is_flag=True,
    help="If the data has labels that the model lacks, evaluate only the shared ones.",
)
@format_option("table", "json")
def evaluate(folder: Path, data: Data, split: str, labels_in_common: bool, form: str) -> None:
    """Evaluate a model on a split, or on other data.

    With thresholds of 0.5, those from validation, and the test-tuned upper bound.
    Labels are matched by name; those that other data lacks are left out of the averages, and named.
    """
    data.check()
    check_model_folder(folder)
    from tune.models.evaluating import evaluate_bundle

    results = evaluate_bundle(
        folder,
        data=data.source,
        options=data.options,
        split=split,
        labels_in_common=labels_in_common,
    )
    if form == "json":
        echo(json.dumps(results, indent=2, ensure_ascii=False), is_data=True)
        return
    from tune.cli.tables import per_label_table, results_table
    from tune.live.consoles import results_console

    console = results_console()
    console.print(per_label_table(results))
    console.print(results_table(results))


@cli.command(
    example='goemo predict model "thank you so much!"\n'
    "goemo predict model --file comments.csv -o predictions.csv\n"
    "cat comments.txt | goemo predict model --file - --format csv > predictions.csv"
)
@_folder
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option(
    "--file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A table (CSV, TSV, JSON, Parquet, ...), or one text per line; - for lines from stdin.",
)
@reading_options("columns.text", "separator", "encoding")
@output_option("Output file, written whole or not at all (default: stdout).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl", "csv", "guarded-csv", "parquet"]),
    help="Output format (default: by the suffix of -o, else table); guarded-csv is safe in a spreadsheet.",
)
def predict(  # noqa: PLR0917 - click passes them by name
    folder: Path,
    texts: tuple[str, ...],
    file: Path | None,
    output: Path | None,
    form: str | None,
    data: Data,
) -> None:
    """Predict the labels and scores of texts, in order.

    A table's text column is found, or named by --text-column; its other columns are kept, and each row gets
    its labels and scores. A file without columns has one text per line. Results appear as they are made.
    """
    if bool(texts) == (file is not None):
        raise click.UsageError("give texts, or --file F")
    if data.given and (file is None or str(file) == "-"):
        raise click.UsageError("--text-column, --separator and --encoding need --file F")
    if form is None and output is not None:
        form = output.suffix.removeprefix(".").lower()
        if form not in ("json", "jsonl", "csv", "parquet"):
            raise click.UsageError(
                "-o needs a name with the suffix .json, .jsonl, .csv or .parquet, or --format"
            )
    if form == "parquet" and output is None:
        raise click.UsageError("--format parquet needs -o F")
    check_model_folder(folder)
    options = data.options
    from tune.cli.predicting import predict_file, predict_texts

    form = form or "table"
    if file is None:
        predict_texts(folder, texts, form=form, output=output)
    else:
        predict_file(folder, file, form=form, output=output, options=options)


@cli.command(example="goemo onnx model\ngoemo onnx model -o emotions.onnx")
@_folder
@output_option("Output file (default: model.onnx in DIR).")
def onnx(folder: Path, output: Path | None) -> None:
    """Write a model as ONNX, for other runtimes.

    The file is kept only if its scores equal the model's.
    Inputs are input_ids, attention_mask and, where the model has them, token_type_ids, each (batch, length),
    both dynamic; the output is logits: the scores are their sigmoid. Needs: pip install "goemo[onnx]".
    """
    check_model_folder(folder)
    from goemo.bundle.onnx_export import export_onnx

    done = export_onnx(folder, output or folder / "model.onnx")
    echo(
        f"{done.path}: {done.megabytes:.1f} MB; scores of {done.texts} texts within "
        f"{done.largest_difference:.1e} of torch"
    )
    if done.is_one_length:
        echo("note: padding changes what this encoder scores: give it batches of texts of one length")
