"""The readers that are fuzzed: valid files for each, and what is done with them once they are changed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import Any

import binaries
import mutations
import numpy as np
import yaml
from hypothesis import strategies as st

from goemo.errors import GoemoError, InputError

LABELS = ("joy", "fear", "anger")
TEXTS = [f"{word} text number {row}, really" for row in range(10) for word in ("happy", "scary", "furious")]
CELLS = [[LABELS[row % 3]] + (["joy"] if row % 3 and row % 5 == 0 else []) for row in range(30)]
CONFIG = {
    "metric": "macro_f1",
    "thresholds": "exact",
    "checkpoint": "scratch:albert-tiny",
    "batch_size": 16,
    "learning_rate": 1e-3,
    "max_length": 16,
    "epochs": 1,
}
METRICS = ("val/macro_f1", "val/weighted_f1", "val/micro_f1", "val/macro_f1_at_0.5", "val/loss")
BEST = {
    "origin": {"search": "tiny", "trial": "t003", "threads": 1, "max_lengths": [16, 32], "gpus": []},
    "expected": {"metric": "val/macro_f1", "value": 0.5, "confirmed": {"mean": 0.4, "seeds": [42, 43]}},
    "data": {
        "source": "sample:300",
        "taxonomy": "fine",
        "seed": 42,
        "digest": "0",
        "splits": {"test": {"digest": "1", "examples": 30}},
        "options": {"label_separator": "#"},
    },
    "configuration": {"checkpoint": "scratch:albert-tiny", "learning_rate": 1e-3, "epochs": 2},
    "versions": {"torch": "2.13.0"},
}
SPACE = """\
name: tiny
model: {checkpoint: "scratch:albert-tiny", trainable: {choice: [all, head]}, pooling: mean}
data: {source: "sample:600", taxonomy: ekman, columns: {text: comment, labels: [a, b]}, label_separator: ";"}
space:
  batch_size:    {grid: [16, 32]}
  learning_rate: {log_uniform: [1.0e-5, 3.0e-3]}
  max_length: {choice: [16, 32]}
  epochs: {int: [1, 3]}
  weight_decay: 1.0e-4
search: {algorithm: random, trials: 8}
scheduler: {algorithm: asha, grace: 25, reduction_factor: 3}
objective: {metric: macro_f1, thresholds: proportional, reports: 4}
resources: {cpus_per_trial: 1}
seed: 42
"""


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        prepare: Writes valid files into an empty folder.
        read: Reads the folder, of which one file was changed; called with both.
        changed: Of a file's path and content: how it is changed.
    """

    prepare: Callable[[Path], None]
    read: Callable[[Path, Path], Any]
    changed: Callable[[Path, bytes], st.SearchStrategy[bytes]]


def changed(path: Path, content: bytes) -> st.SearchStrategy[bytes]:
    """Return how a file is changed: its bytes always, its values or its types where it has any."""
    ways = [mutations.changed_bytes(content)]
    values = mutations.written_as(path.name)
    if values is not None:
        read, write = values
        ways += [mutations.changed_values(read(content)).map(partial(_written, write, content))] * 2
    if path.suffix in {".parquet", ".arrow"}:
        ways += [binaries.tables(path.name)] * 3
    if path.suffix == ".npz":
        with np.load(path) as archive:
            ways += [binaries.arrays(tuple(archive))] * 2
    if path.suffix == ".safetensors":
        ways += [binaries.tensors(content)] * 2
    if path.suffix in {".gz", ".zst"}:
        unpacked = _unpack(path, content)
        ways += [mutations.changed_bytes(unpacked).map(partial(_pack, path))]
    return st.one_of(ways)


def _written(write: Callable[[Any], bytes], otherwise: bytes, values: Any) -> bytes:
    try:
        return write(values)
    except (ValueError, UnicodeError, yaml.YAMLError):  # what no writer would write
        return otherwise


def _unpack(path: Path, content: bytes) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(content)
    import pyarrow as pa

    return bytes(pa.CompressedInputStream(pa.py_buffer(content), "zstd").read())


def _pack(path: Path, content: bytes) -> bytes:
    if path.suffix == ".gz":
        return gzip.compress(content)
    import pyarrow as pa

    target = pa.BufferOutputStream()
    with pa.CompressedOutputStream(target, "zstd") as stream:
        stream.write(content)
    return target.getvalue().to_pybytes()


# --- Search spaces and exported configurations ---


def _spaces(folder: Path) -> None:
    (folder / "a.yaml").write_text(SPACE, encoding="utf-8")
    shutil.copy(Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml", folder / "b.yaml")


def _read_space(_folder: Path, path: Path) -> None:
    from tune.spec import SearchSpec, advice, load_spec

    spec = load_spec(str(path))
    advice(spec)
    SearchSpec.from_dict(spec.to_dict())
    # What `--set` takes is YAML as well.
    text = path.read_bytes().decode("utf-8", errors="replace")
    with suppress(InputError):
        load_spec("quickstart", overrides=[f"space.epochs={text[:200]}"])


def _exports(folder: Path) -> None:
    (folder / "encoder.yaml").write_text(yaml.safe_dump(BEST), encoding="utf-8")
    words = {**BEST, "configuration": {"checkpoint": "words:tfidf"}}
    (folder / "words.yaml").write_text(yaml.safe_dump(words), encoding="utf-8")
    members = [{"tenths": 4, "encoder": BEST}, {"tenths": 6, "words": words}]
    blend = {**BEST, "configuration": {"checkpoint": "blend"}, "members": members}
    (folder / "blend.yaml").write_text(yaml.safe_dump(blend), encoding="utf-8")


def _read_export(_folder: Path, path: Path) -> None:
    from tune.models.exported import plain, read_export

    plain(read_export(path))


# --- Records of a search ---


def _records(folder: Path) -> None:
    from tune.records import Outcome, SearchFolder, confirmation_id
    from tune.records.declared import Blended, BlendMember, Confirming
    from tune.spec import load_spec

    with _runs_in(folder):
        facts = {
            "data": {
                "source": "sample:60",
                "taxonomy": "fine",
                "seed": 42,
                "labels": list(LABELS),
                "splits": {"test": {"examples": 3}},
                "digest": "d",
            },
            "environment": {"cpus": 2, "gpus": [], "versions": {"torch": "2.13.0"}},
            "started": 1.0,
            "status": "complete",
            "search_id": "abc",
        }
        search = SearchFolder.create("s", load_spec("quickstart").to_dict(), text=SPACE, facts=facts)
        targets = np.random.default_rng(0).random((60, 3)) < 0.4
        search.write_validation(targets, LABELS)
        for number in range(1, 4):
            trial = search.trial(f"t{number:03d}")
            trial.write_config(CONFIG, {"batch_size": 16})
            noise = np.random.default_rng(number).random(targets.shape)
            for progress in (50, 100):
                row = {
                    "progress": progress,
                    "time": 1.0,
                    "seconds": 1.0,
                    **dict.fromkeys(METRICS, 0.1 * number),
                }
                trial.write_report(row, np.clip(targets * 0.2 + noise * 0.5, 0, 1))
            trial.write_outcome(Outcome("completed", ended_at=2.0))
        again = search.trial(confirmation_id("t003", 43))
        again.write_config({**CONFIG, "seed": 43}, {}, confirms="t003")
        again.write_report(
            {"progress": 100, "time": 1.0, "seconds": 1.0, **dict.fromkeys(METRICS, 0.2)}, noise
        )
        again.write_outcome(Outcome("completed", ended_at=2.0))
        search.write_confirming(Confirming(top=1, seeds=2, trials=3, leaders=["t003"]))
        search.write_leaders({"t003": 0.3}, 1)
        search.add_system_sample({"step": 1, "time": 1.0, "system/cpu": 0.5})
        figures = dict.fromkeys(
            ("objective", "val_macro_f1", "low", "high", "gain", "gain_low", "gain_high"), 0.25
        )
        members = [BlendMember(trial_id="t003", tenths=6), BlendMember(trial_id="t002", tenths=4)]
        search.write_blended(
            Blended(
                candidates={"t003": 0.3, "t002": 0.2},
                is_offered=True,
                members=members,
                best_single="t003",
                **figures,
            )
        )


def _read_records(folder: Path, path: Path) -> None:
    from tune.housekeeping import summaries
    from tune.models.export import write_export
    from tune.ranking import leaderboard
    from tune.records import SearchFolder
    from tune.reporting.report import write_report
    from tune.space import suggestions
    from tune.spec import SearchSpec

    with _runs_in(folder):
        list(summaries())
        search = SearchFolder.open("s")
        search.system_samples()
        failures = []
        for step in (
            lambda: leaderboard.build(search.snapshot()),
            lambda: write_export(search, folder / "best.yaml"),
            *([partial(write_report, search, folder / "report.html")] if path.parent == search.path else []),
            search.set_aside_damaged,
            lambda: suggestions(SearchSpec.from_dict(search.spec), search.snapshot().trials).ask(),
        ):
            try:
                step()
            except GoemoError as error:
                failures.append(error)
        if failures:
            raise failures[0]


@contextmanager
def _runs_in(folder: Path) -> Iterator[None]:
    """Have the searches of the block in a folder."""
    before = os.environ.get("GOEMO_RUNS")
    os.environ["GOEMO_RUNS"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["GOEMO_RUNS"]
        else:
            os.environ["GOEMO_RUNS"] = before


# --- Model folders ---


def _bundles(folder: Path) -> None:
    from goemo import bundle
    from goemo.blending import Member
    from goemo.configuration import Configuration
    from goemo.data import load_splits
    from goemo.thresholds import fit_thresholds
    from goemo.training import train
    from goemo.training.prepared import prepare
    from goemo.words import WordsSettings, fit_words

    splits = load_splits("sample:300")
    configuration = Configuration(checkpoint="scratch:albert-tiny", max_length=8, epochs=1, reports=1)
    prepared = prepare(
        splits,
        configuration.checkpoint,
        trainable="all",
        max_lengths=[8],
        cache=folder.parent / f"{folder.name}-cache",
    )
    run = train(configuration, prepared)
    targets = splits.validation.targets
    facts = {
        "data": prepared.data,
        "report": {"progress": 100, "metrics": {"val/macro_f1": 0.5}},
        "metric": "macro_f1",
    }
    thresholds = fit_thresholds(run.scores("validation"), targets)
    bundle.save(run, folder / "encoder", thresholds=thresholds, provenance={"trial": "t001"})
    words = fit_words(splits.train.texts, splits.train.targets, WordsSettings(C=4.0))
    bundle.save_words(words, folder / "words", labels=splits.labels, thresholds=thresholds, provenance=facts)
    bundle.save_blend(
        [(Member("t001", 6), folder / "words"), (Member("baseline", 4), folder / "words")],
        folder / "blend",
        labels=splits.labels,
        thresholds=thresholds,
        provenance=facts,
    )


def _read_bundle(folder: Path, path: Path) -> None:
    from goemo import bundle

    name = path.relative_to(folder).parts[0]
    predicted = bundle.load(folder / name, device="cpu").predict(["so happy today", "", "\ud83d wow"])
    assert len(predicted) == 3
    assert all(0 <= score <= 1 for one in predicted for score in one["scores"].values())


# --- A served model ---


def _served(folder: Path) -> None:
    rows = {"dataframe_split": {"columns": ["text"], "data": [["so happy"], ["so sad"]]}}
    (folder / "split.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "records.json").write_text(
        json.dumps({"dataframe_records": [{"text": "wow"}]}), encoding="utf-8"
    )
    (folder / "inputs.json").write_text(json.dumps({"inputs": ["wow", "thanks"]}), encoding="utf-8")
    (folder / "instances.json").write_text(json.dumps({"instances": [{"text": "wow"}]}), encoding="utf-8")
    (folder / "instances.csv").write_text('text\n"wow, really"\nthanks\n', encoding="utf-8")
    bundles = folder.parent / f"{folder.name}-bundles"
    bundles.mkdir()
    _bundles(bundles)
    _serve(bundles / "words", folder.parent / f"{folder.name}-model")


def _read_served(_folder: Path, path: Path) -> None:
    """Ask as a client of `mlflow models serve` does; MLflow answers a request that it refuses with 400."""
    kind = "text/csv" if path.suffix == ".csv" else "application/json"
    try:
        answer = _served_model[0].post(
            "/invocations", content=path.read_bytes(), headers={"content-type": kind}
        )
    except Exception as error:
        if any(Path(frame.filename).name == "pyfunc_model.py" for frame in extract_tb(error.__traceback__)):
            raise
        return  # in MLflow itself, before our model hears of it
    assert answer.status_code in {200, 400, 415}, f"status {answer.status_code}: {answer.text[-300:]}"


_served_model: list[Any] = []


def _serve(bundle: Path, saved: Path) -> None:
    from fastapi.testclient import TestClient

    from tune.models.registry import logged_model

    pyfunc = logged_model.pyfunc()
    from mlflow.pyfunc.scoring_server import init  # after it, which keeps its warnings to itself

    logged_model.save(bundle, saved)
    app = init(pyfunc.load_model(str(saved)))
    _served_model[:] = [TestClient(app)]


# --- Data ---


def _texts(folder: Path) -> None:
    """Write one folder a layout, each with a file without splits, as people have them."""
    joined = [",".join(labels) for labels in CELLS]
    rows = list(zip(TEXTS, joined, strict=True))
    one_hot = ["text," + ",".join(LABELS)] + [
        f'"{text}",' + ",".join(str(int(label in labels)) for label in LABELS)
        for text, labels in zip(TEXTS, CELLS, strict=True)
    ]
    quoted = "\n".join(["text,labels", *(f'"{text}","{label}"' for text, label in rows)])
    records = [{"text": text, "labels": labels} for text, labels in zip(TEXTS, CELLS, strict=True)]
    studio = [
        {
            "id": number,
            "data": {"text": text},
            "annotations": [
                {"result": [{"type": "choices", "value": {"choices": labels}, "from_name": "e"}]}
            ],
        }
        for number, (text, labels) in enumerate(zip(TEXTS, CELLS, strict=True))
    ]
    lines = "".join(json.dumps(row) + "\n" for row in records)
    files = {
        "one_hot/data.csv": "\n".join(one_hot),
        "quoted/data.csv": quoted,
        "semicolon/data.csv": "\n".join(
            [
                "text;labels",
                *(f"{text.replace(',', '')};{a}" for (text, _), (a, *_) in zip(rows, CELLS, strict=True)),
            ]
        ),
        "published/data.tsv": "\n".join(f"{text}\t{row % 3}\tid{row}" for row, text in enumerate(TEXTS)),
        "published/labels.txt": "joy\nfear\nanger\n",
        "headed/data.tsv": "\n".join(["text\tlabels", *(f"{text}\t{label}" for text, label in rows)]),
        "plain/data.txt": "\n".join(
            ["ID\tTweet\tjoy\tfear", *(f"{row}\t{text}\t{row % 2}\t1" for row, text in enumerate(TEXTS))]
        ),
        "lines/data.jsonl": lines,
        "array/data.json": json.dumps(records),
        "mapping/data.jsonl": "".join(
            json.dumps({"text": text, "labels": {label: int(label in labels) for label in LABELS}}) + "\n"
            for text, labels in zip(TEXTS, CELLS, strict=True)
        ),
        "nested/data.json": json.dumps(
            {"data": [{"text": row["text"], "labels": row["labels"]} for row in records]}
        ),
        "studio/data.json": json.dumps(studio),
        "fast_text/data.ft": "\n".join(
            "".join(f"__label__{a} " for a in labels) + text
            for text, labels in zip(TEXTS, CELLS, strict=True)
        ),
        "splits/train.csv": quoted,
        "splits/dev.csv": quoted,
        "splits/test.csv": quoted,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    for name in ("gz", "zst"):
        (folder / name).mkdir()
        path = folder / name / f"data.jsonl.{name}"
        path.write_bytes(_pack(path, lines.encode()))


def _tables(folder: Path) -> None:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"text": TEXTS, "labels": [[LABELS.index(a) for a in labels] for labels in CELLS]})
    feature = {"labels": {"feature": {"names": list(LABELS), "_type": "ClassLabel"}, "_type": "List"}}
    named = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": feature}})})
    for name in ("parquet", "arrow"):
        (folder / name).mkdir()
    pq.write_table(named, folder / "parquet" / "data.parquet")
    with pa.ipc.new_stream(folder / "arrow" / "data.arrow", table.schema) as writer:
        writer.write_table(table)
    kept = datasets.Dataset.from_dict({"text": TEXTS, "labels": [labels[0] for labels in CELLS]})
    datasets.DatasetDict({"train": kept, "test": kept}).save_to_disk(str(folder / "saved"))
    datasets.disable_progress_bars()


def _read_data(folder: Path, path: Path) -> None:
    from goemo.configuration.data import DataOptions
    from goemo.data import load_rows, load_splits

    source = f"dir:{folder / path.relative_to(folder).parts[0]}"
    failures = []
    for step in (
        lambda: load_splits(source),
        lambda: load_splits(source, leaves_out_unreadable=True),
        lambda: load_splits(source, "ekman", options=DataOptions(label_separator=";", encoding="latin-1")),
        lambda: load_rows(source),
    ):
        try:
            step()
        except GoemoError as error:
            failures.append(error)
    if len(failures) == 4:  # with one of the ways it can be read
        raise max(failures, key=lambda error: len(str(error)))


READERS: dict[str, Reader] = {
    "spaces": Reader(_spaces, _read_space, changed),
    "exports": Reader(_exports, _read_export, changed),
    "records": Reader(_records, _read_records, changed),
    "bundles": Reader(_bundles, _read_bundle, changed),
    "served": Reader(_served, _read_served, changed),
    "texts": Reader(_texts, _read_data, changed),
    "tables": Reader(_tables, _read_data, changed),
}


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that are changed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "README.md":
            yield path
